package test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/tarn-data/tarn/internal/pgtest"
)

// raw sends bytes as they are and returns all that the server says until it closes the connection, or is silent.
func raw(t testing.TB, address, request string) string {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	_, _ = io.WriteString(conn, request) // the server may close before it has all
	var answer bytes.Buffer
	_, _ = io.Copy(&answer, conn)
	return answer.String()
}

// memory is how many bytes of memory a process has.
func memory(t testing.TB, pid int) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Skip("no /proc on this system")
	}
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	kb, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		t.Fatal(err)
	}
	return kb << 10
}

// TestAttacks has a server withstand what clients do who mean no good: it stays alive, small, and of use to others.
func TestAttacks(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	s := serve(t, dataDir(t), "--postgres", db.URL, "--state", db.URL, "--h2c", "--rate-limit", "0", "--log-level", "warn")
	address := strings.TrimPrefix(s.url, "http://")
	before := memory(t, s.cmd.Process.Pid)

	// Headers that never end: the connections are closed after a while, which is looked at last.
	const many = 300
	slow := make([]net.Conn, many)
	began := time.Now()
	for i := range slow {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ")
		slow[i] = conn
	}

	t.Run("smuggling", func(t *testing.T) {
		const inner = "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
		length := strconv.Itoa(len(inner))
		for name, request := range map[string]string{
			"two lengths":        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nContent-Length: " + length + "\r\n\r\n" + inner,
			"length with a sign": "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +" + length + "\r\n\r\n" + inner,
			"negative length":    "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n" + inner,
			"list of lengths":    "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0, " + length + "\r\n\r\n" + inner,
			"unknown coding":     "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, identity\r\nContent-Length: " + length + "\r\n\r\n" + inner,
			"strange coding":     "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\nContent-Length: " + length + "\r\n\r\n" + inner,
			"two codings":        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n" + inner,
			"space before colon": "POST / HTTP/1.1\r\nHost: x\r\nContent-Length : 0\r\n\r\n" + inner,
			"folded header":      "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding:\r\n chunked, x\r\n\r\n" + inner,
			"two hosts":          "GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n" + inner,
			"no host":            "GET / HTTP/1.1\r\n\r\n" + inner,
			"host with a path":   "GET / HTTP/1.1\r\nHost: x/y\r\n\r\n" + inner,
			"chunk of nonsense":  "POST " + restPath + "/x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n" + inner,
			"null in a header":   "GET / HTTP/1.1\r\nHost: x\r\nX-A: a\x00b\r\n\r\n" + inner,
		} {
			answer := raw(t, address, request)
			status, _, _ := strings.Cut(strings.TrimPrefix(answer, "HTTP/1.1 "), " ")
			if n := strings.Count(answer, "HTTP/1.1 "); n != 1 || status[0] != '4' && status[0] != '5' || strings.Contains(answer, "smuggled") {
				t.Errorf("%s: %d answers: %.300q", name, n, answer)
			}
		}
		// Where both are there, the coding counts for whoever asks us directly: what follows is a request of its own, never a
		// part of the first one's body, nor the first a part of it.
		both := raw(t, address, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"+inner)
		if !strings.HasPrefix(both, "HTTP/1.1 4") {
			t.Errorf("length and coding: %.300q", both)
		}
	})

	t.Run("too much", func(t *testing.T) {
		long := "GET / HTTP/1.1\r\nHost: x\r\n" + strings.Repeat("X-Large: "+strings.Repeat("a", 8000)+"\r\n", 400) + "\r\n"
		if answer := raw(t, address, long); !strings.HasPrefix(answer, "HTTP/1.1 431 ") {
			t.Errorf("large headers: %.100q", answer)
		}
		if answer := raw(t, address, "GET /"+strings.Repeat("a", 4<<20)+" HTTP/1.1\r\nHost: x\r\n\r\n"); answer != "" && !strings.HasPrefix(answer, "HTTP/1.1 4") {
			t.Errorf("long path: %.100q", answer)
		}
		token := s.token(t, "somebody", "--state", db.URL)
		claim := "POST " + restPath + "/x HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + token + "\r\nContent-Length: 99999999999\r\n\r\n"
		if answer := raw(t, address, claim); !strings.HasPrefix(answer, "HTTP/1.1 4") {
			t.Errorf("a body that is too large: %.100q", answer)
		}
		res := ask(t, http.MethodGet, s.url+discoveryPath, "", "X-Request-Id", "not an id "+strings.Repeat("x", 1000))
		if id := res.header.Get("X-Request-Id"); id == "" || strings.Contains(id, " ") || len(id) > 128 {
			t.Errorf("request id %q", id)
		}
	})

	t.Run("strange targets", func(t *testing.T) {
		for _, line := range []string{
			"GET http://elsewhere/api/2.0/x HTTP/1.1", "CONNECT elsewhere:80 HTTP/1.1", "OPTIONS * HTTP/1.1", "GET //a//b HTTP/1.1",
			"GET /../../etc/passwd HTTP/1.1", "GET /%2e%2e/%2e%2e/x HTTP/1.1", "GET /%00 HTTP/1.1", "GET /?%zz HTTP/1.1", "BREW / HTTP/1.1",
			"GET /api/2.0/ip-access-lists/%2F%2F HTTP/1.1", "GET " + restPath + "/%ff%fe HTTP/1.1",
		} {
			answer := raw(t, address, line+"\r\nHost: x\r\nConnection: close\r\n\r\n")
			res, err := http.ReadResponse(bufio.NewReader(strings.NewReader(answer)), nil)
			if err != nil {
				t.Errorf("%s: %.200q", line, answer)
				continue
			}
			if _ = res.Body.Close(); res.StatusCode >= 500 {
				t.Errorf("%s: %.200q", line, answer)
			}
		}
	})

	t.Run("HTTP/2", func(t *testing.T) {
		resets(t, address)
		continuations(t, address)
	})

	// What is served meanwhile and afterwards.
	if res := ask(t, http.MethodGet, s.url+discoveryPath, ""); res.status != http.StatusOK {
		t.Errorf("status %d", res.status)
	}
	for i, conn := range slow {
		_ = conn.SetReadDeadline(began.Add(40 * time.Second))
		if _, err := io.Copy(io.Discard, conn); err != nil && os.IsTimeout(err) {
			t.Fatalf("connection %d is still open, though its headers never came", i)
		}
	}
	if after := memory(t, s.cmd.Process.Pid); after > before+(256<<20) {
		t.Errorf("the process grew from %d to %d bytes", before, after)
	}
	if log := s.log.String(); strings.Contains(log, "panic") {
		t.Error("something panicked")
	}
}

// http2Conn is a connection that speaks HTTP/2 without encryption.
func http2Conn(t *testing.T, address string) (*http2.Framer, net.Conn) {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	framer := http2.NewFramer(conn, conn)
	if err := framer.WriteSettings(); err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = io.Copy(io.Discard, conn) }()
	return framer, conn
}

