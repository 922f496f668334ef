package databases

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tarn-data/tarn/internal/auth"
	"github.com/tarn-data/tarn/internal/endpoint"
	"github.com/tarn-data/tarn/internal/fault"
)

// The policies by which a table is synced.
const (
	snapshotPolicy   = "SNAPSHOT"
	triggeredPolicy  = "TRIGGERED"
	continuousPolicy = "CONTINUOUS"
)

type tableInput struct {
	Name     string `json:"name"`
	Instance string `json:"database_instance_name"`
	Database string `json:"logical_database_name"`
	Spec     *Spec  `json:"spec"`
}

// Validate implements endpoint's hook.
func (in tableInput) Validate() error {
	switch {
	case len(parts(in.Name)) != 3:
		return endpoint.Invalid("The name must have three parts: catalog.schema.table.")
	case in.Spec == nil:
		return endpoint.Invalid("Missing required field: spec")
	case len(parts(in.Spec.Source)) != 3:
		return endpoint.Invalid("source_table_full_name must have three parts: catalog.schema.table.")
	case len(in.Spec.PrimaryKey) == 0:
		return endpoint.Invalid("Missing required field: spec.primary_key_columns")
	}
	switch in.Spec.Policy {
	case "", snapshotPolicy, triggeredPolicy, continuousPolicy:
	default:
		return endpoint.Invalid("The scheduling policy must be SNAPSHOT, TRIGGERED or CONTINUOUS.")
	}
	_, err := overrides(in.Spec)
	return err
}

// parts are the parts of a full name; nil if one can't be a name.
func parts(name string) []string {
	all := strings.Split(name, ".")
	for _, p := range all {
		if !isName(p) {
			return nil
		}
	}
	return all
}

func (s *Service) createTable(ctx context.Context, in tableInput) (*table, error) {
	name, source := parts(in.Name), parts(in.Spec.Source)
	t := Table{
		Name: in.Name, Instance: in.Instance, Database: in.Database, SchemaName: name[1], TableName: name[2],
		Creator: endpoint.Caller(ctx).Name, Spec: *in.Spec,
	}
	if t.Spec.Policy == "" {
		t.Spec.Policy = snapshotPolicy
	}
	if err := s.place(ctx, &t, name[0]); err != nil {
		return nil, err
	}
	i, err := s.instance(ctx, t.Instance)
	if err != nil {
		return nil, err
	}
	caller := endpoint.Caller(ctx)
	if err := s.database(ctx, i, t.Database, t.Spec.MakeObjects && mayManage(ctx, i.Creator)); err != nil {
		return nil, err
	}
	if err := s.mayWrite(ctx, caller, &t); err != nil {
		return nil, err
	}
	if err := s.mayRead(ctx, caller, source); err != nil {
		return nil, err
	}
	made, err := s.Tables.CreateTable(ctx, t)
	if err != nil {
		return nil, err
	}
	if made == nil {
		return nil, endpoint.Exists("Synced table '" + in.Name + "' already exists.")
	}
	return s.showTable(made), nil
}

// place finds out which database a table is to be in.
func (s *Service) place(ctx context.Context, t *Table, catalogName string) error {
	c, err := s.Store.Catalog(ctx, catalogName)
	if err != nil {
		return err
	}
	switch {
	case c == nil && (t.Instance == "" || t.Database == ""):
		return endpoint.Invalid("The catalog '" + catalogName + "' is none of a database: database_instance_name and logical_database_name are required.")
	case c == nil:
		return nil
	case t.Instance != "" && t.Instance != c.Instance, t.Database != "" && t.Database != c.Database:
		return endpoint.Invalid("The catalog '" + c.Name + "' is the database '" + c.Database + "' of the instance '" + c.Instance + "'.")
	}
	t.Instance, t.Database = c.Instance, c.Database
	return nil
}

