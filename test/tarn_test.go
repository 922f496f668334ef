// Package test runs the real binary against real PostgreSQL servers and real clients.
package test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// binary builds tarn once, and returns its path.
var binary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "tarn-test-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "tarn")
	out, err := exec.Command("go", "build", "-o", path, "github.com/tarn-data/tarn/cmd/tarn").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
})

func TestMain(m *testing.M) {
	if what := os.Getenv(proxyTo); what != "" {
		panic(beProxy(what))
	}
	code := m.Run()
	if path, err := binary(); err == nil {
		_ = os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

// tarn is a running server.
type tarn struct {
	dir   string
	url   string // of the API
	admin string // of the admin endpoint
	cmd   *exec.Cmd
	log   *syncBuffer // all that it writes
	out   *syncBuffer // of it, to standard output
	done  chan error
}

// syncBuffer is a buffer that a process writes while a test reads it.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// The ports that freeAddress gives: below those that the system hands to outgoing connections, which could take one
// between its choice and its use.
const firstPort, ports = 16_384, 16_384

// portsGiven counts from a random number, since other processes' tests choose, too.
var portsGiven = sync.OnceValue(func() *atomic.Uint32 {
	n := new(atomic.Uint32)
	n.Store(rand.Uint32N(ports))
	return n
})

// freeAddress returns a loopback address that nobody listens on, another one each time.
func freeAddress(t testing.TB) string {
	t.Helper()
	for range ports {
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(int(firstPort+portsGiven().Add(1)%ports)))
		if l, err := net.Listen("tcp", address); err == nil {
			_ = l.Close()
			return address
		}
	}
	t.Fatal("no port is free")
	return ""
}

// dataDir returns a directory that PostgreSQL's own user may enter, too, as t.TempDir's may not.
func dataDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "tarn-data-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	return dir
}

// serve starts a server on a data directory and waits until it is ready.
func serve(t testing.TB, dir string, args ...string) *tarn {
	t.Helper()
	listen, admin := freeAddress(t), freeAddress(t)
	args = append([]string{"serve", "--data-dir", dir, "--listen", listen, "--admin-listen", admin}, args...)
	s := start(t, nil, args...)
	s.dir, s.url, s.admin = dir, "http://"+listen, "http://"+admin
	s.waitReady(t)
	return s
}

// start starts tarn. It is stopped when the test ends.
func start(t testing.TB, environ []string, args ...string) *tarn {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	s := &tarn{log: &syncBuffer{}, out: &syncBuffer{}, done: make(chan error, 1)}
	s.cmd = exec.Command(path, args...)
	s.cmd.Env = append(os.Environ(), environ...)
	s.cmd.Stdout, s.cmd.Stderr = io.MultiWriter(s.out, s.log), s.log
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { s.done <- s.cmd.Wait() }()
	t.Cleanup(func() {
		s.stop(t)
		if t.Failed() {
			log := s.log.String()
			t.Logf("tarn %s wrote at last:\n%s", strings.Join(args, " "), log[max(0, len(log)-3000):])
		}
	})
	return s
}

func (s *tarn) waitReady(t testing.TB) {
	t.Helper()
	for deadline := time.Now().Add(60 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		select {
		case err := <-s.done:
			s.done <- err
			t.Fatalf("tarn ended: %v\n%s", err, s.log.String())
		default:
		}
		if res, err := http.Get(s.admin + "/ready"); err == nil {
			_ = res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return
			}
		}
	}
	t.Fatalf("tarn is not ready\n%s", s.log.String())
}

// stop has the server end by itself, and insists after a while.
func (s *tarn) stop(t testing.TB) {
	t.Helper()
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case err := <-s.done:
		s.done <- err
	case <-time.After(40 * time.Second):
		_ = s.cmd.Process.Kill()
		t.Error("tarn did not end by itself")
	}
}

// kill ends the server without notice.
func (s *tarn) kill(t testing.TB) {
	t.Helper()
	if err := s.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	err := <-s.done
	s.done <- err
}

// run runs a command of tarn and returns what it prints.
func run(t testing.TB, stdin string, args ...string) string {
	t.Helper()
	out, err := tryRun(t, stdin, args...)
	if err != nil {
		t.Fatalf("tarn %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

func tryRun(t testing.TB, stdin string, args ...string) (string, error) {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Stdin = strings.NewReader(stdin)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err = cmd.Run()
	if err != nil {
		return stdout.String() + stderr.String(), err
	}
	return stdout.String(), nil
}

// psql runs SQL as the owner of the server's databases.
func (s *tarn) psql(t testing.TB, sql string) string {
	t.Helper()
	return run(t, sql, "psql", "--data-dir", s.dir, "--", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1")
}

// token makes a token for a user.
func (s *tarn) token(t testing.TB, user string, args ...string) string {
	t.Helper()
	args = append([]string{"token", "create", "--data-dir", s.dir, "--user", user}, args...)
	return strings.TrimSuffix(run(t, "", args...), "\n")
}

// answer is what a server said.
type answer struct {
	status int
	header http.Header
	body   string
}

// ask makes a request. Headers come as name and value in turn.
func ask(t testing.TB, method, url, body string, headers ...string) answer {
	t.Helper()
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	out, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{res.StatusCode, res.Header, string(out)}
}
