package dataapi

import (
	"strconv"

	"github.com/tarn-data/tarn/internal/dataapi/exec"
	"github.com/tarn-data/tarn/internal/dataapi/media"
	"github.com/tarn-data/tarn/internal/dataapi/plan"
	"github.com/tarn-data/tarn/internal/dataapi/request"
	"github.com/tarn-data/tarn/internal/dataapi/sqlgen"
	"github.com/tarn-data/tarn/internal/fault"
)

// check is what must hold of the row before the transaction may commit; nil when nothing must.
func check(p plan.Plan, req *request.Request) exec.Check {
	var checks []exec.Check
	switch p := p.(type) {
	case *plan.Read:
		if singular(p.Media) {
			checks = append(checks, checkSingular)
		}
	case *plan.Mutate:
		switch {
		case p.Mutation == request.Upsert:
			checks = append(checks, checkPut)
		case singular(p.Media):
			checks = append(checks, checkSingular)
		}
		if p.Mutation == request.Update || p.Mutation == request.Delete {
			checks = append(checks, maxAffected(req.Prefer)...)
		}
	case *plan.Call:
		if singular(p.Media) {
			checks = append(checks, checkSingular)
		}
		checks = append(checks, maxAffected(req.Prefer)...)
	case *plan.Inspect, *plan.Info:
	}
	if len(checks) == 0 {
		return nil
	}
	return func(row *sqlgen.Row) error {
		for _, c := range checks {
			if err := c(row); err != nil {
				return err
			}
		}
		return nil
	}
}

func singular(t media.Type) bool { return t.Kind == media.Singular || t.Kind == media.SingularStripped }

func checkSingular(row *sqlgen.Row) error {
	if row.Page == 1 {
		return nil
	}
	return fault.New(fault.NotAcceptable, "PGRST116", "Cannot coerce the result to a single JSON object").
		WithDetails("The result contains " + strconv.FormatInt(row.Page, 10) + " rows")
}

// checkPut finds out whether the payload's key was the URL's: if not, the row was left out.
func checkPut(row *sqlgen.Row) error {
	if row.Page == 1 {
		return nil
	}
	return fault.New(fault.Invalid, "PGRST115", "Payload values do not match URL in primary key column(s)")
}

func maxAffected(p request.Prefer) []exec.Check {
	if !p.HasMaxAffected || p.Handling != request.Strict {
		return nil
	}
	return []exec.Check{func(row *sqlgen.Row) error {
		if row.Page <= p.MaxAffected {
			return nil
		}
		return fault.New(fault.Invalid, "PGRST124", "Query result exceeds max-affected preference constraint").
			WithDetails("The query affects " + strconv.FormatInt(row.Page, 10) + " rows")
	}}
}
