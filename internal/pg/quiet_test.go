package pg

import (
	"net"
	"testing"
	"time"
)

func TestQuiet(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	pair := func() (client, server net.Conn) {
		client, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = client.Close() })
		if server, err = l.Accept(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = server.Close() })
		return client, server
	}
	becomesLoud := func(c net.Conn) bool {
		for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
			if !quiet(c) {
				return true
			}
		}
		return false
	}

	told, teller := pair()
	if !quiet(told) {
		t.Error("nothing was said")
	}
	if _, err := teller.Write([]byte("E")); err != nil {
		t.Fatal(err)
	}
	if !becomesLoud(told) {
		t.Error("something was said")
	}
	b := make([]byte, 1)
	if _, err := told.Read(b); err != nil || b[0] != 'E' {
		t.Errorf("what was said is %q, %v", b, err)
	}

	// The driver may be reading meanwhile.
	read, closer := pair()
	began := make(chan struct{})
	go func() {
		close(began)
		_, _ = read.Read(make([]byte, 1))
	}()
	<-began
	time.Sleep(20 * time.Millisecond)
	if !quiet(read) {
		t.Error("nothing was said")
	}
	_ = closer.Close()
	if !becomesLoud(read) {
		t.Error("it was closed")
	}
}
