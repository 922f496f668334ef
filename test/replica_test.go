package test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tarn-data/tarn/internal/pgtest"
)

// replicated is a core with a replica, which every request tells whether it was asked.
type replicated struct {
	*core

	primary, standby *pgtest.Server
	onStandby        *pgtest.DB
	url              string // of the replica, for who logs in
}

func newReplicated(t *testing.T, db func(primary *pgtest.Server) *pgtest.DB) *replicated {
	t.Helper()
	primary, standby := startReplication(t)
	c := newCore(t, db(primary))
	c.db.Exec(t, `
		CREATE FUNCTION api.stable() RETURNS bool LANGUAGE sql STABLE AS 'SELECT pg_is_in_recovery()';
		CREATE FUNCTION api.volatile() RETURNS bool LANGUAGE sql VOLATILE AS 'SELECT pg_is_in_recovery()';
		CREATE FUNCTION api.before() RETURNS void LANGUAGE sql STABLE AS '';
		CREATE VIEW api.here AS SELECT pg_is_in_recovery() AS standby;
		GRANT SELECT ON api.here TO PUBLIC`)
	follow(t, primary, standby)
	r := &replicated{core: c, primary: primary, standby: standby, onStandby: &pgtest.DB{URL: standby.URL, Name: c.db.Name}}
	r.url = "postgresql://" + c.login + ":" + opsPassword + "@/" + c.db.Name + "?host=" + url.QueryEscape(standby.Dir)
	return r
}

// where checks which server answers a role.
func (r *replicated) where(t *testing.T, s *tarn, role int, standby bool) {
	t.Helper()
	if got := ask(t, "GET", s.url+"/here", "", r.as(t, role)...); got.body != fmt.Sprintf(`[{"standby":%t}]`, standby) {
		t.Errorf("%d %s, want standby: %t", got.status, got.body, standby)
	}
}

// awaitWhere waits until a server answers a role.
func (r *replicated) awaitWhere(t *testing.T, s *tarn, role int, standby bool) {
	t.Helper()
	await(t, fmt.Sprintf("standby: %t", standby), func() bool {
		got := ask(t, "GET", s.url+"/here", "", r.as(t, role)...)
		if got.status != http.StatusOK {
			t.Errorf("%d %s", got.status, got.body)
		}
		return got.body == fmt.Sprintf(`[{"standby":%t}]`, standby)
	})
}

func (r *replicated) state(t *testing.T, s *tarn) string {
	t.Helper()
	for _, state := range []string{"in use", "behind", "unreachable", "no standby", "unknown", "of another primary"} {
		if s.metric(t, fmt.Sprintf(`tarn_replica_state{replica="%s:5432",state="%s"}`, r.standby.Dir, state)) == "1" {
			return state
		}
	}
	return "none"
}

