package introspect

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/tarn-data/tarn/internal/dataapi/schema"
	"github.com/tarn-data/tarn/internal/pgtest"
)

func id(name string) schema.Ident     { return schema.Ident{Schema: "api", Name: name} }
func hidden(name string) schema.Ident { return schema.Ident{Schema: "hidden", Name: name} }

// loadWith makes a database of statements and loads it with the schema api exposed, on a connection that finds the
// schemas without their names.
func loadWith(t *testing.T, sql string) *schema.Cache {
	t.Helper()
	db := pgtest.New(t)
	db.Exec(t, "CREATE SCHEMA api; CREATE SCHEMA hidden; CREATE SCHEMA extra;"+sql)
	conn := db.Conn(t)
	if _, err := conn.Exec(context.Background(), "SET search_path TO api, hidden, extra"); err != nil {
		t.Fatal(err)
	}
	return loadOn(t, conn)
}

func loadOn(t *testing.T, conn *pgx.Conn) *schema.Cache {
	t.Helper()
	c, err := Load(context.Background(), conn, Options{
		Schemas:           []string{"api"},
		ExtraSearchPath:   []string{"extra"},
		HoistedTxSettings: []string{"statement_timeout", "^work_"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestLoadEmpty(t *testing.T) {
	db := pgtest.New(t)
	conn := db.Conn(t)
	c := loadOn(t, conn) // the schema api isn't there either
	if len(c.Relations) != 0 || len(c.Routines) != 0 || len(c.Relationships) != 0 {
		t.Errorf("empty database has %s", c.Summary())
	}
	if c.ServerVersion < 140000 {
		t.Errorf("server version is %d", c.ServerVersion)
	}
	if _, err := Load(context.Background(), conn, Options{}); err != nil {
		t.Errorf("load of no schemas: %v", err)
	}
}

// TestLoadLeavesNothing: whatever a load changes in the session goes with its transaction.
func TestLoadLeavesNothing(t *testing.T) {
	ctx := context.Background()
	conn := pgtest.New(t).Conn(t)
	const state = "SELECT current_setting('search_path') || current_setting('jit') || current_setting('transaction_read_only')"
	var before, after string
	if err := conn.QueryRow(ctx, state).Scan(&before); err != nil {
		t.Fatal(err)
	}
	loadOn(t, conn)
	if err := conn.QueryRow(ctx, state).Scan(&after); err != nil {
		t.Fatal(err)
	}
	if before != after {
		t.Errorf("session was %s, is %s", before, after)
	}
}

// TestLoadInAnyMode: how the connection sends queries makes no difference.
func TestLoadInAnyMode(t *testing.T) {
	db := pgtest.New(t)
	db.Exec(t, `CREATE SCHEMA api;
		CREATE TABLE api.a (id int PRIMARY KEY, tags text[]);
		CREATE TABLE api.b (a_id int REFERENCES api.a);
		CREATE FUNCTION api.f(x int, y text) RETURNS int LANGUAGE sql SET work_mem = '1MB' AS 'SELECT 1';`)
	for _, mode := range []pgx.QueryExecMode{
		pgx.QueryExecModeCacheStatement, pgx.QueryExecModeCacheDescribe, pgx.QueryExecModeDescribeExec, pgx.QueryExecModeExec,
	} {
		cfg, err := pgx.ParseConfig(db.URL)
		if err != nil {
			t.Fatal(err)
		}
		cfg.DefaultQueryExecMode = mode
		conn, err := pgx.ConnectConfig(context.Background(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			want := "2 relations, 2 relationships, 1 routines, 0 domain representations, 4 media type handlers"
			if got := loadOn(t, conn).Summary(); got != want {
				t.Errorf("in mode %v: %s", mode, got)
			}
		}
		if err := conn.Close(context.Background()); err != nil {
			t.Error(err)
		}
	}
}

func TestLoadFails(t *testing.T) {
	conn := pgtest.New(t).Conn(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Load(ctx, conn, Options{Schemas: []string{"api"}}); err == nil {
		t.Error("load in a context that is done succeeds")
	}
	db := pgtest.New(t)
	db.Exec(t, "CREATE SCHEMA api; CREATE FUNCTION api.f() RETURNS int LANGUAGE sql SET work_mem = '1MB' AS 'SELECT 1'")
	conn = db.Conn(t)
	if _, err := Load(context.Background(), conn, Options{Schemas: []string{"api"}, HoistedTxSettings: []string{"("}}); err == nil {
		t.Error("load with a setting that is no regular expression succeeds")
	}
	if _, err := Load(context.Background(), conn, Options{Schemas: []string{"api"}}); err != nil {
		t.Errorf("the connection is unusable after that: %v", err)
	}
}
