package synctable

import (
	"context"
	"io"
	"strings"
)

// staged is where rows are put that are compared with the target's.
const staged = "pg_temp.staged"

// merge changes the rows that differ. Rows are compared as text, which every type has.
func (c *copying) merge(ctx context.Context, told Progress) error {
	if err := c.stage(ctx, c.src.Copy, told); err != nil {
		return err
	}
	tag, err := c.tx.Exec(ctx, "DELETE FROM "+quote(StateSchema, c.old)+" p WHERE NOT EXISTS (SELECT FROM "+staged+" s WHERE "+c.same("s")+")")
	if err != nil {
		return err
	}
	c.result.Deleted += tag.RowsAffected()
	if err := c.upsert(ctx); err != nil {
		return err
	}
	return c.forget(ctx)
}

// stage puts rows where they can be compared.
func (c *copying) stage(ctx context.Context, read func(context.Context, io.Writer) error, told Progress) error {
	err := c.exec(ctx, "CREATE TEMP TABLE staged ON COMMIT DROP AS SELECT "+c.list("")+" FROM "+quote(StateSchema, c.old)+" WHERE false")
	if err != nil {
		return err
	}
	if err := c.fill(ctx, staged, read, told); err != nil {
		return err
	}
	return duplicates(c.exec(ctx, "ALTER TABLE "+staged+" ADD PRIMARY KEY ("+quoteAll(c.target.PrimaryKey)+")", "ANALYZE "+staged))
}

// upsert gives the target the rows that are staged.
func (c *copying) upsert(ctx context.Context) error {
	part, same := quote(StateSchema, c.old), c.same("s")
	set := make([]string, 0, len(c.columns))
	for _, col := range c.columns {
		set = append(set, quote(col.Name)+" = s."+quote(col.Name))
	}
	for _, step := range []struct {
		sql  string
		rows *int64
	}{
		{"UPDATE " + part + " p SET " + strings.Join(set, ", ") + " FROM " + staged + " s WHERE " + same +
			" AND ROW(" + c.list("p.") + ")::text IS DISTINCT FROM ROW(" + c.list("s.") + ")::text", &c.result.Updated},
		{"INSERT INTO " + part + " (" + c.list("") + ") SELECT " + c.list("s.") + " FROM " + staged +
			" s WHERE NOT EXISTS (SELECT FROM " + part + " p WHERE " + same + ")", &c.result.Inserted},
	} {
		tag, err := c.tx.Exec(ctx, step.sql)
		if err != nil {
			return err
		}
		*step.rows += tag.RowsAffected()
	}
	return nil
}

// same tells whether a row p of the target and one of another table have one key.
func (c *copying) same(other string) string {
	match := make([]string, len(c.target.PrimaryKey))
	for i, key := range c.target.PrimaryKey {
		match[i] = "p." + quote(key) + " = " + other + "." + quote(key)
	}
	return strings.Join(match, " AND ")
}
