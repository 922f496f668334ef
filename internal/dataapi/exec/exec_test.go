package exec_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/tarn-data/tarn/internal/dataapi/exec"
	"github.com/tarn-data/tarn/internal/dataapi/schema"
	"github.com/tarn-data/tarn/internal/dataapi/sqlgen"
	"github.com/tarn-data/tarn/internal/pg"
	"github.com/tarn-data/tarn/internal/pgtest"
)

// world is a database with two roles that see different rows, and a runner with a single connection, so that whatever
// one run leaves behind the next one meets.
type world struct {
	db       *pgtest.DB
	runner   *exec.Runner
	ann, bob string
	login    string
	admin    *pgx.Conn // of the superuser, once it is needed
}

func newWorld(t *testing.T) *world {
	t.Helper()
	db := pgtest.New(t)
	w := &world{db: db, ann: db.Role(t, "NOLOGIN"), bob: db.Role(t, "NOLOGIN")}
	login := db.Role(t, "LOGIN NOINHERIT")
	w.login = login
	q := sqlgen.QuoteIdent
	db.Exec(t, `GRANT `+q(w.ann)+`, `+q(w.bob)+` TO `+q(login)+`;
		CREATE TABLE items (id int PRIMARY KEY, owner name DEFAULT current_user);
		INSERT INTO items VALUES (1, '`+w.ann+`'), (2, '`+w.bob+`'), (3, '`+w.bob+`');
		ALTER TABLE items ENABLE ROW LEVEL SECURITY;
		CREATE POLICY own ON items USING (owner = current_user);
		GRANT ALL ON items TO `+q(w.ann)+`, `+q(w.bob)+`;
		CREATE FUNCTION poison() RETURNS void LANGUAGE sql AS $$ SELECT set_config('work_mem', '1MB', false), set_config('role', '`+w.bob+`', false) $$;
		CREATE FUNCTION boom() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RAISE 'boom' USING DETAIL = 'it broke'; END $$;
		CREATE TABLE late (id int REFERENCES items DEFERRABLE INITIALLY DEFERRED);
		GRANT ALL ON late TO `+q(w.ann)+`;`)
	pool, err := pg.OpenPool(pg.PoolOptions{URL: db.RoleURL(t, login), Size: 1, AcquireTimeout: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	w.runner = &exec.Runner{Pool: pool, Prepared: true}
	return w
}

func session(role string, more ...schema.Setting) exec.Session {
	names, values := []string{"search_path", exec.SetRole}, []string{"public", role}
	for _, s := range more {
		names, values = append(names, s.Name), append(values, s.Value)
	}
	return exec.Session{Role: role, Settings: exec.NewSettings(names, len(names)), Values: values}
}

var rowColumns = sqlgen.Columns{Total: 0, Page: 1, Body: 2, Headers: 3, Status: 4, Location: 5, Inserted: 6, Count: 7}

// query is a statement with the columns of a row, whose body is an expression over items.
func query(body string, readOnly bool) *sqlgen.Query {
	return &sqlgen.Query{
		Main: sqlgen.Statement{SQL: "SELECT NULL::bigint, 1::bigint, (" + body + ")::text, " +
			"NULLIF(current_setting('response.headers', true), ''), NULLIF(current_setting('response.status', true), ''), NULL::text, NULL::int"},
		Columns: rowColumns, ReadOnly: readOnly, RoleBound: true,
	}
}

func write(with string) *sqlgen.Query {
	q := query("SELECT count(*) FROM w", false)
	q.Main.SQL = "WITH w AS (" + with + ") " + q.Main.SQL
	return q
}

const ids = "SELECT string_agg(id::text, ',' ORDER BY id) FROM items"

func (w *world) body(t *testing.T, role string) string {
	t.Helper()
	res, err := w.runner.Run(t.Context(), session(role), query(ids, true), exec.Commit, nil)
	if err != nil {
		t.Fatal(err)
	}
	return string(res.Row.Body)
}

// clean checks that the one connection serves both roles as if nothing had been.
func (w *world) clean(t *testing.T) {
	t.Helper()
	for range 2 {
		if got := w.body(t, w.ann); !strings.HasPrefix(got, "1") || strings.Contains(got, "2") {
			t.Errorf("ann sees %q", got)
		}
		if got := w.body(t, w.bob); got != "2,3" {
			t.Errorf("bob sees %q", got)
		}
	}
	if got := w.body(t, w.ann); strings.Contains(got, "2") {
		t.Errorf("ann sees %q", got)
	}
}

func TestRolesAlternateOnOneConnection(t *testing.T) { newWorld(t).clean(t) }

func TestFailuresLeaveTheConnectionClean(t *testing.T) {
	w := newWorld(t)
	refuse := func(*sqlgen.Row) error { return errors.New("refused") }
	insert := write("INSERT INTO items (id) VALUES (9) RETURNING id")
	expired, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	cases := map[string]struct {
		ctx   context.Context
		role  string
		q     *sqlgen.Query
		end   exec.End
		check exec.Check
		code  string
		ok    bool
	}{
		"raised":             {role: w.ann, q: query("SELECT boom()", true), code: "P0001"},
		"raised in a write":  {role: w.ann, q: query("SELECT boom()", false), code: "P0001"},
		"unknown role":       {role: "nobody there", q: query(ids, true), code: "22023"},
		"not a member":       {role: "pg_monitor", q: query(ids, true), code: "42501"},
		"syntax":             {role: w.ann, q: query("SELECT )", true), code: "42601"},
		"write in a read":    {role: w.ann, q: readOnly(insert), code: "25006"},
		"check refuses":      {role: w.ann, q: insert, check: refuse},
		"rolled back":        {role: w.ann, q: insert, end: exec.Rollback, ok: true},
		"rolled back, check": {role: w.ann, q: insert, end: exec.Rollback, check: func(*sqlgen.Row) error { return nil }, ok: true},
		"deferred":           {role: w.ann, q: write("INSERT INTO late VALUES (77) RETURNING id"), code: "23503"},
		"deferred, check":    {role: w.ann, q: write("INSERT INTO late VALUES (77) RETURNING id"), check: func(*sqlgen.Row) error { return nil }, code: "23503"},
		"deferred, rollback": {role: w.ann, q: write("INSERT INTO late VALUES (77) RETURNING id"), end: exec.Rollback, code: "23503"},
		"cancelled":          {ctx: expired, role: w.ann, q: query("SELECT pg_sleep(10)", true)},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			ctx := c.ctx
			if ctx == nil {
				ctx = t.Context()
			}
			_, err := w.runner.Run(ctx, session(c.role), c.q, c.end, c.check)
			if (err == nil) != c.ok {
				t.Fatalf("error %v", err)
			}
			var pgErr *pgconn.PgError
			if c.code != "" && (!errors.As(err, &pgErr) || pgErr.Code != c.code) {
				t.Errorf("wanted %s, got %v", c.code, err)
			}
			w.clean(t)
			if got := w.body(t, w.ann); got != "1" {
				t.Errorf("ann's items are now %q", got)
			}
		})
	}
}

