package test

import (
	"fmt"
	"net/http"
	"os"
	"regexp"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tarn-data/tarn/internal/pgtest"
)

// TestReloadOfALargeSchema has clients ask all the time while the snapshot of a thousand tables and five thousand functions
// is loaded again and again. No request may fail, nor wait for a load.
func TestReloadOfALargeSchema(t *testing.T) {
	schema, err := os.ReadFile("../internal/dataapi/introspect/testdata/large.sql")
	if err != nil {
		t.Fatal(err)
	}
	db := pgtest.New(t)
	role, login := db.Role(t, "NOLOGIN"), db.Role(t, "LOGIN NOINHERIT")
	db.Exec(t, string(schema)+fmt.Sprintf(`; GRANT %q TO %q; GRANT USAGE ON SCHEMA api TO %[1]q; GRANT SELECT ON ALL TABLES IN SCHEMA api TO %[1]q`, role, login))
	s := startDataAPI(t, db, login, role, "PGRST_DB_SCHEMAS=api", "PGRST_LOG_LEVEL=info")

	const clients, reloads = 3, 3
	quiet, duration := s.keepAsking(t, clients, func() { time.Sleep(time.Second) })
	rate := float64(len(quiet)) / duration.Seconds()
	before := len(s.loads(t))
	busy, duration := s.keepAsking(t, clients, func() {
		for deadline := time.Now().Add(time.Minute); len(s.loads(t)) < before+reloads; time.Sleep(50 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("the schema cache isn't loaded anew")
			}
			db.Exec(t, fmt.Sprintf(`NOTIFY %q, 'reload schema'`, db.Name))
		}
	})
	busyRate := float64(len(busy)) / duration.Seconds()

	shortest := slices.Min(s.loads(t)[before:])
	t.Logf("quiet: %.0f answers a second, longest %s; during loads of %s or more: %.0f, longest %s",
		rate, slices.Max(quiet), shortest, busyRate, slices.Max(busy))
	if longest := slices.Max(busy); longest > shortest {
		t.Errorf("a request waited %s, as long as a load of %s", longest, shortest)
	}
	if 10*busyRate < rate {
		t.Errorf("%.0f answers a second while the schema cache was loaded, %.0f while it wasn't", busyRate, rate)
	}
}

// keepAsking has clients ask one request after the other while something is done, and returns how long each answer took,
// and all of it.
func (s *tarn) keepAsking(t *testing.T, clients int, meanwhile func()) (answers []time.Duration, all time.Duration) {
	t.Helper()
	var (
		mu   sync.Mutex
		wg   sync.WaitGroup
		stop atomic.Bool
	)
	begun := time.Now()
	for range clients {
		wg.Go(func() {
			var took []time.Duration
			for i := 0; !stop.Load(); i++ {
				asked := time.Now()
				got := ask(t, "GET", fmt.Sprintf("%s/table_%d?select=id,table_%d!table_%[2]d_parent_id_fkey(name)&limit=1", s.url, 500+i%500, (500+i%500)/2), "")
				took = append(took, time.Since(asked))
				if got.status != http.StatusOK {
					t.Errorf("%d %s", got.status, got.body)
					return
				}
			}
			mu.Lock()
			defer mu.Unlock()
			answers = append(answers, took...)
		})
	}
	defer stop.Store(true)
	meanwhile()
	stop.Store(true)
	wg.Wait()
	return answers, time.Since(begun)
}

var loadTook = regexp.MustCompile(`msg="schema cache loaded" .* took=(\S+)`)

// loads are how long each load of the schema cache took, as the log has it.
func (s *tarn) loads(t *testing.T) []time.Duration {
	t.Helper()
	var out []time.Duration
	for _, m := range loadTook.FindAllStringSubmatch(s.log.String(), -1) {
		took, err := time.ParseDuration(m[1])
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, took)
	}
	return out
}
