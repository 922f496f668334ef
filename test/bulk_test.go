package test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// bulkRows makes more rows than are inserted by an INSERT, and puts one more row after them.
func bulkRows(extra string) string {
	var b strings.Builder
	b.WriteString("[")
	for i := range 4000 {
		fmt.Fprintf(&b, `{"id":%d,"name":"row \"%d\"\t\\ é","doc":{"k" : [%d, "\u00e9"]},"at":"2024-01-15T10:00:00Z","n":%d.50,"ok":%t,"mood":"happy"},`, i, i, i, i, i%2 == 0)
	}
	return b.String() + extra + "]"
}

// TestBulkInsert inserts rows that are copied, and the same rows by INSERT, and compares the tables.
func TestBulkInsert(t *testing.T) {
	s := serveDataAPI(t, "PGRST_DB_TX_END=commit-allow-override")
	s.db.Exec(t, fmt.Sprintf(`
		CREATE TYPE api.mood AS ENUM ('sad', 'happy');
		CREATE TABLE api.loads (id int PRIMARY KEY, name varchar(40), doc jsonb, at timestamptz, n numeric(8,1), ok bool, mood api.mood, made text DEFAULT 'by default', who name DEFAULT current_user);
		CREATE TABLE api.expected (LIKE api.loads INCLUDING ALL);
		CREATE TABLE api.seen (n bigint);
		CREATE FUNCTION api.count_rows() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
			INSERT INTO api.seen SELECT count(*) FROM rows; PERFORM set_config('response.headers', '[{"X-Loaded": "yes"}]', true); RETURN NULL; END $$;
		CREATE TRIGGER count_rows AFTER INSERT ON api.loads REFERENCING NEW TABLE AS rows FOR EACH STATEMENT EXECUTE FUNCTION api.count_rows();
		GRANT ALL ON api.loads, api.expected TO %[1]q; GRANT SELECT ON api.seen TO %[1]q; NOTIFY %[2]q`, s.role, s.db.Name))
	s.waitFor(t, "/seen")
	good := bulkRows(`{"id":4000,"name":null,"doc":"text","at":null,"n":1e3,"ok":null,"mood":null}`)
	post := func(path, body string, headers ...string) answer {
		t.Helper()
		return ask(t, "POST", s.url+path, body, append([]string{"Content-Type", "application/json"}, headers...)...)
	}
	got := post("/loads", good, "Prefer", "count=exact")
	if got.status != http.StatusCreated || got.body != "" || got.header.Get("Content-Range") != "*/4001" || got.header.Get("X-Loaded") != "yes" {
		t.Errorf("%d %s, Content-Range %q, X-Loaded %q", got.status, got.body, got.header.Get("Content-Range"), got.header.Get("X-Loaded"))
	}
	if got := post("/expected", good, "Prefer", "return=representation"); got.status != http.StatusCreated {
		t.Fatalf("%d %.300s", got.status, got.body)
	}
	s.same(t, "4001")

	t.Run("failures leave nothing, and say what an INSERT says", func(t *testing.T) {
		s.db.Exec(t, "TRUNCATE api.loads, api.expected")
		for name, c := range map[string]struct {
			extra  string
			status int
			code   string
		}{
			"type":             {`{"id":"x","name":null,"doc":null,"at":null,"n":null,"ok":null,"mood":null}`, 400, "22P02"},
			"length":           {`{"id":9001,"name":"` + strings.Repeat("x", 41) + `","doc":null,"at":null,"n":null,"ok":null,"mood":null}`, 400, "22001"},
			"key":              {`{"id":17,"name":null,"doc":null,"at":null,"n":null,"ok":null,"mood":null}`, 409, "23505"},
			"keys":             {`{"id":9001}`, 400, "PGRST102"},
			"NUL":              {`{"id":9001,"name":"\u0000","doc":null,"at":null,"n":null,"ok":null,"mood":null}`, 400, "22P05"},
			"broken JSON":      {`{"id":9001`, 400, "PGRST102"},
			"enum":             {`{"id":9001,"name":null,"doc":null,"at":null,"n":null,"ok":null,"mood":"bored"}`, 400, "22P02"},
			"half a surrogate": {`{"id":9001,"name":"\ud83d","doc":null,"at":null,"n":null,"ok":null,"mood":null}`, 400, ""},
		} {
			got := post("/loads", bulkRows(c.extra))
			if got.status != c.status {
				t.Errorf("%s: %d %.300s", name, got.status, got.body)
			}
			checkError(t, got, c.code)
		}
		s.same(t, "0")
	})
	t.Run("columns", func(t *testing.T) {
		s.db.Exec(t, "TRUNCATE api.loads, api.expected")
		for path, prefer := range map[string]string{"/loads": "return=minimal", "/expected": "return=representation"} {
			if got := post(path+"?columns=id,name,ok", good, "Prefer", prefer); got.status != http.StatusCreated {
				t.Errorf("%d %.300s", got.status, got.body)
			}
		}
		s.same(t, "4001")
		checkError(t, post("/loads?columns=id,name", bulkRows(`{"id":9001,"name":{bad}}`)), "22P02")
		s.same(t, "4001")
	})
	t.Run("rolled back", func(t *testing.T) {
		s.db.Exec(t, "TRUNCATE api.loads, api.expected")
		if got := post("/loads", good, "Prefer", "tx=rollback"); got.status != http.StatusCreated {
			t.Errorf("%d %.300s", got.status, got.body)
		}
		s.same(t, "0")
	})
	t.Run("CSV", func(t *testing.T) {
		var b strings.Builder
		b.WriteString("id,name,doc\n")
		for i := range 9000 {
			fmt.Fprintf(&b, "%d,\"a \"\"name\"\", %d\",\"{\"\"k\"\": 1}\"\n", i, i)
		}
		b.WriteString("9000,NULL,NULL\n")
		for path, prefer := range map[string]string{"/loads": "return=minimal", "/expected": "return=representation"} {
			if got := ask(t, "POST", s.url+path, b.String(), "Content-Type", "text/csv", "Prefer", prefer); got.status != http.StatusCreated {
				t.Errorf("%d %.300s", got.status, got.body)
			}
		}
		s.same(t, "9001")
	})
}

// same checks that what was copied and what was inserted are the same.
func (s *dataAPI) same(t testing.TB, count string) {
	t.Helper()
	var n, a, b string
	err := s.db.Conn(t).QueryRow(t.Context(), `SELECT (SELECT count(*)::text FROM api.loads),
		(SELECT coalesce(md5(string_agg(l::text, ';' ORDER BY id)), '') FROM api.loads l),
		(SELECT coalesce(md5(string_agg(e::text, ';' ORDER BY id)), '') FROM api.expected e)`).Scan(&n, &a, &b)
	if err != nil {
		t.Fatal(err)
	}
	if n != count || a != b {
		t.Errorf("%s rows, wanted %s; the same rows: %t", n, count, a == b)
	}
}

// waitFor waits until a relation is served.
func (s *dataAPI) waitFor(t testing.TB, path string) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ask(t, "GET", s.url+path+"?limit=0", "").status != http.StatusOK; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s is not served", path)
		}
	}
}
