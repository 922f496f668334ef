package pg_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/tarn-data/tarn/internal/pg"
	"github.com/tarn-data/tarn/internal/pgtest"
)

func openPool(t *testing.T, opt pg.PoolOptions) *pg.Pool {
	t.Helper()
	if opt.AcquireTimeout == 0 {
		opt.AcquireTimeout = 20 * time.Second
	}
	pool, err := pg.OpenPool(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

func acquire(t *testing.T, pool *pg.Pool, shape string) *pg.Conn {
	t.Helper()
	conn, err := pool.Acquire(t.Context(), shape)
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

func pid(c *pg.Conn) uint32 { return c.PgConn().PID() }

// eventually waits until something is so.
func eventually(t *testing.T, what string, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !so(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal(what)
		}
	}
}

// TestLastUsedIsNext holds that few connections do what few can do, so that the others can be closed.
func TestLastUsedIsNext(t *testing.T) {
	pool := openPool(t, pg.PoolOptions{URL: pgtest.New(t).URL, Size: 3})
	a, b, c := acquire(t, pool, "q"), acquire(t, pool, "r"), acquire(t, pool, "s")
	want := pid(b)
	for _, conn := range []*pg.Conn{a, c, b} {
		conn.Release()
	}
	for range 5 {
		conn := acquire(t, pool, "q")
		if got := pid(conn); got != want {
			t.Fatalf("connection %d, want %d", got, want)
		}
		conn.Release()
	}
	if s := pool.Stat(); s.Open != 3 || s.InUse != 0 || s.Max != 3 || s.Waiting != 0 {
		t.Errorf("%+v", s)
	}
}

// TestStuckShapesLeaveSome has more statements that never end than the pool has connections.
func TestStuckShapesLeaveSome(t *testing.T) {
	pool := openPool(t, pg.PoolOptions{URL: pgtest.New(t).URL, Size: 4, Reserve: 1})
	acquire(t, pool, "fast").Release() // so it is known
	ctx, cancel := context.WithCancel(t.Context())
	var stuck sync.WaitGroup
	for i := range 24 {
		stuck.Go(func() {
			conn, err := pool.Acquire(ctx, fmt.Sprint("stuck", i%3))
			if err != nil {
				return
			}
			_, _ = conn.Exec(ctx, "SELECT pg_sleep(100)")
			conn.Release()
		})
	}
	eventually(t, "they don't wait", func() bool { s := pool.Stat(); return s.SlowWaiting == 21 && s.InUse == 3 })
	if s := pool.Stat(); s.Slow != 3 || s.SlowMax != 3 || s.Waiting != 21 {
		t.Errorf("%+v", s)
	}
	for range 100 {
		acquire(t, pool, "fast").Release()
	}
	cancel()
	stuck.Wait()
	eventually(t, "connections are not given back", func() bool { s := pool.Stat(); return s.InUse == 0 && s.Slow == 0 && s.Waiting == 0 })
}

// TestWaitIsBounded has requests wait for nothing, with a limit of the pool and with one of their own.
func TestWaitIsBounded(t *testing.T) {
	url := pgtest.New(t).URL
	pool := openPool(t, pg.PoolOptions{URL: url, Size: 1, AcquireTimeout: 20 * time.Millisecond})
	// To connect may take longer than that; whoever comes later finds the connection.
	var held *pg.Conn
	eventually(t, "there is no connection", func() bool {
		conn, err := pool.Acquire(t.Context(), "q")
		held = conn
		return err == nil
	})
	if _, err := pool.Acquire(t.Context(), "q"); !errors.Is(err, pg.ErrAcquireTimeout) {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := pool.Acquire(ctx, "q"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	held.Release()
	acquire(t, pool, "q").Release()
	if s := pool.Stat(); s.Waiting != 0 || s.InUse != 0 {
		t.Errorf("%+v", s)
	}
}

// TestNobodyAnswers has a server that takes connections and says nothing.
func TestNobodyAnswers(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	pool := openPool(t, pg.PoolOptions{URL: "postgres://u@" + l.Addr().String() + "/d?sslmode=disable", Size: 1, AcquireTimeout: 30 * time.Millisecond})
	for range 3 {
		if _, err := pool.Acquire(t.Context(), "q"); !errors.Is(err, pg.ErrAcquireTimeout) {
			t.Errorf("%v", err)
		}
	}
}

// TestClosedByTheServer finds out that a server has ended idle connections, before anything is sent to them.
func TestClosedByTheServer(t *testing.T) {
	db := pgtest.New(t)
	pool := openPool(t, pg.PoolOptions{URL: db.URL, Size: 3})
	conns := []*pg.Conn{acquire(t, pool, "q"), acquire(t, pool, "r"), acquire(t, pool, "s")}
	for _, c := range conns {
		c.Release()
	}
	db.Exec(t, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")
	time.Sleep(600 * time.Millisecond) // one that was used just now is not looked at
	for range 3 {
		conn := acquire(t, pool, "q")
		if err := conn.Ping(t.Context()); err != nil {
			t.Error(err)
		}
		defer conn.Release()
	}
}

func TestConnectionsAreReplaced(t *testing.T) {
	url := pgtest.New(t).URL
	for name, c := range map[string]struct {
		opt  pg.PoolOptions
		then func(*pg.Pool)
	}{
		"too old":   {opt: pg.PoolOptions{MaxLifetime: 50 * time.Millisecond}},
		"idle":      {opt: pg.PoolOptions{MaxIdleTime: 50 * time.Millisecond}},
		"reset":     {then: (*pg.Pool).Reset},
		"untouched": {then: func(*pg.Pool) {}},
	} {
		t.Run(name, func(t *testing.T) {
			c.opt.URL, c.opt.Size = url, 2
			pool := openPool(t, c.opt)
			idle, busy := acquire(t, pool, "q"), acquire(t, pool, "r")
			first, second := pid(idle), pid(busy)
			idle.Release()
			if c.then == nil {
				eventually(t, "the idle one is not closed", func() bool { return pool.Stat().Open == 1 })
			} else {
				c.then(pool)
			}
			time.Sleep(2 * c.opt.MaxLifetime)
			if err := busy.Ping(t.Context()); err != nil {
				t.Error("the busy one is closed:", err)
			}
			busy.Release()
			eventually(t, "connections stay", func() bool { return name == "untouched" || pool.Stat().Open < 2 })
			conn := acquire(t, pool, "q")
			defer conn.Release()
			old := pid(conn) == first || pid(conn) == second
			if replaced := name != "untouched" && name != "idle"; replaced == old {
				t.Errorf("connection %d after %d and %d", pid(conn), first, second)
			}
		})
	}
}

// TestBrokenConnectionsAreClosed gives back connections that are of no more use.
func TestBrokenConnectionsAreClosed(t *testing.T) {
	pool := openPool(t, pg.PoolOptions{URL: pgtest.New(t).URL, Size: 1})
	for name, breakIt := range map[string]func(*pg.Conn){
		"closed":           func(c *pg.Conn) { _ = c.Close(t.Context()) },
		"in a transaction": func(c *pg.Conn) { _, _ = c.Exec(t.Context(), "BEGIN") },
		"busy":             func(c *pg.Conn) { c.PgConn().Exec(t.Context(), "SELECT 1; SELECT pg_sleep(0.01)") },
	} {
		conn := acquire(t, pool, "q")
		before := pid(conn)
		breakIt(conn)
		conn.Release()
		conn = acquire(t, pool, "q")
		if pid(conn) == before {
			t.Errorf("%s: it is used again", name)
		}
		if err := conn.Ping(t.Context()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		conn.Release()
	}
}

func TestNoSuchServer(t *testing.T) {
	pool := openPool(t, pg.PoolOptions{URL: "postgres://u:secret@127.0.0.1:1/d", Size: 2})
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() {
			_, err := pool.Acquire(t.Context(), "q")
			if err == nil || errors.Is(err, pg.ErrAcquireTimeout) || strings.Contains(err.Error(), "secret") {
				t.Errorf("%v", err)
			}
		})
	}
	all.Wait()
	if s := pool.Stat(); s.Open != 0 || s.InUse != 0 || s.Slow != 0 || s.Waiting != 0 {
		t.Errorf("%+v", s)
	}
}

// TestPoolUnderLoad has many take and give back, cancel and reset, and looks whether all is as it was.
func TestPoolUnderLoad(t *testing.T) {
	pool := openPool(t, pg.PoolOptions{URL: pgtest.New(t).URL, Size: 4, Reserve: 1})
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			for j := range 60 {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(1+(i*j)%20)*time.Millisecond)
				conn, err := pool.Acquire(ctx, fmt.Sprint("q", i%5))
				if err == nil {
					if i%4 == 0 {
						_, _ = conn.Exec(ctx, "SELECT pg_sleep(0.005)")
					}
					conn.Release()
				}
				cancel()
				if i == 1 && j%20 == 0 {
					pool.Reset()
				}
			}
		})
	}
	all.Wait()
	eventually(t, "something is still held", func() bool {
		s := pool.Stat()
		return s.InUse == 0 && s.Slow == 0 && s.Waiting == 0 && s.SlowWaiting == 0 && s.Open <= 4
	})
	var conns []*pg.Conn
	for i := range 4 {
		conns = append(conns, acquire(t, pool, fmt.Sprint("new", i/2)))
		if i == 2 {
			break // the fourth is for what is known
		}
	}
	for _, c := range conns {
		c.Release()
	}
}

