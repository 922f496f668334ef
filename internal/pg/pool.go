// Package pg provides what Tarn needs of PostgreSQL beyond the driver: a pool of connections with bounded waits and lanes,
// and a listener for notifications. It knows nothing of what is asked of the database.
package pg

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"

	"github.com/tarn-data/tarn/internal/netfd"
)

const (
	// closeGrace is how long a connection may take to close before its place is given to another.
	closeGrace = 15 * time.Second
	// connectGrace is how long connecting may take at least, though nobody waits for it any more.
	connectGrace = 10 * time.Second
	// lookEvery is how often at most it is looked whether running statements are overdue.
	lookEvery = 100 * time.Millisecond
	// quietFor is how long a connection may be idle without being looked at before it is used again.
	quietFor = 500 * time.Millisecond
)

var (
	// ErrAcquireTimeout says that no connection became free in time.
	ErrAcquireTimeout = errors.New("timed out acquiring a connection from the pool")
	// ErrPoolClosed says that the pool is closed.
	ErrPoolClosed = errors.New("the pool of connections is closed")
)

// PoolOptions are the settings of a pool.
type PoolOptions struct {
	URL            string
	Size           int
	Reserve        int           // connections that are kept for what is known to be fast; 0 for no lanes
	AcquireTimeout time.Duration // 0 for none; likewise the others
	MaxLifetime    time.Duration
	MaxIdleTime    time.Duration
	AppName        string
	Log            *slog.Logger // of connections that are opened and closed; nil for none
}

// Pool is a bounded set of connections, of which the one that was used last is used next. It is safe for concurrent use.
//
// Connections are opened when they are needed, and closed when they are broken, too old or idle for too long. None is
// asked whether it is well: one that was idle for a while is looked at for news that its server has closed it, which
// costs no round trip.
type Pool struct {
	opt    PoolOptions
	config *pgx.ConnConfig
	seed   maphash.Seed
	began  time.Time
	ctx    context.Context //nolint:containedctx // it is the pool's own
	stop   context.CancelFunc
	ended  sync.WaitGroup // of what goes on in the background
	empty  chan struct{}  // closed when the pool is closed and the last connection, too

	waiters sync.Pool // of *waiter

	mu      sync.Mutex
	lanes   lanes
	idle    []*Conn // the one that was used last comes last
	busy    []*Conn
	total   int // connections, with those that are being opened or closed
	waiting int // requests that wait for one to be opened
	epoch   int // of connections, which a Reset ends
	looked  time.Duration
	broken  time.Duration // when a connection was last found broken
	closed  bool
}

// Conn is a connection that whoever acquired it has alone until its release.
type Conn struct {
	*pgx.Conn

	pool    *Pool
	epoch   int
	opened  time.Duration
	since   time.Duration // when it was acquired or released
	place   int           // among the busy
	shape   *shape        // of what it runs; nil while it is lent
	overdue bool
	recall  func() // tells whom it is lent to that it is wanted back; nil while it isn't lent
}

// OpenPool makes a pool. It doesn't connect before the first Acquire.
func OpenPool(opt PoolOptions) (*Pool, error) {
	cfg, err := connConfig(opt.URL, opt.AppName)
	if err != nil {
		return nil, err
	}
	opt.Size = max(1, min(opt.Size, 10_000))
	p := &Pool{
		opt: opt, config: cfg, seed: maphash.MakeSeed(), began: time.Now(), empty: make(chan struct{}),
		lanes: newLanes(opt.Size, opt.Reserve),
	}
	p.ctx, p.stop = context.WithCancel(context.Background())
	p.ended.Go(p.tidy)
	return p, nil
}

// Connect opens one connection outside of any pool.
func Connect(ctx context.Context, url, appName string) (*pgx.Conn, error) {
	cfg, err := connConfig(url, appName)
	if err != nil {
		return nil, err
	}
	return pgx.ConnectConfig(ctx, cfg)
}

func connConfig(url, appName string) (*pgx.ConnConfig, error) {
	cfg, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("connection string: %w", err)
	}
	if err := heedParameters(&cfg.Config); err != nil {
		return nil, err
	}
	cfg.DefaultQueryExecMode = pgx.QueryExecModeExec
	cfg.StatementCacheCapacity = 0
	cfg.DescriptionCacheCapacity = 0
	if _, given := cfg.RuntimeParams["application_name"]; !given && appName != "" {
		cfg.RuntimeParams["application_name"] = appName
	}
	dial := cfg.DialFunc
	cfg.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return netfd.Wrap(conn), nil
	}
	// When the context ends, the query is cancelled at the server and not only forgotten here.
	cfg.BuildContextWatcherHandler = func(c *pgconn.PgConn) ctxwatch.Handler {
		return &Canceller{Conn: c}
	}
	return cfg, nil
}

