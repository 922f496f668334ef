package test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tarn-data/tarn/internal/pg/embedded"
	"github.com/tarn-data/tarn/internal/pgtest"
)

const (
	benchClients = 32
	pgbenchConns = 8
	benchPool    = 10
	benchSecret  = "a secret of this benchmark, which is long enough"
)

// benchNumber is a number that can be set to measure longer: BENCH_ROUNDS, BENCH_SECONDS.
func benchNumber(name string, otherwise int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil && n > 0 {
		return n
	}
	return otherwise
}

// workload is a request, and the script of pgbench that has PostgreSQL do the same.
type workload struct {
	name    string
	request func() []byte
}

func get(path string, most int, headers ...string) func() []byte {
	tail := " HTTP/1.1\r\nHost: tarn\r\nAccept: */*\r\n" + strings.Join(append(headers, "\r\n"), "\r\n")
	if len(headers) == 0 {
		tail = " HTTP/1.1\r\nHost: tarn\r\nAccept: */*\r\n\r\n"
	}
	return func() []byte {
		return append(fmt.Appendf(nil, "GET "+path, 1+rand.IntN(most)), tail...)
	}
}

func send(method, path, body string, most int) func() []byte {
	return func() []byte {
		if most > 0 {
			return fmt.Appendf(nil, method+" "+path+" HTTP/1.1\r\nHost: tarn\r\nAccept: */*\r\nContent-Type: application/json\r\n"+
				"Content-Length: %d\r\n\r\n%s", 1+rand.IntN(most), len(body), body)
		}
		return fmt.Appendf(nil, method+" "+path+" HTTP/1.1\r\nHost: tarn\r\nAccept: */*\r\nContent-Type: application/json\r\n"+
			"Prefer: return=representation\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	}
}

var workloads = []workload{
	{"pk", get("/items?id=eq.%d", 100_000)},
	{"list", get("/items?category=eq.%d&order=id&limit=100", 999)},
	{"embed", get("/clients?select=id,name,projects(id,name,tasks(id,name))&id=eq.%d", 1000)},
	{"insert", send("POST", "/logs", `{"msg":"hello world","level":3}`, 0)},
	{"update", send("PATCH", "/counters?id=eq.%d", `{"n":5,"note":"hi"}`, 10_000)},
	{"rpc", get("/rpc/add_them?a=%d&b=2", 1000)},
}

// BenchmarkDataAPI measures requests per second over HTTP against pgbench running the statements of the same request
// one after the other, prepared. Both are measured in each round, in turn first and second; a ratio is the median of the
// rounds'. Tarn, pgbench and PostgreSQL have a session each, so that the kernel, which shares out the processors by
// session, favours none of them.
func BenchmarkDataAPI(b *testing.B) {
	base := newBenchBase(b)
	s := base.serve(b, base.db.RoleURL(b, base.login), "crit")
	idle := s.memory()
	for _, w := range workloads {
		b.Run(w.name, func(b *testing.B) {
			var rounds []measured
			var ratios []float64
			seconds := benchNumber("BENCH_SECONDS", 2)
			for round := range benchNumber("BENCH_ROUNDS", 5) {
				var reference float64
				var m measured
				for turn := range 2 {
					if (round+turn)%2 == 0 {
						reference = base.pgbench(b, w.name, base.db.RoleURL(b, base.login), pgbenchConns, seconds)
					} else {
						m = s.measure(b, w.request, seconds)
					}
				}
				rounds, ratios = append(rounds, m), append(ratios, m.rate/reference)
			}
			b.ReportMetric(median(ratios), "x_pgbench")
			b.ReportMetric(slices.Min(ratios), "x_least")
			b.ReportMetric(slices.Max(ratios), "x_most")
			report(b, rounds)
			b.ReportMetric(idle, "MB_idle")
		})
	}
}

func report(b *testing.B, rounds []measured) {
	b.Helper()
	of := func(figure func(measured) float64) float64 {
		var all []float64
		for _, m := range rounds {
			all = append(all, figure(m))
		}
		return median(all)
	}
	b.ReportMetric(of(func(m measured) float64 { return m.rate }), "req/s")
	b.ReportMetric(of(func(m measured) float64 { return m.p50 }), "ms_p50")
	b.ReportMetric(of(func(m measured) float64 { return m.p99 }), "ms_p99")
	b.ReportMetric(of(func(m measured) float64 { return m.server }), "us_server")
	b.ReportMetric(of(func(m measured) float64 { return m.postgres }), "us_postgres")
	b.ReportMetric(of(func(m measured) float64 { return m.allocations }), "allocs/req")
	b.ReportMetric(of(func(m measured) float64 { return m.memory }), "MB_loaded")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkConditions measures the read of a row by its key under a condition against the same without it, in turn.
func BenchmarkConditions(b *testing.B) {
	base := newBenchBase(b)
	direct := base.db.RoleURL(b, base.login)
	plain := get("/open?id=eq.%d", 10_000)
	tokens := base.tokens(b, 20_000)
	bearer := "Authorization: Bearer "
	var turn atomic.Int64
	for _, c := range []struct {
		name      string
		log       string
		request   func() []byte
		reference func() []byte
	}{
		{"token_policy_and_log", "info", get("/secrets?id=eq.%d", 10_000, bearer+tokens[0]), plain},
		{"20000_tokens", "crit", func() []byte {

			return get("/open?id=eq.%d", 10_000, bearer+tokens[int(turn.Add(1))%len(tokens)])()
		}, get("/open?id=eq.%d", 10_000, bearer+tokens[0])},
	} {
		b.Run(c.name, func(b *testing.B) {
			with, without := base.serve(b, direct, c.log), base.serve(b, direct, "crit")
			var ratios []float64
			seconds := benchNumber("BENCH_SECONDS", 2)
			for range benchNumber("BENCH_ROUNDS", 5) {
				reference := without.measure(b, c.reference, seconds)
				ratios = append(ratios, with.measure(b, c.request, seconds).rate/reference.rate)
			}
			b.ReportMetric(median(ratios), "x_without")
			b.ReportMetric(slices.Min(ratios), "x_least")
			b.ReportMetric(slices.Max(ratios), "x_most")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// BenchmarkDistance measures the read of a row from a database that is 2.4 ms away or more, as the machine's clock has it. It is
// compared with pgbench, which makes four round trips for each, over the same way with as many connections.
func BenchmarkDistance(b *testing.B) {
	base := newBenchBase(b)
	const away = 2400 * time.Microsecond
	url := delayed(b, base.db.RoleURL(b, base.login), away/2)
	s := base.serve(b, url, "crit")
	var rates, ratios []float64
	seconds := benchNumber("BENCH_SECONDS", 2)
	for range benchNumber("BENCH_ROUNDS", 5) {
		rate := s.measure(b, workloads[0].request, seconds).rate
		rates = append(rates, rate)
		ratios = append(ratios, rate/base.pgbench(b, workloads[0].name, url, benchPool, seconds))
	}
	b.ReportMetric(median(rates), "req/s")
	b.ReportMetric(median(ratios), "x_four_trips")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkStart measures the time from the start of the process to ready, with a schema of 1,000 tables.
func BenchmarkStart(b *testing.B) {
	base := newBenchBase(b)
	var tables strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&tables, "CREATE TABLE api.t%d (id int PRIMARY KEY, a text, b numeric, c timestamptz, up int REFERENCES api.t%d);", i, max(0, i-1))
	}
	base.db.Exec(b, tables.String())
	if _, err := binary(); err != nil { // so that it is built
		b.Fatal(err)
	}
	var times []float64
	for range benchNumber("BENCH_ROUNDS", 5) {
		began := time.Now()
		s := base.serve(b, base.db.RoleURL(b, base.login), "crit")
		times = append(times, float64(time.Since(began).Milliseconds()))
		s.stop(b)
	}
	b.ReportMetric(median(times), "ms_ready")
	b.ReportMetric(0, "ns/op")
}

// benchBase is a database with the tables of the workloads.
type benchBase struct {
	db          *pgtest.DB
	role, login string
}

func newBenchBase(b *testing.B) *benchBase {
	b.Helper()
	db := pgtest.New(b)
	base := &benchBase{db, db.Role(b, "NOLOGIN"), db.Role(b, "LOGIN NOINHERIT")}
	schema, err := os.ReadFile("testdata/bench/schema.sql")
	if err != nil {
		b.Fatal(err)
	}
	for statement := range strings.SplitSeq(string(schema), ";\n") {
		if strings.TrimSpace(statement) != "" {
			db.Exec(b, statement)
		}
	}
	db.Exec(b, fmt.Sprintf(`GRANT %q TO %q; GRANT USAGE ON SCHEMA api TO %[1]q, %[2]q; GRANT ALL ON ALL TABLES IN SCHEMA api TO %[1]q`, base.role, base.login))
	return base
}

// serve starts Tarn in a session of its own.
func (base *benchBase) serve(b *testing.B, dsn, log string, environ ...string) *benched {
	b.Helper()
	address := freeAddress(b)
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		b.Fatal(err)
	}
	_, adminPort, err := net.SplitHostPort(freeAddress(b))
	if err != nil {
		b.Fatal(err)
	}
	s := startApart(b, append(environ,
		"PGRST_DB_URI="+dsn, "PGRST_DB_SCHEMAS=api", "PGRST_DB_ANON_ROLE="+base.role,
		"PGRST_DB_POOL="+strconv.Itoa(benchPool), "PGRST_SERVER_HOST="+host, "PGRST_SERVER_PORT="+port,
		"PGRST_ADMIN_SERVER_PORT="+adminPort, "PGRST_LOG_LEVEL="+log, "PGRST_JWT_SECRET="+benchSecret,
		"PGRST_JWT_CACHE_MAX_ENTRIES=50000",
	), "data-api")
	s.admin = "http://" + net.JoinHostPort(host, adminPort)
	s.waitReady(b)
	return &benched{tarn: s, address: address, postmaster: postmasterOf(b, base.db)}
}

func median(v []float64) float64 {
	s := slices.Sorted(slices.Values(v))
	return s[len(s)/2]
}

var pgbenchRate = regexp.MustCompile(`tps = ([0-9.]+)`)

// pgbench returns the transactions per second of a script.
func (base *benchBase) pgbench(b *testing.B, script, url string, conns, seconds int) float64 {
	b.Helper()
	install, err := embedded.Find(context.Background(), "", 0)
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(install.BinDir, "pgbench"), "-n", "-M", "prepared", "-c", strconv.Itoa(conns), "-j", "2",
		"-T", strconv.Itoa(seconds), "-D", "role="+base.role, "-f", filepath.Join("testdata", "bench", script+".sql"), url)
	apart(cmd)
	out, err := cmd.CombinedOutput()
	if err != nil {
		b.Fatalf("pgbench: %v\n%s", err, out)
	}
	m := pgbenchRate.FindSubmatch(out)
	if m == nil {
		b.Fatalf("pgbench says no rate:\n%s", out)
	}
	rate, err := strconv.ParseFloat(string(m[1]), 64)
	if err != nil {
		b.Fatal(err)
	}
	return rate
}
