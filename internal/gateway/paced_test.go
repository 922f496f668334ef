package gateway

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tarn-data/tarn/internal/fault"
)

// TestPaced has a server whose bodies must come within a moment and at 1000 bytes a second beyond it.
func TestPaced(t *testing.T) {
	h := paced(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if f, ok := errors.AsType[*fault.Error](err); ok {
			w.WriteHeader(int(f.Kind))
			return
		}
		if err != nil {
			t.Errorf("read: %v", err)
			return
		}
		time.Sleep(400 * time.Millisecond) // longer than the body may take: the answer has time of its own
		if r.Context().Err() != nil {
			t.Error("the deadline of the body ended the request")
		}
		_, _ = io.WriteString(w, strconv.Itoa(len(body)))
	}), 300*time.Millisecond, 1000)
	server := httptest.NewServer(h)
	defer server.Close()

	res, err := http.Post(server.URL, "text/plain", strings.NewReader("quick"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if text, _ := io.ReadAll(res.Body); string(text) != "5" {
		t.Errorf("a quick body: %s %q", res.Status, text)
	}

	var dialer net.Dialer
	conn, err := dialer.DialContext(context.Background(), "tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_, _ = io.WriteString(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\na")
	_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	answer, _ := io.ReadAll(conn) // until the server closes it
	if !strings.HasPrefix(string(answer), "HTTP/1.1 408 ") {
		t.Errorf("a body that doesn't come: %q", answer)
	}
}
