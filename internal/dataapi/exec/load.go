package exec

import (
	"context"
	"errors"
	"slices"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/tarn-data/tarn/internal/dataapi/payload"
	"github.com/tarn-data/tarn/internal/dataapi/sqlgen"
)

// ErrNoTable says that no table for a payload could be made, and that nothing of the payload was read.
var ErrNoTable = errors.New("no table for the payload")

// RunLoad inserts the rows of a large payload as they arrive, which takes some round trips and, of the server, a fraction
// of the time and memory that one statement with all of it takes. The sink gets what comes back of the rows; none of it
// may be answered before all is committed.
func (r *Runner) RunLoad(ctx context.Context, s Session, q *sqlgen.Query, end End, check Check, sink Sink) (*Result, error) {
	res := &Result{}
	j := &job{session: s, query: q, end: end, check: check, sink: sink}
	var err error
	taken := false // of the payload, which can be read once only
	lost := withConn(ctx, r.Pool, q.Load.Copy, never, nil, func(conn *pgconn.PgConn) error {
		if taken {
			return err
		}
		tx := transaction{runner: r, link: linkOf(conn), isolation: s.Isolation, sent: s.Sent}
		if err = tx.load(ctx, res, j, &taken); err != nil {
			tx.rollback(ctx)
		}
		return err
	})
	if err == nil {
		err = lost
	}
	return res, err
}

func (t *transaction) load(ctx context.Context, res *Result, j *job, taken *bool) error {
	l := j.query.Load
	if err := t.sendOnce(ctx, t.runner.prologue([]step{t.begin()}, &j.session, false, false)); err != nil {
		return err
	}
	if l.Create != "" {
		err := t.sendOnce(ctx, []step{command(l.Create)})
		if _, refused := errors.AsType[*pgconn.PgError](err); refused {
			return errors.Join(ErrNoTable, err)
		}
		if err != nil {
			return err
		}
	}
	*taken = true
	if err := t.copy(ctx, res, l); err != nil {
		return err
	}
	if err := t.sendOnce(ctx, j.inserts(res)); err != nil {
		return err
	}
	if err := checked(j.check, res); err != nil {
		return err
	}
	return t.sendOnce(ctx, t.finish(j.end, j.session.PreRequest != ""))
}

// sendOnce sends steps whose statements aren't kept: to use one again may fail, and now nothing can be run anew.
func (t *transaction) sendOnce(ctx context.Context, steps []step) error {
	steps = slices.Clone(steps)
	for i := range steps {
		steps[i].once = true
	}
	return t.send(ctx, steps)
}

func (t *transaction) copy(ctx context.Context, res *Result, l *sqlgen.Load) error {
	if t.sent != nil {
		t.sent(l.Copy)
	}
	tag, err := t.link.conn.CopyFrom(ctx, l.Text, l.Copy)
	if t.link.conn.IsClosed() { // the text may still be read
		return err
	}
	if bad := l.Text.Err(); bad != nil {
		return bad
	}
	if refusal, ok := errors.AsType[*pgconn.PgError](err); ok && refusal.Code == "42P10" {
		// A generated column, of which an INSERT says something else.
		return &payload.UnfitError{Text: []byte("[{}]")}
	}
	res.Row.Page = tag.RowsAffected()
	if err != nil && ctx.Err() != nil {
		return errors.Join(context.Cause(ctx), err)
	}
	return err
}

// inserts are the steps after the rows were copied.
func (j *job) inserts(res *Result) []step {
	q := j.query
	set := step{statement: sqlgen.WriteSettings(), to: &settingsReceiver{result: res}}
	switch {
	case q.Load.Create == "":
		return []step{set}
	case q.Rows != sqlgen.NoRows:
		res.Row.Page = 0
		return []step{{statement: q.Main, to: &rowsReceiver{result: res, format: q.Rows, sink: j.sink}}, set}
	}
	return []step{{statement: q.Main, formats: formats(q.Columns), to: &rowReceiver{result: res, columns: q.Columns}}}
}
