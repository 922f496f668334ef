package test

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tarn-data/tarn/internal/pgtest"
)

const (
	mePath    = "/api/2.0/preview/scim/v2/Me"
	cheapPath = "/api/2.1/clusters/spark-versions" // does next to nothing: what it costs is the gateway's and the server's

	benchTokens     = 10_000
	benchPrincipals = 1_000
)

// BenchmarkPlatform measures what calls of the platform API cost: with limits that are counted but not reached, the access
// log, and a record of each in the audit log. What an answer costs that passes no gateway is the HTTP server's own part.
func BenchmarkPlatform(b *testing.B) {
	p := newBenchPlatform(b)
	for _, w := range []struct {
		name    string
		request func() []byte
	}{
		{"no_gateway", nil},
		{"cheap_token", p.calls(cheapPath, p.tokens[:1])},
		{"cheap_oauth", p.calls(cheapPath, []string{p.oauth})},
		{"me_token", p.calls(mePath, p.tokens[:1])},
		{"me_oauth", p.calls(mePath, []string{p.oauth})},
		{"me_10000_tokens", p.calls(mePath, p.tokens)},
	} {
		b.Run(w.name, func(b *testing.B) {
			var rounds []measured
			before, n := p.transactions(b), 0.0
			for range benchNumber("BENCH_ROUNDS", 5) {
				var m measured
				if w.request == nil {
					m = p.withoutGateway(b)
				} else {
					m = p.measure(b, w.request, benchNumber("BENCH_SECONDS", 2))
				}
				rounds, n = append(rounds, m), n+m.rate*float64(benchNumber("BENCH_SECONDS", 2))
			}
			report(b, rounds)
			b.ReportMetric((p.transactions(b)-before)/n, "transactions/req")
		})
	}
}

// BenchmarkPlatformRate asks for Me with 10,000 tokens in turn at a rate that doesn't heed how fast the answers come:
// BENCH_RATE, 2,000 a second. How long an answer took is reckoned from when it was due to be asked for.
func BenchmarkPlatformRate(b *testing.B) {
	p := newBenchPlatform(b)
	request := p.calls(mePath, p.tokens)
	rate, d := benchNumber("BENCH_RATE", 2000), 5*time.Duration(benchNumber("BENCH_SECONDS", 2))*time.Second
	server, postgres, transactions := p.processor(), p.database(), p.transactions(b)
	took, elapsed := p.atRate(b, request, rate, d)
	n := float64(len(took))
	const micro = 1e6
	b.ReportMetric(n/elapsed.Seconds(), "req/s")
	b.ReportMetric(quantile(took, 0.5), "ms_p50")
	b.ReportMetric(quantile(took, 0.95), "ms_p95")
	b.ReportMetric(quantile(took, 0.99), "ms_p99")
	b.ReportMetric((p.processor()-server)/n*micro, "us_server")
	b.ReportMetric((p.database()-postgres)/n*micro, "us_postgres")
	b.ReportMetric((p.transactions(b)-transactions)/n, "transactions/req")
	b.ReportMetric(p.memory(), "MB_loaded")
	b.ReportMetric(0, "ns/op")
}

// benchPlatform is a server with many principals and tokens.
type benchPlatform struct {
	*benched
	db     *pgx.Conn
	tokens []string // personal access tokens
	oauth  string   // an access token of a service principal
}

func newBenchPlatform(b *testing.B) *benchPlatform {
	b.Helper()
	db, dir := pgtest.New(b), dataDir(b)
	listen, admin := freeAddress(b), freeAddress(b)
	s := startApart(b, nil, "serve", "--data-dir", dir, "--listen", listen, "--admin-listen", admin,
		"--postgres", db.URL, "--state", db.URL, "--rate-limit", "100000")
	s.dir, s.url, s.admin = dir, "http://"+listen, "http://"+admin
	s.waitReady(b)
	p := &benchPlatform{benched: &benched{tarn: s, address: listen, postmaster: postmasterOf(b, db)}, db: db.Conn(b)}
	p.addTokens(b)
	signed := strings.TrimSpace(run(b, "", "token", "create", "--data-dir", dir, "--state", db.URL, "--admin"))
	id, secret := s.servicePrincipal(b, signed, "bench")
	var made struct {
		Access string `json:"access_token"`
	}
	form := url.Values{"client_id": {id}, "client_secret": {secret}, "grant_type": {"client_credentials"}, "scope": {"all-apis"}}
	decode(b, ask(b, http.MethodPost, s.url+"/oidc/v1/token", form.Encode(), "Content-Type", "application/x-www-form-urlencoded"), http.StatusOK, &made)
	p.oauth = made.Access
	p.atRate(b, p.calls(mePath, p.tokens), benchTokens/5, 5*time.Second) // each token once, so that all are known
	return p
}