// mayWrite asks the database whether the caller's role may make tables where the table is to be.
func (s *Service) mayWrite(ctx context.Context, caller *auth.Account, t *Table) error {
	conn, err := s.owner(ctx, t.Database)
	if err != nil {
		return err
	}
	defer closeConn(ctx, conn)
	var schema, taken, allowed bool
	const query = `SELECT n.oid IS NOT NULL, EXISTS (SELECT FROM pg_class WHERE relnamespace = n.oid AND relname = $2),
		coalesce(has_schema_privilege(r.oid, n.oid, 'CREATE'), has_database_privilege(r.oid, current_database(), 'CREATE'), false)
		FROM (VALUES (1)) one LEFT JOIN pg_namespace n ON n.nspname = $1 LEFT JOIN pg_roles r ON r.rolname = $3`
	if err := conn.QueryRow(ctx, query, t.SchemaName, t.TableName, caller.Name).Scan(&schema, &taken, &allowed); err != nil {
		return err
	}
	switch {
	case !allowed && !caller.Admin:
		return endpoint.Denied("You may not make tables in the schema '" + t.SchemaName + "' of the database '" + t.Database + "'.")
	case taken:
		return endpoint.Exists("There is a table " + t.SchemaName + "." + t.TableName + " in the database already.")
	case !schema && !t.Spec.MakeObjects:
		return fault.New(fault.NotFound, "NOT_FOUND", "The schema '"+t.SchemaName+"' does not exist.").
			WithHint("Ask for it to be made: create_database_objects_if_missing.")
	}
	return nil
}

// mayRead tells whether the caller may have a source copied. What they may read only a part of, they may not copy.
func (s *Service) mayRead(ctx context.Context, caller *auth.Account, source []string) error {
	if s.Sources != nil && s.Sources.Has(source[0]) {
		if caller.Admin {
			return nil
		}
		return endpoint.Denied("Only administrators may copy tables from outside of the server.")
	}
	c, err := s.Store.Catalog(ctx, source[0])
	if err != nil {
		return err
	}
	missing := fault.New(fault.NotFound, "NOT_FOUND", "The source table '"+strings.Join(source, ".")+"' does not exist.")
	if c == nil {
		return missing
	}
	conn, err := s.owner(ctx, c.Database)
	if err != nil {
		return err
	}
	defer closeConn(ctx, conn)
	var allowed, secured, stored bool
	const query = `SELECT coalesce(has_table_privilege(r.oid, t.oid, 'SELECT') AND has_schema_privilege(r.oid, n.oid, 'USAGE'), false), t.relrowsecurity, t.relkind IN ('r', 'p')
		FROM pg_class t JOIN pg_namespace n ON n.oid = t.relnamespace LEFT JOIN pg_roles r ON r.rolname = $3
		WHERE n.nspname = $1 AND t.relname = $2`
	err = conn.QueryRow(ctx, query, source[1], source[2], caller.Name).Scan(&allowed, &secured, &stored)
	switch {
	case err == pgx.ErrNoRows: //nolint:errorlint // it is what Scan returns
		return missing
	case err != nil:
		return err
	case !stored:
		return endpoint.Invalid("The source must be a table: a view would be read with the rights of the databases' owner.")
	case caller.Admin:
		return nil
	case !allowed:
		return endpoint.Denied("You may not read the source table.")
	case secured:
		return endpoint.Denied("The source table has row-level security: only an administrator may copy all of it.")
	}
	return nil
}

// endedError is the end of a table's syncing: it isn't tried again until somebody asks for it.
type endedError struct{ creator string }

func (e *endedError) Error() string {
	return "The syncing has ended: " + e.creator + ", who made the table, may not have the source copied any more."
}

// stillMay tells whether who made a table may still have its source copied.
func (s *Service) stillMay(ctx context.Context, t *Table) error {
	account, err := s.Accounts.Account(ctx, t.Creator)
	if err != nil {
		return err
	}
	if account == nil || !account.Active {
		return &endedError{t.Creator}
	}
	err = s.mayRead(ctx, account, parts(t.Spec.Source))
	if known, ok := errors.AsType[*fault.Error](err); ok && known.Kind == fault.Denied {
		return &endedError{t.Creator}
	}
	return err
}

