package exec

import (
	"context"
	"math"
	"net"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/tarn-data/tarn/internal/fault"
	"github.com/tarn-data/tarn/internal/pg"
)

const (
	// linkKey is under which a connection carries its link.
	linkKey = "tarn.link"
	// maxKeptOut is how large the buffer of what is sent may have become to be used again.
	maxKeptOut = 64 << 10
)

// link sends pipelines over a connection of the driver's and reads what comes back. The driver's own pipelines do the
// same for three times the allocations. It has the connection for itself while it runs; what it leaves behind is a
// connection that the driver knows the state of, or that is closed.
type link struct {
	conn       *pgconn.PgConn
	statements statements
	watch      watch
	out        []byte
	sent       []*prepared // what was sent for each step
	steps      []step      // room for those of the next pipeline
	quiet      bool        // whether nothing of the response is known to be set from the beginning
}

func linkOf(conn *pgconn.PgConn) *link {
	data := conn.CustomData()
	if l, ok := data[linkKey].(*link); ok {
		return l
	}
	l := &link{conn: conn, statements: newStatements(), watch: newWatch(pg.Canceller(conn))}
	data[linkKey] = l
	return l
}

// run sends the steps as one pipeline and reads all results. The first error ends the pipeline at the server.
func (l *link) run(ctx context.Context, steps []step, keep bool) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if l.conn.IsClosed() {
		return &linkError{cause: net.ErrClosed, unsent: true}
	}
	for i := range steps {
		if steps[i].parameters() > math.MaxUint16 {
			return fault.New(fault.Invalid, "54000", "The request has more values than a statement can have")
		}
	}
	l.write(steps, keep)
	l.watch.begin(ctx)
	err, settled := l.exchange(ctx, steps)
	l.watch.end()
	if !settled { // in the middle of an answer a connection is of no use
		_ = l.conn.Conn().Close()
		_ = l.conn.Close(ctx)
	}
	return err
}

// write renders the messages of a pipeline.
func (l *link) write(steps []step, keep bool) {
	l.out, l.sent = l.out[:0], l.sent[:0]
	l.out = l.statements.deallocate(l.out)
	for i := range steps {
		s := &steps[i]
		st, known := l.statement(s, keep)
		if !known {
			l.out = appendParse(l.out, st.name, s)
		}
		l.out = appendBind(l.out, st.name, s)
		l.out = append(l.out, executeMessage...)
		l.sent = append(l.sent, st)
	}
	l.out = append(l.out, syncMessage...)
}

// statement finds the statement of a step; known is false if it has to be prepared first.
func (l *link) statement(s *step, keep bool) (st *prepared, known bool) {
	if !keep || s.statement.SQL == "" || s.once {
		return &prepared{}, false
	}
	key := statementKey{s.role, s.statement.SQL}
	if st := l.statements.find(key); st != nil {
		return st, true
	}
	for _, st := range l.sent {
		if st.name != "" && st.key == key {
			return st, true
		}
	}
	return newPrepared(key, s), false
}

// exchange writes the pipeline and reads up to the end of its answer. Then the connection is settled.
func (l *link) exchange(ctx context.Context, steps []step) (err error, settled bool) { //nolint:revive // the error isn't all
	n, err := l.conn.Conn().Write(l.out)
	if cap(l.out) > maxKeptOut {
		l.out = nil
	}
	if err != nil {
		return &linkError{cause: err, unsent: n == 0}, false
	}
	r := reader{link: l, steps: steps}
	defer r.stop()
	for {
		msg, err := l.conn.ReceiveMessage(context.Background()) // it is watched for the request's
		if err != nil {
			if r.failure == nil {
				r.failure = &linkError{cause: err}
			}
			return r.failure, false // which says why the connection is broken
		}
		if done := r.take(ctx, msg); done {
			if r.failure != nil {
				l.dropUnknown()
			}
			return r.failure, true
		}
	}
}

// dropUnknown has those statements deallocated of which it isn't known whether they were prepared.
func (l *link) dropUnknown() {
	for _, st := range l.sent {
		if st.name != "" && !st.there {
			l.statements.drop = append(l.statements.drop, st.name)
		}
	}
}

// reader follows the answer to a pipeline.
type reader struct {
	link    *link
	steps   []step
	at      int   // the step whose answer is being read
	failure error // the first one
	cancel  *pgconn.CancelRequestContextWatcherHandler
}

// take takes in a message, and tells whether it is the last one.
func (r *reader) take(ctx context.Context, msg pgproto3.BackendMessage) (done bool) {
	switch msg := msg.(type) {
	case *pgproto3.RowDescription:
		r.link.sent[r.at].describe(msg.Fields)
	case *pgproto3.BindComplete:
		st := r.link.sent[r.at]
		if st.name != "" && !st.there {
			st.there = true
			r.link.statements.keep(st)
		}
		if to := r.steps[r.at].to; to != nil {
			r.failed(ctx, to.begin(st))
		}
	case *pgproto3.DataRow:
		if to := r.steps[r.at].to; to != nil && r.failure == nil {
			r.failed(ctx, to.row(msg.Values))
		}
	case *pgproto3.CommandComplete:
		if to := r.steps[r.at].to; to != nil && r.failure == nil {
			to.end(msg.CommandTag)
		}
		r.at++
	case *pgproto3.EmptyQueryResponse:
		r.at++
	case *pgproto3.ErrorResponse:
		if r.failure == nil {
			r.failure = pgconn.ErrorResponseToPgError(msg)
		}
	case *pgproto3.ReadyForQuery:
		return true
	}
	return false
}

// failed heeds that what the server sends can't be used: nobody wants the rest.
func (r *reader) failed(ctx context.Context, err error) {
	if err == nil {
		return
	}
	r.failure = err
	r.cancel = pg.Canceller(r.link.conn)
	r.cancel.HandleCancel(ctx)
}

func (r *reader) stop() {
	if r.cancel != nil {
		r.cancel.HandleUnwatchAfterCancel()
	}
}

// linkError is what happened to a connection.
type linkError struct {
	cause  error
	unsent bool
}

func (e *linkError) Error() string { return e.cause.Error() }

// Unwrap returns the cause.
func (e *linkError) Unwrap() error { return e.cause }

// SafeToRetry tells whether the server can't have heard of it. What the driver says of it isn't to be believed: it
// doesn't know what was sent.
func (e *linkError) SafeToRetry() bool { return e.unsent }
