package test

import (
	"bufio"
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/tarn-data/tarn/internal/pgtest"
)

// benched is a server that is measured.
type benched struct {
	*tarn
	address    string
	postmaster int
}

// measured are the figures of one measurement. Times of processors are microseconds per request.
type measured struct {
	rate, p50, p99   float64 // requests per second, milliseconds
	server, postgres float64
	allocations      float64 // per request
	memory           float64 // MB of the server afterwards
}

// measure makes requests on kept connections for a while.
func (s *benched) measure(b *testing.B, request func() []byte, seconds int) measured {
	b.Helper()
	s.hammer(b, request, 300*time.Millisecond)
	server, postgres, allocations := s.processor(), s.database(), s.allocations(b)
	began := time.Now()
	took := s.hammer(b, request, time.Duration(seconds)*time.Second)
	elapsed, n := time.Since(began).Seconds(), float64(len(took))
	const micro = 1e6
	return measured{
		rate: n / elapsed, p50: quantile(took, 0.5), p99: quantile(took, 0.99),
		server: (s.processor() - server) / n * micro, postgres: (s.database() - postgres) / n * micro,
		allocations: (s.allocations(b) - allocations) / n, memory: s.memory(),
	}
}

// quantile is a quantile of sorted durations, in milliseconds.
func quantile(sorted []time.Duration, q float64) float64 {
	return sorted[int(float64(len(sorted)-1)*q)].Seconds() * 1e3
}

// hammer returns how long each request took, in order.
func (s *benched) hammer(b *testing.B, request func() []byte, d time.Duration) []time.Duration {
	b.Helper()
	var (
		mu     sync.Mutex
		all    []time.Duration
		failed error
		wg     sync.WaitGroup
	)
	until := time.Now().Add(d)
	for range benchClients {
		wg.Go(func() {
			took, err := keepAsking(s.address, request, until)
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
	slices.Sort(all)
	return all
}

func keepAsking(address string, request func() []byte, until time.Time) ([]time.Duration, error) {
	c, err := dialKept(address)
	if err != nil {
		return nil, err
	}
	defer func() { _ = c.Close() }()
	return c.askUntil(request, until)
}

// kept is a connection that one request after the other is made on.
type kept struct {
	net.Conn
	r *bufio.Reader
}

func dialKept(address string) (*kept, error) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	return &kept{conn, bufio.NewReaderSize(conn, 64<<10)}, nil
}

// askUntil makes requests for a while, and returns how long each took.
func (c *kept) askUntil(request func() []byte, until time.Time) ([]time.Duration, error) {
	var took []time.Duration
	for began := time.Now(); began.Before(until); {
		if _, err := c.Write(request()); err != nil {
			return nil, err
		}
		if err := skipAnswer(c.r); err != nil {
			return nil, err
		}
		now := time.Now()
		took = append(took, now.Sub(began))
		began = now
	}
	return took, nil
}

// skipAnswer reads an answer that has a length or no body, which must be a success.
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
	_, err = r.Discard(length)
	return err
}

// apart gives a command a session of its own.
func apart(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }

// startApart starts Tarn in a session of its own. It is stopped when the benchmark ends.
func startApart(b *testing.B, environ []string, args ...string) *tarn {
	b.Helper()
	path, err := binary()
	if err != nil {
		b.Fatal(err)
	}
	s := &tarn{log: &syncBuffer{}, out: &syncBuffer{}, done: make(chan error, 1), cmd: exec.Command(path, args...)}
	s.cmd.Env = append(os.Environ(), environ...)
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		b.Fatal(err)
	}
	s.cmd.Stdout, s.cmd.Stderr = null, s.log
	apart(s.cmd)
	if err := s.cmd.Start(); err != nil {
		b.Fatal(err)
	}
	go func() { s.done <- s.cmd.Wait() }()
	b.Cleanup(func() {
		s.stop(b)
		_ = null.Close()
	})
	return s
}

// ticks is how many of the kernel's units a second of processor time has, on all of today's systems.
const ticks = 100