// find returns a table that the caller may know of: because of their rights here, or because their role may read it.
func (s *Service) find(ctx context.Context, name string, toChange bool) (*Table, error) {
	t, err := s.Tables.Table(ctx, name)
	if err != nil {
		return nil, err
	}
	missing := fault.New(fault.NotFound, "NOT_FOUND", "Synced table '"+name+"' not found.")
	if t == nil {
		return nil, missing
	}
	if mayManage(ctx, t.Creator) {
		return t, nil
	}
	readable, err := s.readable(ctx, t)
	switch {
	case err != nil:
		return nil, err
	case !readable:
		return nil, endpoint.Denied("You have no privileges on the synced table '" + name + "'.")
	case toChange:
		return nil, endpoint.Denied("Only administrators and who made the table may do this.")
	}
	return t, nil
}

func (s *Service) readable(ctx context.Context, t *Table) (bool, error) {
	if s.Server == nil || t.Stopped {
		return false, nil
	}
	conn, err := s.owner(ctx, t.Database)
	if err != nil {
		return false, err
	}
	defer closeConn(ctx, conn)
	var allowed bool
	const query = `SELECT coalesce((SELECT has_table_privilege(r.oid, t.oid, 'SELECT') OR has_any_column_privilege(r.oid, t.oid, 'SELECT')
		FROM pg_class t JOIN pg_namespace n ON n.oid = t.relnamespace JOIN pg_roles r ON r.rolname = $3
		WHERE n.nspname = $1 AND t.relname = $2), false)`
	err = conn.QueryRow(ctx, query, t.SchemaName, t.TableName, endpoint.Caller(ctx).Name).Scan(&allowed)
	return allowed, err
}

func (s *Service) getTable(ctx context.Context, in byName) (*table, error) {
	t, err := s.find(ctx, in.Name, false)
	if err != nil {
		return nil, err
	}
	return s.showTable(t), nil
}

type tableList struct {
	Tables []table `json:"synced_tables"`
	Next   string  `json:"next_page_token,omitempty"`
}

// listTables lists those that the caller may change; who else may read one asks for it by name.
func (s *Service) listTables(ctx context.Context, in page) (*tableList, error) {
	if _, err := s.instance(ctx, in.Instance); err != nil {
		return nil, err
	}
	records, err := s.Tables.Tables(ctx, in.Instance, in.Token, in.limit()+1)
	if err != nil {
		return nil, err
	}
	out := &tableList{Tables: []table{}}
	if len(records) > in.limit() {
		records = records[:in.limit()]
		out.Next = records[len(records)-1].Name
	}
	for i := range records {
		if mayManage(ctx, records[i].Creator) {
			out.Tables = append(out.Tables, *s.showTable(&records[i]))
		}
	}
	return out, nil
}

type tableDeletion struct {
	Name  string `path:"name"`
	Purge bool   `query:"purge_data"`
}

// deleteTable ends the syncing. The rows stay where they are, unless they are to be purged.
func (s *Service) deleteTable(ctx context.Context, in tableDeletion) (endpoint.None, error) {
	t, err := s.find(ctx, in.Name, true)
	if err != nil {
		return endpoint.None{}, err
	}
	if in.Purge {
		conn, err := s.owner(ctx, t.Database)
		if err != nil {
			return endpoint.None{}, err
		}
		defer closeConn(ctx, conn)
		if _, err := conn.Exec(ctx, "DROP TABLE IF EXISTS "+pgx.Identifier{t.SchemaName, t.TableName}.Sanitize()); err != nil {
			return endpoint.None{}, endpoint.InvalidState("The table can't be dropped: " + plain(err)).WithCause(err)
		}
	}
	return endpoint.None{}, s.Tables.DeleteTable(ctx, t.Name)
}

type updateInput struct {
	ID   string `path:"id"`
	Full bool   `json:"full_refresh"`
}

type updateStarted struct {
	ID string `json:"update_id"`
}

// startUpdate has a table synced now.
func (s *Service) startUpdate(ctx context.Context, in updateInput) (*updateStarted, error) {
	t, err := s.Tables.TableOfPipeline(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if t == nil || !mayManage(ctx, t.Creator) {
		return nil, endpoint.NotFound("The specified pipeline " + in.ID + " was not found.")
	}
	if err := s.Tables.Request(ctx, t.ID, in.Full); err != nil {
		return nil, err
	}
	return &updateStarted{ID: endpoint.CallFrom(ctx).ID}, nil
}

func stamp(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}
