package store

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/tarn-data/tarn/internal/oauth"
)

const appColumns = `integration_id, client_id, name, secret, redirect_urls, scopes, access_ttl, refresh_ttl, created_by_id, created_by, created_at`

func scanApp(row pgx.CollectableRow) (oauth.App, error) {
	var a oauth.App
	var secret []byte
	err := row.Scan(&a.IntegrationID, &a.ClientID, &a.Name, &secret, &a.RedirectURLs, &a.Scopes, &a.AccessTTL, &a.RefreshTTL,
		&a.CreatedByID, &a.CreatedBy, &a.CreatedAt)
	if secret != nil {
		a.Secret = new(oauth.Digest)
		copy(a.Secret[:], secret)
	}
	return a, err
}

// AddApp implements oauth.AppStore.
func (d *DB) AddApp(ctx context.Context, a *oauth.App) error {
	var secret []byte
	if a.Secret != nil {
		secret = a.Secret[:]
	}
	_, err := d.pool.Exec(ctx, "INSERT INTO oauth_apps ("+appColumns+") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
		a.IntegrationID, a.ClientID, a.Name, secret, a.RedirectURLs, a.Scopes, a.AccessTTL, a.RefreshTTL, a.CreatedByID, a.CreatedBy, a.CreatedAt)
	return err
}

// AppByClient implements oauth.AppStore.
func (d *DB) AppByClient(ctx context.Context, clientID string) (*oauth.App, error) {
	return d.app(ctx, "SELECT "+appColumns+" FROM oauth_apps WHERE client_id = $1", clientID)
}

// App implements oauth.AppStore.
func (d *DB) App(ctx context.Context, integrationID string) (*oauth.App, error) {
	return d.app(ctx, "SELECT "+appColumns+" FROM oauth_apps WHERE integration_id = $1", integrationID)
}

func (d *DB) app(ctx context.Context, query, arg string) (*oauth.App, error) {
	rows, err := d.pool.Query(ctx, query, arg)
	if err != nil {
		return nil, err
	}
	a, err := pgx.CollectExactlyOneRow(rows, scanApp)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil //nolint:nilnil // as the interface has it
	}
	return &a, err
}

// Apps implements oauth.AppStore.
func (d *DB) Apps(ctx context.Context) ([]oauth.App, error) {
	rows, err := d.pool.Query(ctx, "SELECT "+appColumns+" FROM oauth_apps ORDER BY created_at, client_id")
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scanApp)
}

// UpdateApp implements oauth.AppStore.
func (d *DB) UpdateApp(ctx context.Context, a *oauth.App) error {
	_, err := d.pool.Exec(ctx, "UPDATE oauth_apps SET redirect_urls = $2, scopes = $3, access_ttl = $4, refresh_ttl = $5 WHERE integration_id = $1",
		a.IntegrationID, a.RedirectURLs, a.Scopes, a.AccessTTL, a.RefreshTTL)
	return err
}

// DeleteApp implements oauth.AppStore.
func (d *DB) DeleteApp(ctx context.Context, integrationID string) error {
	return d.inTx(ctx, func(tx pgx.Tx) error {
		var clientID string
		if err := tx.QueryRow(ctx, "DELETE FROM oauth_apps WHERE integration_id = $1 RETURNING client_id", integrationID).Scan(&clientID); err != nil {
			if errors.Is(err, pgx.ErrNoRows) {
				return nil
			}
			return err
		}
		if _, err := tx.Exec(ctx, "UPDATE oauth_sessions SET ended_at = now() WHERE client_id = $1 AND ended_at IS NULL", clientID); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, "DELETE FROM oauth_consents WHERE client_id = $1", clientID)
		return err
	})
}
