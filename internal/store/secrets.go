package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tarn-data/tarn/internal/control/identity"
)

const secretColumns = "id::text, hash, created_at, updated_at, expires_at, coalesce(last_used_at, '0001-01-01Z')"

func scanSecret(row pgx.CollectableRow) (identity.Secret, error) {
	var s identity.Secret
	err := row.Scan(&s.ID, &s.Hash, &s.CreatedAt, &s.UpdatedAt, &s.ExpiresAt, &s.LastUsed)
	return s, err
}

// Secrets implements identity.SecretStore.
func (d *DB) Secrets(ctx context.Context, principalID int64) ([]identity.Secret, error) {
	rows, err := d.pool.Query(ctx, "SELECT "+secretColumns+" FROM service_principal_secrets WHERE principal_id = $1 ORDER BY created_at, id", principalID)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scanSecret)
}

// AddSecret implements identity.SecretStore.
func (d *DB) AddSecret(ctx context.Context, principalID int64, hash []byte, lifetime time.Duration, limit int) (*identity.Secret, error) {
	var made identity.Secret
	err := d.inTx(ctx, func(tx pgx.Tx) error {
		var kind string
		var n int
		err := tx.QueryRow(ctx, "SELECT kind FROM principals WHERE id = $1 FOR UPDATE", principalID).Scan(&kind)
		if err != nil {
			return missing(err)
		}
		if kind != "ServicePrincipal" {
			return identity.ErrMissing
		}
		if err := tx.QueryRow(ctx, "SELECT count(*) FROM service_principal_secrets WHERE principal_id = $1", principalID).Scan(&n); err != nil {
			return err
		}
		if n >= limit {
			return identity.ErrTooMany
		}
		rows, err := tx.Query(ctx, `INSERT INTO service_principal_secrets (principal_id, hash, expires_at)
			VALUES ($1, $2, now() + $3::float8 * interval '1 second') RETURNING `+secretColumns, principalID, hash, lifetime.Seconds())
		if err != nil {
			return err
		}
		made, err = pgx.CollectExactlyOneRow(rows, scanSecret)
		return err
	})
	return &made, err
}

// DeleteSecret implements identity.SecretStore.
func (d *DB) DeleteSecret(ctx context.Context, principalID int64, id string) error {
	tag, err := d.pool.Exec(ctx, "DELETE FROM service_principal_secrets WHERE principal_id = $1 AND id::text = $2", principalID, id)
	if err == nil && tag.RowsAffected() == 0 {
		return identity.ErrMissing
	}
	return err
}

// GoodSecrets implements identity.SecretStore.
func (d *DB) GoodSecrets(ctx context.Context, applicationID string) ([]identity.Secret, error) {
	rows, err := d.pool.Query(ctx, "SELECT "+secretColumns+` FROM service_principal_secrets WHERE expires_at > now() AND principal_id =
		(SELECT id FROM principals WHERE lower(name) = lower($1) AND kind = 'ServicePrincipal' AND active) ORDER BY created_at`, applicationID)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scanSecret)
}

// UsedSecret implements identity.SecretStore. To the minute is exact enough.
func (d *DB) UsedSecret(ctx context.Context, id string) error {
	_, err := d.pool.Exec(ctx, `UPDATE service_principal_secrets SET last_used_at = now()
		WHERE id = $1::uuid AND coalesce(last_used_at, '-infinity') < now() - interval '1 minute'`, id)
	return err
}
