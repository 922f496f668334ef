package dataapi

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/tarn-data/tarn/internal/config"
	"github.com/tarn-data/tarn/internal/dataapi/exec"
	"github.com/tarn-data/tarn/internal/dataapi/introspect"
	"github.com/tarn-data/tarn/internal/dataapi/schema"
	"github.com/tarn-data/tarn/internal/pg"
)

const (
	loadTimeout  = 2 * time.Minute
	firstBackoff = time.Second
	lastBackoff  = 32 * time.Second
	// settle is how long to wait for more of the same before a reload: DDL comes in bursts.
	settle = 20 * time.Millisecond
	// rolesEvery is how often the roles that must not be acted as are looked up anew: no notification tells of them.
	rolesEvery = 15 * time.Second
)

// reloadKind says what is to be loaded anew.
type reloadKind uint8

const (
	reloadSchema reloadKind = 1 << iota
	reloadConfig
	renewPool // connections keep the login role's settings as they were, and what they know of the catalogs
	reloadAll = reloadSchema | reloadConfig | renewPool
)

// maintain loads the snapshot, and again whenever that is asked for.
func (e *Engine) maintain(ctx context.Context) {
	e.listen(ctx)
	e.loading.Store(true)
	e.loadUntilDone(ctx, reloadAll)
	var roles <-chan time.Time
	if e.opt.RefuseElevated {
		t := time.NewTicker(rolesEvery)
		defer t.Stop()
		roles = t.C
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-roles:
			e.refreshRoles(ctx)
		case k := <-e.reload:
			e.loadUntilDone(ctx, e.coalesce(ctx, k))
			e.listen(ctx) // which the settings may want otherwise now
		}
	}
}

// coalesce waits for what else is asked for, and makes one reload of all.
func (e *Engine) coalesce(ctx context.Context, k reloadKind) reloadKind {
	t := time.NewTimer(settle)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return k
		case <-t.C:
			return k
		case other := <-e.reload:
			k |= other
		}
	}
}

func (e *Engine) loadUntilDone(ctx context.Context, k reloadKind) {
	backoff := firstBackoff
	for {
		err := e.load(ctx, k)
		if ctx.Err() != nil {
			return
		}
		e.up.Store(err == nil)
		again := err != nil && e.retries(err)
		e.once.Do(func() { close(e.tried) })
		if !again {
			e.retry.Store(0)
			return
		}
		e.retry.Store(int64(math.Ceil(backoff.Seconds())))
		e.opt.Log.Info("trying again", "in", backoff.String())
		t := time.NewTimer(backoff)
		select {
		case <-ctx.Done():
		case other := <-e.reload: // whoever asks may know that it will do now
			k |= other
			e.fresh = e.fresh && other&reloadConfig == 0
		case <-t.C:
		}
		t.Stop()
		backoff = min(2*backoff, lastBackoff)
	}
}

// retries logs why a load failed, and tells whether to try again.
func (e *Engine) retries(err error) bool {
	cfg := e.Config()
	e.Stats.FailedLoads.Add(1)
	e.opt.Log.Error("could not load the schema cache", "db-schemas", cfg.Schemas, "db-extra-search-path", cfg.ExtraSearchPath, "error", err)
	var (
		pgErr   *pgconn.PgError
		old     *unsupportedError
		connect *exec.ConnectError
	)
	switch {
	case errors.As(err, &pgErr) && pgErr.Code == "28P01": // wrong password
	case errors.As(err, &old):
	case !cfg.PoolAutoRecovery && errors.As(err, &connect):
		err = fmt.Errorf("automatic recovery is off: %w", err)
	default:
		return cfg.PoolAutoRecovery
	}
	return !e.fail(err)
}

// fail gives up, where that is possible.
func (e *Engine) fail(err error) bool {
	if e.opt.Fail == nil {
		return false
	}
	e.opt.Fail(err)
	return true
}

