package exec

import (
	"bytes"
	"encoding/json"
	"strconv"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/tarn-data/tarn/internal/dataapi/sqlgen"
)

// formats are the formats of a row's columns: all text but the body.
func formats(c sqlgen.Columns) []int16 {
	f := make([]int16, c.Count)
	f[c.Body] = 1
	return f
}

// rowReader reads the one row of a query. Of none, as an empty update gives, the zero row stays.
func (r *Result) rowReader(c sqlgen.Columns) func(*pgconn.ResultReader) {
	return func(rr *pgconn.ResultReader) {
		for rr.NextRow() {
			v := rr.Values()
			at := func(i int) []byte {
				if i < 0 {
					return nil
				}
				return v[i]
			}
			r.Row = sqlgen.Row{
				Total:    number(at(c.Total)),
				Body:     bytes.Clone(at(c.Body)),
				Headers:  bytes.Clone(at(c.Headers)),
				Status:   string(at(c.Status)),
				Location: bytes.Clone(at(c.Location)),
				Inserted: number(at(c.Inserted)),
			}
			if n := number(at(c.Page)); n != nil {
				r.Row.Page = *n
			}
		}
	}
}

func number(text []byte) *int64 {
	if text == nil {
		return nil
	}
	n, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil {
		return nil
	}
	return &n
}

// readPlan collects the lines of an execution plan.
func (r *Result) readPlan(rr *pgconn.ResultReader) {
	for rr.NextRow() {
		r.Plan = append(append(r.Plan, rr.Values()[0]...), '\n')
	}
}

// readCount reads the number of rows that the planner expects.
func (r *Result) readCount(rr *pgconn.ResultReader) {
	for rr.NextRow() {
		var plans []struct {
			Plan struct {
				Rows int64 `json:"Plan Rows"`
			}
		}
		if json.Unmarshal(rr.Values()[0], &plans) == nil && len(plans) > 0 {
			r.Planned = &plans[0].Plan.Rows
		}
	}
}
