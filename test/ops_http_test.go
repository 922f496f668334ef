package test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

func TestHeaders(t *testing.T) {
	site := newSite(t)
	site.set(t, "server-trace-header", "X-Request-Id", "server-timing-enabled", "true", "server-cors-allowed-origins", "http://one, http://two")
	s := site.serve(t)
	const browser = "Access-Control-Request-Method"
	for _, c := range []struct {
		name, method, path string
		headers            []string
		status             int
		want               map[string]string // of headers; empty for none
	}{
		{"answer", "GET", "/items?id=eq.1", []string{"X-Request-Id", "77"}, 200, map[string]string{
			"X-Request-Id": "77", "Vary": "Accept, Prefer, Range", "Server": `tarn/\S+`, "Access-Control-Allow-Origin": "", "Content-Length": `\d+`,
			"Server-Timing": `jwt;dur=\d+\.\d, parse;dur=\d+\.\d, plan;dur=\d+\.\d, transaction;dur=\d+\.\d, response;dur=\d+\.\d`,
		}},
		{"error", "GET", "/nowhere", []string{"X-Request-Id", "77"}, 404, map[string]string{
			"X-Request-Id": "77", "Server": `tarn/\S+`, "Proxy-Status": "PostgREST; error=PGRST205",
		}},
		{"nobody", "GET", "/items", []string{"Authorization", "Bearer x", "X-Request-Id", "77"}, 401, map[string]string{
			"X-Request-Id": "77", "WWW-Authenticate": "Bearer.*",
		}},
		{"HEAD", "HEAD", "/items", nil, 200, map[string]string{"Content-Range": `0-4/\*`, "Content-Type": "application/json; charset=utf-8", "Content-Length": ""}},
		{"OPTIONS of a relation", "OPTIONS", "/items", nil, 200, map[string]string{"Allow": "OPTIONS,GET,HEAD,POST,PUT,PATCH,DELETE"}},
		{"OPTIONS of a routine", "OPTIONS", "/rpc/fail", nil, 200, map[string]string{"Allow": "OPTIONS,POST"}},
		{"OPTIONS of the root", "OPTIONS", "/", nil, 200, map[string]string{"Allow": "OPTIONS,GET,HEAD"}},
		{"preflight", "OPTIONS", "/items", []string{"Origin", "http://two", browser, "POST", "Access-Control-Request-Headers", "X-Mine", "X-Request-Id", "7"}, 200, map[string]string{
			"Access-Control-Allow-Origin": "http://two", "Access-Control-Allow-Methods": "GET, POST, PATCH, PUT, DELETE, OPTIONS, HEAD",
			"Access-Control-Allow-Headers": "Authorization, X-Mine, .*", "Access-Control-Max-Age": "86400", "Access-Control-Allow-Credentials": "true",
			"X-Request-Id": "7",
		}},
		{"allowed origin", "GET", "/items", []string{"Origin", "http://one"}, 200, map[string]string{
			"Access-Control-Allow-Origin": "http://one", "Access-Control-Expose-Headers": ".*Content-Range.*",
		}},
		{"other origin", "GET", "/items", []string{"Origin", "http://three"}, 200, map[string]string{"Access-Control-Allow-Origin": ""}},
		{"long header", "GET", "/items?id=eq.1", []string{"X-Long", strings.Repeat("x", 40_000)}, 200, nil},
		{"header that is too long", "GET", "/items?id=eq.1", []string{"X-Long", strings.Repeat("x", 2<<20)}, 431, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := ask(t, c.method, s.url+c.path, "", c.headers...)
			if got.status != c.status {
				t.Fatalf("%d %s", got.status, got.body)
			}
			for name, want := range c.want {
				value := got.header.Get(name)
				if !regexp.MustCompile("^" + want + "$").MatchString(value) {
					t.Errorf("%s is %q, want %s", name, value, want)
				}
			}
			if c.method == "HEAD" && got.body != "" {
				t.Errorf("body %s", got.body)
			}
		})
	}
	if got := ask(t, "GET", s.url+"/items?id=eq.1", ""); len(got.header["X-Request-Id"]) != 1 || got.header["X-Request-Id"][0] != "" {
		t.Errorf("trace header without one in the request: %q", got.header["X-Request-Id"])
	}
}

