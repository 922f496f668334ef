package databricksauth_test

import (
	"errors"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/tarn-data/tarn/internal/pg"
	"github.com/tarn-data/tarn/internal/pgtest"
)

// since16 is the server version from which on CREATEROLE gives no power over roles that others made.
const since16 = 160000

// setup makes a database whose owner, who isn't a superuser, is connected to it and has made the extension.
func setup(t *testing.T) (db *pgtest.DB, conn *pgx.Conn, owner string) {
	t.Helper()
	db = pgtest.New(t)
	db.Needs(t, "databricks_auth")
	owner = db.Role(t, "LOGIN CREATEROLE CREATEDB")
	db.Exec(t, `ALTER DATABASE "`+db.Name+`" OWNER TO "`+owner+`"`)
	t.Cleanup(func() { db.Exec(t, `ALTER DATABASE "`+db.Name+`" OWNER TO CURRENT_USER`) })
	conn = db.ConnAs(t, owner)
	if err := exec(t, conn, "CREATE EXTENSION IF NOT EXISTS databricks_auth"); err != nil {
		t.Fatal(err)
	}
	return db, conn, owner
}

func exec(t *testing.T, conn *pgx.Conn, sql string) error {
	t.Helper()
	_, err := conn.PgConn().Exec(t.Context(), sql).ReadAll()
	return err
}

func create(t *testing.T, conn *pgx.Conn, name, kind any) error {
	t.Helper()
	_, err := conn.Exec(t.Context(), "SELECT databricks_create_role($1, $2)", name, kind)
	return err
}

// dropAfter drops a role with all that it has when the test ends.
func dropAfter(t *testing.T, db *pgtest.DB, role string) {
	t.Helper()
	quoted := pgx.Identifier{role}.Sanitize()
	t.Cleanup(func() { db.Exec(t, "DROP OWNED BY "+quoted+" CASCADE; DROP ROLE "+quoted) })
}

func TestCreateRole(t *testing.T) {
	db, conn, _ := setup(t)
	for _, c := range []struct{ name, kind, comment string }{
		{"user@databricks.com", "USER", "databricks_auth USER"},
		{"Data Team", "group", "databricks_auth GROUP"},
		{"0f9b1f2e-1111-4222-8333-444455556666", "SERVICE_PRINCIPAL", "databricks_auth SERVICE_PRINCIPAL"},
		{`o"brien'; DROP ROLE "x" --@example.com`, "USER", "databricks_auth USER"},
		{"zoë@example.com", "USER", "databricks_auth USER"},
		{strings.Repeat("x", 63), "USER", "databricks_auth USER"},
	} {
		if err := create(t, conn, c.name, c.kind); err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		dropAfter(t, db, c.name)
		var login, more bool
		var comment string
		err := conn.QueryRow(t.Context(), `SELECT rolcanlogin, rolsuper OR rolcreaterole OR rolcreatedb OR rolbypassrls OR rolreplication,
			shobj_description(oid, 'pg_authid') FROM pg_roles WHERE rolname = $1`, c.name).Scan(&login, &more, &comment)
		if err != nil || !login || more || comment != c.comment {
			t.Errorf("%s: login %v, more %v, comment %q, %v", c.name, login, more, comment, err)
		}
	}
}

func TestCreateRoleRefuses(t *testing.T) {
	db, conn, _ := setup(t)
	there := db.Role(t, "LOGIN")
	for _, c := range []struct {
		what       string
		name, kind any
		code, text string
	}{
		{"a role that exists", there, "USER", "42710", `role "` + there + `" already exists`},
		{"no name", "", "USER", "22023", "identity name must not be empty"},
		{"a null name", nil, "USER", "22023", "identity name must not be empty"},
		{"a name that would be cut", strings.Repeat("é", 32), "USER", "42622", `identity name "` + strings.Repeat("é", 32) + `" is too long`},
		{"a reserved name", "public", "USER", "42939", `role name "public" is reserved`},
		{"a predefined name", "pg_mine", "USER", "42939", `role name "pg_mine" is reserved`},
		{"another type", "a@example.com", "ROBOT", "22023", `invalid identity type "ROBOT"`},
		{"a null type", "a@example.com", nil, "22023", `invalid identity type ""`},
	} {
		var pgErr *pgconn.PgError
		if err := create(t, conn, c.name, c.kind); !errors.As(err, &pgErr) || pgErr.Code != c.code || pgErr.Message != c.text {
			t.Errorf("%s: %v, want %s: %s", c.what, err, c.code, c.text)
		}
	}
	user := db.ConnAs(t, there)
	var pgErr *pgconn.PgError
	if err := create(t, user, "b@example.com", "USER"); !errors.As(err, &pgErr) || pgErr.Code != "42501" {
		t.Errorf("a caller without CREATEROLE: %v", err)
	}
}

