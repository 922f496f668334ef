package test

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tarn-data/tarn/internal/pgtest"
)

func TestAdmin(t *testing.T) {
	site := newSite(t)
	s := site.serve(t)
	t.Run("live and ready", func(t *testing.T) {
		for _, path := range []string{"/live", "/ready"} {
			for _, method := range []string{"GET", "HEAD", "POST"} {
				if got := ask(t, method, s.admin+path, ""); got.status != 200 || got.body != "" || !strings.HasPrefix(got.header.Get("Server"), "tarn/") {
					t.Errorf("%s %s: %d %q, Server %q", method, path, got.status, got.body, got.header.Get("Server"))
				}
			}
		}
	})
	t.Run("nothing else", func(t *testing.T) {
		for _, path := range []string{"/", "/config/x", "/live/", "/ready/x", "/items", "/debug/pprof/"} {
			if got := ask(t, "GET", s.admin+path, ""); got.status != 404 || got.body != "" {
				t.Errorf("%s: %d %s", path, got.status, got.body)
			}
		}
	})
	t.Run("settings without secrets", func(t *testing.T) {
		got := ask(t, "GET", s.admin+"/config", "")
		if got.status != 200 || got.header.Get("Content-Type") != "text/plain; charset=utf-8" {
			t.Errorf("%d, Content-Type %s", got.status, got.header.Get("Content-Type"))
		}
		for _, want := range []string{"db-uri = \"***\"\n", "jwt-secret = \"***\"\n", "db-channel = "} {
			if !strings.Contains(got.body, want) {
				t.Errorf("no %s in %s", want, got.body)
			}
		}
	})
	t.Run("schema cache", func(t *testing.T) {
		got := ask(t, "GET", s.admin+"/schema_cache", "")
		checkSchemaDump(t, got.body)
		if got.header.Get("Content-Type") != "application/json; charset=utf-8" {
			t.Errorf("Content-Type %s", got.header.Get("Content-Type"))
		}
	})
	t.Run("metrics", func(t *testing.T) {
		token := site.token(t, site.author)
		for range 3 {
			ask(t, "GET", s.url+"/items", "", "Authorization", "Bearer "+token)
		}
		got := ask(t, "GET", s.admin+"/metrics", "")
		if !strings.HasPrefix(got.header.Get("Content-Type"), "text/plain;") {
			t.Errorf("Content-Type %s", got.header.Get("Content-Type"))
		}
		for _, want := range []string{
			"# TYPE pgrst_schema_cache_query_time_seconds gauge\n", `pgrst_schema_cache_loads_total{status="SUCCESS"} 1` + "\n",
			`pgrst_schema_cache_loads_total{status="FAIL"} 0` + "\n", "pgrst_db_pool_timeouts_total 0\n", "pgrst_db_pool_available 1\n",
			"pgrst_db_pool_waiting 0\n", "pgrst_db_pool_max 10\n", "pgrst_jwt_cache_requests_total 3\n", "pgrst_jwt_cache_hits_total 2\n",
			"pgrst_jwt_cache_evictions_total 0\n", "process_cpu_seconds_total", "go_goroutines",
		} {
			if !strings.Contains(got.body, want) {
				t.Errorf("no %s", want)
			}
		}
		for _, want := range []string{
			"# HELP pgrst_schema_cache_loads_total The total number of times the schema cache was loaded\n",
			"# TYPE pgrst_schema_cache_loads_total counter\n",
		} {
			if strings.Count(got.body, want) != 1 {
				t.Errorf("not once: %s", want)
			}
		}
	})
}

func checkSchemaDump(t testing.TB, dump string) {
	t.Helper()
	var parts map[string][]json.RawMessage
	if err := json.Unmarshal([]byte(dump), &parts); err != nil {
		t.Fatalf("%v: %s", err, dump)
	}
	parts["dbMediaHandlers"] = parts["dbMediaHandlers"][:1] // of which Tarn has some of its own
	for name, want := range map[string]int{
		"dbTables": 2, "dbRelationships": 2, "dbRoutines": 4, "dbMediaHandlers": 1, "dbRepresentations": 0,
	} {
		if got, ok := parts[name]; !ok || len(got) != want || got == nil {
			t.Errorf("%s: %s", name, got)
		}
	}
	if !strings.Contains(dump, `"Schema":"api","Name":"items"`) || !strings.Contains(dump, `"Accept":"text/csv"`) {
		t.Errorf("not in the dump: %s", dump)
	}
}

