// Package exec runs the statement of a Data API request: in one transaction, in one round trip where the request allows
// it, as the caller's role and with the caller's settings. It knows nothing of HTTP.
package exec

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/tarn-data/tarn/internal/dataapi/schema"
	"github.com/tarn-data/tarn/internal/dataapi/sqlgen"
	"github.com/tarn-data/tarn/internal/pg"
)

// Runner runs statements on connections of a pool.
type Runner struct {
	Pool     *pg.Pool
	Prepared bool // whether statements are kept by name on their connections
	Shared   int  // connections that requests may share
	// Outdated is told that a statement found the schema other than it was when the statement was made, and was answered all
	// the same; nil for nobody.
	Outdated func()

	buffers sync.Pool // of *[]byte, for bodies
	habits  habits

	multiplexers sync.Map // of *pg.Pool to *multiplexer
}

// Session is what holds while a request's transaction runs.
type Session struct {
	Role       string
	Isolation  schema.Isolation
	Replica    *pg.Replica // to read from; nil for the primary server
	Settings   *Settings
	Values     []string                // of the first few settings
	Others     func([]string) []string // appends those of the others; nil if there are none
	Quiet      bool                    // whether neither they nor the pre-request function can set anything of the response
	PreRequest string                  // function to call first, quoted; empty for none
	Sent       func(sql string)        // is told of every statement; nil for nobody
}

// SetRole is the name of the setting that changes the role. What comes before it is set with the login role's rights.
const SetRole = "role"

// End says how the transaction ends when all went well.
type End uint8

// The ends of a transaction.
const (
	Commit End = iota
	Rollback
)

// Check looks at a row before the transaction ends. An error rolls it back.
type Check func(*sqlgen.Row) error

// Result is what the statements of a query returned.
type Result struct {
	Row     sqlgen.Row
	Plan    []byte // of an explained query: its lines
	Planned *int64 // rows that PostgreSQL's planner expects in all, when asked for

	Streamed bool // whether a part of the body went to the sink
	buffer   *[]byte
}

// ErrUnknownType says that rows have a type that can't be rendered outside of the database. Nothing was answered yet.
var ErrUnknownType = errors.New("a column's type can't be rendered")

// Sink takes an answer in parts while it is being made. An error ends the query.
type Sink func(part []byte) error

// job is one query with all that goes with it.
type job struct {
	session Session
	query   *sqlgen.Query
	end     End
	check   Check
	sink    Sink

	refused bool // whether it was bare and the schema isn't such that it may be
}

// Run runs a query in a transaction.
//
// Where nothing has to be decided between the statement and the transaction's end, all goes as one pipeline that a
// single Sync ends: one round trip, and PostgreSQL rolls back by itself if a statement fails. Otherwise the end is sent
// when the row has been looked at.
func (r *Runner) Run(ctx context.Context, s Session, q *sqlgen.Query, end End, check Check) (*Result, error) {
	return r.run(ctx, &job{session: s, query: q, end: end, check: check})
}

// RunRows runs a query whose rows are rendered as they arrive. What doesn't fit into a moderate buffer goes to the sink;
// the rest is in the result.
func (r *Runner) RunRows(ctx context.Context, s Session, q *sqlgen.Query, sink Sink) (*Result, error) {
	return r.run(ctx, &job{session: s, query: q, sink: sink})
}

func (r *Runner) run(ctx context.Context, j *job) (*Result, error) {
	replica := j.session.Replica
	if replica == nil || !j.query.ReadOnly || j.session.Isolation == schema.Serializable { // which a standby doesn't have
		return r.runOn(ctx, r.Pool, j)
	}
	res, err := r.runOn(ctx, replica.Pool(), j)
	if err == nil || res != nil && res.Streamed || ctx.Err() != nil || !primaryMayTell(err) {
		replica.Answered()
		return res, err
	}
	replica.Failed(unreachable(err))
	return r.runOn(ctx, r.Pool, j)
}

func (r *Runner) runOn(ctx context.Context, pool *pg.Pool, j *job) (*Result, error) {
	if !r.shareable(j) || ctx.Err() != nil {
		return r.runAlone(ctx, pool, j, nil)
	}
	m := r.multiplexer(pool)
	m.active.Add(1)
	defer m.active.Add(-1)
	res, err, done := m.run(ctx, r, j)
	if done {
		return res, err
	}
	res, err = r.runAlone(ctx, pool, j, m)
	if j.refused && err == nil && r.Outdated != nil {
		r.Outdated()
	}
	return res, err
}

// runAlone runs a job on a connection that nothing else uses meanwhile. Afterwards it may go to a multiplexer.
func (r *Runner) runAlone(ctx context.Context, pool *pg.Pool, j *job, m *multiplexer) (*Result, error) {
	var res *Result
	repeatable := func() bool { return j.query.ReadOnly && !res.Streamed }
	err := withConn(ctx, pool, j.query.Main.SQL, repeatable, m, func(conn *pgconn.PgConn) error {
		var err error
		res, err = r.attempt(ctx, conn, j)
		if isStaleStatement(err) && conn.TxStatus() == txIdle && !res.Streamed {
			// The transaction is rolled back and nothing was answered, so it can be run anew.
			linkOf(conn).statements.forget()
			res, err = r.attempt(ctx, conn, j)
		}
		return err
	})
	return res, err
}

