package dataapi

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/tarn-data/tarn/internal/dataapi/exec"
	"github.com/tarn-data/tarn/internal/dataapi/payload"
	"github.com/tarn-data/tarn/internal/dataapi/plan"
	"github.com/tarn-data/tarn/internal/dataapi/prepared"
	"github.com/tarn-data/tarn/internal/dataapi/request"
	"github.com/tarn-data/tarn/internal/dataapi/sqlgen"
	"github.com/tarn-data/tarn/internal/fault"
)

// load inserts rows as they arrive. Where it can't, the body has to be held as a whole.
func (v *visit) load(ctx context.Context, w *prepared.Work) (*exec.Result, error) {
	req, p, q := w.Request, w.Plan.(*plan.Mutate), w.Query
	if q.Load.Create != "" {
		if err := v.body.fill(loadFrom); err != nil {
			return nil, err
		}
		if v.body.ended {
			return nil, payload.ErrWhole
		}
	}
	session := v.session(req, p)
	v.body.take()
	res, err := v.state.runner.RunLoad(ctx, session, q, v.end(req), check(p, req), v.spool.write)
	if errors.Is(err, exec.ErrNoTable) {
		v.body.taken = false
		return nil, payload.ErrWhole
	}
	if refusal, ok := errors.AsType[*pgconn.PgError](err); ok && refusal.SeverityUnlocalized == "ERROR" { // and not the end of the connection
		// What is wrong with the payload itself goes before what the database says of its rows.
		if bad := v.body.check(p.Write.(*plan.Insert).Rows, v.state.cfg.MaxBody); bad != nil {
			err = bad
		}
	}
	if unfit, ok := errors.AsType[*payload.UnfitError](err); ok {
		return nil, v.unfit(ctx, req, p, unfit)
	}
	return res, err
}

// unfit has the database say what is wrong with a payload. Nothing is left of it.
func (v *visit) unfit(ctx context.Context, req *request.Request, p *plan.Mutate, unfit *payload.UnfitError) error {
	insert := *p.Write.(*plan.Insert)
	insert.Rows, insert.Body = nil, unfit.Text
	small := *p
	small.Write = &insert
	q, err := sqlgen.Build(&small, req.Prefer, sqlgen.Options{})
	if err != nil {
		return err
	}
	if _, err = v.state.runner.Run(ctx, v.session(req, p), q, exec.Rollback, nil); err != nil {
		return err
	}
	return fault.New(fault.Invalid, "PGRST102", "Empty or invalid json")
}
