package exec

import (
	"context"
	"math"
	"net"
	"time"

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
	sent       []*prepared   // what was sent for each step
	steps      []step        // room for those of the next pipeline
	took       time.Duration // for the last transaction
	quiet      bool          // whether nothing of the response is known to be set from the beginning
}

func linkOf(conn *pgconn.PgConn) *link {
	data := conn.CustomData()
	if l, ok := data[linkKey].(*link); ok {
		return l
	}
	l := &link{conn: conn, statements: newStatements(), watch: newWatch(&pg.Canceller{Conn: conn})}
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
	settled := false
	l.watch.begin(ctx)
	defer func() {
		if usable := l.watch.end(); !usable || !settled { // in the middle of an answer, a connection is of no use
			l.close()
		}
	}()
	var err error
	err, settled = l.exchange(ctx, steps)
	return err
}

func (l *link) close() {
	_ = l.conn.Conn().Close()
	_ = l.conn.Close(context.Background())
}

// write renders the messages of a pipeline.
func (l *link) write(steps []step, keep bool) {
	l.out = l.statements.deallocate(l.out[:0])
	l.sent = l.sent[:0]
	for i := range steps {
		s := &steps[i]
		st, known := l.statement(s, keep)
		l.out = appendStep(l.out, s, st, known)
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
	r := reader{link: l, sent: l.sent, steps: steps}
	settled = r.read(ctx)
	if r.cancel != nil && !r.cancel.Wait() {
		settled = false
	}
	return r.failure, settled
}

// reader follows the answer to a pipeline.
type reader struct {
	link    *link
	call    *call // on a line, over which others ask, too; nil for none
	sent    []*prepared
	steps   []step        // nil if nobody wants the answer
	at      int           // the step whose answer is being read
	failure error         // the first one
	aborted bool          // whether the server has told it: then the transaction has no more answers
	cancel  *pg.Canceller // of the rest; nil while it is wanted
}

// read reads up to the end of the answer. It is false if that didn't come: then the failure says why the connection is
// broken.
func (r *reader) read(ctx context.Context) (settled bool) {
	for {
		msg, err := r.link.conn.ReceiveMessage(context.Background()) // it is watched for the request's
		if err != nil {
			if r.failure == nil {
				r.failure = &linkError{cause: err}
			}
			return false
		}
		if done := r.take(ctx, msg); done {
			if r.failure != nil {
				r.dropUnknown()
			}
			return true
		}
	}
}

// take takes in a message, and tells whether it is the last one.
func (r *reader) take(ctx context.Context, msg pgproto3.BackendMessage) (done bool) {
	switch msg := msg.(type) {
	case *pgproto3.RowDescription:
		r.sent[r.at].describe(msg.Fields)
	case *pgproto3.BindComplete:
		st := r.sent[r.at]
		if st.name != "" && !st.there {
			r.keep(st)
		}
		if to := r.to(); to != nil {
			r.failed(ctx, to.begin(st))
		}
	case *pgproto3.DataRow:
		if to := r.to(); to != nil {
			r.failed(ctx, to.row(msg.Values))
		}
	case *pgproto3.CommandComplete:
		if to := r.to(); to != nil {
			to.end(msg.CommandTag)
		}
		r.at++
		return r.at == len(r.sent) && r.call != nil && !r.call.last()
	case *pgproto3.EmptyQueryResponse:
		r.at++
	case *pgproto3.ErrorResponse:
		r.aborted = true
		if r.failure == nil {
			r.failure = pgconn.ErrorResponseToPgError(msg)
		}
	case *pgproto3.ReadyForQuery:
		return true
	}
	return false
}

// to is who takes in the answer that is being read; nil for nobody.
func (r *reader) to() receiver {
	if r.failure != nil || r.steps == nil {
		return nil
	}
	return r.steps[r.at].to
}

// keep takes note that the server has a statement.
func (r *reader) keep(st *prepared) {
	if r.call != nil {
		r.call.line.mu.Lock()
		defer r.call.line.mu.Unlock()
	}
	st.there = true
	r.link.statements.keep(st)
}

// dropUnknown has those statements deallocated of which it isn't known whether they were prepared.
func (r *reader) dropUnknown() {
	if r.call != nil {
		r.call.line.mu.Lock()
		defer r.call.line.mu.Unlock()
	}
	for _, st := range r.sent {
		if st.name != "" && !st.there {
			r.link.statements.giveUp(st)
		}
	}
}

// failed heeds that what the server sends can't be used: nobody wants the rest. Where the next answer is another's, the
// rest is waited for, since it is short.
func (r *reader) failed(ctx context.Context, err error) {
	if err == nil {
		return
	}
	r.failure = err
	if r.call == nil {
		r.cancel = &pg.Canceller{Conn: r.link.conn}
		r.cancel.HandleCancel(ctx)
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
