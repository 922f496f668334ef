package exec_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/tarn-data/tarn/internal/dataapi/exec"
	"github.com/tarn-data/tarn/internal/dataapi/schema"
	"github.com/tarn-data/tarn/internal/dataapi/sqlgen"
	"github.com/tarn-data/tarn/internal/pg"
)

// newSharedWorld is a world with more connections, of which some may be shared.
func newSharedWorld(t *testing.T, size, shared int) *world {
	t.Helper()
	w := newWorld(t)
	pool, err := pg.OpenPool(pg.PoolOptions{URL: w.db.RoleURL(t, w.login), Size: size, AcquireTimeout: 20 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	w.runner = &exec.Runner{Pool: pool, Prepared: true, Shared: shared}
	w.db.Exec(t, `CREATE FUNCTION wait() RETURNS int LANGUAGE plpgsql STABLE AS $$ BEGIN PERFORM pg_advisory_xact_lock_shared(7); RETURN 7; END $$`)
	return w
}

// brief is a query that may share a connection.
func brief(body string) *sqlgen.Query {
	q := query(body, true)
	q.Brief = true
	return q
}

func (w *world) ask(ctx context.Context, role, body string) (string, error) {
	res, err := w.runner.Run(ctx, session(role), brief(body), exec.Commit, nil)
	if err != nil {
		return "", err
	}
	return string(res.Row.Body), nil
}

// load are clients who ask all the time.
type load struct {
	stop    context.CancelFunc
	clients sync.WaitGroup
	asked   atomic.Int64
}

// load has clients ask until it is ended, or the test is. Each function asks once and checks the answer.
func (w *world) load(t *testing.T, clients int, asks ...func() error) *load {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	l := &load{stop: stop}
	for i := range clients {
		l.clients.Go(func() {
			for n := i; ctx.Err() == nil; n++ {
				if err := asks[n%len(asks)](); err != nil {
					t.Error(err)
					return
				}
				l.asked.Add(1)
			}
		})
	}
	t.Cleanup(l.end)
	return l
}

func (l *load) end() {
	l.stop()
	l.clients.Wait()
}

// more waits until so many more have been answered.
func (l *load) more(t *testing.T, n int64) {
	t.Helper()
	goal := l.asked.Load() + n
	eventually(t, "answers", func() bool { return l.asked.Load() >= goal })
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !is() {
		if t.Failed() || time.Now().After(deadline) {
			t.Fatal("there never were ", what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// soon returns what a request ends with.
func soon(t *testing.T, answer <-chan error) error {
	t.Helper()
	select {
	case err := <-answer:
		return err
	case <-time.After(30 * time.Second):
		t.Fatal("it never ends")
		return nil
	}
}

// sharing waits until so many connections are shared.
func (w *world) sharing(t *testing.T, n int) {
	t.Helper()
	eventually(t, strconv.Itoa(n)+" shared connections", func() bool { return w.runner.Pool.Stat().Lent == n })
}

// sees asks for the rows that a role sees.
func (w *world) sees(role, want string) func() error {
	return func() error {
		got, err := w.ask(context.Background(), role, ids)
		if err != nil || got != want {
			return fmt.Errorf("%s sees %q, %w", role, got, err)
		}
		return nil
	}
}

// TestShared has clients of two roles ask over shared connections: each sees what is its own, errors are the askers' only,
// and settings end with their request. When nobody asks any more the connections go back.
func TestShared(t *testing.T) {
	w := newSharedWorld(t, 6, 3)
	fails := func(body, code string) func() error {
		return func() error {
			_, err := w.ask(context.Background(), w.ann, body)
			if pgErr, ok := errors.AsType[*pgconn.PgError](err); !ok || pgErr.Code != code {
				return fmt.Errorf("%s: %w", body, err)
			}
			return nil
		}
	}
	given := func() error {
		value := strconv.Itoa(rand.Int())
		res, err := w.runner.Run(context.Background(), session(w.bob, schema.Setting{Name: "request.path", Value: value}),
			brief("SELECT current_setting('request.path') || current_setting('transaction_read_only')"), exec.Commit, nil)
		if err != nil || string(res.Row.Body) != value+"on" {
			return fmt.Errorf("%q instead of %s: %w", res.Row.Body, value, err)
		}
		return nil
	}
	unset := func() error {
		got, err := w.ask(context.Background(), w.ann, "SELECT coalesce(current_setting('request.path', true), '')")
		if err != nil || got != "" {
			return fmt.Errorf("another's setting %q, %w", got, err)
		}
		return nil
	}
	large := func() error { // what doesn't fit into the buffers between goes alone
		value := strings.Repeat("x", 40<<10)
		res, err := w.runner.Run(context.Background(), session(w.bob, schema.Setting{Name: "request.path", Value: value}),
			brief("SELECT current_setting('request.path')"), exec.Commit, nil)
		if err != nil || string(res.Row.Body) != value {
			return fmt.Errorf("%d bytes, %w", len(res.Row.Body), err)
		}
		return nil
	}
	checks := func() error { // as a read of one row does
		refused := errors.New("refused")
		_, err := w.runner.Run(context.Background(), session(w.ann), brief(ids), exec.Commit, func(*sqlgen.Row) error { return refused })
		if !errors.Is(err, refused) {
			return fmt.Errorf("not refused: %w", err)
		}
		return nil
	}
	news := func() error { // statements that no connection knows
		n := rand.IntN(2000)
		got, err := w.ask(context.Background(), w.bob, "SELECT "+strconv.Itoa(n))
		if err != nil || got != strconv.Itoa(n) {
			return fmt.Errorf("%q instead of %d: %w", got, n, err)
		}
		return nil
	}
	l := w.load(t, 16, w.sees(w.ann, "1"), w.sees(w.bob, "2,3"), given, unset, fails("SELECT 1 / (count(*) - count(*)) FROM items", "22012"),
		w.sees(w.bob, "2,3"), fails("SELECT nothing FROM items", "42703"), large, checks, news,
		fails("INSERT INTO items DEFAULT VALUES RETURNING id", "42601"), fails("SELECT nextval('pg_catalog.no')", "42P01"))
	w.sharing(t, 3)
	l.more(t, 5000)
	if s := w.runner.Pool.Stat(); s.Lent == 0 || s.Open > 6 {
		t.Errorf("%+v", s)
	}
	l.end()
	w.sharing(t, 0)
	if s := w.runner.Pool.Stat(); s.InUse != 0 || s.Open == 0 {
		t.Errorf("%+v", s)
	}
}

// TestSharedOnlyAmongMany: who asks alone has a connection alone, and so has what must not share.
func TestSharedOnlyAmongMany(t *testing.T) {
	w := newSharedWorld(t, 6, 3)
	for range 100 {
		if err := w.sees(w.ann, "1")(); err != nil {
			t.Fatal(err)
		}
		if w.runner.Pool.Stat().Lent != 0 {
			t.Fatal("a connection is shared with nobody")
		}
	}
	pre, serializable, long := session(w.ann), session(w.ann), query(ids, true)
	pre.PreRequest = "public.wait"
	serializable.Isolation = schema.Serializable
	l := w.load(t, 8, func() error {
		_, err := w.runner.Run(context.Background(), pre, brief(ids), exec.Commit, nil)
		return err
	}, func() error {
		_, err := w.runner.Run(context.Background(), serializable, brief(ids), exec.Commit, nil)
		return err
	}, func() error {
		_, err := w.runner.Run(context.Background(), session(w.ann), long, exec.Commit, nil)
		return err
	})
	l.more(t, 500)
	if w.runner.Pool.Stat().Lent != 0 {
		t.Error("a connection is shared")
	}
}

// hold takes the lock that wait waits for.
func (w *world) hold(t *testing.T) (release func()) {
	t.Helper()
	conn, err := pg.Connect(t.Context(), w.db.URL, "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(t.Context(), "SELECT pg_advisory_lock(7)"); err != nil {
		t.Fatal(err)
	}
	release = sync.OnceFunc(func() { _ = conn.Close(context.Background()) })
	t.Cleanup(release)
	return release
}

func (w *world) int(t *testing.T, sql string) int {
	t.Helper()
	if w.admin == nil {
		w.admin = w.db.Conn(t)
	}
	var n int
	if err := w.admin.QueryRow(t.Context(), sql).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// backend is who waits for the lock: the process of PostgreSQL, or 0 for nobody.
func (w *world) backend(t *testing.T) int {
	t.Helper()
	return w.int(t, "SELECT coalesce(max(pid), 0) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
}

// line finds the one connection that is shared.
func (w *world) line(t *testing.T) int {
	t.Helper()
	w.sharing(t, 1)
	got, err := w.ask(context.Background(), w.ann, "SELECT pg_backend_pid()")
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(got)
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// stall has a statement wait for the lock on the one connection that is shared.
func (w *world) stall(t *testing.T) (cancel context.CancelCauseFunc, answer chan error) {
	t.Helper()
	for range 10 {
		line := w.line(t)
		ctx, cancel := context.WithCancelCause(context.Background())
		answer := make(chan error, 1)
		go func() {
			got, err := w.ask(ctx, w.ann, "SELECT wait()")
			if err == nil && got != "7" {
				err = errors.New(got)
			}
			answer <- err
		}()
		eventually(t, "a statement that stands still", func() bool { return w.backend(t) != 0 })
		if w.backend(t) == line {
			t.Cleanup(func() { cancel(nil) })
			return cancel, answer
		}
		cancel(nil) // the connection was given back meanwhile
		if err := soon(t, answer); err == nil {
			t.Error("it didn't wait")
		}
	}
	t.Fatal("it never runs on the connection that is shared")
	return nil, nil
}

// TestStalledLine has a statement that stands still on the one shared connection: those who come after it are answered
// all the same, and it goes on.
func TestStalledLine(t *testing.T) {
	w := newSharedWorld(t, 4, 1)
	l := w.load(t, 8, w.sees(w.ann, "1"), w.sees(w.bob, "2,3"))
	release := w.hold(t)
	_, answer := w.stall(t)
	l.more(t, 1000)
	select {
	case err := <-answer:
		t.Error("it didn't wait: ", err)
	default:
	}
	release()
	if err := soon(t, answer); err != nil {
		t.Error(err)
	}
	w.sharing(t, 1) // another one, or the same again
	l.more(t, 1000)
}

// leaves asks, and goes away before the answer is there, most often.
func (w *world) leaves() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(rand.IntN(1500))*time.Microsecond)
	defer cancel()
	if _, err := w.ask(ctx, w.ann, ids); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil
}

// TestAbandonedAlone has clients go away, and the next ones on their connections not be hit by what cancels.
func TestAbandonedAlone(t *testing.T) {
	w := newSharedWorld(t, 4, 0)
	w.load(t, 8, w.sees(w.ann, "1"), w.leaves, w.sees(w.bob, "2,3")).more(t, 4000)
}

// TestAbandonedOnLine has clients go away, while their statement runs and before: what runs is cancelled, and others
// don't notice.
func TestAbandonedOnLine(t *testing.T) {
	w := newSharedWorld(t, 8, 1)
	l := w.load(t, 6, w.sees(w.ann, "1"), w.sees(w.bob, "2,3"), w.leaves)
	l.more(t, 3000)
	l.end()
	l = w.load(t, 6, w.sees(w.ann, "1"), w.sees(w.bob, "2,3"))
	w.hold(t)
	cancel, answer := w.stall(t)
	ctx, cancelAll := context.WithCancel(context.Background())
	var behind sync.WaitGroup
	for range 3 {
		behind.Go(func() {
			if _, err := w.ask(ctx, w.ann, "SELECT wait()"); !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		})
	}
	l.more(t, 300)
	why := errors.New("gone")
	cancel(why)
	cancelAll()
	if err := soon(t, answer); !errors.Is(err, why) {
		t.Error(err)
	}
	behind.Wait()
	eventually(t, "no statement that stands still", func() bool { return w.backend(t) == 0 })
	l.more(t, 1000)
}

// TestLostLine has shared connections ended by the server and cut: who only reads doesn't notice. Who has a connection
// alone is told that it was ended, so that a statement which an administrator ends isn't run again; that happens here
// where the connection has just been given back.
func TestLostLine(t *testing.T) {
	w := newSharedWorld(t, 4, 1)
	var ending atomic.Bool
	sees := w.sees(w.bob, "2,3")
	l := w.load(t, 8, func() error {
		err := sees()
		if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok && pgErr.Code == "57P01" && ending.Load() {
			return nil
		}
		return err
	})
	for range 10 {
		eventually(t, "shared connections", w.runner.CutLine)
		l.more(t, 200)
	}
	ending.Store(true)
	for range 10 {
		w.int(t, fmt.Sprintf("SELECT pg_terminate_backend(%d)::int", w.line(t)))
		l.more(t, 200)
	}
}

// TestStaleOnLine changes what statements mean while they are prepared on shared connections.
func TestStaleOnLine(t *testing.T) {
	w := newSharedWorld(t, 4, 2)
	w.db.Exec(t, "DROP TABLE late")
	l := w.load(t, 8, w.sees(w.ann, "1"), func() error {
		q := brief("")
		q.Main.SQL = "SELECT id FROM items"
		q.Rows, q.Quiet = sqlgen.JSONRows, true
		res, err := w.runner.RunRows(context.Background(), session(w.bob), q, nil)
		if err != nil {
			return err
		}
		if string(res.Row.Body) != "[{\"id\":2}, \n {\"id\":3}]" && string(res.Row.Body) != "[{\"id\":\"2\"}, \n {\"id\":\"3\"}]" {
			return errors.New(string(res.Row.Body))
		}
		w.runner.Recycle(res)
		return nil
	})
	for _, kind := range []string{"text", "int USING id::int", "text", "int USING id::int"} {
		w.sharing(t, 2)
		l.more(t, 300)
		w.db.Exec(t, "DROP POLICY own ON items; ALTER TABLE items ALTER id TYPE "+kind+"; CREATE POLICY own ON items USING (owner = current_user)")
	}
	l.more(t, 300)
}

// TestSlowIsAlone has a statement that takes its time run alone after a few times.
func TestSlowIsAlone(t *testing.T) {
	w := newSharedWorld(t, 6, 2)
	w.load(t, 8, w.sees(w.ann, "1"))
	w.sharing(t, 2)
	const slow = "SELECT id FROM items, pg_sleep(0.03) LIMIT 1"
	if w.runner.RunsAlone(brief(slow)) {
		t.Error("it is alone from the beginning")
	}
	w.load(t, 1, func() error {
		_, err := w.ask(context.Background(), w.bob, slow)
		return err
	})
	eventually(t, "runs of a slow statement alone", func() bool { return w.runner.RunsAlone(brief(slow)) })
}

// TestSlowBeginning has the connection of a statement that stood still become a shared one: what comes after it isn't given
// as long.
func TestSlowBeginning(t *testing.T) {
	w := newSharedWorld(t, 4, 1)
	w.load(t, 3, func() error {
		_, err := w.ask(context.Background(), w.ann, "SELECT id FROM items, pg_sleep(1) LIMIT 1")
		return err
	})
	var patience time.Duration
	eventually(t, "shared connections", func() bool {
		patience = w.runner.Patience()
		return patience != 0
	})
	if patience > 200*time.Millisecond {
		t.Errorf("others may wait for %s", patience)
	}
}

// TestRecalledLines has a pool renewed and closed while its connections are shared.
func TestRecalledLines(t *testing.T) {
	w := newSharedWorld(t, 4, 2)
	closed := atomic.Bool{}
	l := w.load(t, 8, func() error {
		if err := w.sees(w.ann, "1")(); err != nil && !(closed.Load() && errors.Is(err, pg.ErrPoolClosed)) {
			return err
		}
		return nil
	})
	w.sharing(t, 2)
	all := "SELECT string_agg(pid::text, ',') FROM pg_stat_activity WHERE usename = '" + w.login + "'"
	var old string
	if err := w.db.Conn(t).QueryRow(t.Context(), all).Scan(&old); err != nil {
		t.Fatal(err)
	}
	w.runner.Pool.Reset()
	eventually(t, "new connections only", func() bool {
		return w.int(t, "SELECT count(*) FROM pg_stat_activity WHERE pid IN ("+old+")") == 0
	})
	w.sharing(t, 2)
	closed.Store(true)
	w.runner.Pool.Close()
	l.end()
	if s := w.runner.Pool.Stat(); s.Open != 0 {
		t.Errorf("%+v", s)
	}
}

// TestPanics has rendering an answer panic: the connection, which may have more to say, serves nobody any more, and those
// who share it don't notice.
func TestPanics(t *testing.T) {
	w := newSharedWorld(t, 4, 2)
	panics := func(brief bool) func() error {
		return func() (err error) {
			defer func() {
				if recover() == nil {
					err = errors.New("no panic")
				}
			}()
			q := query(ids, true)
			q.Brief, q.Columns.Total = brief, 99
			_, _ = w.runner.Run(context.Background(), session(w.ann), q, exec.Commit, nil)
			return nil
		}
	}
	if err := panics(false)(); err != nil {
		t.Fatal(err)
	}
	if s := w.runner.Pool.Stat(); s.InUse != 0 {
		t.Errorf("%+v", s)
	}
	l := w.load(t, 8, w.sees(w.ann, "1"), w.sees(w.bob, "2,3"))
	for range 20 {
		w.sharing(t, 2)
		l.more(t, 50)
		for _, p := range []func() error{panics(true), panics(false)} {
			if err := p(); err != nil {
				t.Fatal(err)
			}
		}
	}
	l.end()
	w.sharing(t, 0)
}
