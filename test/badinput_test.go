package test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tarn-data/tarn/internal/pgtest"
)

// dataAPI is a Data API alone on a database of its own, with some relations and routines in schema api.
type dataAPI struct {
	*tarn
	db   *pgtest.DB
	role string
}

const dataAPISchema = `
	CREATE SCHEMA api;
	CREATE TABLE api.items (id int PRIMARY KEY, name text, doc jsonb);
	INSERT INTO api.items SELECT i, 'item ' || i, '{"a": 1}' FROM generate_series(1, 5) i;
	CREATE TABLE api.parts (id int PRIMARY KEY, item_id int REFERENCES api.items);
	CREATE TABLE api.hidden (id int);
	CREATE FUNCTION api.nap(seconds float8) RETURNS int LANGUAGE sql AS $$ SELECT 1 FROM pg_sleep(seconds) $$;
	CREATE FUNCTION api.die() RETURNS bool LANGUAGE sql SECURITY DEFINER AS $$ SELECT pg_terminate_backend(pg_backend_pid()) $$;`

func serveDataAPI(t testing.TB, environ ...string) *dataAPI {
	t.Helper()
	db := pgtest.New(t)
	role, login := db.Role(t, "NOLOGIN"), db.Role(t, "LOGIN NOINHERIT")
	db.Exec(t, dataAPISchema+fmt.Sprintf(`GRANT %q TO %q; GRANT USAGE ON SCHEMA api TO %[1]q; GRANT ALL ON api.items, api.parts TO %[1]q`, role, login))
	return &dataAPI{tarn: startDataAPI(t, db, login, role, append([]string{"PGRST_DB_SCHEMAS=api"}, environ...)...), db: db, role: role}
}

// startDataAPI starts a Data API on a database, as the role that logs in, and waits until it is ready.
func startDataAPI(t testing.TB, db *pgtest.DB, login, anon string, environ ...string) *tarn {
	t.Helper()
	host, port, err := net.SplitHostPort(freeAddress(t))
	if err != nil {
		t.Fatal(err)
	}
	_, adminPort, err := net.SplitHostPort(freeAddress(t))
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, append([]string{
		"PGRST_DB_URI=" + db.RoleURL(t, login), "PGRST_DB_ANON_ROLE=" + anon, "PGRST_DB_POOL=4",
		"PGRST_SERVER_HOST=" + host, "PGRST_SERVER_PORT=" + port, "PGRST_ADMIN_SERVER_PORT=" + adminPort, "PGRST_LOG_LEVEL=error",
		"PGRST_DB_CHANNEL=" + db.Name,
	}, environ...), "data-api")
	s.url, s.admin = "http://"+net.JoinHostPort(host, port), "http://"+net.JoinHostPort(host, adminPort)
	s.waitReady(t)
	return s
}

