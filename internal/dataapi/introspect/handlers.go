package introspect

import (
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/tarn-data/tarn/internal/dataapi/media"
	"github.com/tarn-data/tarn/internal/dataapi/schema"
)

// Domains that are named as a media type, aggregates over rows that return one, and functions that do. What handles
// any type is over anyelement.
const handlersQuery = `WITH media AS (
  SELECT t.oid, t.typname, n.nspname
  FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
  WHERE t.typtype = 'd' AND (t.typname = '*/*' OR t.typname ~* '^[a-z0-9.-]+/[a-z0-9.+-]+$')
), handlers AS (
  SELECT n.nspname AS schema, p.proname AS name, an.nspname AS of_schema, a.typname AS of_name, m.typname AS media
  FROM media m
  JOIN pg_proc p ON p.prorettype = m.oid AND p.prokind = 'a' AND p.pronargs = 1
  JOIN pg_namespace n ON n.oid = p.pronamespace
  JOIN pg_type a ON a.oid = p.proargtypes[0]
  JOIN pg_namespace an ON an.oid = a.typnamespace
  LEFT JOIN pg_class c ON c.oid = a.typrelid
  WHERE n.nspname = ANY ($1::text[])
    AND (c.relkind IN ('r', 'p', 'v', 'm', 'f') OR a.oid = 'pg_catalog.anyelement'::regtype)
  UNION
  SELECT m.nspname, m.typname, n.nspname, p.proname, m.typname
  FROM media m
  JOIN pg_proc p ON p.prorettype = m.oid AND p.prokind = 'f' AND NOT p.proretset
  JOIN pg_namespace n ON n.oid = p.pronamespace
  WHERE n.nspname = ANY ($1::text[])
)
SELECT schema, name, of_schema, of_name, media FROM handlers ORDER BY 1, 2, 3, 4, 5`

// PostGIS may be in any schema that is searched.
const postgisQuery = `SELECT EXISTS (SELECT FROM pg_proc p WHERE p.proname = 'st_asgeojson')`

func (l *loader) readHandlers(rows pgx.Rows) error {
	var (
		function, target schema.Ident
		name             string
	)
	l.parts.Handlers = map[schema.HandlerKey]schema.ResolvedHandler{}
	dest := []any{&function.Schema, &function.Name, &target.Schema, &target.Name, &name}
	_, err := pgx.ForEachRow(rows, dest, func() error {
		if target == (schema.Ident{Schema: "pg_catalog", Name: "anyelement"}) {
			target = schema.Ident{}
		}
		makes := media.Parse(name)
		if makes.Kind == media.Any {
			makes = media.Of(media.OctetStream)
		}
		l.parts.Handlers[schema.HandlerKey{Target: target, Media: media.Parse(strings.ToLower(name))}] = schema.ResolvedHandler{
			Handler: schema.Handler{Kind: schema.HandleCustom, Function: function, Target: target},
			Media:   makes,
		}
		return nil
	})
	return err
}
