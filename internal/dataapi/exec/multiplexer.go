package exec

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/tarn-data/tarn/internal/dataapi/schema"
	"github.com/tarn-data/tarn/internal/pg"
)

const (
	// lookEvery is how often the lines are looked at.
	lookEvery = 25 * time.Millisecond
	// stalledAfter is how much longer than any other a statement may take until those behind it go elsewhere.
	stalledAfter = 50 * time.Millisecond
	// briefMean is how much longer than the quickest the recent runs of a statement took at most, on average, if it is to
	// share on.
	briefMean = 5 * time.Millisecond
	// aloneFor is how long a statement runs alone that has taken longer.
	aloneFor = 5 * time.Second
	// maxAlone bounds how many such statements are known.
	maxAlone = 1000
	// maxBatch is how many requests a line gathers before another is looked for.
	maxBatch = 8
)

// multiplexer has brief reads of different requests share connections, its lines. PostgreSQL then finds the next request there
// when it is done with one, and requests and answers go through the kernel several at a time.
//
// It opens no connections. When several such reads run at a time, the connection that one of them had alone becomes a line,
// and a line that nobody uses for a moment goes back to the pool. What comes one at a time never shares.
type multiplexer struct {
	pool   *pg.Pool
	most   int                     // lines
	active atomic.Int32            // requests that could share
	lines  atomic.Pointer[[]*line] // never changed, but replaced
	calls  sync.Pool               // of *call
	began  time.Time

	mu    sync.Mutex
	timer *time.Timer // nil before the first line
	// alone are statements that have taken too long, and until when they don't share.
	alone   map[string]time.Duration
	anybody atomic.Bool // whether there are any
}

// multiplexer returns the one of a pool.
func (r *Runner) multiplexer(pool *pg.Pool) *multiplexer {
	if m, ok := r.multiplexers.Load(pool); ok {
		return m.(*multiplexer)
	}
	m := &multiplexer{pool: pool, most: r.Shared, began: time.Now()}
	m.lines.Store(&[]*line{})
	actual, _ := r.multiplexers.LoadOrStore(pool, m)
	return actual.(*multiplexer)
}

// shareable tells whether a job may share a connection: it is brief, it can be run once more elsewhere, and settings
// and statement are a transaction without more ado.
func (r *Runner) shareable(j *job) bool {
	q, s := j.query, &j.session
	return r.Shared > 0 && r.Prepared && q.Brief && q.ReadOnly && !q.Explained && q.Total == nil && q.Count == nil &&
		s.PreRequest == "" && s.Isolation == schema.DefaultIsolation && q.Isolation == schema.DefaultIsolation
}

func (m *multiplexer) now() time.Duration { return time.Since(m.began) }

// run runs a job over a line. It isn't done if there is none for it, or if something else than the job was the matter; then
// the job is to be run alone.
func (m *multiplexer) run(ctx context.Context, r *Runner, j *job) (res *Result, err error, done bool) { //nolint:revive // as in exchange
	l := m.pick(j.query.Main.SQL)
	if l == nil {
		return nil, nil, false
	}
	c := m.call()
	res = &Result{}
	r.prepare(c, l, j, res)
	joined, sends := l.join(c)
	if !joined {
		m.calls.Put(c.reset())
		r.Recycle(res)
		return nil, nil, false
	}
	if sent := j.session.Sent; sent != nil {
		for i := range c.steps {
			sent(c.steps[i].statement.SQL)
		}
	}
	if sends {
		runtime.Gosched() // so that others come to it who are about to ask
		l.flush()
	}
	stop := pg.AfterFunc(ctx, c.abandon)
	turn := <-c.turn
	if turn == yours {
		done, err = l.read(ctx, c)
	}
	bare := c.bare
	if stop() && turn == yours { // nobody else knows it any more
		m.calls.Put(c.reset())
	}
	switch {
	case ctx.Err() != nil && (err != nil || !done):
		return nil, fmt.Errorf("%w: %w", context.Cause(ctx), ctx.Err()), true
	case !done:
		j.refused = bare && refusesBare(err)
		r.Recycle(res)
		return nil, nil, false
	case err == nil:
		err = checked(j.check, res)
	}
	return res, err, true
}

