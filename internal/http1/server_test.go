package http1_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tarn-data/tarn/internal/http1"
)

// served is a handler that is served on an address, by this server or by net/http.
type served struct {
	net.Addr
	server interface {
		Serve(l net.Listener) error
		Shutdown(ctx context.Context) error
		Close() error
		SetKeepAlivesEnabled(on bool)
	}
	done chan error
}

func serve(t testing.TB, other *http.Server, ours bool) *served {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if other.ErrorLog == nil {
		other.ErrorLog = log.New(io.Discard, "", 0)
	}
	s := &served{Addr: l.Addr(), server: other, done: make(chan error, 1)}
	if ours {
		s.server = http1.New(other)
	}
	go func() { s.done <- s.server.Serve(l) }()
	t.Cleanup(func() { _ = s.server.Close() })
	return s
}

func (s *served) dial(t testing.TB) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", s.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c.(*net.TCPConn)
}

// say sends parts, in packets of their own, and returns all that comes back until the server ends the connection.
func (s *served) say(t testing.TB, parts ...string) string {
	t.Helper()
	c := s.dial(t)
	for i, p := range parts {
		if i > 0 {
			time.Sleep(5 * time.Millisecond)
		}
		if _, err := io.WriteString(c, p); err != nil {
			break
		}
	}
	_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
	all, err := io.ReadAll(c)
	if err != nil && !strings.Contains(err.Error(), "reset") {
		t.Fatalf("%q: %v", parts, err)
	}
	return string(all)
}

// answers reads what a server said as responses, with their fields in order and without the date.
func answers(t testing.TB, all string) string {
	t.Helper()
	var out strings.Builder
	r := bufio.NewReader(strings.NewReader(all))
	for {
		res, err := http.ReadResponse(r, &http.Request{Method: http.MethodGet})
		if err != nil {
			if !errors.Is(err, io.ErrUnexpectedEOF) {
				fmt.Fprintf(&out, "(%v)\n", err)
			}
			return out.String()
		}
		body, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if res.Header.Get("Date") == "" && res.StatusCode >= 200 && res.StatusCode != http.StatusBadRequest {
			fmt.Fprintln(&out, "without a date")
		}
		res.Header.Del("Date")
		fmt.Fprintln(&out, res.Proto, res.Status, res.ContentLength, res.TransferEncoding, res.Close, err)
		for _, name := range slices.Sorted(maps.Keys(res.Header)) {
			fmt.Fprintf(&out, "%s: %q\n", name, res.Header[name])
		}
		fmt.Fprintf(&out, "%d %x %.200q\n", len(body), sha256.Sum256(body), body)
	}
}

// echo tells what arrived.
func echo(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var out strings.Builder
	fmt.Fprintln(&out, r.Method, r.RequestURI, r.URL, r.URL.RawPath, r.Host, r.Proto, r.ContentLength, r.TransferEncoding, r.Close, err)
	for _, name := range slices.Sorted(maps.Keys(r.Header)) {
		fmt.Fprintf(&out, "%s: %q\n", name, r.Header[name])
	}
	fmt.Fprintf(&out, "%q\n%v\n", body, r.Trailer)
	w.Header().Set("Content-Type", "text/plain")
	_, _ = io.WriteString(w, out.String())
}

const last = "GET /last HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"

