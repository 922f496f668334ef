package test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tarn-data/tarn/internal/pgtest"
)

// startReplication starts a primary server and a standby of it. The standby begins with what the primary began with, and
// hears of all else.
func startReplication(t *testing.T) (primary, standby *pgtest.Server) {
	t.Helper()
	primary = pgtest.NewServer(t, pgtest.Options{
		Settings: []string{"wal_level=replica", "max_wal_senders=10", "wal_keep_size=64MB", "synchronous_commit=on"},
	})
	server, err := pgx.ParseConfig(primary.URL)
	if err != nil {
		t.Fatal(err)
	}
	standby = pgtest.NewServer(t, pgtest.Options{
		Settings: []string{
			"wal_level=replica", "max_wal_senders=10",
			fmt.Sprintf("primary_conninfo=host=%s port=%d user=%s", server.Host, server.Port, server.User),
		},
		Files: map[string][]byte{"standby.signal": nil},
	})
	return primary, standby
}

// follow waits until the standby has what the primary has.
func follow(t *testing.T, primary, standby *pgtest.Server) {
	t.Helper()
	from, err := pgx.Connect(t.Context(), primary.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = from.Close(t.Context()) }()
	to, err := pgx.Connect(t.Context(), standby.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = to.Close(t.Context()) }()
	var position string
	if err := from.QueryRow(t.Context(), "SELECT pg_current_wal_flush_lsn()::text").Scan(&position); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		var there bool
		if err := to.QueryRow(t.Context(), "SELECT pg_last_wal_replay_lsn() >= $1::text::pg_lsn", position).Scan(&there); err != nil {
			t.Fatal(err)
		}
		if there {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the standby doesn't get to %s", position)
		}
	}
}

// TestStandby serves from a standby that can only be read.
func TestStandby(t *testing.T) {
	primary, standby := startReplication(t)
	c := newCore(t, primary.NewDB(t))
	c.db.Exec(t, `CREATE FUNCTION api.is_standby() RETURNS bool LANGUAGE sql STABLE AS 'SELECT pg_is_in_recovery()'`)
	follow(t, primary, standby)
	onPrimary := c.db.RoleURL(t, c.login)
	there := func(hosts, more string) string { // instead of the primary's
		return strings.Replace(onPrimary, "host="+url.QueryEscape(primary.Dir), "host="+url.QueryEscape(hosts), 1) + more
	}
	onStandby := func(t *testing.T, s *tarn) {
		t.Helper()
		if got := ask(t, "GET", s.url+"/rpc/is_standby", "", c.as(t, 0)...); got.body != "true" {
			t.Errorf("it is no standby: %d %s", got.status, got.body)
		}
	}

	t.Run("alone", func(t *testing.T) {
		s := c.serve(t, "PGRST_DB_URI="+there(standby.Dir, ""), "PGRST_LOG_LEVEL=info")
		onStandby(t, s)
		c.check(t, s, coreReads())
		for _, w := range []struct{ request, body string }{
			{"POST /people", `{"id":9,"name":"Ike"}`},
			{"POST /people?on_conflict=id", `{"id":1,"name":"Ike"}`},
			{"PUT /people?id=eq.1", `{"id":1,"name":"Ike"}`},
			{"PATCH /people?id=eq.1", `{"name":"Ike"}`},
			{"DELETE /people?id=eq.1", ""},
		} {
			method, path, _ := strings.Cut(w.request, " ")
			got := ask(t, method, s.url+path, w.body, append([]string{"Content-Type", "application/json"}, c.as(t, 0)...)...)
			if got.status != 405 {
				t.Errorf("%s: %d %s", w.request, got.status, got.body)
			}
			checkError(t, got, "25006")
		}
		if got := ask(t, "POST", s.url+"/rpc/remember", `{"what":"me"}`, append([]string{"Content-Type", "application/json"}, c.as(t, 0)...)...); got.status != 204 {
			t.Errorf("a function that writes nothing: %d %s", got.status, got.body)
		}
		// Nobody can listen to a standby. That is said now and then.
		time.Sleep(1500 * time.Millisecond)
		if n := strings.Count(s.log.String(), "listen"); n < 3 || n > 8 {
			t.Errorf("listening is spoken of %d times:\n%s", n, s.log)
		}
	})
	t.Run("with its primary", func(t *testing.T) {
		s := c.serve(t, "PGRST_DB_URI="+there(standby.Dir+","+primary.Dir, "&target_session_attrs=read-only"))
		onStandby(t, s)
		for i := range 5 { // the primary tells of it before the standby has it
			name := fmt.Sprintf("fresh%d", i)
			c.db.Exec(t, fmt.Sprintf(`CREATE TABLE api.%s AS SELECT i, repeat('x', 1000) FROM generate_series(1, 5000) i;
				CREATE INDEX ON api.%[1]s (i); GRANT SELECT ON api.%[1]s TO PUBLIC; NOTIFY %q, 'reload schema'`, name, c.db.Name))
			compareRows(t, s.eventually(t, "/"+name+"?select=i&i=eq.3", nil), `[{"i":3}]`)
		}
		onStandby(t, s)
	})
	t.Run("preferred to its primary", func(t *testing.T) {
		s := c.serve(t, "PGRST_DB_URI="+there(primary.Dir+","+standby.Dir, "&target_session_attrs=prefer-standby"))
		onStandby(t, s)
	})
}

// TestFailover has the primary server go and its standby take its place.
func TestFailover(t *testing.T) {
	primary, standby := startReplication(t)
	db := &pgtest.DB{URL: primary.URL, Name: "postgres"}
	c := newCore(t, db)
	follow(t, primary, standby)
	both := strings.Replace(db.RoleURL(t, c.login), "host="+url.QueryEscape(primary.Dir), "host="+url.QueryEscape(primary.Dir+","+standby.Dir), 1)
	s := c.serve(t, "PGRST_DB_URI="+both+"&target_session_attrs=read-write")
	headers := append([]string{"Content-Type", "application/json"}, c.as(t, 0)...)
	if got := ask(t, "POST", s.url+"/people", `{"id":10,"name":"Eve"}`, headers...); got.status != 201 {
		t.Fatalf("%d %s", got.status, got.body)
	}
	follow(t, primary, standby)

	primary.Stop()
	db.URL = standby.URL
	db.Exec(t, "SELECT pg_promote()")
	var got answer
	for deadline := time.Now().Add(40 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if got = ask(t, "POST", s.url+"/people", `{"id":11,"name":"Fay"}`, headers...); got.status == 201 {
			break
		}
	}
	if got.status != 201 {
		t.Fatalf("%d %s", got.status, got.body)
	}
	compareRows(t, s.eventually(t, "/people?id=gte.10&order=id", headers), `[{"id":10},{"id":11}]`)
	db.Exec(t, fmt.Sprintf(`CREATE TABLE api.fresh (id int); GRANT SELECT ON api.fresh TO PUBLIC; NOTIFY %q, 'reload schema'`, db.Name))
	compareRows(t, s.eventually(t, "/fresh", nil), `[]`)
}
