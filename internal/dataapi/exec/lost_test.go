package exec_test

import (
	"io"
	"net"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tarn-data/tarn/internal/dataapi/exec"
	"github.com/tarn-data/tarn/internal/pg"
)

// cutter stands before a server and passes all on, until it is to cut a connection: then what comes next of the client
// goes to the server, and nothing comes back.
type cutter struct {
	url string
	cut atomic.Bool
}

func newCutter(t *testing.T, server string) *cutter {
	t.Helper()
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	query := u.Query()
	socket := query.Get("host") + "/.s.PGSQL.5432"
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	host, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	query.Set("host", host)
	query.Set("port", port)
	query.Set("sslmode", "disable")
	u.RawQuery = query.Encode()
	c := &cutter{url: u.String()}
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			go c.pass(client, socket)
		}
	}()
	return c
}

func (c *cutter) pass(client net.Conn, socket string) {
	defer func() { _ = client.Close() }()
	server, err := net.Dial("unix", socket)
	if err != nil {
		return
	}
	go func() {
		_, _ = io.Copy(client, server)
		_ = client.Close()
	}()
	buf := make([]byte, 64<<10)
	for {
		n, err := client.Read(buf)
		if err != nil || c.cut.Swap(false) {
			_ = client.Close()
			_, _ = server.Write(buf[:n])
			time.Sleep(50 * time.Millisecond) // the server may do it all the same
			_ = server.Close()
			return
		}
		if _, err := server.Write(buf[:n]); err != nil {
			return
		}
	}
}

// TestLostConnections has connections lost when a statement was sent: what only reads is run again, and what writes isn't,
// since nobody knows what became of it.
func TestLostConnections(t *testing.T) {
	w := newWorld(t)
	c := newCutter(t, w.db.URL)
	pool, err := pg.OpenPool(pg.PoolOptions{URL: c.url, Size: 2, AcquireTimeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	w.runner = &exec.Runner{Pool: pool, Prepared: true}
	w.clean(t)
	for range 3 {
		c.cut.Store(true)
		if got := w.body(t, w.bob); got != "2,3" {
			t.Errorf("bob sees %q", got)
		}
		if c.cut.Load() {
			t.Error("no connection was lost")
		}
	}
	c.cut.Store(true)
	insert := write("INSERT INTO items (id) VALUES (7) RETURNING id")
	if _, err := w.runner.Run(t.Context(), session(w.ann), insert, exec.Commit, nil); err == nil || strings.Contains(err.Error(), "duplicate") {
		t.Errorf("a write whose connection was lost: %v", err)
	}
	w.clean(t)
}
