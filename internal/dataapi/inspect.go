package dataapi

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/tarn-data/tarn/internal/config"
	"github.com/tarn-data/tarn/internal/dataapi/openapi"
	"github.com/tarn-data/tarn/internal/dataapi/plan"
	"github.com/tarn-data/tarn/internal/dataapi/request"
	"github.com/tarn-data/tarn/internal/dataapi/schema"
	"github.com/tarn-data/tarn/internal/dataapi/sqlgen"
)

// What the root document needs of the database, as the caller.
const (
	describeSchema = `SELECT pg_catalog.obj_description(n.oid, 'pg_namespace') FROM pg_catalog.pg_namespace n WHERE n.nspname = $1`

	visibleRelations = `SELECT c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition AND (
  pg_catalog.pg_has_role(c.relowner, 'USAGE')
  OR pg_catalog.has_table_privilege(c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')
  OR pg_catalog.has_any_column_privilege(c.oid, 'SELECT, INSERT, UPDATE, REFERENCES'))`

	visibleRoutines = `SELECT p.oid FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname = $1 AND pg_catalog.has_function_privilege(p.oid, 'EXECUTE')`
)

// inspect makes the root document of what the caller may see.
func (v *visit) inspect(ctx context.Context, req *request.Request, p *plan.Inspect) ([]byte, error) {
	arg := []sqlgen.Arg{{OID: oidName, Value: []byte(p.Schema)}}
	queries := []sqlgen.Statement{{SQL: describeSchema, Args: arg}}
	follow := v.state.cfg.OpenAPIMode == config.FollowPrivileges
	if follow {
		queries = append(queries, sqlgen.Statement{SQL: visibleRelations, Args: arg}, sqlgen.Statement{SQL: visibleRoutines, Args: arg})
	}
	var (
		description *string
		relations   = map[string]bool{}
		routines    = map[uint32]bool{}
	)
	err := v.state.runner.Query(ctx, v.session(req, p), queries, func(i int, values [][]byte) {
		switch i {
		case 0:
			if values[0] != nil {
				d := string(values[0])
				description = &d
			}
		case 1:
			relations[string(values[0])] = true
		case 2:
			if oid, err := strconv.ParseUint(string(values[0]), 10, 32); err == nil {
				routines[uint32(oid)] = true
			}
		}
	})
	if err != nil {
		return nil, v.databaseFault(ctx, err)
	}
	if p.HeadersOnly {
		return nil, nil
	}
	in := v.document(p.Schema)
	in.SchemaDescription = description
	if follow { // as the caller names types, whose search path this is
		in.SearchPath = append([]string{p.Schema}, v.state.cfg.ExtraSearchPath...)
	}
	for id, rel := range v.state.cache.Relations {
		if id.Schema == p.Schema && (!follow || relations[id.Name]) {
			in.Relations = append(in.Relations, rel)
		}
	}
	for id, overloads := range v.state.cache.Routines {
		for _, routine := range overloads {
			if id.Schema == p.Schema && (!follow || routines[routine.OID]) {
				in.Routines = append(in.Routines, routine)
			}
		}
	}
	slices.SortFunc(in.Relations, func(a, b *schema.Relation) int { return strings.Compare(a.Name, b.Name) })
	slices.SortStableFunc(in.Routines, func(a, b *schema.Routine) int { return strings.Compare(a.Name, b.Name) })
	return openapi.Build(in), nil
}

// oidName is PostgreSQL's object identifier of the type name.
const oidName = 19

func (v *visit) document(schemaName string) openapi.Input {
	cfg := v.state.cfg
	proxy := cfg.OpenAPIProxyURI
	if proxy == "" && v.mount.Origin != "" {
		proxy = v.mount.Origin + v.mount.Base
	}
	return openapi.Input{
		Version:        v.engine.opt.Version,
		Schema:         schemaName,
		Cache:          v.state.cache,
		Host:           cfg.ServerHost,
		Port:           cfg.ServerPort,
		BasePath:       v.mount.Base,
		ProxyURI:       proxy,
		SecurityActive: cfg.OpenAPISecurity,
	}
}
