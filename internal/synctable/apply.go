package synctable

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

const (
	batchRows  = 500     // that are sent at once
	batchBytes = 4 << 20 // of their values, after which they are
	copyRows   = 20      // in a row, from which on rows are inserted by COPY
)

// group is a transaction of the target.
type group struct {
	tx    pgx.Tx
	began time.Time
	rows  int
	pos   position
	done  Result
	part  string // the table's name

	batch *pgconn.Batch
	one   []bool // for each statement of the batch, whether it must change one row
	bytes int
	fresh [][][]byte // rows to insert after the batch
}

// due tells whether it is time to commit.
func (g *group) due(quiet bool) bool {
	return g != nil && (quiet || g.rows >= groupRows || time.Since(g.began) > groupTime)
}

// begin begins a transaction of the target, unless one is on. The target must be as this replica left it.
func (r *Replica) begin(ctx context.Context) error {
	if r.group != nil {
		return nil
	}
	tx, err := r.to.Begin(ctx)
	if err != nil {
		return err
	}
	r.group = &group{tx: tx, began: time.Now(), pos: r.pos, part: quote(StateSchema, r.pos.Part), batch: &pgconn.Batch{}}
	c := &copying{tx: tx, target: r.target}
	// Whoever holds the lease no more must not come in between.
	if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock(hashtext('tarn_sync'), $1)", int32(r.target.ID&0x7fffffff)); err != nil {
		return err
	}
	if err := c.exec(ctx, "SET LOCAL lock_timeout = '30s'", "SET LOCAL synchronous_commit = on"); err != nil {
		return err
	}
	if err := c.look(ctx); err != nil {
		return err
	}
	now, err := c.recall(ctx)
	if err == nil && (now == nil || now.Slot != r.pos.Slot || now.LSN != r.pos.LSN) {
		err = failed("Somebody else has changed the table meanwhile.")
	}
	return err
}

// advance writes down how far the log has been read, if nothing of it has changed the target.
func (r *Replica) advance(ctx context.Context) error {
	if r.seen == r.pos.LSN {
		return nil
	}
	if err := r.begin(ctx); err != nil {
		return err
	}
	return r.commit(ctx)
}

// commit commits the changes, with the place in the log that they lead to.
func (r *Replica) commit(ctx context.Context) error {
	if err := r.flush(ctx); err != nil {
		return err
	}
	g := r.group
	g.pos.LSN = r.seen
	if err := (&copying{tx: g.tx, target: r.target}).remember(ctx, &g.pos); err != nil {
		return err
	}
	if err := g.tx.Commit(ctx); err != nil {
		return err
	}
	r.pos, r.group = g.pos, nil
	r.done.Inserted += g.done.Inserted
	r.done.Updated += g.done.Updated
	r.done.Deleted += g.done.Deleted
	return nil
}

func (r *Replica) rollback(ctx context.Context) {
	if r.group != nil {
		_ = r.group.tx.Rollback(context.WithoutCancel(ctx))
		r.group = nil
	}
}

func (r *Replica) insert(ctx context.Context, row *pglogrepl.TupleData) error {
	names, values := r.values(row)
	if len(names) != len(r.facts.Names) {
		return r.stale(ctx, "the log lacks a value")
	}
	if err := r.begin(ctx); err != nil {
		return err
	}
	g := r.group
	g.fresh = append(g.fresh, values)
	g.pos.Rows++
	g.done.Inserted++
	return r.took(ctx, values)
}

// update changes what was sent. Large values that stay are not.
func (r *Replica) update(ctx context.Context, old, row *pglogrepl.TupleData) error {
	names, values := r.values(row)
	if old == nil {
		old = row
	}
	where, key := r.where(old, len(values))
	if len(names) == 0 || key == nil {
		return r.stale(ctx, "the log lacks a value")
	}
	set := make([]string, len(names))
	for i, name := range names {
		set[i] = quote(name) + fmt.Sprintf(" = $%d", i+1)
	}
	return r.do(ctx, "UPDATE ", " SET "+strings.Join(set, ", ")+where, append(values, key...), true, func(g *group) { g.done.Updated++ })
}

func (r *Replica) remove(ctx context.Context, old *pglogrepl.TupleData) error {
	where, key := r.where(old, 0)
	if key == nil {
		return r.stale(ctx, "the log lacks a value")
	}
	return r.do(ctx, "DELETE FROM ", where, key, true, func(g *group) {
		g.pos.Rows--
		g.done.Deleted++
	})
}

// empty deletes all rows, which readers needn't wait for as they would if the table were truncated.
func (r *Replica) empty(ctx context.Context) error {
	return r.do(ctx, "DELETE FROM ", "", nil, false, func(g *group) {
		g.done.Deleted += g.pos.Rows
		g.pos.Rows = 0
	})
}

