package test

import (
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/tarn-data/tarn/internal/pgtest"
)

// TestNoRecovery holds that who wants no recovery is told by the exit status.
func TestNoRecovery(t *testing.T) {
	t.Run("no such database", func(t *testing.T) {
		site := newSite(t)
		site.set(t, "db-uri", strings.Replace(site.settings["db-uri"], site.db.Name, "nowhere", 1), "db-pool-automatic-recovery", "false")
		s := site.launch(t)
		if code := s.ends(t); code != 1 {
			t.Errorf("exit status %d", code)
		}
		s.awaitLog(t, "tarn: automatic recovery is off: ", 1)
	})
	t.Run("listener lost", func(t *testing.T) {
		site := newSite(t)
		site.set(t, "db-pool-automatic-recovery", "false")
		s := site.serve(t)
		site.expect(t, s.url+"/items?select=id&id=eq.1", `[{"id":1}]`)
		site.allowConnections(t, false)
		if code := s.ends(t); code != 1 {
			t.Errorf("exit status %d", code)
		}
	})
	t.Run("no listener, connections lost", func(t *testing.T) {
		site := newSite(t)
		site.set(t, "db-pool-automatic-recovery", "false", "db-channel-enabled", "false")
		s := site.serve(t)
		site.allowConnections(t, false)
		if got := ask(t, "GET", s.url+"/items", ""); got.status != 503 {
			t.Errorf("%d %s", got.status, got.body)
		}
		if code := s.ends(t); code != 1 {
			t.Errorf("exit status %d", code)
		}
	})
}

// TestWrongPassword holds that a wrong password is not tried again, and told to nobody.
func TestWrongPassword(t *testing.T) {
	_, port, err := net.SplitHostPort(freeAddress(t))
	if err != nil {
		t.Fatal(err)
	}
	number, err := net.LookupPort("tcp", port)
	if err != nil {
		t.Fatal(err)
	}
	server := pgtest.NewServer(t, pgtest.Options{Port: number, Access: "host all all 127.0.0.1/32 scram-sha-256\n"})
	db := server.NewDB(t)
	login := db.Role(t, "LOGIN")
	site := newSite(t)
	for name, uri := range map[string]string{
		"wrong": fmt.Sprintf("postgresql://%s:%s@127.0.0.1:%s/%s", login, opsPassword, port, db.Name),
		"none":  fmt.Sprintf("postgresql://%s@127.0.0.1:%s/%s", login, port, db.Name),
	} {
		t.Run(name, func(t *testing.T) {
			site.set(t, "db-uri", uri)
			s := site.launch(t)
			if code := s.ends(t); code != 1 {
				t.Errorf("exit status %d", code)
			}
			s.awaitLog(t, "password authentication failed", 1)
			if strings.Contains(s.log.String(), opsPassword) {
				t.Errorf("the password is in the log:\n%s", s.log.String())
			}
		})
	}
}

// TestOldServer meets a server of a version that is not supported any more.
func TestOldServer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go greetAsOldServer(conn)
		}
	}()
	site := newSite(t)
	site.set(t, "db-uri", "postgresql://someone@"+l.Addr().String()+"/some?sslmode=disable", "db-channel-enabled", "false")
	s := site.launch(t)
	if code := s.ends(t); code != 1 {
		t.Errorf("exit status %d", code)
	}
	s.awaitLog(t, "tarn: PostgreSQL 13.4 is too old", 1)
}

// greetAsOldServer lets a client in, and is of no more use.
func greetAsOldServer(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	b := pgproto3.NewBackend(conn, conn)
	if _, err := b.ReceiveStartupMessage(); err != nil {
		return
	}
	b.Send(&pgproto3.AuthenticationOk{})
	b.Send(&pgproto3.ParameterStatus{Name: "server_version", Value: "13.4"})
	b.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
	if b.Flush() != nil {
		return
	}
	_, _ = b.Receive()
}
