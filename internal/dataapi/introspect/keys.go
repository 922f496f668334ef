package introspect

import (
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/tarn-data/tarn/internal/dataapi/schema"
)

// Primary keys, unique constraints and foreign keys of all schemas. Those that partitions have of their parents are left
// out where they are foreign.
const keysQuery = `SELECT k.contype::text, k.conname, k.conrelid, n.nspname, c.relname, k.conkey,
  k.confrelid, coalesce(fn.nspname, ''), coalesce(f.relname, ''), coalesce(k.confkey, '{}')
FROM pg_constraint k
JOIN pg_class c ON c.oid = k.conrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_class f ON f.oid = k.confrelid
LEFT JOIN pg_namespace fn ON fn.oid = f.relnamespace
WHERE n.nspname <> 'pg_catalog' AND (k.contype IN ('p', 'u') OR k.contype = 'f' AND k.conparentid = 0)
ORDER BY n.nspname, c.relname, k.conname`

// The columns of all tables with keys, those that are dropped too, so that a column's number says where its name is. To
// look each key's names up in the query of the keys would take several times as long.
const keyNamesQuery = `SELECT a.attrelid, array_agg(a.attname::text ORDER BY a.attnum)
FROM pg_attribute a
WHERE a.attnum > 0 AND a.attrelid IN (SELECT k.conrelid FROM pg_constraint k UNION SELECT k.confrelid FROM pg_constraint k)
GROUP BY a.attrelid`

// key is a constraint that makes columns a key, or refers to one.
type key struct {
	kind        string // as pg_constraint has it
	name        string
	oid         uint32 // of the table
	table       schema.Ident
	numbers     []int16 // of the columns
	foreignOID  uint32  // of foreign keys, as what follows
	foreign     schema.Ident
	foreignNums []int16
}

func (l *loader) readKeys(rows pgx.Rows) error {
	var (
		k    key
		dest = []any{
			&k.kind, &k.name, &k.oid, &k.table.Schema, &k.table.Name, &k.numbers,
			&k.foreignOID, &k.foreign.Schema, &k.foreign.Name, &k.foreignNums,
		}
	)
	_, err := pgx.ForEachRow(rows, dest, func() error {
		l.keys = append(l.keys, k)
		return nil
	})
	return err
}

func (l *loader) readKeyNames(rows pgx.Rows) error {
	var (
		oid   uint32
		names []string
	)
	_, err := pgx.ForEachRow(rows, []any{&oid, &names}, func() error {
		l.keyNames[oid] = names
		return nil
	})
	return err
}

// columnNames are the names of columns of a table with keys.
func (l *loader) columnNames(table uint32, numbers []int16) []string {
	all := l.keyNames[table]
	out := make([]string, len(numbers))
	for i, n := range numbers {
		if n >= 1 && int(n) <= len(all) {
			out[i] = all[n-1]
		}
	}
	return out
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
			l.parts.Relations[r].PrimaryKey = sorted(l.columnNames(k.oid, k.numbers))
		}
	}
	for i := range l.keys {
		if k := &l.keys[i]; k.kind == "f" {
			l.parts.ForeignKeys = append(l.parts.ForeignKeys, l.foreignKey(k, unique[k.oid]))
		}
	}
	l.parts.ViewKeys = viewKeys(l.views, l.keys, l.exposed)
}

func (l *loader) foreignKey(k *key, unique [][]int16) schema.ForeignKey {
	own := sorted(k.numbers)
	f := schema.ForeignKey{
		Table: k.table, Foreign: k.foreign, Constraint: k.name,
		Unique: slices.ContainsFunc(unique, func(u []int16) bool { return slices.Equal(u, own) }),
	}
	foreign := l.columnNames(k.foreignOID, k.foreignNums)
	for i, name := range l.columnNames(k.oid, k.numbers) {
		f.Columns = append(f.Columns, schema.ColumnPair{Local: name, Foreign: foreign[i]})
	}
	return f
}

func sorted[T int16 | string](s []T) []T {
	out := slices.Clone(s)
	slices.Sort(out)
	return out
}
