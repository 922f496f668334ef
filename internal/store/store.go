// Package store keeps Tarn's own state in PostgreSQL: it implements what the services ask to be kept, one file a
// service. It knows nothing of HTTP.
package store

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Options say where the state is.
type Options struct {
	URL     string // of a role that owns the database
	AppName string
	Log     *slog.Logger

	restoring bool // it is being made of a dump
}

// DB is Tarn's own state. It is safe for concurrent use.
type DB struct {
	pool    *pgxpool.Pool
	opt     Options
	changes *Changes
}

// Open opens the state and brings its schema up to date. Several processes may do so at once.
func Open(ctx context.Context, opt Options) (*DB, error) {
	db, err := Connect(ctx, opt)
	if err != nil {
		return nil, err
	}
	if err := db.checkWhole(ctx); err != nil {
		db.Close()
		return nil, err
	}
	if err := migrate(ctx, db.pool, opt.Log); err != nil {
		db.Close()
		return nil, fmt.Errorf("bring the state's schema up to date: %w", err)
	}
	return db, nil
}

// Connect opens the state as it is.
func Connect(ctx context.Context, opt Options) (*DB, error) {
	cfg, err := pgxpool.ParseConfig(opt.URL)
	if err != nil {
		return nil, fmt.Errorf("connection string of the state: %w", err)
	}
	cfg.ConnConfig.RuntimeParams["application_name"] = opt.AppName
	cfg.ConnConfig.RuntimeParams["search_path"] = "tarn"
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, err
	}
	return &DB{pool: pool, opt: opt, changes: newChanges()}, nil
}

func migrate(ctx context.Context, pool *pgxpool.Pool, log *slog.Logger) error {
	if _, err := pool.Exec(ctx, "CREATE SCHEMA IF NOT EXISTS tarn"); err != nil {
		var pgErr *pgconn.PgError
		if !errors.As(err, &pgErr) || pgErr.Code != "23505" { // another process made it at the same time
			return err
		}
	}
	db := stdlib.OpenDBFromPool(pool)
	defer func() { _ = db.Close() }()
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	locker, err := lock.NewPostgresSessionLocker()
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(goose.DialectPostgres, db, files,
		goose.WithSessionLocker(locker), goose.WithAllowOutofOrder(true), goose.WithTableName("migrations"))
	if err != nil {
		return err
	}
	done, err := p.Up(ctx)
	for _, m := range done {
		log.Info("state migrated", "step", m.Source.Path, "duration", m.Duration.String())
	}
	return err
}

// Ready tells whether the state can be reached.
func (d *DB) Ready(ctx context.Context) error { return d.pool.Ping(ctx) }

// Close closes the state.
func (d *DB) Close() { d.pool.Close() }

// inTx does something in one transaction.
func (d *DB) inTx(ctx context.Context, do func(tx pgx.Tx) error) error {
	return pgx.BeginFunc(ctx, d.pool, do)
}
