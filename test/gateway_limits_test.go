package test

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tarn-data/tarn/internal/pgtest"
)

const discoveryPath = "/.well-known/databricks-config"

// serveTogether starts servers that share a state.
func serveTogether(t *testing.T, n int, args ...string) []*tarn {
	t.Helper()
	db, dir := pgtest.New(t), dataDir(t) // with the keys
	all := make([]*tarn, n)
	for i := range all {
		all[i] = serve(t, dir, append([]string{"--postgres", db.URL, "--state", db.URL}, args...)...)
	}
	return all
}

// limitError is how far the calls that three processes admit together may be from the limit: what the processes have in
// hand when they don't know of each other's calls yet. docs/gateway.md states it.
const (
	limitRate  = 30
	limitBurst = 30
)

func TestRateLimitsOfSeveralProcesses(t *testing.T) {
	for _, shares := range []string{"PostgreSQL", "Redis"} {
		t.Run(shares, func(t *testing.T) {
			t.Parallel()
			var args []string
			if shares == "Redis" {
				args = []string{"--redis", startRedis(t)}
			}
			servers := serveTogether(t, 3, args...)
			for _, s := range servers { // until each has heard of the others
				for deadline := time.Now().Add(20 * time.Second); !strings.Contains(ask(t, http.MethodGet, s.admin+"/metrics", "").body, "tarn_rate_limit_processes 3\n"); time.Sleep(50 * time.Millisecond) {
					if time.Now().After(deadline) {
						t.Fatal("the processes don't know of each other")
					}
				}
			}
			var admitted atomic.Int64
			var all sync.WaitGroup
			begin := time.Now()
			const window = 4 * time.Second
			for i, s := range servers {
				all.Go(func() {
					for time.Since(begin) < window {
						res, err := http.Get(s.url + discoveryPath)
						if err != nil {
							t.Error(err)
							return
						}
						_, _ = io.Copy(io.Discard, res.Body)
						_ = res.Body.Close()
						switch res.StatusCode {
						case http.StatusOK:
							admitted.Add(1)
						case http.StatusTooManyRequests:
							if n, err := strconv.Atoi(res.Header.Get("Retry-After")); err != nil || n < 1 {
								t.Errorf("Retry-After is %q", res.Header.Get("Retry-After"))
								return
							}
						default:
							t.Errorf("status %d", res.StatusCode)
							return
						}
						time.Sleep(time.Duration(i+1) * 5 * time.Millisecond) // some are asked more than others
					}
				})
			}
			all.Wait()
			took := time.Since(begin).Seconds()
			got, most, least := float64(admitted.Load()), limitRate*took+2*limitBurst, 0.8*limitRate*took
			t.Logf("admitted %.0f in %.2f s: %.1f a second beyond the burst of %d", got, took, (got-limitBurst)/took, limitBurst)
			if got > most || got < least {
				t.Errorf("admitted %.0f in %.2f s, want between %.0f and %.0f", got, took, least, most)
			}
		})
	}
}

// startRedis starts a Redis of the test's own.
func startRedis(t *testing.T) string {
	t.Helper()
	program, err := exec.LookPath("redis-server")
	if err != nil {
		t.Skip("there is no redis-server on this machine")
	}
	_, port, err := net.SplitHostPort(freeAddress(t))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", t.TempDir())
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
	})
	return "redis://127.0.0.1:" + port
}

func TestRefusalIsOfThePlatform(t *testing.T) {
	s := serveTogether(t, 1, "--rate-limit", "1", "--rate-burst", "2")[0]
	for range 2 {
		if res := ask(t, http.MethodGet, s.url+discoveryPath, ""); res.status != http.StatusOK {
			t.Fatalf("status %d", res.status)
		}
	}
	res := ask(t, http.MethodGet, s.url+discoveryPath, "", "X-Request-Id", "mine-1")
	if res.status != http.StatusTooManyRequests || res.header.Get("Retry-After") != "1" || res.header.Get("X-Request-Id") != "mine-1" {
		t.Errorf("status %d, headers %v", res.status, res.header)
	}
	var body struct {
		Code    string `json:"error_code"`
		Message string `json:"message"`
	}
	if err := json.Unmarshal([]byte(res.body), &body); err != nil || body.Code != "REQUEST_LIMIT_EXCEEDED" || body.Message == "" {
		t.Errorf("body %s", res.body)
	}
	// Other endpoints have limits of their own.
	if res := ask(t, http.MethodGet, s.url+"/api/2.0/nothing", ""); res.status != http.StatusNotFound {
		t.Errorf("status %d", res.status)
	}
}