// prepare composes the steps of a job over a line, without a sink: it would keep others waiting.
func (r *Runner) prepare(c *call, l *line, j *job, res *Result) {
	q, s := j.query, &j.session
	c.shape = q.Main.SQL
	c.plain = q.Quiet && s.Quiet && s.Sent == nil && l.quiet
	if c.bare = c.plain && q.Bare != ""; c.bare {
		c.steps = r.compose(append(c.steps, bareStep(s)), j, res, nil, l.quiet, nil)
		c.steps[mainStep].statement.SQL = q.Bare
		return
	}
	c.steps = r.compose(r.prologue(c.steps, s, q.ReadOnly, r.habits.custom(q)), j, res, nil, l.quiet, nil)
}

// refusesBare tells whether a statement failed with what makes sure that nobody's code runs.
func refusesBare(err error) bool {
	pgErr, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (pgErr.Code == "42501" || pgErr.Code == "42703") // insufficient privilege, undefined column
}

// pick picks the line for a statement: one that gathers requests, or the one with the fewest; nil for none.
func (m *multiplexer) pick(sql string) *line {
	lines := *m.lines.Load()
	if len(lines) == 0 || m.anybody.Load() && m.runsAlone(sql) {
		return nil
	}
	var best *line
	var least int32
	for _, l := range lines {
		n := l.length.Load()
		if n < maxBatch && l.gathers.Load() {
			return l
		}
		if best == nil || n < least {
			best, least = l, n
		}
	}
	if least > 0 && len(lines) < m.wanted() && m.pool.Free() {
		return nil // so that its connection becomes one more
	}
	return best
}

// wanted is how many lines there should be.
func (m *multiplexer) wanted() int {
	if n := int(m.active.Load()); n > 1 {
		return min(n, m.most)
	}
	return 0
}

func (m *multiplexer) call() *call {
	if c, ok := m.calls.Get().(*call); ok {
		return c
	}
	c := &call{turn: make(chan turn, 1)}
	c.abandon = func() { c.line.abandon(c) }
	return c
}

// release gives a connection back that a request had alone, or makes a line of it.
func (m *multiplexer) release(conn *pg.Conn) {
	if m == nil || !m.adopt(conn) {
		conn.Release()
	}
}

func (m *multiplexer) adopt(conn *pg.Conn) bool {
	if len(*m.lines.Load()) >= m.wanted() {
		return false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	lines := *m.lines.Load()
	if len(lines) >= m.most {
		return false
	}
	l := newLine(m, conn)
	if !conn.Lend(l.retire) {
		return false
	}
	lines = append(slices.Clone(lines), l)
	m.lines.Store(&lines)
	switch {
	case m.timer == nil:
		m.timer = time.AfterFunc(lookEvery, m.look)
	case len(lines) == 1:
		m.timer.Reset(lookEvery)
	}
	return true
}

// remove takes out a line that ends.
func (m *multiplexer) remove(l *line) {
	m.mu.Lock()
	defer m.mu.Unlock()
	lines := slices.DeleteFunc(slices.Clone(*m.lines.Load()), func(other *line) bool { return other == l })
	m.lines.Store(&lines)
}

// look looks after the lines, as long as there are any.
func (m *multiplexer) look() {
	now := m.now()
	for _, l := range *m.lines.Load() {
		l.look(now)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	maps.DeleteFunc(m.alone, func(_ string, until time.Duration) bool { return until < now })
	m.anybody.Store(len(m.alone) > 0)
	if len(*m.lines.Load()) > 0 {
		m.timer.Reset(lookEvery)
	}
}

// isolate has a statement run alone for a while.
func (m *multiplexer) isolate(sql string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.alone == nil || len(m.alone) >= maxAlone {
		m.alone = map[string]time.Duration{}
	}
	m.alone[sql] = m.now() + aloneFor
	m.anybody.Store(true)
}

func (m *multiplexer) runsAlone(sql string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	until, ok := m.alone[sql]
	return ok && m.now() < until
}
