package exec

import (
	"context"
	"fmt"
	"slices"

	"github.com/tarn-data/tarn/internal/dataapi/schema"
	"github.com/tarn-data/tarn/internal/dataapi/sqlgen"
)

// txIdle is the transaction status of a connection that is in none.
const txIdle = 'I'

// step is a statement of a pipeline and what to do with its rows.
type step struct {
	statement sqlgen.Statement
	texts     []string // parameters before those of the statement, all text
	role      string   // where PostgreSQL's plan depends on it, so that each role has a prepared statement of its own
	once      bool     // not kept prepared
	formats   []int16  // of the result's columns; nil for text
	to        receiver // nil if nobody wants the rows
}

func (s *step) parameters() int { return len(s.texts) + len(s.statement.Args) }

// size is about how many bytes have to be sent to run it.
func (s *step) size() int {
	n := 64
	for _, v := range s.texts {
		n += 4 + len(v)
	}
	for i := range s.statement.Args {
		n += 4 + len(s.statement.Args[i].Value)
	}
	return n
}

func command(sql string) step { return step{statement: sqlgen.Statement{SQL: sql}} }

// transaction runs steps on a connection that nothing else uses.
type transaction struct {
	runner    *Runner
	link      *link
	isolation schema.Isolation
	readOnly  bool
	sent      func(sql string)
}

// whole runs the steps and the transaction's end in one round trip. The check comes too late to undo anything, so it is
// for what was read only.
func (t *transaction) whole(ctx context.Context, steps []step, end End, reset bool, check func() error) error {
	if reset || t.isolation != schema.DefaultIsolation || end == Rollback && !t.readOnly {
		steps = slices.Concat([]step{t.begin()}, steps, t.finish(end, reset))
	}
	if err := t.send(ctx, steps); err != nil {
		t.rollback(ctx)
		return err
	}
	return check()
}

// decided runs the steps, looks at the row, and then ends the transaction.
func (t *transaction) decided(ctx context.Context, steps []step, end End, reset bool, check func() error) error {
	if err := t.send(ctx, append([]step{t.begin()}, steps...)); err != nil {
		t.rollback(ctx)
		return err
	}
	if err := check(); err != nil {
		t.rollback(ctx)
		return err
	}
	last := t.finish(end, reset)
	for i := range last {
		last[i].once = true // to prepare it may fail, and now nothing can be run anew
	}
	if err := t.send(ctx, last); err != nil {
		t.rollback(ctx)
		return err
	}
	return nil
}

// finish are the steps that end the transaction. What would fail at the commit fails before a rollback, too. And what a
// function set for the session must not outlive the request, nor reach another client of a pooler between here and the
// server; that is undone when nothing more can run that may look at it.
func (t *transaction) finish(end End, reset bool) []step {
	switch {
	case end == Rollback:
		return []step{command("SET CONSTRAINTS ALL IMMEDIATE"), command("ROLLBACK")}
	case reset:
		return []step{
			command("SET CONSTRAINTS ALL IMMEDIATE"), command("RESET ALL"), command("RESET ROLE"), command("COMMIT"),
		}
	default:
		return []step{command("COMMIT")}
	}
}

func (t *transaction) begin() step {
	sql := "BEGIN"
	if t.isolation != schema.DefaultIsolation {
		sql += " ISOLATION LEVEL " + levelName(t.isolation)
	}
	if t.readOnly {
		sql += " READ ONLY"
	}
	return command(sql)
}

func levelName(i schema.Isolation) string {
	switch i {
	case schema.RepeatableRead:
		return "REPEATABLE READ"
	case schema.Serializable:
		return "SERIALIZABLE"
	case schema.ReadCommitted, schema.DefaultIsolation:
	}
	return "READ COMMITTED"
}

// rollback ends a transaction that is still open. If that fails the connection is of no use, and the pool, which looks
// at its state, closes it.
func (t *transaction) rollback(ctx context.Context) {
	if t.link.conn.IsClosed() || t.link.conn.TxStatus() == txIdle {
		return
	}
	_, _ = t.link.conn.Exec(context.WithoutCancel(ctx), "ROLLBACK").ReadAll()
}

// send sends the steps as one pipeline and reads all results. The first error ends the pipeline at the server.
func (t *transaction) send(ctx context.Context, steps []step) error {
	if t.sent != nil {
		for i := range steps {
			t.sent(steps[i].statement.SQL)
		}
	}
	err := t.link.run(ctx, steps, t.runner.Prepared)
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("%w: %w", context.Cause(ctx), err)
	}
	return err
}