// TestRequestsAreThoseOfNetHTTP sends all kinds of requests to this server and to net/http, which have to answer the same.
func TestRequestsAreThoseOfNetHTTP(t *testing.T) {
	t.Parallel()
	field := func(lines ...string) []string {
		return []string{"GET /a?b=c HTTP/1.1\r\nHost: h\r\n" + strings.Join(lines, "\r\n") + "\r\n\r\n" + last}
	}
	long := strings.Repeat("x", 20<<10)
	for name, parts := range map[string][]string{
		"plain":                 {last},
		"two":                   {"GET /a%2Fb?c=d HTTP/1.1\r\nHost: h:80\r\n\r\n", last},
		"pipelined":             {"GET /a HTTP/1.1\r\nHost: h\r\n\r\nPOST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi" + last},
		"in pieces":             {"GE", "T /a HTTP", "/1.1\r", "\nHost: h\r\n", "\r", "\n" + last},
		"body":                  {"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello" + last},
		"body later":            {"PATCH /a HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhe", "llo" + last},
		"body of a GET":         {"GET /a HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello" + last},
		"empty body":            {"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n" + last},
		"large body":            {"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 20480\r\n\r\n" + long[:9000], long[9000:] + last},
		"rather large body":     {"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 10000\r\n\r\n" + long[:3000], long[:7000] + last},
		"chunks":                {"POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n" + last},
		"trailer":               {"POST /a HTTP/1.1\r\nHost: h\r\nTrailer: X-T\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-T: 1\r\n\r\n" + last},
		"chunks and a length":   {"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n" + last},
		"expect":                {"POST /a HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n", "hi" + last},
		"two lengths":           {"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nhi" + last},
		"one length twice":      {"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nhi" + last},
		"negative length":       {"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: -2\r\n\r\nhi" + last},
		"length with a sign":    {"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: +2\r\n\r\nhi" + last},
		"length with zeros":     {"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 002\r\n\r\nhi" + last},
		"no host":               {"GET / HTTP/1.1\r\n\r\n"},
		"two hosts":             {"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"},
		"empty host":            {"GET / HTTP/1.1\r\nHost:\r\nConnection: close\r\n\r\n"},
		"odd host":              {"GET / HTTP/1.1\r\nHost: a b\r\nConnection: close\r\n\r\n"},
		"IPv6":                  {"GET / HTTP/1.1\r\nHost: [::1]:80\r\nConnection: close\r\n\r\n"},
		"HTTP/1.0":              {"GET / HTTP/1.0\r\n\r\n"},
		"HTTP/1.0 kept":         {"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" + last},
		"HTTP/0.9":              {"GET /\r\n\r\n"},
		"HTTP/1.2":              {"GET / HTTP/1.2\r\nHost: h\r\n\r\n" + last},
		"HTTP/2":                {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"},
		"absolute":              {"GET http://other/x?y HTTP/1.1\r\nHost: h\r\n\r\n" + last},
		"star":                  {"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n" + last},
		"own method":            {"BREW /pot HTTP/1.1\r\nHost: h\r\n\r\n" + last},
		"small method":          {"get / HTTP/1.1\r\nHost: h\r\n\r\n" + last},
		"CONNECT":               {"CONNECT h:1 HTTP/1.1\r\nHost: h\r\n\r\n" + last},
		"two slashes":           {"GET //a//b HTTP/1.1\r\nHost: h\r\n\r\n" + last},
		"bad escape":            {"GET /%zz HTTP/1.1\r\nHost: h\r\n\r\n" + last},
		"escapes":               {"GET /a%20b/%C3%A4?q=%C3%A4 HTTP/1.1\r\nHost: h\r\n\r\n" + last},
		"bytes in the target":   {"GET /\xc3\xa4 HTTP/1.1\r\nHost: h\r\n\r\n" + last},
		"fragment":              {"GET /a#b HTTP/1.1\r\nHost: h\r\n\r\n" + last},
		"colon":                 {"GET /a:b HTTP/1.1\r\nHost: h\r\n\r\n" + last},
		"space in the target":   {"GET /a b HTTP/1.1\r\nHost: h\r\n\r\n" + last},
		"two spaces":            {"GET  /a HTTP/1.1\r\nHost: h\r\n\r\n" + last},
		"lines without CR":      {"GET /a HTTP/1.1\nHost: h\n\n" + last},
		"one line without CR":   {"GET /a HTTP/1.1\r\nHost: h\nX: y\r\n\r\n" + last},
		"CR alone":              {"GET /a HTTP/1.1\r\nHost: h\r\nX: a\rb\r\n\r\n" + last},
		"empty line first":      {"\r\nGET /a HTTP/1.1\r\nHost: h\r\n\r\n" + last},
		"nonsense":              {"\x16\x03\x01\x00\x00\r\n\r\n"},
		"many fields":           field(strings.Repeat("X-A: b\r\n", 100) + "X-Last: c"),
		"large field":           field("X-A: " + long),
		"same field":            field("X-A: 1", "X-B: 2", "x-a: 3", "X-A: 4"),
		"fields' case":          field("x-lower: a", "X-UPPER: b", "x_y: c", "Etag: d", "ACCEPT: e"),
		"fields' space":         field("X-A:   b  ", "X-B:\tc\t", "X-C:", "X-D:d"),
		"folded":                field("X-A: b", " c"),
		"space before colon":    field("X-A : b"),
		"no colon":              field("X-A"),
		"no name":               field(": a"),
		"odd name":              field("X(A): b"),
		"zero byte":             field("X-A: a\x00b"),
		"control byte":          field("X-A: a\x7fb"),
		"bytes in a value":      field("X-A: \xc3\xa4\xff"),
		"no-cache":              field("Pragma: no-cache"),
		"upgrade":               field("Connection: Upgrade", "Upgrade: websocket"),
		"TE":                    field("TE: trailers"),
		"keep-alive":            field("Connection: Keep-Alive"),
		"closes":                field("Connection: Close"),
		"connection twice":      field("Connection: keep-alive", "Connection: close"),
		"connection list":       field("Connection: close, X-A", "X-A: b"),
		"cookies":               field("Cookie: a=b", "Cookie: c=d"),
		"authorization":         field("Authorization: Bearer x", "Accept-Encoding: gzip"),
		"body ends early":       {"POST /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 1\r\n\r\nhi"},
		"handed over in a body": {"GET /a HTTP/1.1\r\nHost: h\r\n\r\n", "GET /b HTTP/1.1\r\nHost: h\r\nTE: trailers\r\n\r\n" + last},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := answers(t, serve(t, &http.Server{Handler: http.HandlerFunc(echo)}, true).say(t, parts...))
			want := answers(t, serve(t, &http.Server{Handler: http.HandlerFunc(echo)}, false).say(t, parts...))
			if got != want {
				t.Errorf("%q is answered:\n%s\nby net/http:\n%s", parts, got, want)
			}
		})
	}
}

