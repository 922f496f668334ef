package introspect

import (
	"context"
	"os"
	"runtime"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/tarn-data/tarn/internal/dataapi/schema"
	"github.com/tarn-data/tarn/internal/pgtest"
)

// large returns a connection to a database with a schema of a thousand tables and five thousand functions.
func large(t testing.TB) *pgx.Conn {
	t.Helper()
	db := pgtest.New(t)
	sql, err := os.ReadFile("testdata/large.sql")
	if err != nil {
		t.Fatal(err)
	}
	db.Exec(t, string(sql))
	db.Exec(t, "ANALYZE")
	return db.Conn(t)
}

// BenchmarkLoad measures how long a snapshot of a large schema takes, on a new connection as it is loaded by a server, and
// what it holds in memory.
func BenchmarkLoad(b *testing.B) {
	conn := large(b)
	opt := Options{Schemas: []string{"api"}}
	var kept *schema.Cache
	for b.Loop() {
		fresh, err := pgx.ConnectConfig(context.Background(), conn.Config())
		if err != nil {
			b.Fatal(err)
		}
		if kept, err = Load(context.Background(), fresh, opt); err != nil {
			b.Fatal(err)
		}
		_ = fresh.Close(context.Background())
	}
	b.ReportMetric(held(&kept), "MB-held")
}

// held is how much memory goes when a snapshot does, in megabytes.
func held(c **schema.Cache) float64 {
	var with, without runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&with)
	*c = nil
	runtime.GC()
	runtime.ReadMemStats(&without)
	return float64(int64(with.HeapAlloc)-int64(without.HeapAlloc)) / (1 << 20)
}