func (p *Pool) now() time.Duration { return time.Since(p.began) }

// Acquire takes a connection to run a statement of a shape, which is any name for statements that take about as long. It
// waits at most as long as the pool's timeout. The caller must Release the connection.
func (p *Pool) Acquire(ctx context.Context, shape string) (*Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	key, now := maphash.String(p.seed, shape), p.now()
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil, ErrPoolClosed
	}
	p.look(now)
	s := p.lanes.shape(key)
	if !p.free() || !p.lanes.may(s) {
		return p.wait(ctx, s, now) // which unlocks
	}
	c := p.take(s)
	suspect := c != nil && (now-c.since > quietFor || c.since < p.broken)
	if c != nil {
		c.since = now
	}
	p.mu.Unlock()
	return p.ready(ctx, c, s, suspect, now)
}

// free tells whether there is a connection that can be used, or place for one.
func (p *Pool) free() bool { return len(p.idle) > 0 || p.total < p.opt.Size }

// take takes a connection for a shape, or the place for one that is to be opened; then it returns nil.
func (p *Pool) take(s *shape) *Conn {
	p.lanes.start(s)
	n := len(p.idle)
	if n == 0 {
		p.total++
		return nil
	}
	c := p.idle[n-1]
	p.idle[n-1] = nil
	p.idle = p.idle[:n-1]
	p.occupy(c, s)
	return c
}

func (p *Pool) occupy(c *Conn, s *shape) {
	c.shape, c.place = s, len(p.busy)
	p.busy = append(p.busy, c)
}

// ready returns a connection that was taken, or a new one in its place.
func (p *Pool) ready(ctx context.Context, c *Conn, s *shape, suspect bool, since time.Duration) (*Conn, error) {
	if c != nil && suspect && !quiet(c.PgConn().Conn()) {
		p.mu.Lock()
		p.vacate(c)
		p.ended.Go(func() { p.closeConn(c) })
		p.mu.Unlock()
		return p.open(ctx, s, since)
	}
	if c != nil {
		return c, nil
	}
	return p.open(ctx, s, since)
}

// wait waits until it is the request's turn. It is called with the lock, and gives it back.
func (p *Pool) wait(ctx context.Context, s *shape, now time.Duration) (*Conn, error) {
	w := p.waiter(s, now)
	p.lanes.wait(w)
	p.mu.Unlock()
	stop := AfterFunc(ctx, w.abandon)
	g := <-w.granted
	if unused := stop(); w.settle() && unused {
		p.waiters.Put(w)
	} // else something is about to find that nobody waits any more
	if errors.Is(g.err, context.Canceled) {
		return nil, ctx.Err()
	}
	if g.err != nil {
		return nil, g.err
	}
	return p.ready(ctx, g.conn, s, false, now)
}

// waiter makes a waiter, of a used one if there is one.
func (p *Pool) waiter(s *shape, now time.Duration) *waiter {
	w, ok := p.waiters.Get().(*waiter)
	if !ok {
		w = &waiter{granted: make(chan grant, 1)}
		w.abandon = func() { p.refuse(w, context.Canceled) }
	}
	w.shape, w.at = s, now
	switch wait := p.opt.AcquireTimeout; {
	case wait <= 0:
	case w.timer == nil:
		w.timer = time.AfterFunc(wait, func() { p.refuse(w, ErrAcquireTimeout) })
	default:
		w.timer.Reset(wait)
	}
	return w
}

// refuse ends a wait, if it goes on.
func (p *Pool) refuse(w *waiter, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if w.place != nil {
		p.lanes.leave(w)
		w.granted <- grant{err: err}
	}
}

// AfterFunc is context.AfterFunc, which asks a context that has a function for that itself only after making more.
func AfterFunc(ctx context.Context, run func()) (stop func() bool) {
	if own, ok := ctx.(interface {
		AfterFunc(run func()) (stop func() bool)
	}); ok {
		return own.AfterFunc(run)
	}
	return context.AfterFunc(ctx, run)
}

// timer ends when a request has waited for as long as it may.
func (p *Pool) timer(since time.Duration) (<-chan time.Time, func()) {
	if p.opt.AcquireTimeout <= 0 {
		return nil, func() {}
	}
	t := time.NewTimer(p.opt.AcquireTimeout - (p.now() - since))
	return t.C, func() { t.Stop() }
}