func TestReplica(t *testing.T) {
	t.Parallel()
	r := newReplicated(t, func(p *pgtest.Server) *pgtest.DB { return p.NewDB(t) })
	s := r.serve(t, "TARN_REPLICAS="+r.url, "TARN_REPLICA_MAX_LAG=3", "PGRST_DB_PRE_REQUEST=api.before", "PGRST_LOG_LEVEL=debug")
	r.awaitWhere(t, s, 0, true)
	post := func(path, body string, role int) answer {
		t.Helper()
		got := ask(t, "POST", s.url+path, body, append([]string{"Content-Type", "application/json"}, r.as(t, role)...)...)
		if got.status >= 300 {
			t.Errorf("POST %s: %d %s", path, got.status, got.body)
		}
		return got
	}

	t.Run("what reads goes there", func(t *testing.T) {
		r.check(t, s, coreReads())
		for _, c := range []struct {
			method, path string
			headers      []string
			want         string
		}{
			{"GET", "/rpc/stable", nil, "true"},
			{"GET", "/rpc/volatile", nil, "false"},
			{"POST", "/rpc/stable", nil, "false"},
			{"GET", "/rpc/stable", []string{"Tarn-Read", "primary"}, "false"},
			{"GET", "/rpc/stable", []string{"Tarn-Read", "any"}, "true"},
		} {
			if got := ask(t, c.method, s.url+c.path, "", append(c.headers, r.as(t, 0)...)...); got.body != c.want {
				t.Errorf("%s %s %v: %d %s, want %s", c.method, c.path, c.headers, got.status, got.body, c.want)
			}
		}
	})
	t.Run("what was written is read", func(t *testing.T) {
		r.check(t, s, coreWrites()) // some of which read what others wrote
		r.awaitWhere(t, s, 0, true)
		for i := range 50 {
			post("/people", fmt.Sprintf(`{"id":%d,"name":"p"}`, 100+i), 0)
			got := ask(t, "GET", s.url+fmt.Sprintf("/people?select=id&id=eq.%d", 100+i), "", r.as(t, 0)...)
			if got.body != fmt.Sprintf(`[{"id":%d}]`, 100+i) {
				t.Errorf("%d: %d %s", i, got.status, got.body)
			}
		}
	})
	t.Run("a replica that is behind", func(t *testing.T) {
		r.awaitWhere(t, s, 1, true)
		r.onStandby.Exec(t, "SELECT pg_wal_replay_pause()")
		post("/people", `{"id":200,"name":"new"}`, 0)
		r.where(t, s, 0, false)
		r.where(t, s, 1, true) // who didn't write may read what is a bit older
		r.awaitWhere(t, s, 1, false)
		if state := r.state(t, s); state != "behind" {
			t.Errorf("the replica is %s", state)
		}
		r.onStandby.Exec(t, "SELECT pg_wal_replay_resume()")
		r.awaitWhere(t, s, 1, true)
		r.awaitWhere(t, s, 0, true)
		if state := r.state(t, s); state != "in use" {
			t.Errorf("the replica is %s", state)
		}
	})
	t.Run("what is idle isn't behind", func(t *testing.T) {
		time.Sleep(3500 * time.Millisecond) // which is longer than it may be behind
		r.where(t, s, 1, true)
	})
	t.Run("what the replica doesn't have yet", func(t *testing.T) {
		r.onStandby.Exec(t, "SELECT pg_wal_replay_pause()")
		r.db.Exec(t, fmt.Sprintf(`CREATE TABLE api.fresh (id int); GRANT SELECT ON api.fresh TO PUBLIC; NOTIFY %q, 'reload schema'`, r.db.Name))
		compareRows(t, s.eventually(t, "/fresh", r.as(t, 1)), `[]`)
		r.onStandby.Exec(t, "SELECT pg_wal_replay_resume()")
		if n := s.metric(t, fmt.Sprintf(`tarn_replica_retries_total{replica="%s:5432"}`, r.standby.Dir)); n == "0" || n == "" {
			t.Errorf("%s reads went to the primary server", n)
		}
		r.awaitWhere(t, s, 1, true)
	})
	t.Run("before which something may be written", func(t *testing.T) {
		s := r.serve(t, "TARN_REPLICAS="+r.url, "PGRST_DB_PRE_REQUEST=api.volatile")
		await(t, "a replica", func() bool { return r.state(t, s) == "in use" })
		r.where(t, s, 0, false)
		s.awaitLog(t, "no replica is read from", 1)
		r.db.Exec(t, fmt.Sprintf(`ALTER FUNCTION api.volatile() STABLE; NOTIFY %q, 'reload schema'`, r.db.Name))
		r.awaitWhere(t, s, 0, true)
	})
	t.Run("a replica that goes away", func(t *testing.T) {
		var all sync.WaitGroup
		ctx, cancel := context.WithCancel(t.Context())
		for range 4 {
			all.Go(func() {
				for ctx.Err() == nil {
					if got, err := fetch(http.DefaultClient, s.url+"/people?select=id&id=eq.1"); err != nil || got.status != 200 {
						t.Errorf("%d %s %v", got.status, got.body, err)
					}
				}
			})
		}
		time.Sleep(100 * time.Millisecond)
		r.standby.Stop()
		r.awaitWhere(t, s, 1, false)
		await(t, "a replica that is gone", func() bool { return r.state(t, s) == "unreachable" })
		cancel()
		all.Wait()
		if s.ready() != http.StatusOK {
			t.Error("the server is not ready")
		}
	})
	for name, text := range map[string]string{
		"settings": ask(t, "GET", s.admin+"/config", "").body, "metrics": ask(t, "GET", s.admin+"/metrics", "").body, "log": s.log.String(),
	} {
		if strings.Contains(text, opsPassword) {
			t.Errorf("the password is in the %s", name)
		}
	}
}

