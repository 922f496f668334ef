package test

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// BenchmarkHeadOfLine measures reads of a row by its key, which share connections, beside what would hold them up: a
// function that takes 50 ms, which isn't known before, and reads by key of a table that somebody locks for 200 ms now
// and then. Each is measured with and without sharing.
func BenchmarkHeadOfLine(b *testing.B) {
	base := newBenchBase(b)
	base.db.Exec(b, `CREATE FUNCTION api.nap(a int) RETURNS text LANGUAGE sql STABLE AS $$ SELECT pg_sleep(0.05)::text $$`)
	base.db.Exec(b, `CREATE TABLE api.locked (id int PRIMARY KEY)`)
	base.db.Exec(b, `GRANT SELECT ON api.locked TO "`+base.role+`"`)
	for _, c := range []struct {
		name    string
		request func() []byte
		clients int
		lock    bool
	}{
		{"alone", nil, 0, false},
		{"beside_50ms", get("/rpc/nap?a=%d", 100), 2, false},
		{"beside_locks", get("/locked?id=eq.%d", 100), 4, true},
	} {
		for _, way := range []struct{ name, shared string }{{"shared", ""}, {"exclusive", "TARN_POOL_SHARED=0"}} {
			b.Run(c.name+"/"+way.name, func(b *testing.B) {
				s := base.serve(b, base.db.RoleURL(b, base.login), "crit", way.shared)
				s.hammer(b, workloads[0].request, 300*time.Millisecond)
				ctx, stop := context.WithCancel(context.Background())
				defer stop()
				if c.lock {
					conn := base.db.Conn(b)
					done := make(chan struct{})
					go func() {
						defer close(done)
						lockNowAndThen(ctx, conn)
					}()
					defer func() { stop(); <-done }()
				}
				seconds := benchNumber("BENCH_SECONDS", 2) * benchNumber("BENCH_ROUNDS", 5)
				until := time.Now().Add(time.Duration(seconds) * time.Second)
				others := make(chan error, c.clients)
				for range c.clients {
					go func() {
						_, err := keepAsking(s.address, c.request, until)
						others <- err
					}()
				}
				took := s.hammer(b, workloads[0].request, time.Until(until))
				for range c.clients {
					if err := <-others; err != nil {
						b.Error(err)
					}
				}
				b.ReportMetric(float64(len(took))/float64(seconds), "req/s")
				b.ReportMetric(quantile(took, 0.5), "ms_p50")
				b.ReportMetric(quantile(took, 0.99), "ms_p99")
				b.ReportMetric(quantile(took, 0.999), "ms_p99.9")
				b.ReportMetric(quantile(took, 1), "ms_max")
				b.ReportMetric(0, "ns/op")
				s.stop(b)
			})
		}
	}
}

// lockNowAndThen locks a table for 200 ms of each half second.
func lockNowAndThen(ctx context.Context, conn *pgx.Conn) {
	for ctx.Err() == nil {
		_, _ = conn.Exec(ctx, "BEGIN; LOCK TABLE api.locked IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(0.2); COMMIT; SELECT pg_sleep(0.3)")
	}
}
