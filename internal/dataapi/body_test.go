package dataapi

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/tarn-data/tarn/internal/fault"
)

// receive has a handler read a request that a client begins, and returns what came of it.
func receive(t *testing.T, sent []byte, length int, read func(*body) error) error {
	t.Helper()
	out := make(chan error, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := openBody(w, r, 1<<30)
		if err == nil {
			b.idle = 10 * time.Millisecond
			err = read(b)
		}
		out <- err
	}))
	defer server.Close()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_, _ = fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: tarn\r\nContent-Length: %d\r\n\r\n", length)
	if _, err := conn.Write(sent); err != nil {
		t.Fatal(err)
	}
	return <-out
}

func TestBodyThatStalls(t *testing.T) {
	sent := bytes.Repeat([]byte("x"), holdBelow+1000)
	for name, read := range map[string]func(*body) error{
		"held":  func(b *body) error { _, err := b.hold(1 << 20); return err },
		"taken": func(b *body) error { b.take(); _, err := io.Copy(io.Discard, b); return err },
	} {
		if err := receive(t, sent, 1<<20, read); fault.From(err).Kind != fault.Stalled {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestBodyIsReadAgain(t *testing.T) {
	sent := make([]byte, 3*holdBelow)
	for i := range sent {
		sent[i] = byte(i * 7)
	}
	err := receive(t, sent, len(sent), func(b *body) error {
		b.idle = time.Minute
		part := make([]byte, holdBelow+500)
		for range 2 { // as to look at it, and once more after a reload
			b.rewind()
			if _, err := io.ReadFull(b, part); err != nil || !bytes.Equal(part, sent[:len(part)]) {
				return fmt.Errorf("the beginning: %w", err)
			}
		}
		b.take()
		rest, err := io.ReadAll(b)
		if err != nil || !bytes.Equal(rest, sent[len(part):]) || len(b.head) > 0 {
			return fmt.Errorf("the rest: %d bytes, %d kept, %w", len(rest), len(b.head), err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