func TestBadInput(t *testing.T) {
	s := serveDataAPI(t)
	deep := strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000)
	nested := "id" + strings.Repeat(",parts(id", 2000) + strings.Repeat(")", 2000)
	trees := strings.Repeat("and(", 3000) + "id.eq.1" + strings.Repeat(")", 3000)
	cases := []struct {
		name, method, path, body string
		headers                  []string
		status                   int
		code                     string
	}{
		{name: "column", path: "/items?nope=eq.1", status: 400, code: "42703"},
		{name: "column of a select", path: "/items?select=nope", status: 400, code: "42703"},
		{name: "column of an order", path: "/items?order=nope", status: 400, code: "42703"},
		{name: "column of a body", method: "POST", path: "/items", body: `{"nope":1}`, status: 400, code: "PGRST204"},
		{name: "relation", path: "/itemz", status: 404, code: "PGRST205"},
		{name: "routine", path: "/rpc/nope", status: 404, code: "PGRST202"},
		{name: "embed", path: "/items?select=*,hidden(*)", status: 400, code: "PGRST200"},
		{name: "path", path: "/items/1", status: 404, code: "PGRST125"},
		{name: "operator", path: "/items?id=xx.1", status: 400, code: "PGRST100"},
		{name: "select", path: "/items?select=id,,", status: 400, code: "PGRST100"},
		{name: "cast", path: "/items?select=id::nonsense", status: 400, code: "42704"},
		{name: "cast with SQL in it", path: "/items?select=id::int)%3BDROP+TABLE+items--", status: 200},
		{name: "value", path: "/items?id=eq.x", status: 400, code: "22P02"},
		{name: "value out of range", path: "/items?id=eq.99999999999999999999", status: 400, code: "22003"},
		{name: "invalid UTF-8", path: "/items?name=eq.%ff%fe", status: 400},
		{name: "NUL", path: "/items?name=eq.a%00b", status: 200},
		{name: "broken escape", path: "/items?name=eq.%25zz", status: 200},
		{name: "relation with a quote", path: "/it%22ems", status: 404, code: "PGRST205"},
		{name: "limit", path: "/items?limit=-1", status: 416, code: "PGRST103"},
		{name: "range", path: "/items", headers: []string{"Range", "10-5"}, status: 416, code: "PGRST103"},
		{name: "range past the end", path: "/items", headers: []string{"Range", "100-110", "Prefer", "count=exact"}, status: 416, code: "PGRST103"},
		{name: "accept", path: "/items", headers: []string{"Accept", "image/png"}, status: 406, code: "PGRST107"},
		{name: "singular", path: "/items", headers: []string{"Accept", "application/vnd.pgrst.object+json"}, status: 406, code: "PGRST116"},
		{name: "profile", path: "/items", headers: []string{"Accept-Profile", "pg_catalog"}, status: 406, code: "PGRST106"},
		{name: "body", method: "POST", path: "/items", body: `{"id":`, status: 400, code: "PGRST102"},
		{name: "no body", method: "POST", path: "/items", status: 400, code: "PGRST102"},
		{name: "keys", method: "POST", path: "/items", body: `[{"id":10},{"name":"x"}]`, status: 400, code: "PGRST102"},
		{name: "body not UTF-8", method: "POST", path: "/items", body: "{\"id\":11,\"name\":\"\xff\"}", status: 400},
		{name: "body with an escaped NUL", method: "POST", path: "/items", body: `{"id":12,"name":"\u0000"}`, status: 400, code: "22P05"},
		{name: "content type", method: "POST", path: "/items", body: "x", headers: []string{"Content-Type", "image/png"}, status: 400, code: "PGRST102"},
		{name: "CSV", method: "POST", path: "/items", body: "id,name\n1\n", headers: []string{"Content-Type", "text/csv"}, status: 400, code: "PGRST102"},
		{name: "deep body", method: "POST", path: "/items", body: `[{"id":13,"doc":` + deep + `}]`, status: 400},
		{name: "deep body with columns", method: "POST", path: "/items?columns=id,doc", body: `[{"id":13,"doc":` + deep + `}]`, status: 500, code: "54001"},
		{name: "deep select", path: "/items?select=" + nested, status: 400, code: "PGRST100"},
		{name: "deep logic", path: "/items?and=(" + trees + ")", status: 400, code: "PGRST100"},
		{name: "duplicate", method: "POST", path: "/items", body: `{"id":1}`, status: 409, code: "23505"},
		{name: "foreign key", method: "POST", path: "/parts", body: `{"id":1,"item_id":99}`, status: 409, code: "23503"},
		{name: "privilege", path: "/hidden", status: 401, code: "42501"},
		{name: "method", method: "TRACE", path: "/items", status: 405, code: "PGRST117"},
		{name: "method of a routine", method: "PUT", path: "/rpc/nap", status: 405, code: "PGRST101"},
		{name: "backend that ends itself", path: "/rpc/die", status: 503, code: "57P01"},
		{name: "token", path: "/items", headers: []string{"Authorization", "Bearer x.y.z"}, status: 500, code: "PGRST300"},
		{name: "URL of a megabyte", path: "/items?id=in.(" + strings.Repeat("1,", 500_000) + "1)", status: 200},
		{name: "PUT with another key", method: "PUT", path: "/items?id=eq.20", body: `{"id":21,"name":"x"}`, status: 400, code: "PGRST115"},
		{name: "too many affected", method: "DELETE", path: "/items?id=gt.0", headers: []string{"Prefer", "handling=strict, max-affected=1"}, status: 400, code: "PGRST124"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if c.method == "" {
				c.method = "GET"
			}
			headers := append([]string{"Content-Type", "application/json"}, c.headers...)
			got := ask(t, c.method, s.url+c.path, c.body, headers...)
			if got.status != c.status {
				t.Errorf("wanted %d, got %d %.300s", c.status, got.status, got.body)
			}
			if c.status >= 400 {
				checkError(t, got, c.code)
			}
		})
	}
	t.Run("nothing was lost or made", func(t *testing.T) {
		got := ask(t, "GET", s.url+"/items?select=id&order=id", "")
		compareRows(t, got.body, `[{"id":1},{"id":2},{"id":3},{"id":4},{"id":5}]`)
	})
}

// checkError checks the shape of an error, and its code if one is given.
func checkError(t testing.TB, got answer, code string) {
	t.Helper()
	var e map[string]any
	if err := json.Unmarshal([]byte(got.body), &e); err != nil {
		t.Fatalf("the error is no object: %s", got.body)
	}
	for _, key := range []string{"code", "message", "details", "hint"} {
		if _, ok := e[key]; !ok {
			t.Errorf("the error has no %s: %s", key, got.body)
		}
	}
	if code != "" && e["code"] != code {
		t.Errorf("wanted the code %s, got %s", code, got.body)
	}
	if got.header.Get("Content-Type") != "application/json; charset=utf-8" {
		t.Errorf("Content-Type %q", got.header.Get("Content-Type"))
	}
}