// serve gives what is free to those who wait.
func (p *Pool) serve(now time.Duration) {
	for p.free() && !p.closed {
		w := p.lanes.next()
		if w == nil {
			return
		}
		p.lanes.leave(w)
		c := p.take(w.shape)
		if c != nil {
			c.since = now
		}
		w.granted <- grant{conn: c}
	}
}

// giveUp gives back a place that has no connection.
func (p *Pool) giveUp(s *shape) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lanes.end(s, -1, false)
	p.leave()
}

// leave frees a place.
func (p *Pool) leave() {
	p.total--
	if p.closed && p.total == 0 {
		close(p.empty)
	}
	p.serve(p.now())
}

// open opens a connection in a place that was taken. That goes on when the request is given up, so that a connection that
// takes its time is there at last.
func (p *Pool) open(ctx context.Context, s *shape, since time.Duration) (*Conn, error) {
	type result struct {
		conn *Conn
		err  error
	}
	done, abandoned := make(chan result, 1), false // the latter under the lock
	p.mu.Lock()
	p.waiting++
	epoch := p.epoch
	p.ended.Add(1)
	p.mu.Unlock()
	go func() {
		defer p.ended.Done()
		c, err := p.connect()
		if err != nil {
			p.giveUp(s)
		}
		p.mu.Lock()
		p.waiting--
		if err == nil {
			c.epoch = epoch
			p.occupy(c, s)
		}
		late := abandoned
		if !late {
			done <- result{c, err}
		}
		p.mu.Unlock()
		if late && err == nil {
			c.release(-1)
		}
	}()
	timeout, stop := p.timer(since)
	defer stop()
	var err error
	select {
	case r := <-done:
		return r.conn, r.err
	case <-timeout:
		err = ErrAcquireTimeout
	case <-ctx.Done():
		err = ctx.Err()
	}
	p.mu.Lock()
	abandoned = true
	p.mu.Unlock()
	select {
	case r := <-done: // just now, and too late
		if r.err == nil {
			r.conn.release(-1)
		}
	default:
	}
	return nil, err
}

func (p *Pool) connect() (*Conn, error) {
	ctx, cancel := context.WithTimeout(p.ctx, max(p.opt.AcquireTimeout, connectGrace))
	defer cancel()
	conn, err := pgx.ConnectConfig(ctx, p.config)
	switch {
	case err == nil:
	case p.ctx.Err() != nil:
		return nil, ErrPoolClosed
	case ctx.Err() != nil:
		return nil, ErrAcquireTimeout
	default:
		return nil, err
	}
	if p.opt.Log != nil {
		p.opt.Log.Debug("connection opened", "pid", conn.PgConn().PID())
	}
	now := p.now()
	return &Conn{Conn: conn, pool: p, opened: now, since: now}, nil
}

// look finds the statements that run for too long, now and then.
func (p *Pool) look(now time.Duration) {
	if now-p.looked < lookEvery {
		return
	}
	p.looked = now
	for _, c := range p.busy {
		if c.shape != nil && !c.overdue && now-c.since > overdueAfter {
			c.overdue = true
			p.lanes.late(c.shape)
		}
	}
}

// Release gives a connection back. One that is broken, busy or in a transaction is closed.
func (c *Conn) Release() { c.release(c.pool.now() - c.since) }

// settled tells whether a connection can be used for something else.
func (c *Conn) settled() bool {
	return !c.IsClosed() && !c.PgConn().IsBusy() && c.PgConn().TxStatus() == 'I'
}

// keeps tells whether a connection is still wanted.
func (p *Pool) keeps(c *Conn, now time.Duration) bool {
	return !p.closed && c.epoch == p.epoch && (p.opt.MaxLifetime <= 0 || now-c.opened < p.opt.MaxLifetime)
}

// release gives a connection back whose statement took so long; a negative time is not counted.
func (c *Conn) release(took time.Duration) {
	p := c.pool
	now := p.now()
	settled := c.settled()
	p.mu.Lock()
	if !settled {
		p.broken = now
	}
	s, overdue, lent := c.shape, c.overdue, c.recall != nil
	p.vacate(c)
	if settled && p.keeps(c, now) {
		p.end(s, took, overdue, lent)
		c.since = now
		p.idle = append(p.idle, c)
		p.serve(now)
		p.mu.Unlock()
		return
	}
	p.ended.Add(1)
	p.mu.Unlock()
	go func() { // it keeps its place until the server has let it go
		defer p.ended.Done()
		p.closeConn(c)
		p.mu.Lock()
		defer p.mu.Unlock()
		p.end(s, took, overdue, lent)
		p.leave()
	}()
}

