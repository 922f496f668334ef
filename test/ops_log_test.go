package test

import (
	"fmt"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// TestAccessLog changes the level while requests are made, and looks at all that was logged of them.
func TestAccessLog(t *testing.T) {
	site := newSite(t)
	s := site.serve(t)
	token := site.token(t, site.author)
	line := func(user, request string, status int) string {
		return fmt.Sprintf(`^127\.0\.0\.1 - %s \[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\] "%s HTTP/1\.1" %d \d+ "" "Go-http-client/1\.1"$`,
			user, regexp.QuoteMeta(request), status)
	}
	ok, missing, failed := line(site.author, "GET /items?id=eq.1&select=%22id%22", 200), line("-", "GET /items", 401), line(site.anon, "GET /rpc/fail", 500)
	var want []string
	for _, level := range []struct {
		name  string
		lines []string
	}{
		{"crit", nil}, {"error", []string{failed}}, {"warn", []string{missing, failed}}, {"info", []string{ok, missing, failed}},
		{"debug", []string{ok, missing, failed}},
	} {
		site.set(t, "log-level", level.name)
		s.reload(t)
		ask(t, "GET", s.url+"/items?id=eq.1&select=%22id%22", "", "Authorization", "Bearer "+token)
		ask(t, "GET", s.url+"/items", "", "Authorization", "Bearer "+token+"x") // nobody knows who that is
		ask(t, "GET", s.url+"/rpc/fail", "")
		want = append(want, level.lines...)
	}
	ask(t, "OPTIONS", s.url+"/items", "", "Origin", "http://there", "Access-Control-Request-Method", "GET") // asks for a browser
	ask(t, "OPTIONS", s.url+"/items", "")
	want = append(want, line(site.anon, "OPTIONS /items", 200))
	s.stop(t) // by when all is written
	got := strings.Split(strings.TrimSuffix(s.out.String(), "\n"), "\n")
	if len(got) != len(want) {
		t.Fatalf("%d lines, want %d:\n%s", len(got), len(want), s.out.String())
	}
	for i, w := range want {
		if !regexp.MustCompile(w).MatchString(got[i]) {
			t.Errorf("line %d is\n%s\nwhich doesn't match\n%s", i, got[i], w)
		}
	}
	for _, secret := range []string{opsSecret, opsPassword, token, strings.Split(token, ".")[2]} {
		if strings.Contains(s.log.String(), secret) {
			t.Errorf("%q is in the log", secret)
		}
	}
}

func TestAccessLogIsTimely(t *testing.T) {
	site := newSite(t)
	site.set(t, "log-level", "info", "server-unix-socket", filepath.Join(t.TempDir(), "api.sock"))
	s := site.serve(t)
	res, err := overSocket(site.settings["server-unix-socket"]).Head("http://tarn/items")
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	await(t, "line of a request over a socket", func() bool {
		return regexp.MustCompile(`(?m)^- - ` + site.anon + ` \[.*\] "HEAD /items HTTP/1\.1" 200 - "" "Go-http-client/1\.1"$`).MatchString(s.out.String())
	})
}

// TestServeLogsRequests holds that the lakebase has an access log as well, also of what no engine answers.
func TestServeLogsRequests(t *testing.T) {
	s := serve(t, dataDir(t), "--sample")
	ask(t, "GET", s.url+restPath+"/clients?select=id", "", "Authorization", "Bearer "+s.token(t, "user@databricks.com"))
	ask(t, "GET", s.url+restPath+"/clients", "")
	ask(t, "GET", s.url+"/nowhere", "")
	s.reloadSchema(t) // of what is open
	s.reload(t)
	s.stop(t)
	for _, want := range []string{
		`127\.0\.0\.1 - user@databricks\.com \[.*\] "GET ` + regexp.QuoteMeta(restPath) + `/clients\?select=id HTTP/1\.1" 200 \d+ `,
		`127\.0\.0\.1 - - \[.*\] "GET ` + regexp.QuoteMeta(restPath) + `/clients HTTP/1\.1" 401 \d+ `,
		`127\.0\.0\.1 - - \[.*\] "GET /nowhere HTTP/1\.1" 404 \d+ `,
	} {
		if n := len(regexp.MustCompile(`(?m)^`+want).FindAllString(s.out.String(), -1)); n != 1 {
			t.Errorf("%d lines match %s", n, want)
		}
	}
}

func TestLogQuery(t *testing.T) {
	site := newSite(t)
	site.set(t, "log-query", "true", "db-pre-request", "api.check_request", "log-level", "error")
	s := site.serve(t)
	// queries returns the SQL that is logged meanwhile.
	queries := func(requests ...string) string {
		before, lines := len(s.log.String()), strings.Count(s.out.String(), "\n")
		for _, path := range requests {
			ask(t, "GET", s.url+path, "", "Prefer", "count=planned")
		}
		await(t, "the last request's own line", func() bool { return strings.Count(s.out.String(), "\n") > lines })
		return s.log.String()[before:]
	}
	const settings, check = `sql="SELECT set_config(`, `sql="SELECT \"api\".\"check_request\"()"`
	t.Run("of errors", func(t *testing.T) {
		got := queries("/items?id=eq.4711", "/nowhere", "/rpc/fail")
		for _, want := range []string{settings, check, `\"api\".\"fail\"`} {
			if strings.Count(got, want) != 1 {
				t.Errorf("%d times %s in\n%s", strings.Count(got, want), want, got)
			}
		}
		if strings.Contains(got, "items") {
			t.Errorf("the query of another request is logged:\n%s", got)
		}
	})
	t.Run("of all", func(t *testing.T) {
		site.set(t, "log-level", "info")
		s.reload(t)
		got := queries("/items?id=eq.4711")
		for _, want := range []string{settings, check, `FROM \"api\".\"items\"`, `EXPLAIN (FORMAT JSON)`} {
			if !strings.Contains(got, want) {
				t.Errorf("no %s in\n%s", want, got)
			}
		}
		if strings.Contains(strings.ReplaceAll(got, "GET /items?id=eq.4711", ""), "4711") {
			t.Errorf("a value is in the SQL:\n%s", got)
		}
		if got := queries("/"); !strings.Contains(got, "obj_description") {
			t.Errorf("the root's queries are not logged:\n%s", got)
		}
	})
	t.Run("no more", func(t *testing.T) {
		site.set(t, "log-query", "false")
		s.reload(t)
		if got := queries("/items"); strings.Contains(got, "sql=") {
			t.Errorf("logged\n%s", got)
		}
	})
}

// TestOperationIsLogged holds that at the lowest level there still is what an operator needs.
func TestOperationIsLogged(t *testing.T) {
	site := newSite(t)
	site.set(t, "log-level", "crit", "jwt-role-claim-key", ".role")
	s := site.serve(t)
	site.notify(t, "reload schema")
	s.awaitLog(t, `msg="schema cache loaded"`, 2)
	s.stop(t)
	log := s.log.String()
	for _, want := range []string{
		`msg=starting version=\S+ pool=10`,
		`msg=listening server=admin address=` + strings.TrimPrefix(s.admin, "http://"),
		`msg=listening server=API address=` + strings.TrimPrefix(s.url, "http://"),
		`msg="listening for notifications" channel=` + site.db.Name + ` server=\S+`,
		`msg="schema cache loaded" summary="2 relations, 2 relationships, 4 routines, .*" took=\S+ postgresql=`,
		`msg=notified payload="reload schema"`,
		`level=WARN msg="jwt-role-claim-key .*JSONPath" jwt-role-claim-key=`,
		`msg=draining cause="terminated signal received"`,
	} {
		if !regexp.MustCompile(want).MatchString(log) {
			t.Errorf("no %s in\n%s", want, log)
		}
	}
	if s.out.String() != "" {
		t.Errorf("on standard output: %s", s.out.String())
	}
}

func TestLegacyTargetsAreLogged(t *testing.T) {
	s := newSite(t).serve(t)
	if got := ask(t, "GET", s.url+"/items?select=id,some:parts(id)&parts.order=id", ""); got.status != 200 || got.header.Get("Warning") == "" {
		t.Fatalf("%d %s", got.status, got.body)
	}
	s.awaitLog(t, `method=GET path=/items change="parts to some"`, 1)
}

func TestPoolTimeoutsAreLoggedOnce(t *testing.T) {
	site := newSite(t)
	site.set(t, "db-pool", "1", "db-pool-acquisition-timeout", "1", "log-level", "error")
	s := site.serve(t)
	held, release := site.hold(t)
	var first, others sync.WaitGroup
	first.Go(func() { ask(t, "GET", s.url+"/items", "") })
	held(1)
	const many = 4
	for range many {
		others.Go(func() {
			if got := ask(t, "GET", s.url+"/parts", ""); got.status != http.StatusGatewayTimeout {
				t.Errorf("%d %s", got.status, got.body)
			}
		})
	}
	await(t, "requests that wait", func() bool {
		m := ask(t, "GET", s.admin+"/metrics", "").body
		return strings.Contains(m, fmt.Sprintf("pgrst_db_pool_waiting %d\n", many)) && strings.Contains(m, "pgrst_db_pool_available 0\n")
	})
	others.Wait()
	release()
	first.Wait()
	if m := ask(t, "GET", s.admin+"/metrics", "").body; !strings.Contains(m, fmt.Sprintf("pgrst_db_pool_timeouts_total %d\n", many)) {
		t.Errorf("metrics:\n%s", m)
	}
	s.signal(t, syscall.SIGTERM)
	s.ends(t)
	if n := strings.Count(s.out.String(), `"GET /parts HTTP/1.1" 504 `); n != many {
		t.Errorf("%d requests are logged", n)
	}
	if n := strings.Count(s.log.String(), "code=PGRST003"); n != 1 {
		t.Errorf("their failure is logged %d times", n)
	}
}
