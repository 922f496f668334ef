package test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// begin makes a request that nobody waits for, until the context ends.
func begin(ctx context.Context, all *sync.WaitGroup, url string) {
	all.Go(func() {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return
		}
		if res, err := http.DefaultClient.Do(req); err == nil {
			_ = res.Body.Close()
		}
	})
}

// metric is the value of one of the server's metrics.
func (s *tarn) metric(t testing.TB, name string) string {
	t.Helper()
	for line := range strings.Lines(ask(t, "GET", s.admin+"/metrics", "").body) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			return strings.TrimSuffix(value, "\n")
		}
	}
	return ""
}

// TestStuckRequestsLeaveConnections has many more requests stuck than there are connections. Those that are known to be
// fast are answered all the while, and also those of which nothing is known.
func TestStuckRequestsLeaveConnections(t *testing.T) {
	t.Parallel()
	site := newSite(t)
	site.set(t, "db-pool", "4", "db-pool-acquisition-timeout", "5")
	s := site.serve(t)
	read := func() {
		t.Helper()
		site.expect(t, s.url+"/items?select=id&id=eq.3", `[{"id":3}]`)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var stuck sync.WaitGroup
	t.Cleanup(func() { cancel(); stuck.Wait() })
	for range 32 {
		begin(ctx, &stuck, s.url+"/rpc/nap?seconds=100")
	}
	await(t, "requests that are stuck", func() bool {
		return s.metric(t, "tarn_db_pool_slow") == "2" && s.metric(t, "tarn_db_pool_slow_waiting") == "30"
	})
	read() // of which nothing is known yet
	for range 20 {
		read()
	}
	// Another kind takes the last connection that may be stuck.
	for range 8 {
		begin(ctx, &stuck, s.url+"/rpc/nap?seconds=100&limit=1")
	}
	await(t, "more requests that are stuck", func() bool { return s.metric(t, "tarn_db_pool_slow") == "3" })
	for range 20 {
		read()
	}
	// What isn't known waits its time out.
	if got := ask(t, "GET", s.url+"/parts", ""); got.status != http.StatusGatewayTimeout {
		t.Errorf("%d %s", got.status, got.body)
	} else {
		checkError(t, got, "PGRST003")
	}
	cancel()
	stuck.Wait()
	await(t, "connections that are free", func() bool { return s.metric(t, "tarn_db_pool_slow") == "0" })
	if got := ask(t, "GET", s.url+"/parts", ""); got.status != http.StatusOK {
		t.Errorf("%d %s", got.status, got.body)
	}
}

// TestLockedTableLeavesConnections has requests stuck that were fast until then.
func TestLockedTableLeavesConnections(t *testing.T) {
	t.Parallel()
	site := newSite(t)
	site.set(t, "db-pool", "4")
	s := site.serve(t)
	for range 10 {
		site.expect(t, s.url+"/items?select=id&id=eq.3", `[{"id":3}]`)
		site.expect(t, s.url+"/parts", `[]`)
	}
	held, release := site.hold(t)
	var stuck sync.WaitGroup
	for i := range 20 {
		begin(t.Context(), &stuck, s.url+fmt.Sprintf("/items?select=id&id=eq.%d", i))
	}
	held(3)
	for range 20 {
		site.expect(t, s.url+"/parts", `[]`)
	}
	time.Sleep(1200 * time.Millisecond) // now they are slow
	await(t, "that they are slow", func() bool { return s.metric(t, "tarn_db_pool_slow") == "3" })
	site.expect(t, s.url+"/parts", `[]`)
	release()
	stuck.Wait()
	site.expect(t, s.url+"/items?select=id&id=eq.3", `[{"id":3}]`)
}

// TestClosedConnectionsAreNotNoticed has the server end the connections between two requests.
func TestClosedConnectionsAreNotNoticed(t *testing.T) {
	t.Parallel()
	site := newSite(t)
	site.set(t, "db-channel-enabled", "false")
	s := site.serve(t)
	for range 3 {
		site.expect(t, s.url+"/items?select=id&id=eq.1", `[{"id":1}]`)
		site.db.Exec(t, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`)
		time.Sleep(700 * time.Millisecond) // a connection that was used just now isn't looked at
		got := ask(t, "POST", s.url+"/rpc/nap", `{"seconds":0}`, "Content-Type", "application/json")
		if got.status != http.StatusOK {
			t.Errorf("%d %s", got.status, got.body)
		}
	}
}
