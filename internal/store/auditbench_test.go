package store_test

import (
	"log/slog"
	"testing"

	"github.com/tarn-data/tarn/internal/audit"
	"github.com/tarn-data/tarn/internal/pgtest"
	"github.com/tarn-data/tarn/internal/store"
)

func benchState(b *testing.B) *store.DB {
	b.Helper()
	state, err := store.Open(b.Context(), store.Options{URL: pgtest.New(b).URL, AppName: "bench", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(state.Close)
	return state
}

// BenchmarkAuditRead measures what recording costs a call that nobody waits for, and with it the storing of all records.
func BenchmarkAuditRead(b *testing.B) {
	l := openLog(b, benchState(b), audit.Options{Dir: b.TempDir(), MaxSpool: 4 << 30})
	b.ReportAllocs()
	for b.Loop() {
		if err := do(b.Context(), l, called(reads, "id")); err != nil {
			b.Fatal(err)
		}
	}
	closeLog(b, l)
}

// BenchmarkAuditWrite measures what recording costs calls that are answered when they are in the database, 16 at a time.
func BenchmarkAuditWrite(b *testing.B) {
	l := openLog(b, benchState(b), audit.Options{Dir: b.TempDir()})
	b.ReportAllocs()
	b.SetParallelism(8)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := do(b.Context(), l, called(writes, "id")); err != nil {
				b.Error(err)
			}
		}
	})
	closeLog(b, l)
}
