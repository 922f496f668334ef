package store

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tarn-data/tarn/internal/control/databases"
)

const tableColumns = `t.id, t.name, t.instance, t.database, t.schema_name, t.table_name, t.creator, t.spec, t.pipeline_id::text AS pipeline_id,
	t.full_refresh, CASE WHEN t.lease_until > now() THEN t.started_at END AS started_at, t.rows_read, t.failures, t.failure, t.version, t.rows,
	t.sync_start, t.sync_end, t.note, coalesce((SELECT sum(r.retained) FROM replication_slots r WHERE r.table_id = t.id), 0)::bigint AS retained, (SELECT i.stopped FROM database_instances i WHERE i.name = t.instance) AS stopped`

// CreateTable implements databases.TableStore.
func (d *DB) CreateTable(ctx context.Context, t databases.Table) (*databases.Table, error) {
	return one[databases.Table](ctx, d, `INSERT INTO synced_tables AS t (name, instance, database, schema_name, table_name, creator, spec)
		VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING RETURNING `+tableColumns,
		t.Name, t.Instance, t.Database, t.SchemaName, t.TableName, t.Creator, t.Spec)
}

// Table implements databases.TableStore.
func (d *DB) Table(ctx context.Context, name string) (*databases.Table, error) {
	return one[databases.Table](ctx, d, "SELECT "+tableColumns+" FROM synced_tables t WHERE name = $1", name)
}

// TableOfPipeline implements databases.TableStore.
func (d *DB) TableOfPipeline(ctx context.Context, id string) (*databases.Table, error) {
	return one[databases.Table](ctx, d, "SELECT "+tableColumns+" FROM synced_tables t WHERE pipeline_id::text = $1", id)
}

// Tables implements databases.TableStore.
func (d *DB) Tables(ctx context.Context, instance, after string, limit int) ([]databases.Table, error) {
	return all[databases.Table](ctx, d, "SELECT "+tableColumns+" FROM synced_tables t WHERE instance = $1 AND name > $2 ORDER BY name LIMIT $3",
		instance, after, limit)
}

// DeleteTable implements databases.TableStore.
func (d *DB) DeleteTable(ctx context.Context, name string) error {
	return d.inTx(ctx, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "UPDATE replication_slots SET check_at = now() WHERE table_id = (SELECT id FROM synced_tables WHERE name = $1)", name)
		if err == nil {
			_, err = tx.Exec(ctx, "DELETE FROM synced_tables WHERE name = $1", name)
		}
		return err
	})
}

// Request implements databases.TableStore. A run that is on may have read the source already, so another follows it.
func (d *DB) Request(ctx context.Context, id int64, full bool) error {
	_, err := d.pool.Exec(ctx, "UPDATE synced_tables SET requested_at = now(), due_at = now(), full_refresh = full_refresh OR $2 WHERE id = $1", id, full)
	return err
}

// Claim implements databases.TableStore.
func (d *DB) Claim(ctx context.Context, holder string, lease time.Duration) (*databases.Table, error) {
	return one[databases.Table](ctx, d, `UPDATE synced_tables AS t SET lease_holder = $1, lease_until = now() + $2, started_at = now(), rows_read = 0
		WHERE id = (SELECT s.id FROM synced_tables s JOIN database_instances i ON i.name = s.instance AND NOT i.stopped
			WHERE s.due_at <= now() AND (s.lease_until IS NULL OR s.lease_until < now())
			ORDER BY s.due_at LIMIT 1 FOR UPDATE OF s SKIP LOCKED)
		RETURNING `+tableColumns, holder, lease)
}

// Prolong implements databases.TableStore.
func (d *DB) Prolong(ctx context.Context, id int64, holder string, lease time.Duration, rows int64) (held, asked bool, err error) {
	err = d.pool.QueryRow(ctx, `UPDATE synced_tables SET lease_until = now() + $3, rows_read = $4 WHERE id = $1 AND lease_holder = $2 AND lease_until > now()
		RETURNING coalesce(requested_at > started_at, false)`, id, holder, lease, rows).Scan(&asked)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, false, nil
	}
	return err == nil, asked, err
}

// Finish implements databases.TableStore.
func (d *DB) Finish(ctx context.Context, id int64, holder string, o databases.Outcome) error {
	_, err := d.pool.Exec(ctx, `UPDATE synced_tables SET lease_holder = NULL, lease_until = NULL, requested_at = NULL,
			due_at = CASE WHEN requested_at > started_at THEN now() ELSE now() + $5::interval END,
			full_refresh = full_refresh AND ($3 <> '' OR coalesce(requested_at > started_at, false)),
			failure = $3,
			note = CASE WHEN $3 = '' THEN $6 ELSE note END,
			failures = CASE WHEN $3 = '' THEN 0 ELSE failures + 1 END,
			version = version + ($3 = '')::int,
			rows = CASE WHEN $3 = '' THEN $4 ELSE rows END,
			sync_start = CASE WHEN $3 = '' THEN started_at ELSE sync_start END,
			sync_end = CASE WHEN $3 = '' THEN now() ELSE sync_end END
		WHERE id = $1 AND lease_holder = $2`, id, holder, o.Failure, o.Rows, o.Next, o.Note)
	return err
}

// Release implements databases.TableStore.
func (d *DB) Release(ctx context.Context, id int64, holder string) error {
	_, err := d.pool.Exec(ctx, "UPDATE synced_tables SET lease_holder = NULL, lease_until = NULL WHERE id = $1 AND lease_holder = $2", id, holder)
	return err
}
