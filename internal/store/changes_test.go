package store_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/tarn-data/tarn/internal/auth"
)

// TestDeafness has notifications not come though the connection for them seems to be there: what was remembered must not be
// believed for long.
func TestDeafness(t *testing.T) {
	t.Parallel()
	_, db := open(t)
	var held atomic.Bool
	state := openState(t, holding(t, db.URL, &held))
	if state.Listening() {
		t.Fatal("it doesn't listen yet")
	}
	listen(t, state)
	settled(t, state.Listening)
	var told atomic.Bool
	state.Watch("principals", func(key string) {
		if key == "ann" {
			told.Store(true)
		}
	})
	db.Exec(t, "INSERT INTO tarn.principals (id, kind, name) VALUES (10, 'User', 'ann')")
	settled(t, told.Load)
	frozen := time.Now()
	dir := state.Directory(func() time.Time { return frozen }) // so that nothing gets too old
	ann := func() *auth.Account {
		a, err := dir.Account(t.Context(), "ann")
		if err != nil || a == nil {
			t.Fatal(a, err)
		}
		return a
	}
	if !ann().Active {
		t.Fatal("ann isn't active")
	}
	held.Store(true)
	db.Exec(t, "UPDATE tarn.principals SET active = false WHERE id = 10")
	settled(t, func() bool { return !ann().Active })
	if state.Listening() {
		t.Error("it believes that it hears of changes")
	}
	held.Store(false)
	settled(t, state.Listening)
	db.Exec(t, "UPDATE tarn.principals SET active = true WHERE id = 10")
	settled(t, func() bool { return ann().Active })
}

// holding returns the connection string of a database behind a proxy that holds back what comes on a connection that
// listens, as long as it is told to.
func holding(t *testing.T, dsn string, held *atomic.Bool) string {
	t.Helper()
	cfg, err := pgconn.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	network, server := pgconn.NetworkAddress(cfg.Host, cfg.Port)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
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
			var listens atomic.Bool
			go relay(far, near, func(part []byte) {
				if bytes.Contains(part, []byte("LISTEN")) {
					listens.Store(true)
				}
			})
			go relay(near, far, func([]byte) {
				for listens.Load() && held.Load() && t.Context().Err() == nil {
					time.Sleep(5 * time.Millisecond)
				}
			})
		}
	}()
	return fmt.Sprintf("postgres://%s:%s@%s/%s?sslmode=disable", cfg.User, cfg.Password, l.Addr(), cfg.Database)
}

// relay copies from one connection to another, and looks at each part first.
func relay(to io.WriteCloser, from io.Reader, look func(part []byte)) {
	defer func() { _ = to.Close() }()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			look(buf[:n])
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
