// Package pg provides what Tarn needs of PostgreSQL beyond the driver: a pool of connections with bounded waits, and a
// listener for notifications. It knows nothing of what is asked of the database.
package pg

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/pgxpool"
)

// cancelGrace is how long a cancelled query may take to end before its connection is given up.
const cancelGrace = 2 * time.Second

// ErrAcquireTimeout says that no connection became free in time.
var ErrAcquireTimeout = errors.New("timed out acquiring a connection from the pool")

// PoolOptions are the settings of a pool.
type PoolOptions struct {
	URL            string
	Size           int
	AcquireTimeout time.Duration
	MaxLifetime    time.Duration
	MaxIdleTime    time.Duration
	AppName        string
	Log            *slog.Logger // of connections that are opened and closed; nil for none
}

// Pool is a bounded set of connections. It is safe for concurrent use.
type Pool struct {
	pool    *pgxpool.Pool
	timeout time.Duration
	waiting atomic.Int64
}

// OpenPool makes a pool. It doesn't connect before the first Acquire.
func OpenPool(ctx context.Context, opt PoolOptions) (*Pool, error) {
	cfg, err := pgxpool.ParseConfig(opt.URL)
	if err != nil {
		return nil, fmt.Errorf("connection string: %w", err)
	}
	cfg.MaxConns = int32(max(1, min(opt.Size, 10_000)))
	cfg.MinConns = 0
	if opt.MaxLifetime > 0 {
		cfg.MaxConnLifetime = opt.MaxLifetime
	}
	if opt.MaxIdleTime > 0 {
		cfg.MaxConnIdleTime = opt.MaxIdleTime
	}
	if err := configure(cfg.ConnConfig, opt.AppName); err != nil {
		return nil, err
	}
	if opt.Log != nil {
		cfg.AfterConnect = func(_ context.Context, c *pgx.Conn) error {
			opt.Log.Debug("connection opened", "pid", c.PgConn().PID())
			return nil
		}
		cfg.BeforeClose = func(c *pgx.Conn) { opt.Log.Debug("connection closed", "pid", c.PgConn().PID()) }
	}
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("open pool: %w", err)
	}
	return &Pool{pool: pool, timeout: opt.AcquireTimeout}, nil
}

// Connect opens one connection outside of any pool.
func Connect(ctx context.Context, url, appName string) (*pgx.Conn, error) {
	cfg, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("connection string: %w", err)
	}
	if err := configure(cfg, appName); err != nil {
		return nil, err
	}
	return pgx.ConnectConfig(ctx, cfg)
}

func configure(cfg *pgx.ConnConfig, appName string) error {
	if err := heedParameters(&cfg.Config); err != nil {
		return err
	}
	cfg.DefaultQueryExecMode = pgx.QueryExecModeExec
	cfg.StatementCacheCapacity = 0
	cfg.DescriptionCacheCapacity = 0
	if _, given := cfg.RuntimeParams["application_name"]; !given && appName != "" {
		cfg.RuntimeParams["application_name"] = appName
	}
	// When the context ends, the query is cancelled at the server and not only forgotten here.
	cfg.BuildContextWatcherHandler = func(c *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.CancelRequestContextWatcherHandler{Conn: c, DeadlineDelay: cancelGrace}
	}
	return nil
}

// Acquire takes a connection, waiting for a free one at most as long as the pool's timeout. The caller must Release it.
func (p *Pool) Acquire(ctx context.Context) (*pgxpool.Conn, error) {
	p.waiting.Add(1)
	defer p.waiting.Add(-1)
	if p.timeout <= 0 {
		return p.pool.Acquire(ctx)
	}
	wait, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	conn, err := p.pool.Acquire(wait)
	if err != nil && ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
		return nil, ErrAcquireTimeout
	}
	return conn, err
}

// Reset closes idle connections now and busy ones when they are released.
func (p *Pool) Reset() { p.pool.Reset() }

// PoolStat are the figures of a pool.
type PoolStat struct {
	Open    int // connections
	InUse   int // of them
	Max     int
	Waiting int // requests for a connection
}

// Stat returns the pool's figures.
func (p *Pool) Stat() PoolStat {
	s := p.pool.Stat()
	return PoolStat{
		Open: int(s.TotalConns()), InUse: int(s.AcquiredConns()), Max: int(s.MaxConns()), Waiting: int(p.waiting.Load()),
	}
}

// Close closes all connections, waiting for those in use.
func (p *Pool) Close() { p.pool.Close() }
