package introspect

import (
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/tarn-data/tarn/internal/dataapi/schema"
)

const viewsQuery = `SELECT c.oid, n.nspname, c.relname, r.ev_action::text,
  ARRAY(SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 ORDER BY a.attnum)
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_rewrite r ON r.ev_class = c.oid AND r.rulename = '_RETURN'
WHERE n.nspname = ANY ($1::text[]) AND c.relkind IN ('v', 'm')`

// origin is a column of a relation; the zero origin is none.
type origin struct {
	relation uint32
	column   int16
}

// view is a view or materialized view, and where its columns come from.
type view struct {
	id      schema.Ident
	columns []string
	origins []origin // of the columns
}

func (l *loader) readViews(rows pgx.Rows) error {
	var (
		oid  uint32
		v    view
		tree string
	)
	_, err := pgx.ForEachRow(rows, []any{&oid, &v.id.Schema, &v.id.Name, &tree, &v.columns}, func() error {
		targets, err := parseTargets(tree)
		if err != nil {
			return fmt.Errorf("definition of view %s.%s: %w", v.id.Schema, v.id.Name, err)
		}
		found := v
		found.origins = make([]origin, len(v.columns))
		for _, t := range targets {
			if t.number >= 1 && t.number <= len(found.origins) {
				found.origins[t.number-1] = t.origin
			}
		}
		l.views[oid] = &found
		return nil
	})
	return err
}

// viewKeys finds the keys that exposed views show whole, be it by way of other views.
func viewKeys(views map[uint32]*view, keys []key, exposed map[string]bool) []schema.ViewKey {
	primary, referring, referenced := map[uint32][]*key{}, map[uint32][]*key{}, map[uint32][]*key{}
	for i := range keys {
		switch k := &keys[i]; k.kind {
		case "p":
			primary[k.oid] = append(primary[k.oid], k)
		case "f":
			referring[k.oid] = append(referring[k.oid], k)
			referenced[k.foreignOID] = append(referenced[k.foreignOID], k)
		}
	}
	var out []schema.ViewKey
	for _, v := range views {
		if !exposed[v.id.Schema] {
			continue
		}
		shown := v.shows(views)
		for relation, columns := range shown {
			for _, k := range primary[relation] {
				out = appendShown(out, v, k, schema.PrimaryKey, columns, k.numbers)
			}
			for _, k := range referring[relation] {
				out = appendShown(out, v, k, schema.ReferringKey, columns, k.numbers)
			}
			for _, k := range referenced[relation] {
				out = appendShown(out, v, k, schema.ReferencedKey, columns, k.foreignNums)
			}
		}
	}
	return out
}

// shows finds, of each relation behind the view and each of its columns, the columns of the view that show it.
func (v *view) shows(views map[uint32]*view) map[uint32]map[int16][]string {
	out := map[uint32]map[int16][]string{}
	for i, o := range v.origins {
		seen := map[uint32]bool{}
		for o.relation != 0 && !seen[o.relation] {
			seen[o.relation] = true
			if out[o.relation] == nil {
				out[o.relation] = map[int16][]string{}
			}
			out[o.relation][o.column] = append(out[o.relation][o.column], v.columns[i])
			o = views[o.relation].origin(o.column)
		}
	}
	return out
}

// origin is where a column of the view comes from. No view has none.
func (v *view) origin(column int16) origin {
	if v == nil || column < 1 || int(column) > len(v.origins) {
		return origin{}
	}
	return v.origins[column-1]
}

// appendShown appends the key if the view shows all of its columns.
func appendShown(out []schema.ViewKey, v *view, k *key, kind schema.KeyKind, shown map[int16][]string, numbers []int16) []schema.ViewKey {
	found := schema.ViewKey{View: v.id, Table: k.table, Constraint: k.name, Kind: kind}
	for _, n := range numbers {
		columns := shown[n]
		if len(columns) == 0 {
			return out
		}
		found.Columns = append(found.Columns, columns)
	}
	return append(out, found)
}