// TestReplicaAlone has the primary server go, and then the replica take its place.
func TestReplicaAlone(t *testing.T) {
	t.Parallel()
	r := newReplicated(t, func(p *pgtest.Server) *pgtest.DB { return &pgtest.DB{URL: p.URL, Name: "postgres"} })
	s := r.serve(t, "TARN_REPLICAS="+r.url, "TARN_REPLICA_MAX_LAG=1")
	r.awaitWhere(t, s, 0, true)
	r.primary.Stop()
	for deadline := time.Now().Add(2 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		r.where(t, s, 0, true)
	}
	got := ask(t, "POST", s.url+"/people", `{"id":10,"name":"Eve"}`, append([]string{"Content-Type", "application/json"}, r.as(t, 0)...)...)
	if got.status != http.StatusServiceUnavailable {
		t.Errorf("%d %s", got.status, got.body)
	}
	r.where(t, s, 1, true)
	r.db.URL = r.standby.URL
	r.db.Exec(t, "SELECT pg_promote()")
	await(t, "that it is no standby", func() bool { return r.state(t, s) == "no standby" })
}

// TestServeReplica has a lakebase read from a replica of its PostgreSQL.
func TestServeReplica(t *testing.T) {
	t.Parallel()
	primary, standby := startReplication(t)
	out := run(t, "", "init", "--postgres", primary.URL, "--database", "shop")
	_, rest, ok := strings.Cut(out, "tarn serve --postgres '")
	if !ok {
		t.Fatalf("tarn init says: %s", out)
	}
	onPrimary, _, _ := strings.Cut(rest, "'")
	db := &pgtest.DB{URL: strings.Replace(primary.URL, "/postgres", "/shop", 1), Name: "shop"}
	db.Exec(t, `CREATE VIEW here AS SELECT pg_is_in_recovery() AS standby; GRANT SELECT ON here TO PUBLIC;
		CREATE ROLE reader; GRANT reader TO authenticator`)
	follow(t, primary, standby)
	onStandby := "postgresql://authenticator:" + opsPassword + "@/postgres?host=" + url.QueryEscape(standby.Dir)
	s := serve(t, dataDir(t), "--postgres", onPrimary, "--replicas", onStandby)
	headers := []string{"Authorization", "Bearer " + s.token(t, "reader")}
	await(t, "a read from the replica", func() bool {
		got := ask(t, "GET", s.url+"/api/2.0/workspace/1/rest/shop/public/here", "", headers...)
		if got.status != http.StatusOK {
			t.Fatalf("%d %s", got.status, got.body)
		}
		return got.body == `[{"standby":true}]`
	})
	if n := s.metric(t, fmt.Sprintf(`tarn_replica_state{database="shop",replica="%s:5432",state="in use"}`, standby.Dir)); n != "1" {
		t.Errorf("its state is %q", n)
	}
	if _, err := tryRun(t, "", "serve", "--data-dir", dataDir(t), "--replicas", onStandby); err == nil {
		t.Error("the embedded PostgreSQL has no replicas")
	}
}