// TestSetup runs the statements with which a database is set up, as its owner.
func TestSetup(t *testing.T) {
	db, conn, owner := setup(t)
	// Another test process may use the same server, so these roles have names of their own.
	authenticator, user := owner+"_authenticator", owner+"@databricks.com"
	for _, sql := range []string{
		"CREATE ROLE $authenticator LOGIN NOINHERIT NOCREATEDB NOCREATEROLE NOSUPERUSER",
		"CREATE SCHEMA IF NOT EXISTS pgrst",
		`CREATE OR REPLACE FUNCTION pgrst.pre_config() RETURNS VOID AS $$
			SELECT set_config('pgrst.db_schemas', 'public', true) $$ LANGUAGE SQL`,
		"GRANT USAGE ON SCHEMA pgrst TO $authenticator",
		"GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA pgrst TO $authenticator",
		"CREATE TABLE clients (id serial PRIMARY KEY, name text)",
		"CREATE EXTENSION IF NOT EXISTS databricks_auth",
		"SELECT databricks_create_role('$user', 'USER')",
		`GRANT "$user" TO $authenticator`,
		`GRANT USAGE ON SCHEMA public TO "$user"`,
		`GRANT SELECT, UPDATE, INSERT, DELETE ON ALL TABLES IN SCHEMA public TO "$user"`,
		`GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO "$user"`,
		`GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO "$user"`,
		"ALTER TABLE clients ENABLE ROW LEVEL SECURITY",
		`CREATE POLICY p ON clients AS PERMISSIVE FOR SELECT TO "$user" USING (id IN (1, 2))`,
	} {
		sql = strings.NewReplacer("$authenticator", authenticator, "$user", user).Replace(sql)
		if err := exec(t, conn, sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
		switch {
		case strings.HasPrefix(sql, "CREATE ROLE"):
			dropAfter(t, db, authenticator)
		case strings.HasPrefix(sql, "SELECT databricks_create_role"):
			dropAfter(t, db, user)
		}
	}
	for role, want := range map[string]bool{authenticator: false, user: false, owner: true} {
		if got, err := pg.Elevated(t.Context(), conn, role); err != nil || got != want {
			t.Errorf("%s is elevated: %v, %v", role, got, err)
		}
	}
	t.Run("the owner can't be granted", func(t *testing.T) {
		err := exec(t, conn, `GRANT "`+owner+`" TO `+authenticator)
		version, convErr := strconv.Atoi(setting(t, conn, "server_version_num"))
		if convErr != nil {
			t.Fatal(convErr)
		}
		if version < since16 {
			// There CREATEROLE may grant every role but superusers. Then authenticator is elevated, and so not served.
			if got, elevErr := pg.Elevated(t.Context(), conn, authenticator); err != nil || elevErr != nil || !got {
				t.Errorf("GRANT: %v; elevated: %v, %v", err, got, elevErr)
			}
			return
		}
		var pgErr *pgconn.PgError
		if !errors.As(err, &pgErr) || pgErr.Message != `permission denied to grant role "`+owner+`"` ||
			pgErr.Detail != `Only roles with the ADMIN option on role "`+owner+`" may grant this role.` {
			t.Errorf("GRANT: %v", err)
		}
	})
	t.Run("the function is no routine of public", func(t *testing.T) {
		var n int
		err := conn.QueryRow(t.Context(), "SELECT count(*) FROM pg_proc WHERE pronamespace = 'public'::regnamespace").Scan(&n)
		if err != nil || n != 0 {
			t.Errorf("%d routines, %v", n, err)
		}
	})
}

func setting(t *testing.T, conn *pgx.Conn, name string) string {
	t.Helper()
	var value string
	if err := conn.QueryRow(t.Context(), "SELECT current_setting($1)", name).Scan(&value); err != nil {
		t.Fatal(err)
	}
	return value
}