// TestAdminOverSockets takes the API's socket away.
func TestAdminOverSockets(t *testing.T) {
	site := newSite(t)
	dir := t.TempDir()
	api, admin := filepath.Join(dir, "api.sock"), filepath.Join(dir, "admin.sock")
	site.set(t, "server-unix-socket", api, "server-unix-socket-mode", "777",
		"admin-server-unix-socket", admin, "admin-server-unix-socket-mode", "600")
	s := site.launch(t)
	ask := func(path string) int {
		got, err := fetch(overSocket(admin), "http://tarn"+path)
		if err != nil {
			return 0
		}
		return got.status
	}
	await(t, "ready", func() bool { return ask("/ready") == 200 })
	for path, want := range map[string]os.FileMode{api: 0o777, admin: 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
	if got, err := fetch(overSocket(api), "http://tarn/items?select=id&id=eq.1"); err != nil || got.body != `[{"id":1}]` {
		t.Errorf("over the socket: %v %s", err, got.body)
	}
	if out, _, code := command(t, "", nil, "data-api", "--ready", site.file); code != 0 || !strings.HasPrefix(out, "OK: ") {
		t.Errorf("--ready: %d %s", code, out)
	}
	if err := os.Remove(api); err != nil {
		t.Fatal(err)
	}
	if live, ready := ask("/live"), ask("/ready"); live != 500 || ready != 500 {
		t.Errorf("without a socket: /live %d, /ready %d", live, ready)
	}
	s.stop(t)
	if _, err := os.Stat(admin); !os.IsNotExist(err) {
		t.Errorf("the socket is left: %v", err)
	}
}

// TestNeverLoaded starts with a schema that doesn't exist, and makes it later.
func TestNeverLoaded(t *testing.T) {
	site := newSite(t)
	site.set(t, "db-schemas", "api,later", "log-level", "error")
	s := site.launch(t)
	await(t, "live", func() bool { return status(s.admin+"/live") == 200 })
	if got := s.ready(); got != 503 {
		t.Errorf("/ready: %d", got)
	}
	got := ask(t, "GET", s.url+"/items", "")
	checkError(t, got, "PGRST002")
	if got.status != 503 || got.header.Get("Retry-After") != "1" {
		t.Errorf("%d, Retry-After %q", got.status, got.header.Get("Retry-After"))
	}
	if got := ask(t, "GET", s.admin+"/schema_cache", ""); got.status != 200 || got.body != "" {
		t.Errorf("schema cache: %d %s", got.status, got.body)
	}
	if m := ask(t, "GET", s.admin+"/metrics", "").body; !strings.Contains(m, `pgrst_schema_cache_loads_total{status="FAIL"} 1`) {
		t.Errorf("metrics:\n%s", m)
	}
	s.awaitLog(t, `"GET /items HTTP/1.1" 503 `, 1)
	s.awaitLog(t, `msg="could not load the schema cache" db-schemas="[api later]" db-extra-search-path=[public] error="schema \"later\" does not exist"`, 1)
	s.awaitLog(t, `msg="trying again" in=1s`, 1)
	site.db.Exec(t, "CREATE SCHEMA later")
	s.reloadSchema(t) // doesn't wait until it would be tried again
	await(t, "ready", func() bool { return s.ready() == 200 })
	if got := ask(t, "GET", s.url+"/items", ""); got.status != 200 {
		t.Errorf("%d %s", got.status, got.body)
	}
}

// TestReadyWithoutListener holds that who doesn't listen finds out, too, that the database is gone.
func TestReadyWithoutListener(t *testing.T) {
	site := newSite(t)
	site.set(t, "db-channel-enabled", "false")
	s := site.serve(t)
	site.allowConnections(t, false)
	await(t, "not ready", func() bool { return s.ready() == 503 })
	if got := status(s.admin + "/live"); got != 200 {
		t.Errorf("/live: %d", got)
	}
	site.allowConnections(t, true)
	await(t, "ready", func() bool { return s.ready() == 200 })
}

// TestListenerComesBack holds that what happens while nobody listens is not missed.
func TestListenerComesBack(t *testing.T) {
	site := newSite(t)
	s := site.serve(t)
	site.allowConnections(t, false)
	s.awaitLog(t, "can't listen for notifications", 1)
	await(t, "not ready", func() bool { return s.ready() == 503 })
	site.db.Exec(t, fmt.Sprintf("CREATE TABLE api.meanwhile (id int); GRANT SELECT ON api.meanwhile TO %q", site.anon))
	site.allowConnections(t, true)
	s.awaitLog(t, "listening for notifications", 2)
	await(t, "new relation", func() bool { return ask(t, "GET", s.url+"/meanwhile", "").status == 200 })
	await(t, "ready", func() bool { return s.ready() == 200 })
}

// allowConnections closes the database to all but superusers, who have to be there already, or opens it again.
func (s *site) allowConnections(t testing.TB, allowed bool) {
	t.Helper()
	if !allowed {
		s.db.Exec(t, fmt.Sprintf(`ALTER ROLE %q NOLOGIN; SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '%[1]s'`, s.login))
		return
	}
	s.db.Exec(t, fmt.Sprintf(`ALTER ROLE %q LOGIN`, s.login))
}

func TestReadyCommand(t *testing.T) {
	site := newSite(t)
	site.set(t, "db-schemas", "later")
	s := site.launch(t)
	await(t, "live", func() bool { return status(s.admin+"/live") == 200 })
	url := s.admin + "/ready"
	nobody := freeAddress(t)
	_, port, err := net.SplitHostPort(nobody)
	if err != nil {
		t.Fatal(err)
	}
	check := func(t *testing.T, environ []string, stdout, stderr string, code int) {
		t.Helper()
		out, errs, got := command(t, "", environ, "data-api", "--ready", site.file)
		if out != stdout || errs != stderr || got != code {
			t.Errorf("%q, %q, %d; want %q, %q, %d", out, errs, got, stdout, stderr, code)
		}
	}
	check(t, nil, "", "ERROR: "+url+"\n", 1)
	check(t, []string{"PGRST_ADMIN_SERVER_PORT=" + port}, "", "ERROR: connection refused to http://"+nobody+"/ready\n", 1)
	check(t, []string{"PGRST_ADMIN_SERVER_PORT=-1"}, "", "ERROR: invalid url - http://127.0.0.1:-1/ready\n", 1)
	check(t, []string{"PGRST_ADMIN_SERVER_HOST=*4"}, "", "ERROR: The `--ready` flag cannot be used when server-host is configured as \"*4\". "+
		"Please update your server-host config to \"localhost\".\n", 1)
	site.db.Exec(t, "CREATE SCHEMA later")
	s.reloadSchema(t)
	await(t, "ready", func() bool { return s.ready() == 200 })
	check(t, nil, "OK: "+url+"\n", "", 0)
	site.set(t, "admin-server-port", "")
	check(t, nil, "", "ERROR: Admin server is not running. Please check admin-server-port config.\n", 1)
}

// TestAdminIsThereFirst holds that the admin endpoint tells what goes on before the API is open.
func TestAdminIsThereFirst(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0") // takes connections, and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	site := newSite(t)
	site.set(t, "db-uri", "postgresql://nobody:"+opsPassword+"@"+silent.Addr().String()+"/none")
	s := site.launch(t)
	await(t, "not ready", func() bool { return s.ready() == 503 })
	if got := status(s.admin + "/live"); got != 500 {
		t.Errorf("/live: %d", got)
	}
	if got := status(s.url + "/items"); got != 0 {
		t.Errorf("the API is open: %d", got)
	}
	s.stop(t)
	if strings.Contains(s.log.String(), opsPassword) {
		t.Error("the password is in the log")
	}
}

// TestServeReady holds that the lakebase is ready as long as PostgreSQL is there.
func TestServeReady(t *testing.T) {
	server := pgtest.NewServer(t, pgtest.Options{})
	out := run(t, "", "init", "--postgres", server.URL)
	_, rest, ok := strings.Cut(out, "tarn serve --postgres '")
	if !ok {
		t.Fatalf("tarn init says: %s", out)
	}
	url, _, _ := strings.Cut(rest, "'")
	s := serve(t, dataDir(t), "--postgres", url)
	server.Stop()
	await(t, "not ready", func() bool { return s.ready() == 503 })
	if live := status(s.admin + "/live"); live != 200 {
		t.Errorf("/live: %d", live)
	}
	for path, want := range map[string]int{"/config": 404, "/schema_cache": 404, "/metrics": 200} {
		if got := status(s.admin + path); got != want {
			t.Errorf("%s: %d", path, got)
		}
	}
}