// TestAnswersAreThoseOfNetHTTP has handlers answer in all ways.
func TestAnswersAreThoseOfNetHTTP(t *testing.T) {
	t.Parallel()
	long := bytes.Repeat([]byte("0123456789abcdef"), 20<<10)
	length := func(n int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", fmt.Sprint(n))
			for p := long[:n]; len(p) > 0; {
				k := min(len(p), 50_000)
				_, _ = w.Write(p[:k])
				p = p[k:]
			}
		}
	}
	for name, h := range map[string]http.HandlerFunc{
		"nothing":             func(http.ResponseWriter, *http.Request) {},
		"status":              func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) },
		"status without name": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(299) },
		"no content":          func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) },
		"body of no content": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusNoContent)
			_, err := w.Write(long[:5])
			if !errors.Is(err, http.ErrBodyNotAllowed) {
				t.Error(err)
			}
		},
		"not modified": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Etag", `"a"`)
			w.WriteHeader(http.StatusNotModified)
		},
		"early hints": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Link", "</a>")
			w.WriteHeader(http.StatusEarlyHints)
			_, _ = w.Write(long[:5])
		},
		"small":           func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) },
		"in two parts":    func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(long[:5]); _, _ = w.Write(long[:5]) },
		"nothing written": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(nil) },
		"large":           func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(long) },
		"large in parts": func(w http.ResponseWriter, _ *http.Request) {
			for range 10 {
				_, _ = w.Write(long[:30_000])
			}
		},
		"length small":   length(100),
		"length large":   length(len(long)),
		"length of none": length(0),
		"too long": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "3")
			if _, err := w.Write(long[:5]); !errors.Is(err, http.ErrContentLength) {
				t.Error(err)
			}
		},
		"too short": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "30")
			_, _ = w.Write(long[:5])
		},
		"flushed": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "a/b")
			_, _ = w.Write(long[:5])
			if err := http.NewResponseController(w).Flush(); err != nil {
				t.Error(err)
			}
			_, _ = w.Write(long[:6])
		},
		"flushed at first": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "a/b")
			_ = http.NewResponseController(w).Flush()
		},
		"typed": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "a/b")
			_, _ = w.Write(long[:5])
		},
		"untyped": func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Content-Type"] = nil
			_, _ = w.Write(long[:5])
		},
		"encoded": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "x")
			_, _ = w.Write(long[:5])
		},
		"set late":     func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(200); w.Header().Set("X-A", "b") },
		"status twice": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(201); w.WriteHeader(500) },
		"odd fields": func(w http.ResponseWriter, _ *http.Request) {
			h := w.Header()
			h["x-small"], h["X Y"], h["X-Lines"], h["X-Trim"], h[""] = []string{"a"}, []string{"b"}, []string{"c\r\nd: e\nf"}, []string{" g\t"}, []string{"h"}
			h["X-Many"] = []string{"1", "2"}
		},
		"closes": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Connection", "close")
			_, _ = w.Write(long[:5])
		},
		"aborts": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"aborts midway": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write(long[:100_000])
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		},
		"body not read": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(long[:5]) },
		"deadlines": func(w http.ResponseWriter, _ *http.Request) {
			c := http.NewResponseController(w)
			if err := errors.Join(c.SetReadDeadline(time.Now().Add(time.Minute)), c.SetWriteDeadline(time.Now().Add(time.Minute)), c.EnableFullDuplex()); err != nil {
				t.Error(err)
			}
			_, _ = w.Write(long[:5])
		},
	} {
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost} {
			t.Run(name+" "+method, func(t *testing.T) {
				t.Parallel()
				body := "Content-Length: 2\r\n\r\nhi"
				request := method + " / HTTP/1.1\r\nHost: h\r\n" + body + method + " / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n" + body
				read := answers
				if method == http.MethodHead {
					read = heads
				}
				got := read(t, serve(t, &http.Server{Handler: h}, true).say(t, request))
				want := read(t, serve(t, &http.Server{Handler: h}, false).say(t, request))
				if got != want {
					t.Errorf("answered:\n%.2000s\nby net/http:\n%.2000s", got, want)
				}
			})
		}
	}
}