// values are the values that a row was sent with, and their columns.
func (r *Replica) values(row *pglogrepl.TupleData) (names []string, values [][]byte) {
	for i, name := range r.facts.Names {
		if i < len(row.Columns) && row.Columns[i].DataType != pglogrepl.TupleDataTypeToast {
			names, values = append(names, name), append(values, row.Columns[i].Data)
		}
	}
	return names, values
}

// where finds a row by the values of its key, which are parameters after some others. The key is nil if one isn't there.
func (r *Replica) where(row *pglogrepl.TupleData, after int) (sql string, key [][]byte) {
	terms := make([]string, 0, len(r.target.PrimaryKey))
	for _, want := range r.target.PrimaryKey {
		for i, name := range r.facts.Names {
			if name == want && i < len(row.Columns) && row.Columns[i].DataType == pglogrepl.TupleDataTypeText {
				key = append(key, row.Columns[i].Data)
				terms = append(terms, quote(name)+fmt.Sprintf(" = $%d", after+len(key)))
			}
		}
	}
	if len(key) != len(r.target.PrimaryKey) {
		return "", nil
	}
	return " WHERE " + strings.Join(terms, " AND "), key
}

// do has a statement, of what stands before and after the table's name, done with the next batch.
func (r *Replica) do(ctx context.Context, verb, rest string, values [][]byte, one bool, count func(*group)) error {
	if err := r.begin(ctx); err != nil {
		return err
	}
	g := r.group
	if err := r.settle(ctx); err != nil {
		return err
	}
	g.batch.ExecParams(verb+g.part+rest, values, nil, nil, nil)
	g.one = append(g.one, one)
	count(g)
	return r.took(ctx, values)
}

// took has the batch done when it is large.
func (r *Replica) took(ctx context.Context, values [][]byte) error {
	g := r.group
	g.rows++
	for _, v := range values {
		g.bytes += len(v)
	}
	if len(g.one)+len(g.fresh) < batchRows && g.bytes < batchBytes {
		return nil
	}
	return r.flush(ctx)
}

// settle decides how the rows that came last are inserted: many by COPY, which takes the batch to be done first, few with it.
func (r *Replica) settle(ctx context.Context) error {
	g := r.group
	fresh := g.fresh
	if g.fresh = nil; len(fresh) >= copyRows {
		if err := r.send(ctx); err != nil {
			return err
		}
		var data []byte
		for _, values := range fresh {
			data = appendRow(data, values)
		}
		_, err := g.tx.Conn().PgConn().CopyFrom(ctx, bytes.NewReader(data), "COPY "+g.part+" ("+quoteAll(r.facts.Names)+") FROM STDIN")
		return r.differs(ctx, false, err)
	}
	for _, values := range fresh {
		g.batch.ExecParams(r.inserting(), values, nil, nil, nil)
		g.one = append(g.one, true)
	}
	return nil
}

func (r *Replica) inserting() string {
	params := make([]string, len(r.facts.Names))
	for i := range params {
		params[i] = fmt.Sprintf("$%d", i+1)
	}
	return "INSERT INTO " + r.group.part + " (" + quoteAll(r.facts.Names) + ") VALUES (" + strings.Join(params, ", ") + ")"
}

// flush has all done that waits.
func (r *Replica) flush(ctx context.Context) error {
	if err := r.settle(ctx); err != nil {
		return err
	}
	return r.send(ctx)
}

// send has the batch done.
func (r *Replica) send(ctx context.Context) error {
	g := r.group
	one := g.one
	if len(one) == 0 {
		return nil
	}
	results := g.tx.Conn().PgConn().ExecBatch(ctx, g.batch)
	g.batch, g.one, g.bytes = &pgconn.Batch{}, nil, 0
	differs := false
	for i := 0; results.NextResult(); i++ {
		tag, err := results.ResultReader().Close()
		differs = differs || err == nil && one[i] && tag.RowsAffected() != 1
	}
	return r.differs(ctx, differs, results.Close())
}

// differs has all rows copied anew if one wasn't as the source had it: then somebody has written to the copy.
func (r *Replica) differs(ctx context.Context, differs bool, err error) error {
	pgErr, ok := errors.AsType[*pgconn.PgError](err)
	if differs || ok && pgErr.Code == "23505" {
		return r.stale(ctx, "the copy has other rows than the source had")
	}
	return err
}

// appendRow appends a row as COPY wants it.
func appendRow(b []byte, values [][]byte) []byte {
	for i, v := range values {
		if i > 0 {
			b = append(b, '\t')
		}
		if v == nil {
			b = append(b, `\N`...)
			continue
		}
		b = appendEscaped(b, v)
	}
	return append(b, '\n')
}
