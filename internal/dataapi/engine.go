// Package dataapi provides the Data API: a PostgreSQL database as a REST API, compatible with PostgREST. The walk of a
// request is in walk.go: request, plan, query, row, reply. It doesn't know where it is mounted, nor where its settings
// come from.
package dataapi

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tarn-data/tarn/internal/auth"
	"github.com/tarn-data/tarn/internal/config"
	"github.com/tarn-data/tarn/internal/dataapi/exec"
	"github.com/tarn-data/tarn/internal/dataapi/plan"
	"github.com/tarn-data/tarn/internal/dataapi/prepared"
	"github.com/tarn-data/tarn/internal/dataapi/schema"
	"github.com/tarn-data/tarn/internal/dataapi/sqlgen"
	"github.com/tarn-data/tarn/internal/pg"
)

// Options say what an engine serves, and how it gets its settings.
type Options struct {
	AppName string
	Version string
	// Config are the settings to begin with; nil to load them.
	Config *config.DataAPI
	Load   Load
	// Authenticator makes what tells who the caller is, whenever the settings change.
	Authenticator func(*config.DataAPI) (auth.Authenticator, error)
	// Configured is told of settings when they come into force; nil for nobody.
	Configured func(*config.DataAPI)
	// Fail is told when there is no use in going on: the password is wrong, or the connection is lost and there is to be no
	// recovery. Without it, the engine goes on trying.
	Fail func(error)
	// NeedSchemas makes it an error that a schema of the settings doesn't exist.
	NeedSchemas bool
	// RefuseElevated makes the engine refuse to act as roles with more than a user's rights.
	RefuseElevated bool
	// HealMisses makes a request for what the snapshot doesn't have look whether it is there by now. That is for callers
	// who are known: each may have the snapshot loaded, if not often.
	HealMisses bool
	Timeout    time.Duration // of a request; 0 for none
	Log        *slog.Logger
}

// Engine serves one database. It is safe for concurrent use.
type Engine struct {
	opt         Options
	pool        *pg.Pool
	replicas    *pg.Replicas // nil for none
	readable    atomic.Bool  // whether replicas can do what every request does beside its own
	state       atomic.Pointer[state]
	reload      chan reloadKind
	stop        context.CancelFunc
	done        sync.WaitGroup
	retry       atomic.Int64  // seconds until the next attempt to reach the database
	tried       chan struct{} // closed when the schema cache was loaded for the first time, or could not be
	once        sync.Once
	loading     atomic.Bool // whether the first load has begun
	listening   atomic.Bool
	up          atomic.Bool // whether the last attempt to load the schema cache succeeded
	lastRefresh atomic.Int64
	lastTimeout atomic.Int64 // when it was last logged that no connection became free
	Stats       Stats

	// What follows belongs to maintain.
	fresh    bool // whether the settings in force have only just been read, and need not be read again to begin with
	listener listener
}

// Stats counts what an engine did.
type Stats struct {
	Loads        atomic.Int64 // of the schema cache
	FailedLoads  atomic.Int64
	LoadDuration atomic.Int64 // nanoseconds of the last load
	PoolTimeouts atomic.Int64
}

// state is what a request sees: one consistent snapshot, swapped whole.
type state struct {
	cfg    *config.DataAPI
	auth   auth.Authenticator
	cache  *schema.Cache // nil until it is first loaded
	work   *prepared.Cache
	runner *exec.Runner
	fixed  fixedSettings

	settings settingsTexts
}

// Open makes an engine and begins to load its schema cache in the background. Until that is done, requests are
// answered with 503. Settings that can't be read are an error.
func Open(ctx context.Context, opt Options) (*Engine, error) {
	cfg := opt.Config
	if cfg == nil {
		var err error
		if cfg, err = opt.Load(nil); err != nil {
			return nil, err
		}
	}
	if opt.Configured != nil {
		opt.Configured(cfg)
	}
	authenticator, err := opt.Authenticator(cfg)
	if err != nil {
		return nil, err
	}
	pool, replicas, err := openPools(cfg, opt)
	if err != nil {
		return nil, err
	}
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	e := &Engine{opt: opt, pool: pool, replicas: replicas, stop: stop, reload: make(chan reloadKind, 64), tried: make(chan struct{}), fresh: true}
	e.state.Store(e.newState(cfg, authenticator, nil))
	e.done.Go(func() {
		e.maintain(run)
	})
	if replicas != nil {
		e.done.Go(func() { replicas.Run(run) })
	}
	return e, nil
}

func (e *Engine) newState(cfg *config.DataAPI, a auth.Authenticator, cache *schema.Cache) *state {
	return &state{
		cfg: cfg, auth: a, cache: cache,
		work: prepared.New(cache, plan.Options{
			MaxRows: cfg.MaxRows, Aggregates: cfg.Aggregates, LegacyTargetNames: cfg.LegacyTargetNames, PlanEnabled: cfg.PlanEnabled,
		}, sqlgen.Options{MaxRows: cfg.MaxRows}),
		runner: &exec.Runner{
			Pool: e.pool, Prepared: cfg.PreparedStatements, Shared: cfg.PoolShared, Outdated: func() { e.requestRefresh() },
		},
		fixed: newFixedSettings(cfg),
	}
}

// Config returns the settings in force.
func (e *Engine) Config() *config.DataAPI { return e.state.Load().cfg }

// Cache returns the schema cache in force; nil until it is first loaded.
func (e *Engine) Cache() *schema.Cache { return e.state.Load().cache }

// Pool returns the pool, for its figures.
func (e *Engine) Pool() *pg.Pool { return e.pool }

// Replicas returns the replicas, for their figures; nil if there are none.
func (e *Engine) Replicas() *pg.Replicas { return e.replicas }

// Ready tells whether the schema cache is loaded and the database was there the last time.
func (e *Engine) Ready() bool { return e.state.Load().cache != nil && e.up.Load() }

// Reachable tells whether the database can be reached. Who listens to it knows; else, as with a standby that can't be
// listened to, it is asked.
func (e *Engine) Reachable(ctx context.Context) bool {
	if e.listening.Load() {
		return true
	}
	conn, err := e.pool.Acquire(ctx, "reachable")
	if err != nil {
		return false
	}
	defer conn.Release()
	return conn.Ping(ctx) == nil
}

// WaitReady waits until the engine is ready.
func (e *Engine) WaitReady(ctx context.Context) error {
	t := time.NewTicker(5 * time.Millisecond)
	defer t.Stop()
	for !e.Ready() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-t.C:
		}
	}
	return nil
}

// WaitTried waits until the schema cache is loaded, or could not be at the first attempt.
func (e *Engine) WaitTried(ctx context.Context) {
	select {
	case <-e.tried:
	case <-ctx.Done():
	}
}

// ReloadSchema has the schema cache loaded anew, soon.
func (e *Engine) ReloadSchema() { e.request(reloadSchema | renewPool) }

// ReloadConfig has the settings read anew, soon.
func (e *Engine) ReloadConfig() { e.request(reloadConfig) }

func (e *Engine) request(k reloadKind) {
	select {
	case e.reload <- k:
	default: // so many wait that one more adds nothing
	}
}

// Close ends the engine's background work and closes its connections.
func (e *Engine) Close() {
	e.stop()
	e.done.Wait()
	e.replicas.Close()
	e.pool.Close()
}