// TestLengthThatIsNone doesn't pass it on, as net/http does for HEAD.
func TestLengthThatIsNone(t *testing.T) {
	t.Parallel()
	s := serve(t, &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Content-Length"] = []string{"x"}
		_, _ = io.WriteString(w, "abc")
	})}, true)
	if all := s.say(t, last); !strings.Contains(all, "\r\nContent-Length: 3\r\n") || strings.Contains(all, ": x") {
		t.Error(all)
	}
}

// heads is answers without bodies.
func heads(t testing.TB, all string) string {
	t.Helper()
	var out []string
	for line := range strings.SplitSeq(all, "\r\n") {
		if !strings.HasPrefix(line, "Date: ") {
			out = append(out, line)
		}
	}
	slices.Sort(out)
	return strings.Join(out, "\n")
}

// TestClientGoesAway cancels what is done for a client that nobody waits with.
func TestClientGoesAway(t *testing.T) {
	t.Parallel()
	began, ended := make(chan struct{}, 10), make(chan error, 10)
	s := serve(t, &http.Server{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		began <- struct{}{}
		select {
		case <-r.Context().Done():
			ended <- nil
		case <-time.After(20 * time.Second):
			ended <- errors.New("the handler wasn't told")
		}
	})}, true)
	c := s.dial(t)
	_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	<-began
	_ = c.Close()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// TestContextEndsWithTheRequest has nobody wait for a context of a request that is over, and the next one on its
// connection, though another looked after the first.
func TestContextEndsWithTheRequest(t *testing.T) {
	t.Parallel()
	contexts := make(chan context.Context, 2)
	s := serve(t, &http.Server{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		contexts <- r.Context()
		time.Sleep(300 * time.Millisecond) // long enough to be looked after
	})}, true)
	c := s.dial(t)
	r := bufio.NewReader(c)
	for range 2 {
		_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
		res, err := http.ReadResponse(r, nil)
		if err != nil || res.StatusCode != http.StatusOK {
			t.Fatal(res, err)
		}
		_ = res.Body.Close()
		ctx := <-contexts
		<-ctx.Done()
	}
}

// TestPatience closes connections that say nothing, or take too long to.
func TestPatience(t *testing.T) {
	t.Parallel()
	s := serve(t, &http.Server{Handler: http.HandlerFunc(echo), IdleTimeout: time.Second, ReadHeaderTimeout: time.Second}, true)
	for name, text := range map[string]string{"silent": "", "slow": "GET / HTTP/1.1\r\nHost", "idle": "GET / HTTP/1.1\r\nHost: h\r\n\r\n"} {
		if all := s.say(t, text); strings.Contains(all, "HTTP/1.1 200 OK") != (name == "idle") {
			t.Errorf("%s: %q", name, all)
		}
	}
}

