package store

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/tarn-data/tarn/internal/control/databases"
)

const instanceColumns = "name, uid::text AS uid, creator, capacity, stopped, native_login, custom_tags, created_at"

// CreateInstance implements databases.Store.
func (d *DB) CreateInstance(ctx context.Context, i databases.Instance) (*databases.Instance, error) {
	tags := i.CustomTags
	if len(tags) == 0 {
		tags = []byte("[]")
	}
	return one[databases.Instance](ctx, d, `INSERT INTO database_instances (name, creator, capacity, stopped, native_login, custom_tags)
		VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING RETURNING `+instanceColumns,
		i.Name, i.Creator, i.Capacity, i.Stopped, i.NativeLogin, tags)
}

// Instance implements databases.Store.
func (d *DB) Instance(ctx context.Context, name string) (*databases.Instance, error) {
	return one[databases.Instance](ctx, d, "SELECT "+instanceColumns+" FROM database_instances WHERE name = $1", name)
}

// InstanceByUID implements databases.Store.
func (d *DB) InstanceByUID(ctx context.Context, uid string) (*databases.Instance, error) {
	return one[databases.Instance](ctx, d, "SELECT "+instanceColumns+" FROM database_instances WHERE uid::text = $1", uid)
}

// Instances implements databases.Store.
func (d *DB) Instances(ctx context.Context, after string, limit int) ([]databases.Instance, error) {
	return all[databases.Instance](ctx, d, "SELECT "+instanceColumns+" FROM database_instances WHERE name > $1 ORDER BY name LIMIT $2", after, limit)
}

// ChangeInstance implements databases.Store.
func (d *DB) ChangeInstance(ctx context.Context, name string, c databases.InstanceChange) (*databases.Instance, error) {
	var tags *string
	if len(c.CustomTags) > 0 {
		text := string(c.CustomTags)
		tags = &text
	}
	return one[databases.Instance](ctx, d, `UPDATE database_instances SET capacity = coalesce($2, capacity), stopped = coalesce($3, stopped),
		native_login = coalesce($4, native_login), custom_tags = coalesce($5::jsonb, custom_tags) WHERE name = $1 RETURNING `+instanceColumns,
		name, c.Capacity, c.Stopped, c.NativeLogin, tags)
}

// DeleteInstance implements databases.Store.
func (d *DB) DeleteInstance(ctx context.Context, name string, drop func() error) (bool, error) {
	err := d.inTx(ctx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "DELETE FROM instance_databases WHERE instance = $1", name); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "DELETE FROM database_instances WHERE name = $1", name); err != nil {
			return err
		}
		return drop()
	})
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) && pgErr.Code == "23503" {
		return false, nil
	}
	return err == nil, err
}

// Databases implements databases.Store.
func (d *DB) Databases(ctx context.Context, instance string) (made, adopted []string, err error) {
	type row struct {
		Database string
		Made     bool
	}
	rows, err := all[row](ctx, d, "SELECT database, made FROM instance_databases WHERE instance = $1 ORDER BY database", instance)
	for _, r := range rows {
		if r.Made {
			made = append(made, r.Database)
		} else {
			adopted = append(adopted, r.Database)
		}
	}
	return made, adopted, err
}

// InstanceOf implements databases.Store.
func (d *DB) InstanceOf(ctx context.Context, db string) (string, error) {
	rows, err := d.pool.Query(ctx, "SELECT instance FROM instance_databases WHERE database = $1", db)
	if err != nil {
		return "", err
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(names) == 0 {
		return "", err
	}
	return names[0], nil
}

// AddDatabase implements databases.Store.
func (d *DB) AddDatabase(ctx context.Context, instance, db string, made bool) error {
	_, err := d.pool.Exec(ctx, "INSERT INTO instance_databases VALUES ($1, $2, $3) ON CONFLICT DO NOTHING", db, instance, made)
	return err
}

const catalogColumns = "name, uid::text AS uid, instance, database, creator"

// CreateCatalog implements databases.Store.
func (d *DB) CreateCatalog(ctx context.Context, c databases.Catalog) (*databases.Catalog, error) {
	return one[databases.Catalog](ctx, d, `INSERT INTO database_catalogs (name, instance, database, creator) VALUES ($1, $2, $3, $4)
		ON CONFLICT DO NOTHING RETURNING `+catalogColumns, c.Name, c.Instance, c.Database, c.Creator)
}

// Catalog implements databases.Store.
func (d *DB) Catalog(ctx context.Context, name string) (*databases.Catalog, error) {
	return one[databases.Catalog](ctx, d, "SELECT "+catalogColumns+" FROM database_catalogs WHERE lower(name) = lower($1)", name)
}

// Catalogs implements databases.Store.
func (d *DB) Catalogs(ctx context.Context, instance, after string, limit int) ([]databases.Catalog, error) {
	return all[databases.Catalog](ctx, d, "SELECT "+catalogColumns+" FROM database_catalogs WHERE instance = $1 AND name > $2 ORDER BY name LIMIT $3",
		instance, after, limit)
}

// DeleteCatalog implements databases.Store.
func (d *DB) DeleteCatalog(ctx context.Context, name string) error {
	_, err := d.pool.Exec(ctx, "DELETE FROM database_catalogs WHERE name = $1", name)
	return err
}

// one returns the row of a query; nil if there is none.
func one[T any](ctx context.Context, d *DB, sql string, args ...any) (*T, error) {
	rows, err := d.pool.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	row, err := pgx.CollectOneRow(rows, pgx.RowToAddrOfStructByNameLax[T])
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil //nolint:nilnil // it is how stores say that there is none
	}
	return row, err
}

func all[T any](ctx context.Context, d *DB, sql string, args ...any) ([]T, error) {
	rows, err := d.pool.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByNameLax[T])
}