// load makes a new state of what is to be loaded anew and what is to stay, and swaps it in.
func (e *Engine) load(ctx context.Context, k reloadKind) error {
	ctx, cancel := context.WithTimeout(ctx, loadTimeout)
	defer cancel()
	conn, err := e.connect(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	e.catchUp(ctx, conn)
	old := e.state.Load()
	cfg, authenticator, err := e.loadConfig(ctx, conn, k, old)
	if err != nil && old.cache != nil && !conn.IsClosed() {
		e.opt.Log.Error("the new settings are no good, and the old ones stay in force", "error", err)
		cfg, authenticator, err = old.cfg, old.auth, nil
		k &^= reloadConfig
	}
	if err != nil {
		return err
	}
	cache, err := e.loadCache(ctx, conn, k, cfg, old)
	if err != nil {
		return err
	}
	readable, err := readsAnywhere(ctx, conn, cfg)
	if err != nil {
		return err
	}
	if e.readable.Store(readable); !readable {
		e.opt.Log.Warn("no replica is read from, since the pre-request function isn't known to be stable", "db-pre-request", cfg.PreRequest)
	}
	e.state.Store(e.newState(cfg, authenticator, cache))
	e.announce(k, old, conn)
	e.fresh = false
	if k&renewPool != 0 && old.cache != nil {
		e.pool.Reset()
		e.replicas.Reset()
	}
	return nil
}

// announce says what is in force now that wasn't before.
func (e *Engine) announce(k reloadKind, old *state, conn *pgx.Conn) {
	st := e.state.Load()
	changed := st.cfg != old.cfg
	if changed && e.opt.Configured != nil {
		e.opt.Configured(st.cfg)
	}
	if old.cache != nil && (changed || k&reloadConfig != 0) {
		e.opt.Log.Info("settings reloaded", "changed", changed)
	}
	if old.cache == nil || k&reloadSchema != 0 || !sameSchemas(st.cfg, old.cfg) {
		took := time.Duration(e.Stats.LoadDuration.Load())
		e.opt.Log.Info("schema cache loaded", "summary", st.cache.Summary(), "took", took.Round(time.Microsecond).String(),
			"postgresql", conn.PgConn().ParameterStatus("server_version"))
	}
}

// connect connects to a server that is not too old.
func (e *Engine) connect(ctx context.Context) (*pgx.Conn, error) {
	conn, err := pg.Connect(ctx, e.Config().DBURI, e.opt.AppName)
	if err != nil {
		return nil, &exec.ConnectError{Cause: err}
	}
	version := conn.PgConn().ParameterStatus("server_version")
	number, _, _ := strings.Cut(version, ".")
	if major, err := strconv.Atoi(number); err == nil && major < oldestServer {
		_ = conn.Close(ctx)
		return nil, &unsupportedError{version}
	}
	return conn, nil
}

const oldestServer = 14

// unsupportedError says that the server is too old.
type unsupportedError struct{ version string }

func (e *unsupportedError) Error() string {
	return fmt.Sprintf("PostgreSQL %s is too old: %d is the oldest that will do", e.version, oldestServer)
}

// loadCache reads the snapshot, or only the roles where the rest is to stay.
func (e *Engine) loadCache(ctx context.Context, conn *pgx.Conn, k reloadKind, cfg *config.DataAPI, old *state) (*schema.Cache, error) {
	if k&reloadSchema == 0 && old.cache != nil && sameSchemas(cfg, old.cfg) {
		roles, err := introspect.LoadRoles(ctx, conn)
		if err != nil {
			return nil, err
		}
		cache := *old.cache
		cache.Roles = roles
		return &cache, nil
	}
	started := time.Now()
	if err := e.checkSchemas(ctx, conn, cfg); err != nil {
		return nil, err
	}
	cache, err := introspect.Load(ctx, conn, introspectOptions(cfg))
	if err != nil {
		return nil, err
	}
	e.Stats.Loads.Add(1)
	e.Stats.LoadDuration.Store(int64(time.Since(started)))
	return cache, nil
}

const missingSchemas = `SELECT s FROM unnest($1::text[]) s WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_namespace n WHERE n.nspname = s)`

// checkSchemas finds schemas that are named but aren't there.
func (e *Engine) checkSchemas(ctx context.Context, conn *pgx.Conn, cfg *config.DataAPI) error {
	if !e.opt.NeedSchemas {
		return nil
	}
	var missing string
	err := conn.QueryRow(ctx, missingSchemas, slices.Concat(cfg.Schemas, cfg.ExtraSearchPath)).Scan(&missing)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return nil
	case err != nil:
		return err
	}
	return fmt.Errorf("schema %q does not exist", missing)
}

func introspectOptions(cfg *config.DataAPI) introspect.Options {
	return introspect.Options{
		Schemas:           cfg.Schemas,
		ExtraSearchPath:   cfg.ExtraSearchPath,
		HoistedTxSettings: cfg.HoistedTxSettings,
	}
}

// refreshRoles swaps in a snapshot with the roles as they are now.
func (e *Engine) refreshRoles(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, loadTimeout)
	defer cancel()
	st := e.state.Load()
	if st.cache == nil {
		return
	}
	conn, err := e.pool.Acquire(ctx, "roles")
	if err != nil {
		return // the requests that fail for the same reason say so
	}
	defer conn.Release()
	roles, err := introspect.LoadRoles(ctx, conn.Conn)
	if err != nil {
		e.opt.Log.Warn("could not look up roles", "error", err)
		return
	}
	cache := *st.cache
	cache.Roles = roles
	e.state.Store(e.newState(st.cfg, st.auth, &cache))
}

func sameSchemas(a, b *config.DataAPI) bool {
	return slices.Equal(a.Schemas, b.Schemas) && slices.Equal(a.ExtraSearchPath, b.ExtraSearchPath) &&
		slices.Equal(a.HoistedTxSettings, b.HoistedTxSettings)
}
