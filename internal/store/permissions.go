package store

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/tarn-data/tarn/internal/auth"
	"github.com/tarn-data/tarn/internal/control/permissions"
)

// Permissions implements permissions.Store.
func (d *DB) Permissions(ctx context.Context, objects []permissions.Object) ([]permissions.Entry, error) {
	return permissionsOn(ctx, d.pool, objects)
}

func permissionsOn(ctx context.Context, db reader, objects []permissions.Object) ([]permissions.Entry, error) {
	types, ids := make([]string, len(objects)), make([]string, len(objects))
	for i, o := range objects {
		types[i], ids[i] = o.Type, o.ID
	}
	rows, err := db.Query(ctx, `SELECT r.object_type, r.object_id, p.id, p.kind, p.name, p.display_name, r.level
		FROM unnest($1::text[], $2::text[]) o (type, id) JOIN permissions r ON r.object_type = o.type AND r.object_id = o.id
		JOIN principals p ON p.id = r.principal_id ORDER BY p.id`, types, ids)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (e permissions.Entry, err error) {
		p := &e.Principal
		err = row.Scan(&e.Object.Type, &e.Object.ID, &p.ID, &p.Kind, &p.Name, &p.DisplayName, &e.Level)
		return e, err
	})
}

// ChangePermissions implements permissions.Store.
func (d *DB) ChangePermissions(ctx context.Context, o permissions.Object, change func([]permissions.Entry) ([]permissions.Entry, error)) error {
	return d.inTx(ctx, func(tx pgx.Tx) error {
		// There may be no row yet that could be locked.
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock(hashtextextended($1, 1))", "permissions/"+o.Type+"/"+o.ID); err != nil {
			return err
		}
		before, err := permissionsOn(ctx, tx, []permissions.Object{o})
		if err != nil {
			return err
		}
		after, err := change(before)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "DELETE FROM permissions WHERE object_type = $1 AND object_id = $2", o.Type, o.ID); err != nil {
			return err
		}
		ids, levels := make([]int64, len(after)), make([]string, len(after))
		for i, e := range after {
			ids[i], levels[i] = e.Principal.ID, string(e.Level)
		}
		_, err = tx.Exec(ctx, "INSERT INTO permissions SELECT $1, $2, * FROM unnest($3::bigint[], $4::text[])", o.Type, o.ID, ids, levels)
		return err
	})
}

// PrincipalNamed implements permissions.Store.
func (d *DB) PrincipalNamed(ctx context.Context, kind auth.Kind, name string) (*permissions.Principal, error) {
	var p permissions.Principal
	err := d.pool.QueryRow(ctx, "SELECT id, kind, name, display_name FROM principals WHERE lower(name) = lower($1) AND kind = $2", name, kind).
		Scan(&p.ID, &p.Kind, &p.Name, &p.DisplayName)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil //nolint:nilnil // as the interface says
	}
	return &p, err
}
