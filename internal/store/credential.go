package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tarn-data/tarn/internal/credential"
)

// keptVersions is how many versions of a credential are kept.
const keptVersions = 10

type versionRow struct {
	Name    string
	Version int64
	Sealed  []byte
	MadeAt  time.Time
	MadeBy  string
}

func (r versionRow) info() credential.Info {
	return credential.Info{Name: r.Name, Version: r.Version, MadeAt: r.MadeAt, MadeBy: r.MadeBy}
}

// PutCredential implements credential.Store.
func (d *DB) PutCredential(ctx context.Context, at credential.Path, name, by string, seal func(int64) ([]byte, error)) (info credential.Info, err error) {
	err = d.inTx(ctx, func(tx pgx.Tx) error {
		var id string
		r := versionRow{Name: name, MadeBy: by}
		if err := tx.QueryRow(ctx, `INSERT INTO vault_secrets (account, app, name, latest_version) VALUES ($1, $2, $3, 1)
			ON CONFLICT (account, app, name) DO UPDATE SET latest_version = vault_secrets.latest_version + 1 RETURNING id::text, latest_version`,
			at.Account, at.App, name).Scan(&id, &r.Version); err != nil {
			return err
		}
		sealed, err := seal(r.Version)
		if err != nil {
			return err
		}
		if err := tx.QueryRow(ctx, "INSERT INTO vault_secret_versions (secret, version, sealed, made_by) VALUES ($1::uuid, $2, $3, $4) RETURNING made_at",
			id, r.Version, sealed, by).Scan(&r.MadeAt); err != nil {
			return err
		}
		info = r.info()
		_, err = tx.Exec(ctx, "DELETE FROM vault_secret_versions WHERE secret = $1::uuid AND version <= $2", id, r.Version-keptVersions)
		return err
	})
	return info, err
}

// Credentials implements credential.Store.
func (d *DB) Credentials(ctx context.Context, at credential.Path) ([]credential.Sealed, error) {
	rows, err := d.pool.Query(ctx, `SELECT name, version, sealed, v.made_at, made_by FROM vault_secrets s JOIN vault_secret_versions v
		ON v.secret = s.id AND v.version = s.latest_version WHERE account = $1 AND app = $2 ORDER BY name`, at.Account, at.App)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (credential.Sealed, error) {
		r, err := pgx.RowToStructByName[versionRow](row)
		return credential.Sealed{Info: r.info(), Sealed: r.Sealed}, err
	})
}

// CredentialVersions implements credential.Store.
func (d *DB) CredentialVersions(ctx context.Context, at credential.Path, name string) ([]credential.Info, error) {
	rows, err := d.pool.Query(ctx, `SELECT name, version, NULL::bytea AS sealed, v.made_at, made_by FROM vault_secrets s JOIN vault_secret_versions v
		ON v.secret = s.id WHERE account = $1 AND app = $2 AND name = $3 ORDER BY version DESC`, at.Account, at.App, name)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (credential.Info, error) {
		r, err := pgx.RowToStructByName[versionRow](row)
		return r.info(), err
	})
}

// DeleteCredential implements credential.Store.
func (d *DB) DeleteCredential(ctx context.Context, at credential.Path, name string) (bool, error) {
	tag, err := d.pool.Exec(ctx, "DELETE FROM vault_secrets WHERE account = $1 AND app = $2 AND name = $3", at.Account, at.App, name)
	return tag.RowsAffected() > 0, err
}