// TestShutdown answers what was asked, and lets nobody in.
func TestShutdown(t *testing.T) {
	t.Parallel()
	began, goOn := make(chan struct{}), make(chan struct{})
	s := serve(t, &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			close(began)
			<-goOn
		}
		_, _ = io.WriteString(w, "done")
	})}, true)
	unused, used, busy := s.dial(t), s.dial(t), s.dial(t)
	_, _ = io.WriteString(used, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	in := bufio.NewReader(used)
	if _, err := http.ReadResponse(in, nil); err != nil { //nolint:bodyclose // the connection is looked at
		t.Fatal(err)
	}
	_, _ = io.WriteString(busy, "GET /slow HTTP/1.1\r\nHost: h\r\n\r\n")
	<-began
	shut := make(chan error, 1)
	go func() { shut <- s.server.Shutdown(t.Context()) }()
	if err := <-s.done; !errors.Is(err, http.ErrServerClosed) {
		t.Error(err)
	}
	if _, err := io.Copy(io.Discard, in); err != nil { // an idle connection is closed at once
		t.Error(err)
	}
	if c, err := net.Dial("tcp", s.String()); err == nil {
		_ = c.Close()
		t.Error("somebody was let in")
	}
	// Who came but has not said anything yet may still be about to.
	_, _ = io.WriteString(unused, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	if res, err := http.ReadResponse(bufio.NewReader(unused), nil); err != nil || !res.Close { //nolint:bodyclose // likewise
		t.Error(res, err)
	}
	select {
	case err := <-shut:
		t.Fatal("it didn't wait", err)
	default:
	}
	close(goOn)
	if res, err := http.ReadResponse(bufio.NewReader(busy), nil); err != nil || !res.Close { //nolint:bodyclose // likewise
		t.Error(res, err)
	}
	if err := <-shut; err != nil {
		t.Error(err)
	}
}

// TestShutdownGivesUp when its time is over.
func TestShutdownGivesUp(t *testing.T) {
	t.Parallel()
	began := make(chan struct{})
	s := serve(t, &http.Server{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(began)
		<-r.Context().Done()
	})}, true)
	_, _ = io.WriteString(s.dial(t), "GET /slow HTTP/1.1\r\nHost: h\r\n\r\n")
	<-began
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := s.server.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	_ = s.server.Close() // which the handler hears of
}

// TestNoReuse ends connections with the request that they are used for.
func TestNoReuse(t *testing.T) {
	t.Parallel()
	s := serve(t, &http.Server{Handler: http.HandlerFunc(echo)}, true)
	s.server.SetKeepAlivesEnabled(false)
	if all := s.say(t, "GET / HTTP/1.1\r\nHost: h\r\n\r\n"); !strings.Contains(all, "\r\nConnection: close\r\n") {
		t.Error(all)
	}
}

// TestPanics are logged, and end the connection.
func TestPanics(t *testing.T) {
	t.Parallel()
	logged := make(lines, 1)
	s := serve(t, &http.Server{ErrorLog: log.New(logged, "", 0), Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("oops") })}, true)
	if all := s.say(t, "GET / HTTP/1.1\r\nHost: h\r\n\r\n"); all != "" {
		t.Error(all)
	}
	if line := <-logged; !strings.Contains(line, "oops") {
		t.Error(line)
	}
}

// lines are what is logged.
type lines chan string

// Write implements io.Writer.
func (l lines) Write(p []byte) (int, error) {
	l <- string(p)
	return len(p), nil
}

// TestLateWriter keeps who goes on after the answer out of the next one.
func TestLateWriter(t *testing.T) {
	t.Parallel()
	writers := make(chan http.ResponseWriter, 2)
	s := serve(t, &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if len(writers) > 0 {
			if _, err := (<-writers).Write([]byte("late")); !errors.Is(err, net.ErrClosed) {
				t.Error(err)
			}
		}
		writers <- w
	})}, true)
	if all := s.say(t, "GET / HTTP/1.1\r\nHost: h\r\n\r\n"+last); strings.Contains(all, "late") {
		t.Error(all)
	}
}

// TestAllocations guards what a request costs beside its handler.
func TestAllocations(t *testing.T) {
	const most = 11
	s := serve(t, &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("abc")) })}, true)
	c, in := s.dial(t), make([]byte, 4096)
	request := []byte("GET /a?b=c HTTP/1.1\r\nHost: h\r\nAccept: */*\r\nUser-Agent: a/b\r\n\r\n")
	if n := testing.AllocsPerRun(500, func() {
		_, _ = c.Write(request)
		_, _ = c.Read(in)
	}); n > most {
		t.Errorf("%v allocations, more than %d", n, most)
	}
}