// addTokens adds principals and their tokens to the state: by calls it would take longer than the benchmark.
func (p *benchPlatform) addTokens(b *testing.B) {
	b.Helper()
	var digests [][]byte
	for i := range benchTokens {
		digest := sha256.Sum256(fmt.Append(nil, "a token of this benchmark", i))
		secret := "dapi" + hex.EncodeToString(digest[:16])
		digest = sha256.Sum256([]byte(secret))
		p.tokens, digests = append(p.tokens, secret), append(digests, digest[:])
	}
	for _, sql := range []string{
		`INSERT INTO tarn.principals (id, kind, name, display_name, emails)
			SELECT 100000 + i, 'User', 'user' || i || '@example.com', 'User ' || i,
				jsonb_build_array(jsonb_build_object('value', 'user' || i || '@example.com', 'type', 'work', 'primary', true))
			FROM generate_series(0, $1 - 1) i`,
		`INSERT INTO tarn.members SELECT 2, 100000 + i FROM generate_series(0, $1 - 1) i`,
	} {
		if _, err := p.db.Exec(b.Context(), sql, benchPrincipals); err != nil {
			b.Fatal(err)
		}
	}
	const sql = `INSERT INTO tarn.personal_tokens (id, secret, owner_id, owner, created_by_id, created_by, created_at)
		SELECT 'bench' || i, secret, p.id, p.name, p.id, p.name, now()
		FROM unnest($1::bytea[]) WITH ORDINALITY t (secret, i) JOIN tarn.principals p ON p.id = 100000 + i % $2`
	if _, err := p.db.Exec(b.Context(), sql, digests, benchPrincipals); err != nil {
		b.Fatal(err)
	}
	if _, err := p.db.Exec(b.Context(), "ANALYZE tarn.principals, tarn.members, tarn.personal_tokens"); err != nil { // as PostgreSQL does by itself soon
		b.Fatal(err)
	}
}

// calls are calls of an operation with one token after the other.
func (p *benchPlatform) calls(path string, tokens []string) func() []byte {
	requests := make([][]byte, len(tokens))
	for i, token := range tokens {
		requests[i] = fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: tarn\r\nAccept: */*\r\nAuthorization: Bearer %s\r\nUser-Agent: bench/1\r\n\r\n", path, token)
	}
	var turn atomic.Int64
	return func() []byte { return requests[int(turn.Add(1))%len(requests)] }
}

// withoutGateway measures answers of the admin endpoint.
func (p *benchPlatform) withoutGateway(b *testing.B) measured {
	b.Helper()
	admin := &benched{tarn: p.tarn, address: strings.TrimPrefix(p.admin, "http://"), postmaster: p.postmaster}
	return admin.measure(b, func() []byte { return []byte("GET /live HTTP/1.1\r\nHost: tarn\r\n\r\n") }, benchNumber("BENCH_SECONDS", 2))
}

// transactions is how many PostgreSQL has done for the server.
func (p *benchPlatform) transactions(b *testing.B) float64 {
	b.Helper()
	time.Sleep(1100 * time.Millisecond) // within which each connection reports
	var n float64
	const sql = "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()"
	if err := p.db.QueryRow(b.Context(), sql).Scan(&n); err != nil {
		b.Fatal(err)
	}
	return n
}

// atRate makes requests at a rate, and returns how long after it was due each was answered, in order, and how long all
// took.
func (s *benched) atRate(b *testing.B, request func() []byte, rate int, d time.Duration) ([]time.Duration, time.Duration) {
	b.Helper()
	const conns = 128
	var (
		mu     sync.Mutex
		all    []time.Duration
		failed error
		wg     sync.WaitGroup
		turn   atomic.Int64
	)
	began, many := time.Now(), int64(rate)*int64(d/time.Second)
	due := func() (time.Time, bool) {
		i := turn.Add(1) - 1
		return began.Add(time.Duration(i) * time.Second / time.Duration(rate)), i < many
	}
	for range conns {
		wg.Go(func() {
			took, err := askWhenDue(s.address, request, due)
			mu.Lock()
			defer mu.Unlock()
			if all = append(all, took...); err != nil {
				failed = err
			}
		})
	}
	wg.Wait()
	if failed != nil {
		b.Fatal(failed)
	}
	elapsed := time.Since(began)
	slices.Sort(all)
	return all, elapsed
}

func askWhenDue(address string, request func() []byte, due func() (time.Time, bool)) ([]time.Duration, error) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	var took []time.Duration
	r := bufio.NewReaderSize(conn, 64<<10)
	for {
		at, more := due()
		if !more {
			return took, nil
		}
		time.Sleep(time.Until(at))
		if _, err := conn.Write(request()); err != nil {
			return nil, err
		}
		if err := skipAnswer(r); err != nil {
			return nil, err
		}
		took = append(took, time.Since(at))
	}
}
