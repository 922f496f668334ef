package accesslog_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tarn-data/tarn/internal/accesslog"
)

func always(int) bool { return true }

// logged is what is logged when a request is answered.
func logged(t *testing.T, r *http.Request, answer http.HandlerFunc) string {
	t.Helper()
	var out bytes.Buffer
	l := accesslog.New(&out)
	l.Handler(answer, always).ServeHTTP(httptest.NewRecorder(), r)
	l.Close()
	return regexp.MustCompile(`\[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\]`).ReplaceAllString(out.String(), "[TIME]")
}

func TestLine(t *testing.T) {
	as := func(role string, status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.(interface{ SetRole(string) }).SetRole(role)
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	for _, c := range []struct {
		name   string
		edit   func(*http.Request)
		answer http.HandlerFunc
		want   string
	}{
		{"all of it", func(r *http.Request) {
			r.Header.Set("User-Agent", "curl/7.64.0")
			r.Header.Set("Referer", "http://there/")
		}, as("anon", 200, "[]"), `10.1.2.3 - anon [TIME] "GET /items?id=eq.%201 HTTP/1.1" 200 2 "http://there/" "curl/7.64.0"`},
		{"nobody", nil, as("", 401, ""), `10.1.2.3 - - [TIME] "GET /items?id=eq.%201 HTTP/1.1" 401 - "" ""`},
		{"no status", nil, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "abc") },
			`10.1.2.3 - - [TIME] "GET /items?id=eq.%201 HTTP/1.1" 200 3 "" ""`},
		{"length that is told", nil, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Length", "77") },
			`10.1.2.3 - - [TIME] "GET /items?id=eq.%201 HTTP/1.1" 200 77 "" ""`},
		{"IPv6", func(r *http.Request) { r.RemoteAddr = "[::1]:5000" }, as("a", 204, ""), `::1 - a [TIME] "GET /items?id=eq.%201 HTTP/1.1" 204 - "" ""`},
		{"unix socket", func(r *http.Request) { r.RemoteAddr = "@" }, as("a", 204, ""), `- - a [TIME] "GET /items?id=eq.%201 HTTP/1.1" 204 - "" ""`},
		{"forgery", func(r *http.Request) { r.Header.Set("User-Agent", "x\" 200\\\t"); r.RequestURI = `/"` }, as("a\nb", 500, ""),
			`10.1.2.3 - a\x0ab [TIME] "GET /\" HTTP/1.1" 500 - "" "x\" 200\\\x09"`},
		{"interim status", nil, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(103); w.WriteHeader(404) },
			`10.1.2.3 - - [TIME] "GET /items?id=eq.%201 HTTP/1.1" 404 - "" ""`},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := httptest.NewRequest("GET", "/items?id=eq.%201", nil)
			r.RemoteAddr = "10.1.2.3:4567"
			if c.edit != nil {
				c.edit(r)
			}
			if got := logged(t, r, c.answer); got != c.want+"\n" {
				t.Errorf("got\n%swant\n%s", got, c.want)
			}
		})
	}
}

func TestNotLogged(t *testing.T) {
	var out bytes.Buffer
	l := accesslog.New(&out)
	answer := func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Origin") != "" {
			w.Header().Set("Access-Control-Allow-Methods", "GET")
		}
		if r.URL.Path == "/bad" {
			w.WriteHeader(400)
		}
	}
	h := l.Handler(http.HandlerFunc(answer), func(status int) bool { return status < 400 })
	ask := func(method, path, origin string) {
		r := httptest.NewRequest(method, path, nil)
		r.Header.Set("Origin", origin)
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
	ask("GET", "/bad", "")
	ask("OPTIONS", "/preflight", "http://there")
	ask("OPTIONS", "/options", "")
	l.Close()
	if got := out.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "OPTIONS /options") {
		t.Errorf("logged %q", got)
	}
}

// TestTimely holds that lines are written soon without being asked for, and together.
func TestTimely(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out writes
		l := accesslog.New(&out)
		h := l.Handler(http.NotFoundHandler(), always)
		for range 3 {
			for range 10 {
				h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
			}
			time.Sleep(100 * time.Millisecond)
		}
		if got := out.sizes(); len(got) != 3 || got[0] != got[1] || got[1] != got[2] {
			t.Errorf("writes of %v bytes", got)
		}
		l.Close()
		l.Close()
		if got := out.sizes(); len(got) != 3 {
			t.Errorf("written again: %v", got)
		}
	})
}

func TestConcurrentLinesStayWhole(t *testing.T) {
	var out writes
	l := accesslog.New(&out)
	h := l.Handler(http.NotFoundHandler(), always)
	const many, each = 8, 2000 // more than is let wait
	agent := strings.Repeat("x", 100)
	var wg sync.WaitGroup
	for i := range many {
		wg.Go(func() {
			for j := range each {
				r := httptest.NewRequest("GET", fmt.Sprintf("/%d/%d", i, j), nil)
				r.Header.Set("User-Agent", agent)
				h.ServeHTTP(httptest.NewRecorder(), r)
			}
		})
	}
	wg.Wait()
	l.Close()
	next := [many]int{}
	line := regexp.MustCompile(`^192\.0\.2\.1 - - \[[^]]+\] "GET /(\d)/(\d+) HTTP/1\.1" 404 19 "" "x{100}"$`)
	for text := range strings.Lines(out.String()) {
		m := line.FindStringSubmatch(strings.TrimSuffix(text, "\n"))
		if m == nil {
			t.Fatalf("broken line %q", text)
		}
		i := m[1][0] - '0'
		if fmt.Sprint(next[i]) != m[2] {
			t.Fatalf("of client %d line %s comes where %d should", i, m[2], next[i])
		}
		next[i]++
	}
	for i, n := range next {
		if n != each {
			t.Errorf("of client %d there are %d lines", i, n)
		}
	}
}

func TestAnswersThatAreCutOff(t *testing.T) {
	var out bytes.Buffer
	l := accesslog.New(&out)
	defer func() {
		if err, ok := recover().(error); !ok || !errors.Is(err, http.ErrAbortHandler) {
			t.Error("the abort is lost:", err)
		}
		l.Close()
		if !strings.Contains(out.String(), `"GET / HTTP/1.1" 200 3 `) {
			t.Errorf("logged %q", out.String())
		}
	}()
	l.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "abc")
		panic(http.ErrAbortHandler)
	}), always).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
}

// writes remembers what is written, and in what portions.
type writes struct {
	mu    sync.Mutex
	b     bytes.Buffer
	sized []int
}

func (w *writes) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sized = append(w.sized, len(p))
	return w.b.Write(p)
}

func (w *writes) sizes() []int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]int(nil), w.sized...)
}

func (w *writes) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.String()
}

type nowhere struct{ header http.Header }

func (w nowhere) Header() http.Header       { return w.header }
func (nowhere) Write(p []byte) (int, error) { return len(p), nil }
func (nowhere) WriteHeader(int)             {}

func BenchmarkHandler(b *testing.B) {
	l := accesslog.New(io.Discard)
	defer l.Close()
	h := l.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }), always)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		r := httptest.NewRequest("GET", "/items?select=id,name&id=eq.1", nil)
		w := nowhere{http.Header{}}
		for pb.Next() {
			h.ServeHTTP(w, r)
		}
	})
}