func readOnly(q *sqlgen.Query) *sqlgen.Query {
	c := *q
	c.ReadOnly = true
	return &c
}

func TestWritesCommit(t *testing.T) {
	w := newWorld(t)
	insert := write("INSERT INTO items (id) VALUES (9) RETURNING id")
	if _, err := w.runner.Run(t.Context(), session(w.ann), insert, exec.Commit, nil); err != nil {
		t.Fatal(err)
	}
	if got := w.body(t, w.ann); got != "1,9" {
		t.Errorf("ann's items are %q", got)
	}
	w.db.Exec(t, "DELETE FROM items WHERE id = 9")
	if _, err := w.runner.Run(t.Context(), session(w.ann), insert, exec.Commit, func(*sqlgen.Row) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if got := w.body(t, w.ann); got != "1,9" {
		t.Errorf("ann's items are %q", got)
	}
}

func TestSessionSettingsDoNotOutliveTheRequest(t *testing.T) {
	w := newWorld(t)
	q := query("SELECT poison()", false)
	q.CallsVolatile = true
	if _, err := w.runner.Run(t.Context(), session(w.ann), q, exec.Commit, nil); err != nil {
		t.Fatal(err)
	}
	res, err := w.runner.Run(t.Context(), session(w.ann), query("SELECT current_setting('work_mem')", true), exec.Commit, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(res.Row.Body); got == "1MB" {
		t.Errorf("work_mem is still %s", got)
	}
	w.clean(t)
}

func TestStaleStatementsHeal(t *testing.T) {
	w := newWorld(t)
	q := &sqlgen.Query{Main: sqlgen.Statement{SQL: "SELECT NULL::bigint, 1::bigint, v.*, NULL::text, NULL::text, NULL::text, NULL::int FROM v"}, Columns: rowColumns, ReadOnly: true}
	w.db.Exec(t, "CREATE VIEW v AS SELECT 1 AS a; GRANT SELECT ON v TO "+sqlgen.QuoteIdent(w.ann))
	for _, change := range []string{"", "DROP VIEW v; CREATE VIEW v AS SELECT 'x'::text AS a; GRANT SELECT ON v TO " + sqlgen.QuoteIdent(w.ann)} {
		if change != "" {
			w.db.Exec(t, change)
		}
		for range 2 {
			if _, err := w.runner.Run(t.Context(), session(w.ann), q, exec.Commit, nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Run("forgotten by the server", func(t *testing.T) {
		deallocate := query("SELECT 1", false)
		if _, err := w.runner.Run(t.Context(), session(w.ann), deallocate, exec.Commit, nil); err != nil {
			t.Fatal(err)
		}
		conn, err := w.runner.Pool.Acquire(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		_, err = conn.Exec(t.Context(), "DEALLOCATE ALL")
		conn.Release()
		if err != nil {
			t.Fatal(err)
		}
		w.clean(t)
	})
}

func TestKilledBackend(t *testing.T) {
	w := newWorld(t)
	_, err := w.runner.Run(t.Context(), session(w.ann), query("SELECT pg_terminate_backend(pg_backend_pid())", false), exec.Commit, nil)
	if err == nil {
		t.Fatal("no error")
	}
	w.clean(t)
}

func TestAcquireTimesOut(t *testing.T) {
	w := newWorld(t)
	pool, err := pg.OpenPool(pg.PoolOptions{URL: w.db.URL, Size: 1, AcquireTimeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	held, err := pool.Acquire(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer held.Release()
	r := exec.Runner{Pool: pool}
	if _, err := r.Run(t.Context(), session(w.ann), query(ids, true), exec.Commit, nil); !errors.Is(err, pg.ErrAcquireTimeout) {
		t.Errorf("error %v", err)
	}
}

func TestManyStatements(t *testing.T) {
	w := newWorld(t)
	for i := range 600 {
		q := query("SELECT "+strings.Repeat("1+", i)+"1", true)
		res, err := w.runner.Run(t.Context(), session(w.ann), q, exec.Commit, nil)
		if err != nil {
			t.Fatal(i, err)
		}
		if string(res.Row.Body) == "" {
			t.Fatal("no body")
		}
	}
	res, err := w.runner.Run(t.Context(), session(w.ann), query("SELECT count(*) FROM pg_prepared_statements", true), exec.Commit, nil)
	if err != nil {
		t.Fatal(err)
	}
	if n := string(res.Row.Body); len(n) != 3 || n > "260" {
		t.Errorf("%s statements are prepared", n)
	}
}

// TestResetKeepsWhatDeferredTriggersSee: what runs at the end of the transaction runs with the caller's settings, though
// they are reset then.
func TestResetKeepsWhatDeferredTriggersSee(t *testing.T) {
	w := newWorld(t)
	w.db.Exec(t, `CREATE TABLE seen (claims text, who name);
		CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS
			$$ BEGIN INSERT INTO seen VALUES (current_setting('request.jwt.claims'), current_user); RETURN NULL; END $$;
		CREATE CONSTRAINT TRIGGER see AFTER INSERT ON items DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION see();
		GRANT ALL ON seen TO `+sqlgen.QuoteIdent(w.ann))
	insert := write("INSERT INTO items (id) VALUES (9) RETURNING id")
	insert.CallsVolatile = true
	s := session(w.ann, schema.Setting{Name: "request.jwt.claims", Value: "hers"})
	if _, err := w.runner.Run(t.Context(), s, insert, exec.Commit, nil); err != nil {
		t.Fatal(err)
	}
	var claims, who string
	if err := w.db.Conn(t).QueryRow(t.Context(), "SELECT claims, who FROM seen").Scan(&claims, &who); err != nil {
		t.Fatal(err)
	}
	if claims != "hers" || who != w.ann {
		t.Errorf("the trigger saw %q as %s", claims, who)
	}
	w.clean(t)
}

func TestOneStatementTwiceInATransaction(t *testing.T) {
	w := newWorld(t)
	twice := []sqlgen.Statement{
		{SQL: "SELECT $1::int + 1", Args: []sqlgen.Arg{{Value: []byte("1")}}},
		{SQL: "SELECT $1::int + 1", Args: []sqlgen.Arg{{Value: []byte("2")}}},
	}
	for range 3 {
		var got []string
		err := w.runner.Query(t.Context(), session(w.ann), twice, func(_ int, values [][]byte) { got = append(got, string(values[0])) })
		if err != nil || strings.Join(got, " ") != "2 3" {
			t.Errorf("%q, %v", got, err)
		}
	}
}

// TestStatementThatIsThere: a name that is taken on the connection, as by another client of a pooler, does no harm.
func TestStatementThatIsThere(t *testing.T) {
	w := newWorld(t)
	for _, prepared := range []bool{true, false} {
		w.runner.Prepared = prepared
		w.clean(t)
	}
	w.runner.Prepared = true
	conn, err := w.runner.Pool.Acquire(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	clear(conn.PgConn().CustomData()) // so that nothing is known of what was prepared
	conn.Release()
	w.clean(t)
	check := func(*sqlgen.Row) error { return nil }
	insert := write("INSERT INTO items (id) VALUES (9) RETURNING id")
	if _, err := w.runner.Run(t.Context(), session(w.ann), insert, exec.Rollback, check); err != nil {
		t.Error(err)
	}
}
