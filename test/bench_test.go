package test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
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
)

// benchRounds and benchSeconds can be set to measure longer: BENCH_ROUNDS, BENCH_SECONDS.
func benchNumber(name string, otherwise int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil && n > 0 {
		return n
	}
	return otherwise
}

// BenchmarkDataAPI measures requests per second over HTTP against pgbench running the statements of the same request
// one after the other, prepared. Both are measured in turn in each round; the ratio is the median of the rounds'.
func BenchmarkDataAPI(b *testing.B) {
	db := pgtest.New(b)
	role := db.Role(b, "NOLOGIN")
	login := db.Role(b, "LOGIN NOINHERIT")
	schema, err := os.ReadFile("testdata/bench/schema.sql")
	if err != nil {
		b.Fatal(err)
	}
	for statement := range strings.SplitSeq(string(schema), ";\n") {
		if strings.TrimSpace(statement) != "" {
			db.Exec(b, statement)
		}
	}
	db.Exec(b, fmt.Sprintf(`GRANT %q TO %q; GRANT USAGE ON SCHEMA api TO %[1]q, %[2]q; GRANT ALL ON ALL TABLES IN SCHEMA api TO %[1]q`, role, login))
	address := freeAddress(b)
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		b.Fatal(err)
	}
	_, adminPort, err := net.SplitHostPort(freeAddress(b))
	if err != nil {
		b.Fatal(err)
	}
	s := start(b, []string{
		"PGRST_DB_URI=" + db.RoleURL(b, login), "PGRST_DB_SCHEMAS=api", "PGRST_DB_ANON_ROLE=" + role,
		"PGRST_DB_POOL=" + strconv.Itoa(benchPool), "PGRST_SERVER_HOST=" + host, "PGRST_SERVER_PORT=" + port,
		"PGRST_ADMIN_SERVER_PORT=" + adminPort, "PGRST_LOG_LEVEL=crit",
	}, "data-api")
	s.admin = "http://" + net.JoinHostPort(host, adminPort)
	s.waitReady(b)
	get := func(path string, most int) func() []byte {
		return func() []byte {
			return fmt.Appendf(nil, "GET "+path+" HTTP/1.1\r\nHost: tarn\r\nAccept: */*\r\n\r\n", 1+rand.IntN(most))
		}
	}
	const row = `{"msg":"hello world","level":3}`
	insert := fmt.Appendf(nil, "POST /logs HTTP/1.1\r\nHost: tarn\r\nAccept: */*\r\nContent-Type: application/json\r\n"+
		"Prefer: return=representation\r\nContent-Length: %d\r\n\r\n%s", len(row), row)
	for _, w := range []struct {
		name    string
		request func() []byte
	}{
		{"pk", get("/items?id=eq.%d", 100_000)},
		{"list", get("/items?category=eq.%d&order=id&limit=100", 999)},
		{"embed", get("/clients?select=id,name,projects(id,name,tasks(id,name))&id=eq.%d", 1000)},
		{"insert", func() []byte { return insert }},
	} {
		b.Run(w.name, func(b *testing.B) {
			var ratios, rates []float64
			seconds := benchNumber("BENCH_SECONDS", 2)
			for range benchNumber("BENCH_ROUNDS", 5) {
				reference := pgbench(b, db.RoleURL(b, login), role, w.name, seconds)
				rate := hammer(b, address, w.request, time.Duration(seconds)*time.Second)
				ratios, rates = append(ratios, rate/reference), append(rates, rate)
			}
			b.ReportMetric(median(ratios), "x_pgbench")
			b.ReportMetric(slices.Min(ratios), "x_least")
			b.ReportMetric(slices.Max(ratios), "x_most")
			b.ReportMetric(median(rates), "req/s")
			b.ReportMetric(0, "ns/op")
		})
	}
}

func median(v []float64) float64 {
	s := slices.Sorted(slices.Values(v))
	return s[len(s)/2]
}

var pgbenchRate = regexp.MustCompile(`tps = ([0-9.]+)`)

// pgbench returns the transactions per second of a script.
func pgbench(b *testing.B, dsn, role, script string, seconds int) float64 {
	b.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		b.Fatal(err)
	}
	install, err := embedded.Find(context.Background(), "", 0)
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(install.BinDir, "pgbench"), "-n", "-M", "prepared", "-c", strconv.Itoa(pgbenchConns), "-j", "1",
		"-T", strconv.Itoa(seconds), "-D", "role="+role, "-f", filepath.Join("testdata", "bench", script+".sql"), u.String())
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

// hammer makes requests on kept connections for a while, and returns how many were answered per second.
func hammer(b *testing.B, address string, request func() []byte, d time.Duration) float64 {
	b.Helper()
	var (
		answered atomic.Int64
		failed   atomic.Pointer[error]
		wg       sync.WaitGroup
	)
	begin := time.Now()
	for range benchClients {
		wg.Go(func() {
			if err := keepAsking(address, request, begin.Add(d), &answered); err != nil {
				failed.Store(&err)
			}
		})
	}
	wg.Wait()
	if err := failed.Load(); err != nil {
		b.Fatal(*err)
	}
	return float64(answered.Load()) / time.Since(begin).Seconds()
}

func keepAsking(address string, request func() []byte, until time.Time, answered *atomic.Int64) error {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	r := bufio.NewReaderSize(conn, 64<<10)
	for time.Now().Before(until) {
		if _, err := conn.Write(request()); err != nil {
			return err
		}
		if err := skipAnswer(r); err != nil {
			return err
		}
		answered.Add(1)
	}
	return nil
}

// skipAnswer reads an answer that has a length, which must be a success.
func skipAnswer(r *bufio.Reader) error {
	line, err := r.ReadSlice('\n')
	if err != nil {
		return err
	}
	if !bytes.HasPrefix(line, []byte("HTTP/1.1 2")) {
		return fmt.Errorf("answer: %s", line)
	}
	length := 0
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return err
		}
		if len(line) <= 2 {
			break
		}
		if v, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(v))); err != nil {
				return err
			}
		}
	}
	_, err = io.CopyN(io.Discard, r, int64(length))
	return err
}
