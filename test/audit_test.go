package test

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/tarn-data/tarn/internal/pg/embedded"
)

// TestAuditAfterKills kills a server without notice, again and again, while calls are made: each that was answered has one
// record, and no record is of a call that was not made.
func TestAuditAfterKills(t *testing.T) {
	t.Parallel()
	const rounds, callers = 2, 8
	dir := dataDir(t)
	var (
		mu       sync.Mutex
		answered = map[string]bool{}
		sent     atomic.Int64
	)
	for round := range rounds {
		s := serve(t, dir)
		ctx, end := context.WithCancel(t.Context())
		var many atomic.Int64
		enough := make(chan struct{})
		var wg sync.WaitGroup
		for c := range callers {
			wg.Go(func() {
				for n := 0; ctx.Err() == nil; n++ {
					id := fmt.Sprintf("%d-%d-%d", round, c, n)
					sent.Add(1)
					if !call(ctx, s.url+[]string{"/.well-known/databricks-config", "/api/2.0/nothing", "/api/2.0/tarn/audit"}[n%3], id) {
						return
					}
					mu.Lock()
					answered[id] = true
					mu.Unlock()
					if many.Add(1) == 500 {
						close(enough)
					}
				}
			})
		}
		<-enough
		s.kill(t)
		wg.Wait()
		end()
	}
	s := serve(t, dir) // which finds what the last one left
	records := s.recorded(t)
	for id := range answered {
		if records[id] != 1 {
			t.Errorf("call %s has %d records", id, records[id])
		}
	}
	total := 0
	for id, n := range records {
		total += n
		if n != 1 {
			t.Errorf("%d records are of call %s", n, id)
		}
	}
	if int64(total) > sent.Load() || total < len(answered) || len(answered) < rounds*500 {
		t.Errorf("of %d calls %d were answered, and %d recorded", sent.Load(), len(answered), total)
	}
}

// call makes a call and tells whether it was answered.
func call(ctx context.Context, url, id string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	req.Header.Set("X-Request-Id", id)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	_ = res.Body.Close()
	return true
}

// recorded is how many records there are of each request.
func (s *tarn) recorded(t testing.TB) map[string]int {
	t.Helper()
	conn := s.state(t)
	rows, err := conn.Query(t.Context(), "SELECT request_id FROM tarn.audit_log")
	if err != nil {
		t.Fatal(err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]int{}
	for _, id := range ids {
		out[id]++
	}
	return out
}

// state is a connection to the state of a server, as the superuser.
func (s *tarn) state(t testing.TB) *pgx.Conn {
	t.Helper()
	address, err := embedded.Locate(s.dir)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(t.Context(), address.URL(embedded.StoreDatabase))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// TestAuditOfTheDataAPI: by default the log has what changes something, and who was refused.
func TestAuditOfTheDataAPI(t *testing.T) {
	t.Parallel()
	s := serve(t, dataDir(t), "--sample")
	bearer := []string{"Authorization", "Bearer " + s.token(t, "user@databricks.com"), "Content-Type", "application/json", "X-Request-Id"}
	base := s.url + restPath
	for _, c := range []struct{ method, path, body, id string }{
		{"GET", "/clients?name=eq.hidden", "", "read"},
		{"POST", "/clients", `{"name":"hidden","email":"hidden@example.com"}`, "insert"},
		{"PATCH", "/clients?name=eq.hidden", `{"phone":"hidden"}`, "update"},
		{"DELETE", "/clients?name=eq.hidden", "", "delete"},
		{"POST", "/nothing", `{}`, "missing"},
		{"POST", "/rpc/nothing", `{}`, "called"},
	} {
		ask(t, c.method, base+c.path, c.body, append(bearer, c.id)...)
	}
	ask(t, "GET", base+"/clients", "", "X-Request-Id", "unknown")
	s.untilRecorded(t, 6)
	rows, err := s.state(t).Query(t.Context(), `SELECT concat_ws(' ', request_id, principal, service, action, record::json->>'securable', status)
		FROM tarn.audit_log WHERE record NOT LIKE '%hidden%' ORDER BY seq`)
	if err != nil {
		t.Fatal(err)
	}
	got, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"insert user@databricks.com dataApi insert databricks_postgres.public.clients 201",
		"update user@databricks.com dataApi update databricks_postgres.public.clients 204",
		"delete user@databricks.com dataApi delete databricks_postgres.public.clients 204",
		"missing user@databricks.com dataApi insert databricks_postgres.public.nothing 404",
		"called user@databricks.com dataApi call databricks_postgres.public.rpc/nothing 404",
		"unknown  dataApi read databricks_postgres.public.clients 401",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
