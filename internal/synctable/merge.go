package synctable

import (
	"context"
	"strings"
)

// merge changes the rows that differ. Rows are compared as text, which every type has.
func (c *copying) merge(ctx context.Context, told Progress) error {
	const staged = "pg_temp.staged"
	part := quote(StateSchema, c.old)
	if err := c.exec(ctx, "CREATE TEMP TABLE staged ON COMMIT DROP AS SELECT "+c.list("")+" FROM "+part+" WHERE false"); err != nil {
		return err
	}
	if err := c.fill(ctx, staged, told); err != nil {
		return err
	}
	if err := c.exec(ctx, "ALTER TABLE "+staged+" ADD PRIMARY KEY ("+quoteAll(c.target.PrimaryKey)+")", "ANALYZE "+staged); err != nil {
		return duplicates(err)
	}
	match := make([]string, len(c.target.PrimaryKey))
	for i, key := range c.target.PrimaryKey {
		match[i] = "p." + quote(key) + " = s." + quote(key)
	}
	same := strings.Join(match, " AND ")
	set := make([]string, 0, len(c.columns))
	for _, col := range c.columns {
		set = append(set, quote(col.Name)+" = s."+quote(col.Name))
	}
	for _, step := range []struct {
		sql  string
		rows *int64
	}{
		{"DELETE FROM " + part + " p WHERE NOT EXISTS (SELECT FROM " + staged + " s WHERE " + same + ")", &c.result.Deleted},
		{"UPDATE " + part + " p SET " + strings.Join(set, ", ") + " FROM " + staged + " s WHERE " + same +
			" AND ROW(" + c.list("p.") + ")::text IS DISTINCT FROM ROW(" + c.list("s.") + ")::text", &c.result.Updated},
		{"INSERT INTO " + part + " (" + c.list("") + ") SELECT " + c.list("s.") + " FROM " + staged +
			" s WHERE NOT EXISTS (SELECT FROM " + part + " p WHERE " + same + ")", &c.result.Inserted},
	} {
		tag, err := c.tx.Exec(ctx, step.sql)
		if err != nil {
			return err
		}
		*step.rows = tag.RowsAffected()
	}
	return c.forget(ctx)
}
