// Package synctable copies a table from where it is kept into a PostgreSQL database: whole, in the place of what was
// there before, or only what changed. It knows nothing of who asked for it, nor when it is to be done again.
package synctable

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/jackc/pgx/v5"
)

// Column is a column of a source, with the type that it has in PostgreSQL.
type Column struct{ Name, Type string }

// Source is a table to copy. Each method may be called once; Close always.
type Source interface {
	// Columns are the columns that rows have, in their order.
	Columns(ctx context.Context) ([]Column, error)
	// Copy writes all rows in the form that Format names. What it reads is one state of the source.
	Copy(ctx context.Context, w io.Writer) error
	// Format are the options of PostgreSQL's COPY for what Copy writes.
	Format() string
	Close()
}

// Target is the table that a source is copied to.
type Target struct {
	ID            int64 // tells the tables of one database apart
	Schema, Table string
	PrimaryKey    []string
	Latest        string            // column of which the greatest value wins among rows of one key; empty if keys are unique
	Types         map[string]string // of columns that aren't to have the source's
	Readers       []string          // roles that may read the table when it is made
	Comment       string
	MakeSchema    bool
}

// Progress is told how many rows have been read so far.
type Progress func(rows int64)

// Result says what was done.
type Result struct {
	Rows                       int64 // of the target
	Inserted, Updated, Deleted int64
	Copied                     string // why all rows were copied rather than what changed; empty if they weren't
}

// StateSchema is where the partitions that hold the rows are, out of the sight of the Data API.
const StateSchema = "tarn_sync"

// Error is a reason for which a copy can't be made, as people may read it.
type Error struct{ message string }

func (e *Error) Error() string { return e.message }

func failed(format string, args ...any) error { return &Error{fmt.Sprintf(format, args...)} }

// Snapshot puts the source's rows in the place of the target's, in one transaction: who reads sees the old rows until it
// ends, and the new ones after it. A target that isn't there is made.
//
// The target is a partitioned table with one partition, which is swapped: so privileges, policies and views stay.
func Snapshot(ctx context.Context, conn *pgx.Conn, src Source, t Target, told Progress) (Result, error) {
	return run(ctx, conn, src, t, func(c *copying) error { return c.snapshot(ctx, told) })
}

// Merge makes the target's rows those of the source by changing only the rows that differ, in one transaction. Where the
// columns have changed or there is no target, it does as Snapshot.
func Merge(ctx context.Context, conn *pgx.Conn, src Source, t Target, told Progress) (Result, error) {
	return run(ctx, conn, src, t, func(c *copying) error {
		if !c.made || c.altered() {
			return c.snapshot(ctx, told)
		}
		return c.merge(ctx, told)
	})
}

// Missing says that there is no source.
func Missing(schema, table string) error {
	return failed("There is no source table %s.%s.", schema, table)
}

// copying is a copy that is being made.
type copying struct {
	tx      pgx.Tx
	src     Source
	target  Target
	columns []Column

	made   bool              // whether there is a target
	before map[string]string // its columns' types
	old    string            // its partition
	result Result
}

func run(ctx context.Context, conn *pgx.Conn, src Source, t Target, do func(*copying) error) (Result, error) {
	c := &copying{src: src, target: t}
	err := pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		c.tx = tx
		// Whoever holds the lease no more must not come in between.
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock(hashtext('tarn_sync'), $1)", int32(t.ID&0x7fffffff)); err != nil {
			return err
		}
		if err := c.prepare(ctx); err != nil {
			return err
		}
		return do(c)
	})
	return c.result, err
}

func (c *copying) prepare(ctx context.Context) error {
	columns, err := c.src.Columns(ctx)
	if err != nil {
		return err
	}
	if len(columns) == 0 {
		return failed("The source has no columns.")
	}
	names := map[string]bool{}
	for i, col := range columns {
		if names[col.Name] {
			return failed("The source has two columns %q.", col.Name)
		}
		names[col.Name] = true
		if override := c.target.Types[col.Name]; override != "" {
			columns[i].Type = override
		}
	}
	for _, key := range c.target.PrimaryKey {
		if !names[key] {
			return failed("The source has no column %q, which the primary key names.", key)
		}
	}
	if latest := c.target.Latest; latest != "" && !names[latest] {
		return failed("The source has no column %q, which is the timeseries key.", latest)
	}
	c.columns = columns
	return c.look(ctx)
}