func TestBodyTooLarge(t *testing.T) {
	s := serveDataAPI(t)
	req, err := http.NewRequest("POST", s.url+"/items", strings.NewReader(`{"id":30,"name":"`+strings.Repeat("x", 100<<20)+`"}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Expect", "100-continue") // so that the refusal is heard before the body is sent
	res, err := (&http.Client{Transport: &http.Transport{ExpectContinueTimeout: 5 * time.Second}}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("status %d", res.StatusCode)
	}
}

func TestDatabaseFailures(t *testing.T) {
	s := serveDataAPI(t, "PGRST_DB_POOL=1", "PGRST_DB_POOL_ACQUISITION_TIMEOUT=1")
	t.Run("backend killed in a request", func(t *testing.T) {
		got := ask(t, "POST", s.url+"/rpc/die", "{}", "Content-Type", "application/json")
		if got.status != 503 {
			t.Errorf("%d %s", got.status, got.body)
		}
		checkError(t, got, "57P01")
		if got := ask(t, "GET", s.url+"/items?id=eq.1", ""); got.status != 200 {
			t.Errorf("the next request: %d %s", got.status, got.body)
		}
	})
	t.Run("no connection free", func(t *testing.T) {
		done := make(chan struct{})
		go func() {
			defer close(done)
			ask(t, "GET", s.url+"/rpc/nap?seconds=2", "")
		}()
		time.Sleep(300 * time.Millisecond) // until the one connection is taken
		got := ask(t, "GET", s.url+"/items", "")
		if got.status != 504 {
			t.Errorf("%d %s", got.status, got.body)
		}
		checkError(t, got, "PGRST003")
		<-done
	})
	t.Run("database closed", func(t *testing.T) {
		admin, err := pgx.Connect(t.Context(), strings.Replace(s.db.URL, "/"+s.db.Name, "/postgres", 1))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = admin.Close(context.Background()) }()
		close := func(allow string) {
			if _, err := admin.Exec(t.Context(), fmt.Sprintf("ALTER DATABASE %q ALLOW_CONNECTIONS %s", s.db.Name, allow)); err != nil {
				t.Fatal(err)
			}
		}
		close("false")
		if _, err := admin.Exec(t.Context(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", s.db.Name); err != nil {
			t.Fatal(err)
		}
		deadline := time.Now().Add(5 * time.Second)
		var got answer
		for got = ask(t, "GET", s.url+"/items", ""); got.status == 200 && time.Now().Before(deadline); got = ask(t, "GET", s.url+"/items", "") {
		}
		if got.status != 503 || got.header.Get("Retry-After") == "" {
			t.Errorf("%d %s, Retry-After %q", got.status, got.body, got.header.Get("Retry-After"))
		}
		checkError(t, got, "")
		close("true")
		for deadline = time.Now().Add(20 * time.Second); ; time.Sleep(100 * time.Millisecond) {
			if got = ask(t, "GET", s.url+"/items", ""); got.status == 200 || time.Now().After(deadline) {
				break
			}
		}
		if got.status != 200 {
			t.Errorf("not back: %d %s", got.status, got.body)
		}
	})
}

func TestSchemaChanges(t *testing.T) {
	s := serveDataAPI(t)
	ok := func(t *testing.T, path, want string) {
		t.Helper()
		got := ask(t, "GET", s.url+path, "")
		if got.status != 200 {
			t.Fatalf("%s: %d %s", path, got.status, got.body)
		}
		compareRows(t, got.body, want)
	}
	t.Run("a changed type", func(t *testing.T) {
		ok(t, "/items?id=eq.1", `[{"id":1,"name":"item 1"}]`)
		s.db.Exec(t, "ALTER TABLE api.items ALTER name TYPE varchar(50)")
		ok(t, "/items?id=eq.1", `[{"id":1,"name":"item 1"}]`)
	})
	t.Run("a dropped column", func(t *testing.T) {
		s.db.Exec(t, "ALTER TABLE api.items DROP doc")
		ok(t, "/items?id=eq.1", `[{"id":1,"name":"item 1"}]`)
		if got := ask(t, "GET", s.url+"/items?select=doc", ""); got.status != 400 {
			t.Errorf("%d %s", got.status, got.body)
		}
	})
	t.Run("a renamed foreign key's column heals itself", func(t *testing.T) {
		ok(t, "/items?select=id,parts(id)&id=eq.1", `[{"id":1,"parts":[]}]`)
		s.db.Exec(t, "ALTER TABLE api.parts RENAME item_id TO item")
		// One request's reload must be some time after another's, the longer the longer a load takes.
		deadline := time.Now().Add(20 * time.Second)
		for ask(t, "GET", s.url+"/items?select=id,parts(id)&id=eq.1", "").status != 200 && time.Now().Before(deadline) {
			time.Sleep(50 * time.Millisecond)
		}
		ok(t, "/items?select=id,parts(id)&id=eq.1", `[{"id":1,"parts":[]}]`)
	})
	t.Run("NOTIFY", func(t *testing.T) {
		s.db.Exec(t, fmt.Sprintf(`CREATE TABLE api.fresh (id int); GRANT SELECT ON api.fresh TO %q; NOTIFY %q, 'reload schema'`, s.role, s.db.Name))
		deadline := time.Now().Add(10 * time.Second)
		for ask(t, "GET", s.url+"/fresh", "").status != 200 {
			if time.Now().After(deadline) {
				t.Fatal("the new relation is not served")
			}
			time.Sleep(20 * time.Millisecond)
		}
	})
}
