package store

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tarn-data/tarn/internal/oauth"
)

// AddLogin implements oauth.LoginStore.
func (d *DB) AddLogin(ctx context.Context, l oauth.Login, lifetime time.Duration) error {
	_, err := d.pool.Exec(ctx, "INSERT INTO oauth_logins (cookie, principal_id, principal, at, expires_at) VALUES ($1, $2, $3, $4, now() + $5::interval)",
		l.Cookie[:], l.PrincipalID, l.Principal, l.At, lifetime)
	return err
}

// Login implements oauth.LoginStore.
func (d *DB) Login(ctx context.Context, cookie oauth.Digest) (*oauth.Login, error) {
	l := oauth.Login{Cookie: cookie}
	err := d.pool.QueryRow(ctx, "SELECT principal_id, principal, at FROM oauth_logins WHERE cookie = $1 AND expires_at > now()", cookie[:]).
		Scan(&l.PrincipalID, &l.Principal, &l.At)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil //nolint:nilnil // as the interface has it
	}
	return &l, err
}

// DeleteLogin implements oauth.LoginStore.
func (d *DB) DeleteLogin(ctx context.Context, cookie oauth.Digest) error {
	_, err := d.pool.Exec(ctx, "DELETE FROM oauth_logins WHERE cookie = $1", cookie[:])
	return err
}

// endLogins ends all that follows from a principal's logins: those in browsers, and the sessions of clients with their
// codes and tokens.
func endLogins(ctx context.Context, tx pgx.Tx, principalID int64) error {
	if _, err := tx.Exec(ctx, "DELETE FROM oauth_logins WHERE principal_id = $1", principalID); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, "UPDATE oauth_sessions SET ended_at = now() WHERE principal_id = $1 AND ended_at IS NULL", principalID)
	return err
}

// AddExternalLogin implements oauth.LoginStore.
func (d *DB) AddExternalLogin(ctx context.Context, state oauth.Digest, l oauth.ExternalLogin, lifetime time.Duration) error {
	_, err := d.pool.Exec(ctx, `INSERT INTO oauth_external_logins (state, browser, nonce, verifier, query, expires_at)
		VALUES ($1, $2, $3, $4, $5, now() + $6::interval)`, state[:], l.Browser[:], l.Nonce, l.Verifier, l.Query, lifetime)
	return err
}

// TakeExternalLogin implements oauth.LoginStore.
func (d *DB) TakeExternalLogin(ctx context.Context, state oauth.Digest) (*oauth.ExternalLogin, error) {
	var l oauth.ExternalLogin
	var browser []byte
	var good bool
	err := d.pool.QueryRow(ctx, "DELETE FROM oauth_external_logins WHERE state = $1 RETURNING browser, nonce, verifier, query, expires_at > now()", state[:]).
		Scan(&browser, &l.Nonce, &l.Verifier, &l.Query, &good)
	if errors.Is(err, pgx.ErrNoRows) || err == nil && !good {
		return nil, nil //nolint:nilnil // as the interface has it
	}
	copy(l.Browser[:], browser)
	return &l, err
}

// Consent implements oauth.LoginStore.
func (d *DB) Consent(ctx context.Context, principalID int64, clientID string) ([]string, error) {
	var scopes []string
	err := d.pool.QueryRow(ctx, "SELECT scopes FROM oauth_consents WHERE principal_id = $1 AND client_id = $2", principalID, clientID).Scan(&scopes)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	return scopes, err
}

// SetConsent implements oauth.LoginStore.
func (d *DB) SetConsent(ctx context.Context, principalID int64, clientID string, scopes []string) error {
	_, err := d.pool.Exec(ctx, `INSERT INTO oauth_consents (principal_id, client_id, scopes) VALUES ($1, $2, $3)
		ON CONFLICT (principal_id, client_id) DO UPDATE SET scopes = excluded.scopes`, principalID, clientID, scopes)
	return err
}
