package test

import (
	"fmt"
	"net/http"
	"os"
	"regexp"
	"slices"
	"sync"
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

	const phase, clients = 1500 * time.Millisecond, 3
	quiet := s.keepAsking(t, clients, phase, func() {})
	before := len(s.loads(t))
	busy := s.keepAsking(t, clients, phase, func() {
		db.Exec(t, fmt.Sprintf(`NOTIFY %q, 'reload schema'`, db.Name))
	})
	loads := s.loads(t)[before:]
	if len(loads) < 2 {
		t.Fatalf("the schema cache was loaded %d times in %s", len(loads), phase)
	}
	shortest := slices.Min(loads)
	t.Logf("quiet: %d answers, median %s, longest %s; with %d loads of %s to %s: %d answers, median %s, longest %s",
		len(quiet), medianOf(quiet), slices.Max(quiet), len(loads), shortest, slices.Max(loads), len(busy), medianOf(busy), slices.Max(busy))
	if longest := slices.Max(busy); longest > shortest {
		t.Errorf("a request waited %s, as long as a load of %s", longest, shortest)
	}
	if 10*len(busy) < len(quiet) {
		t.Errorf("%d answers while the schema cache was loaded, %d while it wasn't", len(busy), len(quiet))
	}
}

// keepAsking has clients ask one request after the other, while something is done again and again, and returns how long
// each answer took.
func (s *tarn) keepAsking(t *testing.T, clients int, d time.Duration, meanwhile func()) []time.Duration {
	t.Helper()
	var (
		all  []time.Duration
		mu   sync.Mutex
		wg   sync.WaitGroup
		stop = time.Now().Add(d)
	)
	for range clients {
		wg.Go(func() {
			var took []time.Duration
			for i := 0; time.Now().Before(stop); i++ {
				begun := time.Now()
				got := ask(t, "GET", fmt.Sprintf("%s/table_%d?select=id,table_%d!table_%[2]d_parent_id_fkey(name)&limit=1", s.url, 500+i%500, (500+i%500)/2), "")
				took = append(took, time.Since(begun))
				if got.status != http.StatusOK {
					t.Errorf("%d %s", got.status, got.body)
					return
				}
			}
			mu.Lock()
			defer mu.Unlock()
			all = append(all, took...)
		})
	}
	for ; time.Now().Before(stop); time.Sleep(100 * time.Millisecond) {
		meanwhile()
	}
	wg.Wait()
	return all
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

func medianOf(d []time.Duration) time.Duration { return slices.Sorted(slices.Values(d))[len(d)/2] }
