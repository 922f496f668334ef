package dataapi

import (
	"context"
	"log/slog"
	"reflect"

	"github.com/jackc/pgx/v5"

	"github.com/tarn-data/tarn/internal/auth"
	"github.com/tarn-data/tarn/internal/config"
	"github.com/tarn-data/tarn/internal/dataapi/introspect"
	"github.com/tarn-data/tarn/internal/dataapi/schema"
	"github.com/tarn-data/tarn/internal/pg"
)

// Load reads the settings, with those that the database holds.
type Load func(inDatabase []config.Setting) (*config.DataAPI, error)

// loadConfig reads the settings anew, if it is time. Where nothing has changed it returns the old ones, so that what is known
// of tokens isn't lost.
func (e *Engine) loadConfig(
	ctx context.Context, conn *pgx.Conn, k reloadKind, old *state,
) (*config.DataAPI, auth.Authenticator, error) {
	if k&reloadConfig == 0 && !old.cfg.DBConfig { // what the database holds is loaded together
		return old.cfg, old.auth, nil
	}
	cfg := old.cfg
	var err error
	if !e.fresh {
		if cfg, err = e.opt.Load(nil); err != nil {
			return nil, nil, err
		}
	}
	if cfg.DBConfig {
		if cfg, err = configWithDatabase(ctx, conn, e.opt.Load, cfg); err != nil {
			return nil, nil, err
		}
	}
	if reflect.DeepEqual(cfg, old.cfg) {
		return old.cfg, old.auth, nil
	}
	authenticator, err := e.opt.Authenticator(cfg)
	return cfg, authenticator, err
}

func configWithDatabase(ctx context.Context, conn *pgx.Conn, load Load, cfg *config.DataAPI) (*config.DataAPI, error) {
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

// LoadConfig adds what the database holds to settings, once. Without a database they are as they were, and the log says
// why.
func LoadConfig(ctx context.Context, cfg *config.DataAPI, load Load, log *slog.Logger) (*config.DataAPI, error) {
	if !cfg.DBConfig {
		return cfg, nil
	}
	conn, err := pg.Connect(ctx, cfg.DBURI, "tarn")
	if err != nil {
		log.Warn("settings in the database are not read", "error", err)
		return cfg, nil
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	return configWithDatabase(ctx, conn, load, cfg)
}

// LoadSchema reads the schema cache, once.
func LoadSchema(ctx context.Context, cfg *config.DataAPI) (*schema.Cache, error) {
	conn, err := pg.Connect(ctx, cfg.DBURI, "tarn")
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	return introspect.Load(ctx, conn, introspectOptions(cfg))
}
