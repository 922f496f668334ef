package introspect

import (
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/tarn-data/tarn/internal/dataapi/schema"
)

// The names of all types of parameters, once each.
const typesQuery = `SELECT t.oid, t.oid::regtype::text, CASE t.oid
    WHEN 'pg_catalog.bit'::regtype THEN 'bit varying'
    WHEN 'pg_catalog.bit[]'::regtype THEN 'bit varying[]'
    WHEN 'pg_catalog.bpchar'::regtype THEN 'character varying'
    WHEN 'pg_catalog.bpchar[]'::regtype THEN 'character varying[]'
    ELSE t.oid::regtype::text
  END
FROM pg_type t
WHERE t.oid IN (
  SELECT u.type FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace, unnest(p.proargtypes) u (type)
  WHERE n.nspname = ANY ($1::text[]))`

// paramType is how a type is written, and how a value is cast to it without being cut.
type paramType struct{ name, cast string }

func (l *loader) readTypes(rows pgx.Rows) error {
	var (
		oid uint32
		t   paramType
	)
	_, err := pgx.ForEachRow(rows, []any{&oid, &t.name, &t.cast}, func() error {
		l.types[oid] = t
		return nil
	})
	return err
}

// Functions whose parameters have no names can't be called by name; one such parameter may take the request's body.
const routinesQuery = `WITH RECURSIVE beneath AS (
  SELECT t.oid AS domain, t.typbasetype AS type FROM pg_type t WHERE t.typtype = 'd'
  UNION ALL
  SELECT b.domain, t.typbasetype FROM beneath b JOIN pg_type t ON t.oid = b.type WHERE t.typtype = 'd'
), bases AS (
  SELECT b.domain, b.type FROM beneath b JOIN pg_type t ON t.oid = b.type WHERE t.typtype <> 'd'
)
SELECT p.oid, n.nspname, p.proname, coalesce(d.description, ''),
  coalesce(p.proargnames, '{}'), p.proargtypes::oid[], coalesce(p.proargmodes::text[], '{}'), p.pronargs - p.pronargdefaults,
  tn.nspname, coalesce(c.relname, t.typname), p.proretset,
  t.typtype = 'c' OR coalesce(p.proargmodes::text[] && '{o,b,t}', false),
  b.domain IS NOT NULL, p.provolatile::text, p.provariadic <> 0, coalesce(p.proconfig, '{}'),
  CASE WHEN p.proconfig IS NULL THEN '{}' ELSE ARRAY(SELECT s FROM unnest(p.proconfig) s WHERE s ~ ANY ($2::text[])) END
FROM pg_proc p
JOIN pg_namespace n ON n.oid = p.pronamespace
LEFT JOIN bases b ON b.domain = p.prorettype
JOIN pg_type t ON t.oid = coalesce(b.type, p.prorettype)
JOIN pg_namespace tn ON tn.oid = t.typnamespace
LEFT JOIN pg_class c ON c.oid = t.typrelid
LEFT JOIN pg_description d ON d.classoid = 'pg_proc'::regclass AND d.objoid = p.oid AND d.objsubid = 0
WHERE n.nspname = ANY ($1::text[]) AND p.prokind = 'f' AND t.oid <> 'pg_catalog.trigger'::regtype
  AND (p.proargnames IS NOT NULL OR p.pronargs = 0 OR p.pronargs = 1 AND p.proargtypes[0] IN (
    'pg_catalog.bytea'::regtype, 'pg_catalog.json'::regtype, 'pg_catalog.jsonb'::regtype, 'pg_catalog.text'::regtype,
    'pg_catalog.xml'::regtype))
ORDER BY n.nspname, p.proname, p.oid`

// routineRow is a routine as the catalog has it.
type routineRow struct {
	routine  schema.Routine
	names    []string // of all parameters
	modes    []string // likewise; empty where all are for input
	types    []uint32 // of the parameters for input
	required int      // how many of those have no default
}

func (l *loader) readRoutines(rows pgx.Rows) error {
	var (
		row             routineRow
		volatility      string
		config, hoisted []string
		r               = &row.routine
		dest            = []any{
			&r.OID, &r.Schema, &r.Name, &r.Description, &row.names, &row.types, &row.modes, &row.required,
			&r.Return.Type.Schema, &r.Return.Type.Name, &r.Return.SetOf, &r.Return.Composite, &r.Return.Alias,
			&volatility, &r.Variadic, &config, &hoisted,
		}
	)
	_, err := pgx.ForEachRow(rows, dest, func() error {
		r.Volatility = volatilityOf(volatility)
		r.Isolation = isolationSetting(settings(config))
		r.Settings = settings(hoisted)
		l.routines = append(l.routines, row)
		return nil
	})
	return err
}

func volatilityOf(code string) schema.Volatility {
	switch code {
	case "i":
		return schema.Immutable
	case "s":
		return schema.Stable
	default:
		return schema.Volatile
	}
}

// addRoutines gives the routines their parameters, now that the types have names.
func (l *loader) addRoutines() {
	for i := range l.routines {
		row := &l.routines[i]
		row.routine.Params = row.params(l.types)
		l.parts.Routines = append(l.parts.Routines, &row.routine)
	}
}

func (row *routineRow) params(types map[uint32]paramType) []schema.Param {
	var out []schema.Param
	names, modes := row.inputs()
	for i, oid := range row.types {
		t := types[oid]
		out = append(out, schema.Param{
			Name: names[i], Type: t.name, CastType: t.cast, Required: i < row.required, Variadic: modes[i] == "v",
		})
	}
	return out
}

// inputs are names and modes of the parameters for input alone.
func (row *routineRow) inputs() (names, modes []string) {
	n := len(row.types)
	if len(row.modes) == 0 {
		return slices.Concat(row.names, make([]string, n))[:n], make([]string, n)
	}
	all := slices.Concat(row.names, make([]string, len(row.modes)))
	for i, mode := range row.modes {
		if mode == "i" || mode == "b" || mode == "v" {
			names, modes = append(names, all[i]), append(modes, mode)
		}
	}
	return names, modes
}

// settings splits name=value.
func settings(config []string) []schema.Setting {
	var out []schema.Setting
	for _, s := range config {
		name, value, _ := strings.Cut(s, "=")
		out = append(out, schema.Setting{Name: name, Value: value})
	}
	return out
}

const isolationName = "default_transaction_isolation"

// isolationSetting is the isolation level among settings.
func isolationSetting(settings []schema.Setting) schema.Isolation {
	for _, s := range settings {
		if s.Name != isolationName {
			continue
		}
		switch strings.ToLower(s.Value) {
		case "repeatable read":
			return schema.RepeatableRead
		case "serializable":
			return schema.Serializable
		default:
			return schema.ReadCommitted
		}
	}
	return schema.DefaultIsolation
}
