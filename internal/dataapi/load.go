package dataapi

import (
	"context"

	"github.com/tarn-data/tarn/internal/config"
	"github.com/tarn-data/tarn/internal/dataapi/introspect"
	"github.com/tarn-data/tarn/internal/dataapi/schema"
	"github.com/tarn-data/tarn/internal/pg"
)

// LoadConfig reads the settings with those that the database holds, once.
func LoadConfig(ctx context.Context, load func([]config.Setting) (*config.DataAPI, error)) (*config.DataAPI, error) {
	cfg, err := load(nil)
	if err != nil || !cfg.DBConfig {
		return cfg, err
	}
	conn, err := pg.Connect(ctx, cfg.DBURI, "tarn")
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	return configWithDatabase(ctx, conn, load, cfg)
}

// LoadSchema reads the schema cache, once.
func LoadSchema(ctx context.Context, load func([]config.Setting) (*config.DataAPI, error)) (*schema.Cache, error) {
	cfg, err := LoadConfig(ctx, load)
	if err != nil {
		return nil, err
	}
	conn, err := pg.Connect(ctx, cfg.DBURI, "tarn")
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	return introspect.Load(ctx, conn, introspectOptions(cfg))
}
