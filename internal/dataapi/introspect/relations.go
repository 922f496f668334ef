package introspect

import (
	"github.com/jackc/pgx/v5"

	"github.com/tarn-data/tarn/internal/dataapi/schema"
)

// What can be done with tables is known. With views and foreign tables PostgreSQL tells, by the bits of its commands,
// and is asked for those that are exposed.
const relationsQuery = `SELECT c.oid, n.nspname, c.relname, coalesce(d.description, ''), c.relkind IN ('v', 'm'), c.relrowsecurity,
  c.relkind IN ('r', 'p') AND NOT c.relhasrules,
  CASE
    WHEN c.relkind IN ('r', 'p') THEN 28
    WHEN c.relkind IN ('v', 'f') AND n.nspname = ANY ($1::text[]) THEN pg_relation_is_updatable(c.oid, true)
    ELSE 0
  END
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_description d ON d.classoid = 'pg_class'::regclass AND d.objoid = c.oid AND d.objsubid = 0
WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition
ORDER BY n.nspname, c.relname`

// The bits of the commands.
const (
	canUpdate = 1 << 2
	canInsert = 1 << 3
	canDelete = 1 << 4
)

func (l *loader) readRelations(rows pgx.Rows) error {
	var (
		oid  uint32
		can  int32
		r    schema.Relation
		dest = []any{&oid, &r.Schema, &r.Name, &r.Description, &r.IsView, &r.RowSecurity, &r.Plain, &can}
	)
	_, err := pgx.ForEachRow(rows, dest, func() error {
		r.Copyable = r.Plain && !r.RowSecurity
		r.Insertable, r.Updatable, r.Deletable = can&canInsert != 0, can&canUpdate != 0, can&canDelete != 0
		l.relations[oid] = len(l.parts.Relations)
		l.parts.Relations = append(l.parts.Relations, r)
		return nil
	})
	return err
}

// A column whose type is a domain counts as of the type beneath, unless that is one of the database's own: then it
// keeps the domain's name. What a column that is always generated holds is no default.
const columnsQuery = `WITH RECURSIVE beneath AS (
  SELECT t.oid AS domain, t.typbasetype AS type FROM pg_type t WHERE t.typtype = 'd'
  UNION ALL
  SELECT b.domain, t.typbasetype FROM beneath b JOIN pg_type t ON t.oid = b.type WHERE t.typtype = 'd'
), bases AS (
  SELECT b.domain, b.type, t.typnamespace AS namespace FROM beneath b JOIN pg_type t ON t.oid = b.type WHERE t.typtype <> 'd'
), enums AS (
  SELECT e.enumtypid AS type, array_agg(e.enumlabel::text ORDER BY e.enumsortorder) AS labels FROM pg_enum e GROUP BY 1
)
SELECT a.attrelid, a.attname, coalesce(d.description, ''),
  NOT (a.attnotnull OR t.typtype = 'd' AND t.typnotnull),
  CASE
    WHEN coalesce(b.namespace, t.typnamespace) = 'pg_catalog'::regnamespace THEN format_type(coalesce(b.type, t.oid), NULL)
    ELSE format_type(t.oid, a.atttypmod)
  END,
  format_type(t.oid, a.atttypmod),
  coalesce(CASE
    WHEN m.type IN ('pg_catalog.bpchar'::regtype, 'pg_catalog.varchar'::regtype) THEN m.mod - 4
    WHEN m.type IN ('pg_catalog.bit'::regtype, 'pg_catalog.varbit'::regtype) THEN m.mod
  END, 0),
  coalesce(CASE
    WHEN t.typtype = 'd' AND f.adbin IS NULL THEN pg_get_expr(t.typdefaultbin, 0)
    WHEN a.attidentity = 'd' THEN (
      SELECT format('nextval(%L)', s.objid::regclass) FROM pg_depend s
      WHERE s.refclassid = 'pg_class'::regclass AND s.refobjid = a.attrelid AND s.refobjsubid = a.attnum
        AND s.classid = 'pg_class'::regclass AND s.deptype = 'i')
    WHEN a.attgenerated = '' THEN pg_get_expr(f.adbin, f.adrelid)
  END, ''),
  coalesce(e.labels, '{}'), a.attidentity = 'a'
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_type t ON t.oid = a.atttypid
LEFT JOIN bases b ON b.domain = t.oid
CROSS JOIN LATERAL (
  SELECT CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END, nullif(CASE WHEN t.typtype = 'd' THEN t.typtypmod ELSE a.atttypmod END, -1)
) AS m (type, mod)
LEFT JOIN pg_attrdef f ON f.adrelid = a.attrelid AND f.adnum = a.attnum
LEFT JOIN enums e ON e.type = coalesce(b.type, t.oid)
LEFT JOIN pg_description d ON d.classoid = 'pg_class'::regclass AND d.objoid = a.attrelid AND d.objsubid = a.attnum
WHERE n.nspname = ANY ($1::text[]) AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition
ORDER BY a.attrelid, a.attnum`

func (l *loader) readColumns(rows pgx.Rows) error {
	var (
		oid  uint32
		c    schema.Column
		dest = []any{&oid, &c.Name, &c.Description, &c.Nullable, &c.Type, &c.NominalType, &c.MaxLength, &c.Default, &c.Enum, &c.IdentityAlways}
	)
	_, err := pgx.ForEachRow(rows, dest, func() error {
		if i, ok := l.relations[oid]; ok {
			r := &l.parts.Relations[i]
			r.Columns = append(r.Columns, c)
		}
		return nil
	})
	return err
}
