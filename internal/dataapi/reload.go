package dataapi

import (
	"context"
	"math"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tarn-data/tarn/internal/config"
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
	// listenWait is how long the first load waits for the listener, which some servers can't have.
	listenWait = 500 * time.Millisecond
	// rolesEvery is how often the roles that must not be acted as are looked up anew: no notification tells of them.
	rolesEvery = 15 * time.Second
)

// maintain loads the snapshot, and again whenever that is asked for.
func (e *Engine) maintain(ctx context.Context) {
	if cfg := e.Config(); cfg.ChannelEnabled {
		e.startListening(ctx, cfg)
	}
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
			if other != k {
				k = reloadAll
			}
		}
	}
}

func (e *Engine) loadUntilDone(ctx context.Context, k reloadKind) {
	backoff := firstBackoff
	for ctx.Err() == nil {
		err := e.load(ctx, k)
		e.once.Do(func() { close(e.tried) })
		if err == nil || ctx.Err() != nil {
			e.up.Store(err == nil)
			e.retry.Store(0)
			return
		}
		e.up.Store(false)
		e.Stats.FailedLoads.Add(1)
		e.retry.Store(int64(math.Ceil(backoff.Seconds())))
		e.opt.Log.Error("could not load the schema cache", "retry_in", backoff.String(), "error", err)
		if !e.Config().PoolAutoRecovery {
			return
		}
		t := time.NewTimer(backoff)
		select {
		case <-ctx.Done():
		case <-t.C:
		}
		t.Stop()
		backoff = min(2*backoff, lastBackoff)
	}
}

func (e *Engine) load(ctx context.Context, k reloadKind) error {
	ctx, cancel := context.WithTimeout(ctx, loadTimeout)
	defer cancel()
	started := time.Now()
	conn, err := pg.Connect(ctx, e.Config().DBURI, e.opt.AppName)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	old := e.state.Load()
	cfg, authenticator, cache := old.cfg, old.auth, old.cache
	if k != reloadSchema {
		if cfg, err = e.loadConfig(ctx, conn); err != nil {
			return err
		}
		if authenticator, err = e.opt.Authenticator(cfg); err != nil {
			return err
		}
	}
	if k != reloadConfig || !sameSchemas(cfg, old.cfg) {
		if cache, err = e.loadCache(ctx, conn, cfg); err != nil {
			return err
		}
		took := time.Since(started)
		e.Stats.Loads.Add(1)
		e.Stats.LoadDuration.Store(int64(took))
		e.opt.Log.Info("schema cache loaded", "summary", cache.Summary(), "took", took.Round(time.Microsecond).String())
	}
	e.state.Store(e.newState(cfg, authenticator, cache))
	return nil
}

// loadConfig reads the settings, with those in the database if they are to be heard.
func (e *Engine) loadConfig(ctx context.Context, conn *pgx.Conn) (*config.DataAPI, error) {
	cfg, err := e.opt.Load(nil)
	if err != nil || !cfg.DBConfig {
		return cfg, err
	}
	return configWithDatabase(ctx, conn, e.opt.Load, cfg)
}

func configWithDatabase(
	ctx context.Context, conn *pgx.Conn, load func([]config.Setting) (*config.DataAPI, error), cfg *config.DataAPI,
) (*config.DataAPI, error) {
	found, err := introspect.LoadSettings(ctx, conn, cfg.PreConfig, config.InDatabase())
	if err != nil {
		return nil, err
	}
	settings := make([]config.Setting, len(found))
	for i, s := range found {
		settings[i] = config.Setting(s)
	}
	return load(settings)
}

func (e *Engine) loadCache(ctx context.Context, conn *pgx.Conn, cfg *config.DataAPI) (*schema.Cache, error) {
	return introspect.Load(ctx, conn, introspectOptions(cfg))
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
	conn, err := e.pool.Acquire(ctx)
	if err != nil {
		return // the requests that fail for the same reason say so
	}
	defer conn.Release()
	roles, err := introspect.LoadRoles(ctx, conn.Conn())
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

// startListening begins to listen for requests to reload, and waits a while for that, so that no change between the
// first load and the first notification is missed.
func (e *Engine) startListening(ctx context.Context, cfg *config.DataAPI) {
	var (
		listening = make(chan struct{})
		first     = true
	)
	l := pg.Listener{
		URL: cfg.DBURI, AppName: e.opt.AppName, Channel: cfg.Channel, Log: e.opt.Log,
		Connected: func() {
			if first {
				first = false
				close(listening)
				if !e.loading.Load() {
					return
				}
			}
			e.request(reloadAll) // what changed before was not heard of
		},
		Notified: func(payload string) {
			switch payload {
			case "", "reload schema":
				e.request(reloadSchema)
			case "reload config":
				e.request(reloadConfig)
			}
		},
	}
	e.done.Go(func() {
		l.Run(ctx)
	})
	t := time.NewTimer(listenWait)
	defer t.Stop()
	select {
	case <-listening:
	case <-t.C:
	case <-ctx.Done():
	}
	e.loading.Store(true)
}