// stat is a process's parent and its seconds of processor time, with those of its children that ended.
func stat(pid int) (parent int, seconds float64) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, 0 // it ended, or this isn't Linux
	}
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	number := func(i int) int {
		n, _ := strconv.Atoi(fields[i])
		return n
	}
	return number(1), float64(number(11)+number(12)+number(13)+number(14)) / ticks
}

func (s *benched) processor() float64 {
	_, seconds := stat(s.cmd.Process.Pid)
	return seconds
}

// database is the processor time of PostgreSQL: of its first process and all that it started.
func (s *benched) database() float64 {
	entries, _ := os.ReadDir("/proc")
	sum := 0.0
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil {
			if parent, seconds := stat(pid); pid == s.postmaster || parent == s.postmaster {
				sum += seconds
			}
		}
	}
	return sum
}

func postmasterOf(b *testing.B, db *pgtest.DB) int {
	b.Helper()
	parent, _ := stat(int(db.Conn(b).PgConn().PID()))
	return parent
}

var resident = regexp.MustCompile(`VmRSS:\s+(\d+)`)

// memory is what the server has in memory, in MB.
func (s *benched) memory() float64 {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if m := resident.FindSubmatch(text); m != nil {
		kb, _ := strconv.ParseFloat(string(m[1]), 64)
		return kb / 1024
	}
	return 0
}

var mallocs = regexp.MustCompile(`(?m)^go_memstats_mallocs_total (\S+)`)

// allocations is how many the server has made.
func (s *benched) allocations(b *testing.B) float64 {
	b.Helper()
	res, err := http.Get(s.admin + "/metrics")
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		b.Fatal(err)
	}
	m := mallocs.FindSubmatch(text)
	if m == nil {
		b.Fatal("the metrics don't say how many allocations there were")
	}
	n, _ := strconv.ParseFloat(string(m[1]), 64)
	return n
}

// tokens signs as many tokens, which differ.
func (base *benchBase) tokens(b *testing.B, n int) []string {
	b.Helper()
	encode := base64.RawURLEncoding.EncodeToString
	out := make([]string, n)
	for i := range out {
		claims := fmt.Sprintf(`{"role":%q,"sub":"me","jti":"%d","exp":%d}`, base.role, i, time.Now().Add(time.Hour).Unix())
		signed := encode([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + encode([]byte(claims))
		mac := hmac.New(sha256.New, []byte(benchSecret))
		_, _ = io.WriteString(mac, signed)
		out[i] = signed + "." + encode(mac.Sum(nil))
	}
	return out
}

// delayed returns the connection string of a database behind a proxy, which what is sent either way reaches that much
// later.
func delayed(b *testing.B, dsn string, delay time.Duration) string {
	b.Helper()
	cfg, err := pgconn.ParseConfig(dsn)
	if err != nil {
		b.Fatal(err)
	}
	network, server := pgconn.NetworkAddress(cfg.Host, cfg.Port)
	return fmt.Sprintf("postgres://%s:%s@%s/%s?sslmode=disable", cfg.User, cfg.Password, delayedTo(b, network, server, delay), cfg.Database)
}

// delayedTo returns the address of a proxy before a server, which what is sent either way reaches that much later.
func delayedTo(b *testing.B, network, server string, delay time.Duration) string {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial(network, server)
			if err != nil {
				_ = near.Close()
				continue
			}
			go pass(far, near, delay)
			go pass(near, far, delay)
		}
	}()
	return l.Addr().String()
}

type late struct {
	due  time.Time
	data []byte
}

// pass copies from one connection to another, each part when it is due.
func pass(to, from net.Conn, delay time.Duration) {
	parts := make(chan late, 1000)
	go func() {
		defer close(parts)
		for {
			buf := make([]byte, 32<<10)
			n, err := from.Read(buf)
			if n > 0 {
				parts <- late{time.Now().Add(delay), buf[:n]}
			}
			if err != nil {
				return
			}
		}
	}()
	for p := range parts {
		time.Sleep(time.Until(p.due))
		if _, err := to.Write(p.data); err != nil {
			break
		}
	}
	_ = to.Close()
	for range parts { // until the other side is gone, too
	}
}