// look finds out what there is of the target.
func (c *copying) look(ctx context.Context) error {
	const query = `SELECT p.relname, a.attname, format_type(a.atttypid, a.atttypmod)
		FROM pg_class t JOIN pg_namespace n ON n.oid = t.relnamespace
		JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
		LEFT JOIN pg_inherits i ON i.inhparent = t.oid
		LEFT JOIN pg_class p ON p.oid = i.inhrelid AND p.relnamespace = to_regnamespace($3)
		WHERE n.nspname = $1 AND t.relname = $2`
	rows, err := c.tx.Query(ctx, query, c.target.Schema, c.target.Table, StateSchema)
	if err != nil {
		return err
	}
	defer rows.Close()
	c.before = map[string]string{}
	for rows.Next() {
		var (
			partition    *string
			name, typing string
		)
		if err := rows.Scan(&partition, &name, &typing); err != nil {
			return err
		}
		if partition == nil || !strings.HasPrefix(*partition, c.prefix()) {
			return failed("There is a table %s.%s already.", c.target.Schema, c.target.Table)
		}
		c.made, c.old, c.before[name] = true, *partition, typing
	}
	return rows.Err()
}

// altered tells whether the source has other columns than the target.
func (c *copying) altered() bool {
	if len(c.before) != len(c.columns) {
		return true
	}
	for _, col := range c.columns {
		if _, there := c.before[col.Name]; !there {
			return true
		}
	}
	return false
}

func (c *copying) prefix() string { return fmt.Sprintf("t%d_", c.target.ID) }

// fill copies rows into a table.
func (c *copying) fill(ctx context.Context, table string, read func(context.Context, io.Writer) error, told Progress) (err error) {
	if c.result.Rows, err = c.pour(ctx, table, c.list(""), read, told); err != nil {
		return err
	}
	return c.keepLatest(ctx, table)
}

// pour copies what is read, in the source's format, into columns of a table.
func (c *copying) pour(ctx context.Context, table, columns string, read func(context.Context, io.Writer) error, told Progress) (int64, error) {
	reader, writer := io.Pipe()
	count := &counter{w: writer, told: told}
	done := make(chan error, 1)
	go func() {
		err := read(ctx, count)
		_ = writer.CloseWithError(err) // with nil it is the end
		done <- err
	}()
	tag, err := c.tx.Conn().PgConn().CopyFrom(ctx, reader, "COPY "+table+" ("+columns+") FROM STDIN WITH ("+c.src.Format()+")")
	_ = reader.CloseWithError(errStopped)
	if srcErr := <-done; srcErr != nil && !errors.Is(srcErr, errStopped) {
		return 0, fmt.Errorf("read the source: %w", srcErr)
	}
	if err != nil {
		return 0, err
	}
	told(tag.RowsAffected())
	return tag.RowsAffected(), nil
}

var errStopped = errors.New("the target took no more")

// keepLatest leaves one row of each key, if the source may have several.
func (c *copying) keepLatest(ctx context.Context, table string) error {
	if c.target.Latest == "" || len(c.target.PrimaryKey) == 0 {
		return nil
	}
	latest := quote(c.target.Latest)
	tag, err := c.tx.Exec(ctx, "DELETE FROM "+table+" WHERE ctid IN (SELECT ctid FROM (SELECT ctid, row_number() OVER (PARTITION BY "+
		quoteAll(c.target.PrimaryKey)+" ORDER BY "+latest+" DESC NULLS LAST, ctid DESC) AS n FROM "+table+") s WHERE n > 1)")
	c.result.Rows -= tag.RowsAffected()
	return err
}

// list are the columns' names, each after a prefix.
func (c *copying) list(prefix string) string {
	names := make([]string, len(c.columns))
	for i, col := range c.columns {
		names[i] = prefix + quote(col.Name)
	}
	return strings.Join(names, ", ")
}

func quote(names ...string) string { return pgx.Identifier(names).Sanitize() }

func quoteAll(names []string) string {
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = quote(n)
	}
	return strings.Join(quoted, ", ")
}

// counter counts the lines that pass.
type counter struct {
	w    io.Writer
	told Progress
	rows int64
}

func (c *counter) Write(p []byte) (int, error) {
	for _, b := range p {
		if b == '\n' {
			c.rows++
		}
	}
	c.told(c.rows)
	return c.w.Write(p)
}
