package test

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// TestPoliciesThatSetTheResponse: what a policy sets of the response is heard. Where no policy can, nothing is asked for.
func TestPoliciesThatSetTheResponse(t *testing.T) {
	t.Parallel()
	site := newSite(t)
	site.set(t, "log-query", "true", "log-level", "info", "db-pool", "1")
	for table, policy := range map[string]string{
		"plain":  "owner = current_setting('request.jwt.claims', true)::json ->> 'role'",
		"direct": "set_config('response.headers', '[{\"X-Heard\": \"yes\"}]', true) IS NOT NULL",
		"called": "api.says(owner)",
	} {
		site.db.Exec(t, fmt.Sprintf(`
			CREATE OR REPLACE FUNCTION api.says(text) RETURNS boolean LANGUAGE sql STABLE AS
				$$ SELECT set_config('response.headers', '[{"X-Heard": "yes"}]', true) IS NOT NULL $$;
			CREATE TABLE api.%[1]s (id int PRIMARY KEY, owner text, item_id int REFERENCES api.items);
			INSERT INTO api.%[1]s VALUES (1, '%[2]s', 1), (2, 'nobody', 1);
			ALTER TABLE api.%[1]s ENABLE ROW LEVEL SECURITY;
			CREATE POLICY p ON api.%[1]s USING (%[3]s);
			GRANT SELECT ON api.%[1]s TO %[2]q`, table, site.author, policy))
	}
	s := site.serve(t)
	caller := []string{"Authorization", "Bearer " + site.token(t, site.author)}
	get := func(path string) (got answer, sent string) {
		before, lines := len(s.log.String()), strings.Count(s.out.String(), "\n")
		got = ask(t, "GET", s.url+path, "", caller...)
		await(t, "the request's own line", func() bool { return strings.Count(s.out.String(), "\n") > lines })
		return got, s.log.String()[before:]
	}
	get("/items") // since once on each connection it is asked for anyway
	const asks = "current_setting('response.headers', true)"
	for _, tt := range []struct {
		path  string
		want  string
		heard bool
	}{
		{"/plain?select=id", `[{"id":1}]`, false},
		{"/plain?select=id&id=eq.1", `[{"id":1}]`, false},
		{"/items?select=id,plain(id)&id=eq.1", `[{"id":1,"plain":[{"id":1}]}]`, false},
		{"/direct?select=id&order=id", `[{"id":1},{"id":2}]`, true},
		{"/direct?select=id&id=eq.1", `[{"id":1}]`, true},
		{"/called?select=id&order=id", `[{"id":1},{"id":2}]`, true},
		{"/called?select=id&id=eq.2", `[{"id":2}]`, true},
		{"/items?select=id,called(id)&id=eq.1&called.order=id", `[{"id":1,"called":[{"id":1},{"id":2}]}]`, true},
	} {
		got, sent := get(tt.path)
		compareRows(t, got.body, tt.want)
		if got.header.Get("X-Heard") == "yes" != tt.heard || strings.Contains(sent, asks) != tt.heard || !strings.Contains(sent, "FROM ") {
			t.Errorf("%s: header %q, statements\n%s", tt.path, got.header.Get("X-Heard"), sent)
		}
	}
}

// TestCallersOfOneRole: what policies allow depends on each caller's claims, also where many of one role read at once.
func TestCallersOfOneRole(t *testing.T) {
	t.Parallel()
	const callers, clients, requests = 4, 8, 100
	site := newSite(t)
	site.set(t, "db-pool", "2", "log-level", "error")
	site.db.Exec(t, fmt.Sprintf(`
		CREATE TABLE api.own (id int PRIMARY KEY, owner text);
		INSERT INTO api.own SELECT i, 'caller ' || i FROM generate_series(0, %d) i;
		ALTER TABLE api.own ENABLE ROW LEVEL SECURITY;
		CREATE POLICY p ON api.own USING (owner = (SELECT current_setting('request.jwt.claims', true)::json ->> 'sub'));
		GRANT SELECT ON api.own TO %q`, callers-1, site.author))
	s := site.serve(t)
	var wg sync.WaitGroup
	for caller := range callers {
		bearer := "Bearer " + signHS256(t, opsSecret, map[string]any{"role": site.author, "sub": fmt.Sprintf("caller %d", caller)})
		for range clients {
			wg.Go(func() {
				for i := range requests {
					row := (caller + i%2) % callers // its own, and another's
					want := "[]"
					if row == caller {
						want = fmt.Sprintf(`[{"id":%d}]`, row)
					}
					got := ask(t, "GET", fmt.Sprintf("%s/own?select=id&id=eq.%d", s.url, row), "", "Authorization", bearer)
					if got.status != 200 || got.body != want {
						t.Errorf("caller %d asks for row %d: %d %s", caller, row, got.status, got.body)
					}
				}
			})
		}
	}
	wg.Wait()
}

// TestOldSchemaOfAPolicy has a table get row-level security while many read it by key, and nobody say so: from then on each
// caller sees what is its own, and the schema is loaded anew.
func TestOldSchemaOfAPolicy(t *testing.T) {
	t.Parallel()
	const callers, clients = 4, 4
	site := newSite(t)
	site.set(t, "db-channel-enabled", "false", "log-level", "info")
	site.db.Exec(t, fmt.Sprintf(`
		CREATE TABLE api.own (id int PRIMARY KEY, owner text);
		INSERT INTO api.own SELECT i, 'caller ' || i FROM generate_series(0, %d) i;
		GRANT SELECT ON api.own TO %q`, callers-1, site.author))
	s := site.serve(t)
	loads := func() int { return strings.Count(s.log.String(), "schema cache loaded") }
	await(t, "the schema", func() bool { return loads() == 1 })
	var secured, done atomic.Bool
	var asked atomic.Int64
	var wg sync.WaitGroup
	for caller := range callers {
		bearer := "Bearer " + signHS256(t, opsSecret, map[string]any{"role": site.author, "sub": fmt.Sprintf("caller %d", caller)})
		for range clients {
			wg.Go(func() {
				for row := 0; !done.Load() && !t.Failed(); row = (row + 1) % callers {
					was := secured.Load()
					got := ask(t, "GET", fmt.Sprintf("%s/own?select=id&id=eq.%d", s.url, row), "", "Authorization", bearer)
					seen := got.body == fmt.Sprintf(`[{"id":%d}]`, row)
					if got.status != 200 || !seen && (got.body != "[]" || row == caller) || seen && was && row != caller {
						t.Errorf("caller %d asks for row %d, secured: %v: %d %s", caller, row, was, got.status, got.body)
					}
					asked.Add(1)
				}
			})
		}
	}
	more := func(n int64) {
		goal := asked.Load() + n
		await(t, "answers", func() bool { return asked.Load() >= goal || t.Failed() })
	}
	more(1000)
	if loads() != 1 {
		t.Error("the schema was loaded anew for nothing")
	}
	site.db.Exec(t, `BEGIN; ALTER TABLE api.own ENABLE ROW LEVEL SECURITY;
		CREATE POLICY p ON api.own USING (owner = current_setting('request.jwt.claims', true)::json ->> 'sub'); COMMIT`)
	secured.Store(true)
	await(t, "the schema anew", func() bool { return loads() > 1 || t.Failed() })
	more(500)
	done.Store(true)
	wg.Wait()
}
