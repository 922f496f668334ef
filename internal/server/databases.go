package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/tarn-data/tarn/internal/auth"
	"github.com/tarn-data/tarn/internal/config"
	"github.com/tarn-data/tarn/internal/dataapi"
	"github.com/tarn-data/tarn/internal/fault"
	"github.com/tarn-data/tarn/internal/pg"
)

const (
	preConfig = "pgrst.pre_config"
	// openWait is how long a request waits for its database to be opened; later ones find it open.
	openWait = 10 * time.Second
	// missFor is how long a database that could not be opened isn't tried again.
	missFor = time.Second
)

// Databases are the Data APIs of one PostgreSQL server, one for each database, opened when first asked for.
type Databases struct {
	// URL is a database's connection string as the role authenticator.
	URL func(database string) (string, error)
	// Prepare readies a database that is enabled, as far as the server's administrator can: it may be nil.
	Prepare  func(ctx context.Context, database string) error
	Settings func(url string, inDatabase []config.Setting) (*config.DataAPI, error)
	Auth     auth.Authenticator
	Version  string
	Timeout  time.Duration
	Log      *slog.Logger

	mu   sync.Mutex
	open map[string]*database
}

// database is an engine, or the reason why there is none.
type database struct {
	ready  chan struct{} // closed when the attempt to open has ended
	engine *dataapi.Engine
	err    error
	at     time.Time
}

// Engine returns the engine of a database, opening it if needed.
func (d *Databases) Engine(ctx context.Context, name string) (*dataapi.Engine, error) {
	db := d.entry(ctx, name)
	select {
	case <-db.ready:
		return db.engine, db.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (d *Databases) entry(ctx context.Context, name string) *database {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.open == nil {
		d.open = map[string]*database{}
	}
	if db, ok := d.open[name]; ok && !db.expired() {
		return db
	}
	db := &database{ready: make(chan struct{})}
	d.open[name] = db
	go d.openDatabase(context.WithoutCancel(ctx), name, db)
	return db
}

func (db *database) expired() bool {
	select {
	case <-db.ready:
		return db.err != nil && time.Since(db.at) > missFor
	default:
		return false
	}
}

func (d *Databases) openDatabase(ctx context.Context, name string, db *database) {
	ctx, cancel := context.WithTimeout(ctx, openWait)
	defer cancel()
	engine, err := d.tryOpen(ctx, name)
	db.engine, db.err, db.at = engine, err, time.Now()
	close(db.ready)
	if err != nil {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.forgetMisses()
	}
}

// forgetMisses keeps names that were only guessed from filling the memory.
func (d *Databases) forgetMisses() {
	const many = 1000
	if len(d.open) < many {
		return
	}
	for name, db := range d.open {
		if db.expired() {
			delete(d.open, name)
		}
	}
}

func (d *Databases) tryOpen(ctx context.Context, name string) (*dataapi.Engine, error) {
	if d.Prepare != nil {
		if err := d.Prepare(ctx, name); err != nil {
			return nil, openFault(name, err)
		}
	}
	url, err := d.URL(name)
	if err != nil {
		return nil, openFault(name, err)
	}
	if err := checkEnabled(ctx, url, name); err != nil {
		return nil, openFault(name, err)
	}
	engine, err := dataapi.Open(ctx, dataapi.Options{
		AppName: appName,
		Version: d.Version,
		Load: func(inDatabase []config.Setting) (*config.DataAPI, error) {
			return d.Settings(url, inDatabase)
		},
		Authenticator:  func(*config.DataAPI) (auth.Authenticator, error) { return d.Auth, nil },
		RefuseElevated: true,
		HealMisses:     true,
		Timeout:        d.Timeout,
		Log:            d.Log.With("database", name),
	})
	if err != nil {
		return nil, openFault(name, err)
	}
	if err := engine.WaitReady(ctx); err != nil {
		engine.Close()
		return nil, openFault(name, fmt.Errorf("schema cache: %w", err))
	}
	return engine, nil
}

// checkEnabled finds out whether the database has what enables the Data API.
func checkEnabled(ctx context.Context, url, name string) error {
	conn, err := pg.Connect(ctx, url, appName)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	var enabled bool
	if err := conn.QueryRow(ctx, "SELECT to_regprocedure('pgrst.pre_config()') IS NOT NULL").Scan(&enabled); err != nil {
		var pgErr *pgconn.PgError
		if !errors.As(err, &pgErr) || pgErr.Code != "42501" { // the schema is there, but authenticator may not use it
			return err
		}
	}
	if !enabled {
		return notEnabled(name)
	}
	return nil
}

func notEnabled(name string) *fault.Error {
	return fault.New(fault.NotFound, "PGRST000", "The Data API is not enabled in the database '"+name+"'").
		WithHint("As the database's owner, create the role authenticator and the function pgrst.pre_config(), and grant the one the use of the other; see docs/lakebase.md.")
}

// openFault says in the Data API's dialect why a database can't be served.
func openFault(name string, err error) error {
	var (
		known *fault.Error
		pgErr *pgconn.PgError
	)
	switch {
	case errors.As(err, &known):
		return known
	case errors.As(err, &pgErr) && pgErr.Code == "3D000":
		return fault.New(fault.NotFound, "3D000", "The database '"+name+"' does not exist").WithCause(err)
	case errors.As(err, &pgErr) && (pgErr.Code == "28000" || pgErr.Code == "28P01" || pgErr.Code == "42501"):
		return notEnabled(name).WithCause(err)
	}
	return fault.New(fault.Unavailable, "PGRST000", "Database connection error.").
		WithHeader("Retry-After", "1").WithCause(err)
}

const (
	anyDatabase  = "postgres" // which every server has
	reachTimeout = 5 * time.Second
	startingUp   = "57P03" // PostgreSQL's code of a server that starts or ends
)

// reachable tells whether PostgreSQL takes connections. Whom it lets in is another matter.
func (d *Databases) reachable(ctx context.Context) bool {
	url, err := d.URL(anyDatabase)
	if err != nil {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, reachTimeout)
	defer cancel()
	conn, err := pg.Connect(ctx, url, appName)
	if err == nil {
		return conn.Close(ctx) == nil
	}
	refusal, refused := errors.AsType[*pgconn.PgError](err)
	return refused && refusal.Code != startingUp
}

// Each calls a function for every open engine.
func (d *Databases) Each(visit func(name string, engine *dataapi.Engine)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for name, db := range d.open {
		select {
		case <-db.ready:
			if db.engine != nil {
				visit(name, db.engine)
			}
		default:
		}
	}
}

// Close closes all engines.
func (d *Databases) Close() {
	d.Each(func(_ string, e *dataapi.Engine) { e.Close() })
}
