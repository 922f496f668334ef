package store

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/tarn-data/tarn/internal/control/ipaccess"
)

const ipAccessColumns = `id::text AS id, label, type, addresses, enabled, created_at AS created, created_by,
	updated_at AS updated, updated_by`

// IPAccessLists implements ipaccess.Store.
func (d *DB) IPAccessLists(ctx context.Context) ([]ipaccess.List, error) {
	return ipAccessLists(ctx, d.pool)
}

// querier is a pool or a transaction.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

func ipAccessLists(ctx context.Context, q querier) ([]ipaccess.List, error) {
	rows, err := q.Query(ctx, "SELECT "+ipAccessColumns+" FROM ip_access_list ORDER BY created_at, id")
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[ipaccess.List])
}

// ChangeIPAccessLists implements ipaccess.Store.
func (d *DB) ChangeIPAccessLists(ctx context.Context, decide func([]ipaccess.List) (ipaccess.Change, error)) (kept *ipaccess.List, err error) {
	err = d.inTx(ctx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "LOCK TABLE ip_access_list IN SHARE ROW EXCLUSIVE MODE"); err != nil {
			return err
		}
		all, err := ipAccessLists(ctx, tx)
		if err != nil {
			return err
		}
		change, err := decide(all)
		if err != nil {
			return err
		}
		if change.Delete != "" {
			if _, err := tx.Exec(ctx, "DELETE FROM ip_access_list WHERE id::text = $1", change.Delete); err != nil {
				return err
			}
		}
		if change.Keep != nil {
			if kept, err = keepIPAccessList(ctx, tx, change.Keep); err != nil {
				return err
			}
		}
		return tell(ctx, tx, IPAccessTopic)
	})
	return kept, err
}

func keepIPAccessList(ctx context.Context, tx pgx.Tx, l *ipaccess.List) (*ipaccess.List, error) {
	const upsert = `INSERT INTO ip_access_list (id, label, type, addresses, enabled, created_by, updated_by)
		VALUES (coalesce(nullif($1, '')::uuid, gen_random_uuid()), $2, $3, $4, $5, $6, $7)
		ON CONFLICT (id) DO UPDATE SET label = excluded.label, type = excluded.type, addresses = excluded.addresses,
			enabled = excluded.enabled, updated_by = excluded.updated_by, updated_at = now()
		RETURNING ` + ipAccessColumns
	rows, err := tx.Query(ctx, upsert, l.ID, l.Label, l.Type, l.Addresses, l.Enabled, l.CreatedBy, l.UpdatedBy)
	if err != nil {
		return nil, err
	}
	return pgx.CollectExactlyOneRow(rows, pgx.RowToAddrOfStructByName[ipaccess.List])
}

// WorkspaceConf implements workspaceconf.Store.
func (d *DB) WorkspaceConf(ctx context.Context) (map[string]string, error) {
	rows, err := d.pool.Query(ctx, "SELECT key, value FROM workspace_conf")
	if err != nil {
		return nil, err
	}
	values := map[string]string{}
	var key, value string
	_, err = pgx.ForEachRow(rows, []any{&key, &value}, func() error {
		values[key] = value
		return nil
	})
	return values, err
}

// SetWorkspaceConf implements workspaceconf.Store.
func (d *DB) SetWorkspaceConf(ctx context.Context, values map[string]string) error {
	return d.inTx(ctx, func(tx pgx.Tx) error {
		for key, value := range values {
			const upsert = "INSERT INTO workspace_conf (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value"
			if _, err := tx.Exec(ctx, upsert, key, value); err != nil {
				return err
			}
		}
		return tell(ctx, tx, WorkspaceConfTopic)
	})
}