// end ends what a connection was used for.
func (p *Pool) end(s *shape, took time.Duration, overdue, lent bool) {
	if lent {
		p.lanes.lent--
		return
	}
	p.lanes.end(s, took, overdue)
}

// vacate takes a connection out of the busy ones.
func (p *Pool) vacate(c *Conn) {
	last := len(p.busy) - 1
	p.busy[c.place] = p.busy[last]
	p.busy[c.place].place = c.place
	p.busy[last] = nil
	p.busy = p.busy[:last]
	c.shape, c.overdue, c.recall = nil, false, nil
}

func (p *Pool) closeConn(c *Conn) {
	if p.opt.Log != nil {
		p.opt.Log.Debug("connection closed", "pid", c.PgConn().PID())
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeGrace)
	defer cancel()
	_ = c.Close(ctx) // it is of no use any more
	select {
	case <-c.PgConn().CleanupDone():
	case <-ctx.Done():
	}
}

// drop closes the idle connections that are unwanted.
func (p *Pool) drop(unwanted func(*Conn) bool) {
	p.mu.Lock()
	var dropped []*Conn
	kept := p.idle[:0]
	for _, c := range p.idle {
		if unwanted(c) {
			dropped = append(dropped, c)
		} else {
			kept = append(kept, c)
		}
	}
	clear(p.idle[len(kept):])
	p.idle = kept
	p.ended.Add(len(dropped))
	p.mu.Unlock()
	for _, c := range dropped {
		go func() {
			defer p.ended.Done()
			p.closeConn(c)
			p.mu.Lock()
			defer p.mu.Unlock()
			p.leave()
		}()
	}
}

// tidy closes what is idle for too long or too old, until the pool is closed.
func (p *Pool) tidy() {
	every := time.Minute
	for _, limit := range []time.Duration{p.opt.MaxIdleTime, p.opt.MaxLifetime} {
		if limit > 0 {
			every = min(every, max(limit/4, 10*time.Millisecond))
		}
	}
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		select {
		case <-p.ctx.Done():
			return
		case <-t.C:
		}
		now := p.now()
		old := func(c *Conn) bool { return p.opt.MaxLifetime > 0 && now-c.opened > p.opt.MaxLifetime }
		p.mu.Lock()
		p.recall(old)
		p.mu.Unlock()
		p.drop(func(c *Conn) bool { return p.opt.MaxIdleTime > 0 && now-c.since > p.opt.MaxIdleTime || old(c) })
	}
}

// Reset closes idle connections now and busy ones when they are released.
func (p *Pool) Reset() {
	p.mu.Lock()
	p.epoch++
	p.recall(func(*Conn) bool { return true })
	p.mu.Unlock()
	p.drop(func(*Conn) bool { return true })
}

// PoolStat are the figures of a pool.
type PoolStat struct {
	Open    int // connections
	InUse   int // of them
	Max     int
	Waiting int // requests for a connection
	Slow    int // connections that are used for what isn't known to be fast
	SlowMax int // as many as may be
	Lent    int // connections that serve several requests at once
	// SlowWaiting are those of the waiting requests that aren't known to be fast.
	SlowWaiting int
}

// Free tells whether there is a connection that nobody uses, or place for one.
func (p *Pool) Free() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.free()
}

// Stat returns the pool's figures.
func (p *Pool) Stat() PoolStat {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.look(p.now())
	return PoolStat{
		Open: len(p.idle) + len(p.busy), InUse: len(p.busy), Max: p.opt.Size,
		Waiting: p.waiting + p.lanes.fastQ.waiters + p.lanes.slowQ.waiters,
		Slow:    p.lanes.slowHeld, SlowMax: p.lanes.left(p.lanes.slowMax), Lent: p.lanes.lent, SlowWaiting: p.lanes.slowQ.waiters,
	}
}

// Close closes all connections, waiting for those in use.
func (p *Pool) Close() {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return
	}
	p.closed = true
	if p.total == 0 {
		close(p.empty)
	}
	for w := p.lanes.anybody(); w != nil; w = p.lanes.anybody() {
		p.lanes.leave(w)
		w.granted <- grant{err: ErrPoolClosed}
	}
	p.recall(func(*Conn) bool { return true })
	p.mu.Unlock()
	p.stop()
	p.drop(func(*Conn) bool { return true })
	<-p.empty
	p.ended.Wait()
}