// TestDrain has a request run while the server is told to end.
func TestDrain(t *testing.T) {
	site := newSite(t)
	s := site.serve(t)
	idle := dial(t, s)
	_, _ = idle.conn.Write([]byte("GET /items?id=eq.1 HTTP/1.1\r\nHost: x\r\n\r\n"))
	if got, _ := idle.read(t); got.status != 200 {
		t.Fatal(got.status)
	}
	held, release := site.hold(t)
	busy := dial(t, s)
	_, _ = busy.conn.Write([]byte("GET /items?id=eq.1&select=id HTTP/1.1\r\nHost: x\r\n\r\n"))
	held(1)
	s.signal(t, syscall.SIGTERM)
	s.awaitLog(t, "msg=draining", 1)
	if _, err := idle.in.ReadByte(); err != io.EOF {
		t.Errorf("the idle connection is still open: %v", err)
	}
	await(t, "no new connections", func() bool {
		conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
		if err == nil {
			_ = conn.Close()
		}
		return err != nil
	})
	if live := status(s.admin + "/live"); live != 500 {
		t.Errorf("/live while draining: %d", live)
	}
	release()
	if got, last := busy.read(t); got.status != 200 || got.body != `[{"id":1}]` || !last {
		t.Errorf("%d %s, the last one: %t", got.status, got.body, last)
	}
	if code := s.ends(t); code != 0 {
		t.Errorf("exit status %d", code)
	}
}

// TestSecondSignal holds that who can't wait need not.
func TestSecondSignal(t *testing.T) {
	site := newSite(t)
	s := site.serve(t)
	held, release := site.hold(t)
	defer release()
	busy := dial(t, s)
	_, _ = busy.conn.Write([]byte("GET /items HTTP/1.1\r\nHost: x\r\n\r\n"))
	held(1)
	s.signal(t, syscall.SIGTERM)
	s.awaitLog(t, "msg=draining", 1)
	s.signal(t, syscall.SIGTERM)
	started := time.Now()
	if code := s.ends(t); code == 0 || time.Since(started) > 5*time.Second {
		t.Errorf("exit status %d after %s", code, time.Since(started))
	}
}

type rawClient struct {
	conn net.Conn
	in   *bufio.Reader
}

func dial(t testing.TB, s *tarn) rawClient {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return rawClient{conn, bufio.NewReader(conn)}
}

// read reads an answer, and whether it is the connection's last.
func (c rawClient) read(t testing.TB) (got answer, last bool) {
	t.Helper()
	res, err := http.ReadResponse(c.in, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{res.StatusCode, res.Header, string(b)}, res.Close
}

// TestReusePort hands a port over from one process to the next while requests are made.
func TestReusePort(t *testing.T) {
	site := newSite(t)
	site.set(t, "server-reuseport", "true")
	first := site.serve(t)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	stop := make(chan struct{})
	var (
		wg    sync.WaitGroup
		asked int
	)
	wg.Go(func() {
		for ; ; asked++ {
			select {
			case <-stop:
				return
			case <-time.After(2 * time.Millisecond):
			}
			if got, err := fetch(client, first.url+"/items?id=eq.1&select=id"); err != nil || got.status != 200 {
				t.Errorf("%v %d %s", err, got.status, got.body)
				return
			}
		}
	})
	same := site.launch(t) // but for the admin endpoint, which each has for itself
	if code := same.ends(t); code != 1 {
		t.Errorf("exit status %d", code)
	}
	site.set(t, "admin-server-port", "")
	second := site.serve(t)
	time.Sleep(100 * time.Millisecond)
	close(stop) // a connection that the kernel has given to the first, but the first not yet taken, would be lost
	wg.Wait()
	first.stop(t)
	if asked < 10 {
		t.Errorf("only %d requests were made", asked)
	}
	site.expect(t, second.url+"/items?id=eq.1&select=id", `[{"id":1}]`)
	if log := second.out.String(); log != "" {
		t.Error(log)
	}

	site.set(t, "server-reuseport", "false", "admin-server-port", "")
	third := site.launch(t)
	if code := third.ends(t); code != 1 {
		t.Errorf("exit status %d", code)
	}
	third.awaitLog(t, "address already in use", 1)
}

// TestSocketInUse holds that a socket is taken over only from who is gone.
func TestSocketInUse(t *testing.T) {
	site := newSite(t)
	path := filepath.Join(t.TempDir(), "api.sock")
	site.set(t, "server-unix-socket", path)
	first := site.serve(t)
	site.set(t, "admin-server-port", "")
	second := site.launch(t)
	if code := second.ends(t); code != 1 {
		t.Errorf("exit status %d", code)
	}
	second.awaitLog(t, fmt.Sprintf("socket %s is in use", path), 1)
	first.kill(t) // which leaves the socket behind
	site.set(t, "admin-server-port", "")
	site.serve(t)
	if got, err := fetch(overSocket(path), "http://tarn/items?id=eq.1&select=id"); err != nil || got.body != `[{"id":1}]` {
		t.Error(err, got.body)
	}
}
