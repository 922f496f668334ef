package store

import (
	"context"
	"time"

	"github.com/tarn-data/tarn/internal/control/databases"
)

// ReserveSlot implements databases.SlotStore.
func (d *DB) ReserveSlot(ctx context.Context, holder string, s databases.Slot) (bool, error) {
	tag, err := d.pool.Exec(ctx, `INSERT INTO replication_slots (name, table_id, source, database, check_at)
		SELECT $1, id, $4, $5, now() + interval '1 minute' FROM synced_tables WHERE id = $2 AND lease_holder = $3 AND lease_until > now()
		ON CONFLICT (name) DO UPDATE SET table_id = EXCLUDED.table_id, source = EXCLUDED.source, database = EXCLUDED.database,
			retained = 0, check_at = EXCLUDED.check_at`, s.Name, s.TableID, holder, s.Source, s.Database)
	return tag.RowsAffected() == 1, err
}

// GiveUpSlot implements databases.SlotStore.
func (d *DB) GiveUpSlot(ctx context.Context, tableID int64) error {
	_, err := d.pool.Exec(ctx, "UPDATE replication_slots SET table_id = NULL, check_at = now() WHERE table_id = $1", tableID)
	return err
}

// DueSlot implements databases.SlotStore.
func (d *DB) DueSlot(ctx context.Context) (*databases.Slot, error) {
	return one[databases.Slot](ctx, d, `UPDATE replication_slots AS r
		SET check_at = now() + CASE WHEN table_id IS NULL THEN interval '10 seconds' ELSE interval '1 minute' END
		WHERE name = (SELECT name FROM replication_slots WHERE check_at <= now() ORDER BY check_at LIMIT 1 FOR UPDATE SKIP LOCKED)
		RETURNING name, table_id, source, database`)
}

// SlotKeeps implements databases.SlotStore.
func (d *DB) SlotKeeps(ctx context.Context, name string, bytes int64) error {
	_, err := d.pool.Exec(ctx, "UPDATE replication_slots SET retained = $2 WHERE name = $1", name, bytes)
	return err
}

// ForgetSlot implements databases.SlotStore.
func (d *DB) ForgetSlot(ctx context.Context, name string) error {
	_, err := d.pool.Exec(ctx, "DELETE FROM replication_slots WHERE name = $1 AND table_id IS NULL", name)
	return err
}

// Note implements databases.SlotStore.
func (d *DB) Note(ctx context.Context, tableID int64, note string) error {
	_, err := d.pool.Exec(ctx, "UPDATE synced_tables SET note = $2 WHERE id = $1", tableID, note)
	return err
}

// Synced implements databases.SlotStore.
func (d *DB) Synced(ctx context.Context, id int64, holder string, s databases.Synced) (bool, error) {
	tag, err := d.pool.Exec(ctx, `UPDATE synced_tables SET failure = '', failures = 0, version = version + $3::boolean::int, rows = $4,
			sync_start = now() - $5::interval, sync_end = now(), note = $6, rows_read = $4,
			full_refresh = full_refresh AND coalesce(requested_at > started_at, false),
			requested_at = CASE WHEN requested_at > started_at THEN requested_at END
		WHERE id = $1 AND lease_holder = $2 AND lease_until > now()`, id, holder, s.Changed, s.Rows, time.Since(s.AsOf), s.Note)
	return tag.RowsAffected() == 1, err
}
