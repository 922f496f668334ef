package introspect

import (
	"github.com/jackc/pgx/v5"

	"github.com/tarn-data/tarn/internal/dataapi/schema"
)

// Functions from the row of one relation to rows of another.
const computedQuery = `SELECT fn.nspname, p.proname, ln.nspname, l.relname, rn.nspname, r.relname, NOT p.proretset OR p.prorows = 1
FROM pg_proc p
JOIN pg_namespace fn ON fn.oid = p.pronamespace
JOIN pg_class l ON l.reltype = p.proargtypes[0] AND l.relkind IN ('r', 'p', 'v', 'm', 'f')
JOIN pg_namespace ln ON ln.oid = l.relnamespace
JOIN pg_class r ON r.reltype = p.prorettype AND r.relkind IN ('r', 'p', 'v', 'm', 'f')
JOIN pg_namespace rn ON rn.oid = r.relnamespace
WHERE fn.nspname = ANY ($1::text[]) AND p.pronargs = 1 AND p.prokind = 'f'`

func (l *loader) readComputed(rows pgx.Rows) error {
	r := schema.Relationship{Cardinality: schema.Computed}
	dest := []any{
		&r.Function.Schema, &r.Function.Name, &r.Relation.Schema, &r.Relation.Name, &r.Foreign.Schema, &r.Foreign.Name, &r.ToOne,
	}
	_, err := pgx.ForEachRow(rows, dest, func() error {
		r.IsSelf = r.Relation == r.Foreign
		l.parts.Computed = append(l.parts.Computed, r)
		return nil
	})
	return err
}

// Implicit casts by a function between a domain and what requests and answers are written in.
const representationsQuery = `SELECT c.castsource::regtype::text, c.casttarget::regtype::text,
  quote_ident(n.nspname) || '.' || quote_ident(p.proname)
FROM pg_cast c
JOIN pg_type s ON s.oid = c.castsource
JOIN pg_type t ON t.oid = c.casttarget
JOIN pg_proc p ON p.oid = c.castfunc
JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE c.castcontext = 'i' AND c.castmethod = 'f' AND has_function_privilege(p.oid, 'EXECUTE')
  AND (s.typtype = 'd' AND t.oid IN ('pg_catalog.json'::regtype, 'pg_catalog.text'::regtype)
    OR t.typtype = 'd' AND s.oid IN ('pg_catalog.json'::regtype, 'pg_catalog.text'::regtype))`

func (l *loader) readRepresentations(rows pgx.Rows) error {
	var (
		cast     schema.Cast
		function string
	)
	l.parts.Representations = map[schema.Cast]string{}
	_, err := pgx.ForEachRow(rows, []any{&cast.Source, &cast.Target, &function}, func() error {
		l.parts.Representations[cast] = function
		return nil
	})
	return err
}