func (r *Runner) attempt(ctx context.Context, conn *pgconn.PgConn, j *job) (*Result, error) {
	res := &Result{}
	q := j.query
	l := linkOf(conn)
	steps := r.prologue(l.steps, &j.session, q.ReadOnly, r.habits.custom(q))
	steps = r.compose(steps, j, res, j.sink, l.quiet, l)
	defer func() {
		clear(steps)
		l.steps = steps[:0]
	}()
	isolation := j.session.Isolation
	if q.Isolation != schema.DefaultIsolation {
		isolation = q.Isolation
	}
	if q.Total != nil && isolation != schema.Serializable {
		isolation = schema.RepeatableRead // what is counted are the rows that are read
	}
	tx := transaction{runner: r, link: l, isolation: isolation, readOnly: q.ReadOnly, sent: j.session.Sent}
	reset := j.session.PreRequest != "" || q.CallsVolatile
	decide := func() error { return checked(j.check, res) }
	began, err := time.Now(), error(nil)
	if j.check == nil || q.ReadOnly {
		err = tx.whole(ctx, steps, j.end, reset, decide)
	} else {
		err = tx.decided(ctx, steps, j.end, reset, decide)
	}
	if l.took = time.Since(began); err == nil && !res.Streamed {
		r.habits.ran(q, l.took, res.Row.Page)
	}
	return res, err
}

// compose appends the steps of a job that come after the prologue, whose answers go to the result. Quiet says whether nothing
// of the response is set for all that comes over the connection; if that has to be asked, learns is told.
func (r *Runner) compose(steps []step, j *job, res *Result, sink Sink, quiet bool, learns *link) []step {
	q := j.query
	main := step{statement: q.Main}
	switch {
	case q.Explained:
		main.to = &planReceiver{result: res}
	case q.Rows != sqlgen.NoRows:
		res.buffer = r.takeBuffer()
		res.Row.Body = (*res.buffer)[:0]
		main.to = &rowsReceiver{result: res, format: q.Rows, sink: sink, all: q.TotalIsPage}
	default:
		main.formats, main.to = formats(q.Columns), &rowReceiver{result: res, columns: q.Columns}
	}
	if q.RoleBound {
		main.role = j.session.Role
	}
	steps = append(steps, main)
	if q.Rows != sqlgen.NoRows {
		if mute := q.Quiet && j.session.Quiet; !mute {
			steps = append(steps, askSettings(res, nil))
		} else if !quiet {
			steps = append(steps, askSettings(res, learns))
		}
	}
	if q.Total != nil {
		steps = append(steps, step{statement: *q.Total, role: main.role, to: &totalReceiver{result: res}})
	}
	if q.Count != nil {
		steps = append(steps, step{statement: *q.Count, to: &countReceiver{result: res}})
	}
	return steps
}

// askSettings is the step that asks what of the response was set: by the query, or for all that comes over the connection,
// as ALTER ROLE does.
func askSettings(res *Result, learns *link) step {
	return step{statement: sqlgen.ResponseSettings(), to: &settingsReceiver{result: res, link: learns}}
}

func checked(check Check, res *Result) error {
	if check == nil {
		return nil
	}
	return check(&res.Row)
}

// Query runs statements as the caller in one read-only transaction and hands each row of each of them to a function.
func (r *Runner) Query(ctx context.Context, s Session, statements []sqlgen.Statement, row func(statement int, values [][]byte)) error {
	return withConn(ctx, r.Pool, statements[0].SQL, never, nil, func(conn *pgconn.PgConn) error {
		steps := r.prologue(nil, &s, true, false)
		for i, st := range statements {
			steps = append(steps, step{statement: st, to: &eachReceiver{each: func(values [][]byte) { row(i, values) }}})
		}
		tx := transaction{runner: r, link: linkOf(conn), isolation: s.Isolation, readOnly: true, sent: s.Sent}
		return tx.whole(ctx, steps, Commit, false, func() error { return nil })
	})
}

// withConn runs a function with a connection and gives it back, or closes it if it isn't as it was. Connections are not
// asked beforehand whether they are well. If one was lost, the function is run once more with another, where nothing was
// sent or it says that it can be repeated.
func withConn(
	ctx context.Context, pool *pg.Pool, shape string, repeatable func() bool, m *multiplexer, run func(*pgconn.PgConn) error,
) error {
	err := once(ctx, pool, shape, m, run)
	if _, lost := errors.AsType[*lostError](err); lost && ctx.Err() == nil && (pgconn.SafeToRetry(err) || repeatable()) {
		return once(ctx, pool, shape, m, run)
	}
	return err
}

func once(ctx context.Context, pool *pg.Pool, shape string, m *multiplexer, run func(*pgconn.PgConn) error) error {
	conn, err := pool.Acquire(ctx, shape)
	if err != nil {
		return &ConnectError{Cause: err}
	}
	defer m.release(conn)
	err = run(conn.PgConn())
	if err == nil || !conn.IsClosed() {
		return err
	}
	if _, told := errors.AsType[*pgconn.PgError](err); told {
		return err
	}
	return &lostError{err}
}

func never() bool { return false }

// lostError says that a connection was lost, and the server didn't say why.
type lostError struct{ cause error }

func (e *lostError) Error() string { return e.cause.Error() }

// Unwrap returns the cause.
func (e *lostError) Unwrap() error { return e.cause }

// ConnectError says that no connection was to be had.
type ConnectError struct{ Cause error }

func (e *ConnectError) Error() string { return "no database connection: " + e.Cause.Error() }

// Unwrap returns the cause.
func (e *ConnectError) Unwrap() error { return e.Cause }

// isStaleStatement tells whether a prepared statement no longer fits, and preparing it anew will help.
func isStaleStatement(err error) bool {
	if err == nil {
		return false
	}
	var pgErr *pgconn.PgError
	if !errors.As(err, &pgErr) {
		return false
	}
	switch pgErr.Code {
	case "0A000":
		return pgErr.Routine == "RevalidateCachedQuery" // cached plan must not change result type
	case "26000", // statement is unknown: the server, or a proxy before it, forgot
		"42P05": // statement exists: we forgot
		return true
	}
	return false
}
