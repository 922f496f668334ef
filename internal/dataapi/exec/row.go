package exec

import (
	"bytes"
	"encoding/json"
	"strconv"

	"github.com/tarn-data/tarn/internal/dataapi/sqlgen"
)

// receiver takes in the rows of a step. They are only lent: what is to be kept is copied. An error ends the query.
type receiver interface {
	begin(*prepared) error
	row(values [][]byte) error
	end(tag []byte)
}

// whole is a receiver of rows without anything before or after them.
type whole struct{}

func (whole) begin(*prepared) error { return nil }
func (whole) end([]byte)            {}

// formats are the formats of a row's columns: all text but the body.
func formats(c sqlgen.Columns) []int16 {
	f := make([]int16, c.Count)
	f[c.Body] = 1
	return f
}

// rowReceiver reads the one row of a query. Of none, as an empty update gives, the zero row stays.
type rowReceiver struct {
	whole
	result  *Result
	columns sqlgen.Columns
}

func (r *rowReceiver) row(v [][]byte) error {
	at := func(i int) []byte {
		if i < 0 {
			return nil
		}
		return v[i]
	}
	c := &r.columns
	r.result.Row = sqlgen.Row{
		Total:    number(at(c.Total)),
		Body:     bytes.Clone(at(c.Body)),
		Headers:  bytes.Clone(at(c.Headers)),
		Status:   string(at(c.Status)),
		Location: bytes.Clone(at(c.Location)),
		Inserted: number(at(c.Inserted)),
	}
	if n := number(at(c.Page)); n != nil {
		r.result.Row.Page = *n
	}
	return nil
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

// settingsReceiver reads what the request's SQL has set of the response.
type settingsReceiver struct {
	whole
	result *Result
	link   *link // to be told whether anything is set for all that comes over it; nil where that can't be learnt
}

func (r *settingsReceiver) row(v [][]byte) error {
	if r.link != nil {
		r.link.quiet = v[0] == nil && v[1] == nil
	}
	r.result.Row.Headers = bytes.Clone(v[0])
	r.result.Row.Status = string(v[1])
	if len(v) > 2 {
		r.result.Row.Inserted = number(v[2])
	}
	return nil
}

// planReceiver collects the lines of an execution plan.
type planReceiver struct {
	whole
	result *Result
}

func (r *planReceiver) row(v [][]byte) error {
	r.result.Plan = append(append(r.result.Plan, v[0]...), '\n')
	return nil
}

// totalReceiver reads the number of all rows.
type totalReceiver struct {
	whole
	result *Result
}

func (r *totalReceiver) row(v [][]byte) error {
	r.result.Row.Total = number(v[0])
	return nil
}

// countReceiver reads the number of rows that the planner expects.
type countReceiver struct {
	whole
	result *Result
}

func (r *countReceiver) row(v [][]byte) error {
	var plans []struct {
		Plan struct {
			Rows int64 `json:"Plan Rows"`
		}
	}
	if json.Unmarshal(v[0], &plans) == nil && len(plans) > 0 {
		r.result.Planned = &plans[0].Plan.Rows
	}
	return nil
}

// eachReceiver hands each row to a function.
type eachReceiver struct {
	whole
	each func(values [][]byte)
}

func (r *eachReceiver) row(v [][]byte) error {
	r.each(v)
	return nil
}