func requestHeaders(t *testing.T) []byte {
	t.Helper()
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for _, f := range [][2]string{{":method", "GET"}, {":scheme", "http"}, {":authority", "x"}, {":path", discoveryPath}} {
		if err := encoder.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]}); err != nil {
			t.Fatal(err)
		}
	}
	return block.Bytes()
}

// resets begins requests and takes them back at once, very often.
func resets(t *testing.T, address string) {
	t.Helper()
	framer, _ := http2Conn(t, address)
	const streams = 50_000
	block := requestHeaders(t)
	for i := range streams {
		id := uint32(2*i + 1)
		if framer.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: block, EndStream: true, EndHeaders: true}) != nil ||
			framer.WriteRSTStream(id, http2.ErrCodeCancel) != nil {
			return // the server has had enough
		}
	}
}

// continuations sends headers that never end.
func continuations(t *testing.T, address string) {
	t.Helper()
	framer, _ := http2Conn(t, address)
	if err := framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: requestHeaders(t)}); err != nil {
		t.Fatal(err)
	}
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	if err := encoder.WriteField(hpack.HeaderField{Name: "x-large", Value: strings.Repeat("a", 12_000), Sensitive: true}); err != nil {
		t.Fatal(err)
	}
	const frames = 20_000
	for range frames {
		if framer.WriteContinuation(1, false, block.Bytes()) != nil {
			return
		}
	}
	t.Errorf("the server took %d bytes of headers", frames*block.Len())
}