// TestCloseWaits closes a pool with connections in use and requests that wait.
func TestCloseWaits(t *testing.T) {
	url := pgtest.New(t).URL
	before := goleak.IgnoreCurrent()
	pool, err := pg.OpenPool(pg.PoolOptions{URL: url, Size: 1, MaxIdleTime: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	held := acquire(t, pool, "q")
	waits := make(chan error)
	go func() {
		_, err := pool.Acquire(context.Background(), "q")
		waits <- err
	}()
	eventually(t, "nobody waits", func() bool { return pool.Stat().Waiting == 1 })
	closed := make(chan struct{})
	go func() {
		pool.Close()
		close(closed)
	}()
	if err := <-waits; !errors.Is(err, pg.ErrPoolClosed) {
		t.Error(err)
	}
	select {
	case <-closed:
		t.Error("a connection is in use, and it is closed")
	default:
	}
	held.Release()
	<-closed
	pool.Close()
	if _, err := pool.Acquire(t.Context(), "q"); !errors.Is(err, pg.ErrPoolClosed) {
		t.Error(err)
	}
	goleak.VerifyNone(t, before)
}

// TestLentConnections lends connections of a pool: they are in use, leave less to everybody, and are wanted back when
// connections are to be new and when there are to be none.
func TestLentConnections(t *testing.T) {
	pool := openPool(t, pg.PoolOptions{URL: pgtest.New(t).URL, Size: 4, MaxLifetime: time.Minute})
	lend := func(want bool) (conn *pg.Conn, recalled chan struct{}) {
		t.Helper()
		conn, recalled = acquire(t, pool, "q"), make(chan struct{}, 9)
		if got := conn.Lend(func() { recalled <- struct{}{} }); got != want {
			t.Fatalf("lent: %v", got)
		}
		return conn, recalled
	}
	a, recalledA := lend(true)
	b, _ := lend(true)
	if s := pool.Stat(); s.Lent != 2 || s.InUse != 2 || s.Slow != 0 {
		t.Errorf("%+v", s)
	}
	c, d := acquire(t, pool, "q"), acquire(t, pool, "q")
	if pool.Free() {
		t.Error("one is free")
	}
	waited := make(chan *pg.Conn, 1)
	go func() { waited <- acquire(t, pool, "r") }()
	eventually(t, "nobody waits", func() bool { return pool.Stat().Waiting == 1 })
	b.Release() // to who waits
	(<-waited).Release()
	if s := pool.Stat(); s.Lent != 1 || s.InUse != 3 {
		t.Errorf("%+v", s)
	}
	pool.Reset()
	<-recalledA
	if _, err := a.Exec(t.Context(), "SELECT 1"); err != nil {
		t.Error(err)
	}
	old := pid(a)
	a.Release()
	if c.Lend(func() {}) {
		t.Error("lent, although there are to be new ones")
	}
	c.Release()
	d.Release()
	eventually(t, "old connections", func() bool { return pool.Stat().Open == 0 })
	e, recalledE := lend(true)
	if pid(e) == old {
		t.Error("it is the old one")
	}
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		pool.Close()
	}()
	<-recalledE
	select {
	case <-closed:
		t.Error("closed, with a connection in use")
	default:
	}
	e.Release()
	<-closed
}

func TestBrokenIsNotLent(t *testing.T) {
	pool := openPool(t, pg.PoolOptions{URL: pgtest.New(t).URL, Size: 2})
	c := acquire(t, pool, "q")
	if _, err := c.Exec(t.Context(), "BEGIN"); err != nil {
		t.Fatal(err)
	}
	if c.Lend(func() {}) {
		t.Error("lent in a transaction")
	}
	c.Release()
	if s := pool.Stat(); s.Lent != 0 || s.InUse != 0 {
		t.Errorf("%+v", s)
	}
}
