package netfd

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
)

// pair is a wrapped connection and its other side.
func pair(t testing.TB, network string) (ours, theirs net.Conn) {
	t.Helper()
	address := "127.0.0.1:0"
	if network == "unix" {
		address = filepath.Join(t.TempDir(), "s")
	}
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	c, err := net.Dial(network, l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	theirs, err = l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	ours = Wrap(c)
	t.Cleanup(func() { _, _ = ours.Close(), theirs.Close() })
	return ours, theirs
}

func networks(t *testing.T, test func(t *testing.T, ours, theirs net.Conn)) {
	t.Helper()
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			t.Parallel()
			ours, theirs := pair(t, network)
			test(t, ours, theirs)
		})
	}
}

// TestTransfer sends more than fits into the sockets, in pieces of all sizes, both ways at once.
func TestTransfer(t *testing.T) {
	t.Parallel()
	networks(t, func(t *testing.T, ours, theirs net.Conn) {
		t.Helper()
		const size = 4 << 20
		text := make([]byte, size)
		for i := range text {
			text[i] = byte(rand.Uint32())
		}
		var all sync.WaitGroup
		for _, way := range []struct{ from, to net.Conn }{{ours, theirs}, {theirs, ours}} {
			all.Go(func() {
				for p := text; len(p) > 0; {
					n, err := way.from.Write(p[:min(len(p), rand.IntN(4*most))])
					if err != nil {
						t.Error(err)
						return
					}
					p = p[n:]
				}
			})
			all.Go(func() {
				got, buffer := make([]byte, 0, size), make([]byte, 4*most)
				for len(got) < size {
					n, err := way.to.Read(buffer[:1+rand.IntN(len(buffer)-1)])
					if err != nil {
						t.Error(err)
						return
					}
					got = append(got, buffer[:n]...)
				}
				if !bytes.Equal(got, text) {
					t.Error("something else arrived")
				}
			})
		}
		all.Wait()
	})
}

func TestEnd(t *testing.T) {
	t.Parallel()
	networks(t, func(t *testing.T, ours, theirs net.Conn) {
		t.Helper()
		_ = theirs.Close()
		var p [10]byte
		if n, err := ours.Read(p[:]); n != 0 || !errors.Is(err, io.EOF) {
			t.Error(n, err)
		}
		var err error
		for range 100 { // TCP only knows after the first
			if _, err = ours.Write(p[:]); err != nil {
				break
			}
			time.Sleep(time.Millisecond)
		}
		var op *net.OpError
		if !errors.Is(err, syscall.EPIPE) && !errors.Is(err, syscall.ECONNRESET) || !errors.As(err, &op) || op.Op != "write" {
			t.Error(err)
		}
	})
}

func TestCloseWrite(t *testing.T) {
	t.Parallel()
	networks(t, func(t *testing.T, ours, theirs net.Conn) {
		t.Helper()
		if err := CloseWrite(ours); err != nil {
			t.Error(err)
		}
		var p [10]byte
		if _, err := theirs.Read(p[:]); !errors.Is(err, io.EOF) {
			t.Error(err)
		}
		if n, err := theirs.Write(p[:]); n != len(p) || err != nil {
			t.Error(n, err)
		}
		if n, err := ours.Read(p[:]); n != len(p) || err != nil {
			t.Error(n, err)
		}
	})
}

func TestDeadlines(t *testing.T) {
	t.Parallel()
	networks(t, func(t *testing.T, ours, _ net.Conn) {
		t.Helper()
		p := make([]byte, most)
		_ = ours.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
		if n, err := ours.Read(p); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error(n, err)
		}
		_ = ours.SetWriteDeadline(time.Now().Add(50 * time.Millisecond))
		for { // nobody reads
			n, err := ours.Write(p)
			if err == nil {
				continue
			}
			var timeout net.Error
			if n >= len(p) || !errors.As(err, &timeout) || !timeout.Timeout() {
				t.Error(n, err)
			}
			return
		}
	})
}

func TestClosedMeanwhile(t *testing.T) {
	t.Parallel()
	networks(t, func(t *testing.T, ours, _ net.Conn) {
		t.Helper()
		ended := make(chan error)
		go func() {
			_, err := ours.Read(make([]byte, 10))
			ended <- err
		}()
		time.Sleep(10 * time.Millisecond)
		_ = ours.Close()
		if err := <-ended; !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
		if _, err := ours.Write([]byte("a")); !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	})
}

func TestPeek(t *testing.T) {
	t.Parallel()
	networks(t, func(t *testing.T, ours, theirs net.Conn) {
		t.Helper()
		go func() {
			time.Sleep(10 * time.Millisecond)
			_, _ = theirs.Write([]byte("ab"))
		}()
		if more, err := Peek(ours); !more || err != nil {
			t.Error(more, err)
		}
		var p [10]byte
		if n, err := ours.Read(p[:]); n != 2 || err != nil {
			t.Error(n, err)
		}
		_ = theirs.Close()
		if more, err := Peek(ours); more || err != nil {
			t.Error(more, err)
		}
		_ = ours.Close()
		if _, err := Peek(ours); !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	})
}

// TestAllocations guards that wrapping saves more than it costs.
func TestAllocations(t *testing.T) {
	ours, theirs := pair(t, "unix")
	p := make([]byte, 100)
	if n := testing.AllocsPerRun(100, func() {
		_, _ = ours.Write(p)
		_, _ = theirs.Read(p)
		_, _ = theirs.Write(p)
		_, _ = ours.Read(p)
	}); n > 0 {
		t.Error(n, "allocations")
	}
}

// TestOthers leaves what has no socket as it is.
func TestOthers(t *testing.T) {
	a, b := net.Pipe()
	if Wrap(a) != a {
		t.Error("a pipe was wrapped")
	}
	if _, err := Peek(b); !errors.Is(err, errors.ErrUnsupported) {
		t.Error(err)
	}
}
