package pg_test

import (
	"testing"
	"time"

	"github.com/tarn-data/tarn/internal/pg"
	"github.com/tarn-data/tarn/internal/pgtest"
)

// BenchmarkAcquire measures what a request pays for its connection.
func BenchmarkAcquire(b *testing.B) {
	db := pgtest.New(b)
	pool, err := pg.OpenPool(pg.PoolOptions{URL: db.URL, Size: 4, Reserve: 1, AcquireTimeout: 10 * time.Second, MaxIdleTime: time.Minute})
	if err != nil {
		b.Fatal(err)
	}
	defer pool.Close()
	b.ReportAllocs()
	for b.Loop() {
		conn, err := pool.Acquire(b.Context(), "SELECT 1")
		if err != nil {
			b.Fatal(err)
		}
		conn.Release()
	}
}
