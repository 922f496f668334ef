package introspect

import (
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/tarn-data/tarn/internal/dataapi/schema"
)

// Primary keys, unique constraints and foreign keys of all schemas. Those that partitions have of their parents are left
// out where they are foreign.
const keysQuery = `SELECT k.contype::text, k.conname, k.conrelid, n.nspname, c.relname, k.conkey,
  ARRAY(
    SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY u (num, ord)
    JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.num
    ORDER BY u.ord),
  k.confrelid, coalesce(fn.nspname, ''), coalesce(f.relname, ''), coalesce(k.confkey, '{}'),
  ARRAY(
    SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY u (num, ord)
    JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.num
    ORDER BY u.ord)
FROM pg_constraint k
JOIN pg_class c ON c.oid = k.conrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_class f ON f.oid = k.confrelid
LEFT JOIN pg_namespace fn ON fn.oid = f.relnamespace
WHERE n.nspname <> 'pg_catalog' AND (k.contype IN ('p', 'u') OR k.contype = 'f' AND k.conparentid = 0)
ORDER BY n.nspname, c.relname, k.conname`

// key is a constraint that makes columns a key, or refers to one.
type key struct {
	kind         string // as pg_constraint has it
	name         string
	oid          uint32 // of the table
	table        schema.Ident
	numbers      []int16 // of the columns
	columns      []string
	foreignOID   uint32 // of foreign keys, as what follows
	foreign      schema.Ident
	foreignNums  []int16
	foreignNames []string
}

func (l *loader) readKeys(rows pgx.Rows) error {
	var (
		k    key
		dest = []any{
			&k.kind, &k.name, &k.oid, &k.table.Schema, &k.table.Name, &k.numbers, &k.columns,
			&k.foreignOID, &k.foreign.Schema, &k.foreign.Name, &k.foreignNums, &k.foreignNames,
		}
	)
	_, err := pgx.ForEachRow(rows, dest, func() error {
		l.keys = append(l.keys, k)
		return nil
	})
	return err
}

// addKeys says what the keys mean for tables, and for views that show them.
func (l *loader) addKeys() {
	unique := map[uint32][][]int16{}
	for i := range l.keys {
		k := &l.keys[i]
		if k.kind == "f" {
			continue
		}
		unique[k.oid] = append(unique[k.oid], sorted(k.numbers))
		if r, ok := l.relations[k.oid]; ok && k.kind == "p" {
			l.parts.Relations[r].PrimaryKey = sorted(k.columns)
		}
	}
	for i := range l.keys {
		if k := &l.keys[i]; k.kind == "f" {
			l.parts.ForeignKeys = append(l.parts.ForeignKeys, k.foreignKey(unique[k.oid]))
		}
	}
	l.parts.ViewKeys = viewKeys(l.views, l.keys, l.exposed)
}

func (k *key) foreignKey(unique [][]int16) schema.ForeignKey {
	own := sorted(k.numbers)
	f := schema.ForeignKey{
		Table: k.table, Foreign: k.foreign, Constraint: k.name,
		Unique: slices.ContainsFunc(unique, func(u []int16) bool { return slices.Equal(u, own) }),
	}
	for i, name := range k.columns {
		f.Columns = append(f.Columns, schema.ColumnPair{Local: name, Foreign: k.foreignNames[i]})
	}
	return f
}

func sorted[T int16 | string](s []T) []T {
	out := slices.Clone(s)
	slices.Sort(out)
	return out
}
