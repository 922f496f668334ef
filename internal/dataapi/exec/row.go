package exec

import (
	"bytes"
	"encoding/json"
	"strconv"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/tarn-data/tarn/internal/dataapi/sqlgen"
)

// rowFormats are the formats of a row's columns: all text but the body, which may be a bytea.
var rowFormats = func() []int16 {
	f := make([]int16, sqlgen.RowColumns)
	f[sqlgen.BodyColumn] = 1
	return f
}()

// readRow reads the one row of a query. Of none, as an empty update gives, the zero row stays.
func (r *Result) readRow(rr *pgconn.ResultReader) {
	for rr.NextRow() {
		v := rr.Values()
		r.Row = sqlgen.Row{
			Total:    number(v[0]),
			Body:     bytes.Clone(v[sqlgen.BodyColumn]),
			Headers:  bytes.Clone(v[3]),
			Status:   string(v[4]),
			Location: bytes.Clone(v[5]),
			Inserted: number(v[6]),
		}
		if n := number(v[1]); n != nil {
			r.Row.Page = *n
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
