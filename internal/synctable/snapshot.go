package synctable

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

const (
	lockTries   = 20
	lockPause   = 500 * time.Millisecond
	lockTimeout = "2s" // how long readers may be kept waiting behind one attempt
)

func (c *copying) snapshot(ctx context.Context, told Progress) error {
	if len(c.target.PrimaryKey) == 0 {
		return failed("The primary key names no column.")
	}
	fresh := c.prefix() + strings.ToLower(rand.Text()[:10])
	table := quote(StateSchema, fresh)
	if err := c.schemas(ctx); err != nil {
		return err
	}
	defs := make([]string, len(c.columns))
	for i, col := range c.columns {
		defs[i] = quote(col.Name) + " " + col.Type
	}
	if err := c.exec(ctx, "CREATE TABLE "+table+" ("+strings.Join(defs, ", ")+")"); err != nil {
		return err
	}
	if err := c.fill(ctx, table, c.src.Copy, told); err != nil {
		return err
	}
	c.result.Inserted = c.result.Rows
	if err := c.exec(ctx, "ALTER TABLE "+table+" ADD PRIMARY KEY ("+quoteAll(c.target.PrimaryKey)+")", "ANALYZE "+table); err != nil {
		return duplicates(err)
	}
	if err := c.swap(ctx, table, defs); err != nil {
		return err
	}
	c.made, c.old = true, fresh
	return c.forget(ctx)
}

func (c *copying) schemas(ctx context.Context) error {
	if err := c.exec(ctx, "CREATE SCHEMA IF NOT EXISTS "+StateSchema); err != nil {
		return err
	}
	if !c.target.MakeSchema {
		return nil
	}
	return c.exec(ctx, "CREATE SCHEMA IF NOT EXISTS "+quote(c.target.Schema))
}

// swap puts a filled table in the place of the partition that there is. Readers wait for the lock that it takes, so it
// waits only briefly for it, and several times.
func (c *copying) swap(ctx context.Context, fresh string, defs []string) error {
	bounds := strings.TrimSuffix(strings.Repeat("MINVALUE, ", len(c.target.PrimaryKey)), ", ")
	attach := "ALTER TABLE " + c.parent() + " ATTACH PARTITION " + fresh + " FOR VALUES FROM (" + bounds + ") TO (" +
		strings.ReplaceAll(bounds, "MIN", "MAX") + ")"
	if !c.made {
		return c.exec(ctx, append(c.creation(defs), attach)...)
	}
	old := quote(StateSchema, c.old)
	steps := []string{"ALTER TABLE " + c.parent() + " DETACH PARTITION " + old, "DROP TABLE " + old}
	retyped, err := c.retyped(ctx, fresh)
	if err != nil {
		return err
	}
	steps = append(append(append(steps, c.alterations()...), retyped...), attach)
	if err := c.exec(ctx, "SET LOCAL lock_timeout = '"+lockTimeout+"'"); err != nil {
		return err
	}
	for try := 1; ; try++ {
		err := c.atomically(ctx, steps)
		var pgErr *pgconn.PgError
		if err == nil || !errors.As(err, &pgErr) || pgErr.Code != "55P03" || try == lockTries {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(lockPause):
		}
	}
}

// atomically does all of the steps or none, within the transaction.
func (c *copying) atomically(ctx context.Context, steps []string) error {
	if err := c.exec(ctx, "SAVEPOINT swap"); err != nil {
		return err
	}
	if err := c.exec(ctx, steps...); err != nil {
		_ = c.exec(ctx, "ROLLBACK TO swap")
		return err
	}
	return c.exec(ctx, "RELEASE swap")
}

// creation makes the target.
func (c *copying) creation(defs []string) []string {
	key := quoteAll(c.target.PrimaryKey)
	steps := []string{
		"CREATE TABLE " + c.parent() + " (" + strings.Join(defs, ", ") + ", PRIMARY KEY (" + key + ")) PARTITION BY RANGE (" + key + ")",
		"COMMENT ON TABLE " + c.parent() + " IS " + literal(c.target.Comment),
	}
	for _, role := range c.target.Readers {
		steps = append(steps, "GRANT USAGE ON SCHEMA "+quote(c.target.Schema)+" TO "+quote(role), "GRANT SELECT ON "+c.parent()+" TO "+quote(role))
	}
	return steps
}

// alterations give the target the columns of the source.
func (c *copying) alterations() []string {
	var steps []string
	now := map[string]bool{}
	for _, col := range c.columns {
		now[col.Name] = true
		if _, there := c.before[col.Name]; !there {
			steps = append(steps, "ALTER TABLE "+c.parent()+" ADD COLUMN "+quote(col.Name)+" "+col.Type)
		}
	}
	for name := range c.before {
		if !now[name] {
			steps = append(steps, "ALTER TABLE "+c.parent()+" DROP COLUMN "+quote(name))
		}
	}
	return steps
}

// retyped give the target's columns the types of the source's, for which it has to be empty. What is built on one of them, such
// as a view, keeps it from that; then the error names it.
func (c *copying) retyped(ctx context.Context, fresh string) ([]string, error) {
	const query = `SELECT quote_ident(a.attname), format_type(f.atttypid, f.atttypmod) FROM pg_attribute a
		JOIN pg_attribute f ON f.attname = a.attname AND f.attrelid = $2::regclass AND f.attnum > 0 AND NOT f.attisdropped
		WHERE a.attrelid = $1::regclass AND a.attnum > 0 AND NOT a.attisdropped AND (a.atttypid, a.atttypmod) IS DISTINCT FROM (f.atttypid, f.atttypmod)`
	rows, err := c.tx.Query(ctx, query, c.parent(), fresh)
	if err != nil {
		return nil, err
	}
	var name, typing string
	var steps []string
	_, err = pgx.ForEachRow(rows, []any{&name, &typing}, func() error {
		steps = append(steps, "ALTER TABLE "+c.parent()+" ALTER COLUMN "+name+" DROP DEFAULT, ALTER COLUMN "+name+" TYPE "+typing+" USING NULL::"+typing)
		return nil
	})
	return steps, err
}

func (c *copying) parent() string { return quote(c.target.Schema, c.target.Table) }

func (c *copying) exec(ctx context.Context, steps ...string) error {
	for _, sql := range steps {
		if _, err := c.tx.Exec(ctx, sql); err != nil {
			return err
		}
	}
	return nil
}

// duplicates says in plain words that a key isn't one.
func duplicates(err error) error {
	if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch pgErr.Code {
		case "23505":
			return failed("The source has several rows with one primary key. %s A timeseries key tells which of them counts.", pgErr.Detail)
		case "23502":
			return failed("The source has a row without a value in the primary key.")
		}
	}
	return err
}

func literal(s string) string {
	return "'" + strings.ReplaceAll(s, "'", "''") + "'"
}
