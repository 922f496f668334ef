package store

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tarn-data/tarn/internal/oauth"
)

// AddCode implements oauth.GrantStore.
func (d *DB) AddCode(ctx context.Context, code oauth.Digest, c oauth.Code) (begun bool, err error) {
	err = d.inTx(ctx, func(tx pgx.Tx) error {
		s := c.Session
		// Whoever ends the login now waits for the session, and ends it, too.
		tag, err := tx.Exec(ctx, "SELECT FROM oauth_logins WHERE cookie = $1 AND principal_id = $2 FOR KEY SHARE", c.Login[:], s.PrincipalID)
		if begun = tag.RowsAffected() > 0; err != nil || !begun {
			return err
		}
		_, err = tx.Exec(ctx, `INSERT INTO oauth_sessions (id, client_id, principal_id, principal, scopes, login_at, expires_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7)`, s.ID, s.ClientID, s.PrincipalID, s.Principal, s.Scopes, s.LoginAt, s.ExpiresAt)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `INSERT INTO oauth_codes (code, session_id, redirect_uri, challenge, nonce, expires_at)
			VALUES ($1, $2, $3, $4, $5, $6)`, code[:], s.ID, c.RedirectURI, c.Challenge, c.Nonce, c.ExpiresAt)
		return err
	})
	return begun && err == nil, err
}

const sessionColumns = "s.id, s.client_id, s.principal_id, s.principal, s.scopes, s.login_at, s.expires_at"

func sessionFields(s *oauth.Session) []any {
	return []any{&s.ID, &s.ClientID, &s.PrincipalID, &s.Principal, &s.Scopes, &s.LoginAt, &s.ExpiresAt}
}

// TakeCode implements oauth.GrantStore.
func (d *DB) TakeCode(ctx context.Context, code oauth.Digest) (found *oauth.Code, err error) {
	err = d.inTx(ctx, func(tx pgx.Tx) error {
		var c oauth.Code
		var used, ended bool
		fields := append(sessionFields(&c.Session), &c.RedirectURI, &c.Challenge, &c.Nonce, &c.ExpiresAt, &used, &ended)
		err := tx.QueryRow(ctx, "SELECT "+sessionColumns+`, c.redirect_uri, c.challenge, c.nonce, c.expires_at, c.used_at IS NOT NULL, s.ended_at IS NOT NULL
			FROM oauth_codes c JOIN oauth_sessions s ON s.id = c.session_id WHERE c.code = $1 FOR UPDATE`, code[:]).Scan(fields...)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		if used || ended {
			return endSession(ctx, tx, c.Session.ID)
		}
		found = &c
		_, err = tx.Exec(ctx, "UPDATE oauth_codes SET used_at = now() WHERE code = $1", code[:])
		return err
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

func endSession(ctx context.Context, tx pgx.Tx, id string) error {
	_, err := tx.Exec(ctx, "UPDATE oauth_sessions SET ended_at = now() WHERE id = $1 AND ended_at IS NULL", id)
	return err
}

// AddRefresh implements oauth.GrantStore.
func (d *DB) AddRefresh(ctx context.Context, refresh oauth.Digest, sessionID string, expires time.Time) error {
	_, err := d.pool.Exec(ctx, "INSERT INTO oauth_refresh_tokens (token, session_id, expires_at) VALUES ($1, $2, $3)", refresh[:], sessionID, expires)
	return err
}

// TakeRefresh implements oauth.GrantStore.
func (d *DB) TakeRefresh(ctx context.Context, refresh oauth.Digest, clientID string) (found *oauth.Session, err error) {
	err = d.inTx(ctx, func(tx pgx.Tx) error {
		var s oauth.Session
		var used, over bool
		err := tx.QueryRow(ctx, "SELECT "+sessionColumns+`, r.used_at IS NOT NULL, s.ended_at IS NOT NULL OR r.expires_at <= now() OR s.expires_at <= now()
			FROM oauth_refresh_tokens r JOIN oauth_sessions s ON s.id = r.session_id WHERE r.token = $1 AND s.client_id = $2 FOR UPDATE`,
			refresh[:], clientID).Scan(append(sessionFields(&s), &used, &over)...)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		switch {
		case err != nil:
			return err
		case used:
			return endSession(ctx, tx, s.ID)
		case over:
			return nil
		}
		found = &s
		_, err = tx.Exec(ctx, "UPDATE oauth_refresh_tokens SET used_at = now() WHERE token = $1", refresh[:])
		return err
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

// Refresh implements oauth.GrantStore.
func (d *DB) Refresh(ctx context.Context, refresh oauth.Digest) (*oauth.Session, time.Time, error) {
	var s oauth.Session
	var expires time.Time
	err := d.pool.QueryRow(ctx, "SELECT "+sessionColumns+`, least(r.expires_at, s.expires_at)
		FROM oauth_refresh_tokens r JOIN oauth_sessions s ON s.id = r.session_id
		WHERE r.token = $1 AND r.used_at IS NULL AND s.ended_at IS NULL AND r.expires_at > now() AND s.expires_at > now()`,
		refresh[:]).Scan(append(sessionFields(&s), &expires)...)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, expires, nil
	}
	return &s, expires, err
}

// EndSession implements oauth.GrantStore.
func (d *DB) EndSession(ctx context.Context, id string) error {
	return d.inTx(ctx, func(tx pgx.Tx) error { return endSession(ctx, tx, id) })
}

// Revoke implements oauth.GrantStore.
func (d *DB) Revoke(ctx context.Context, tokenID string, until time.Time) error {
	_, err := d.pool.Exec(ctx, "INSERT INTO oauth_revocations (id, expires_at) VALUES ($1, $2) ON CONFLICT DO NOTHING", tokenID, until)
	return err
}

// Revoked implements oauth.GrantStore.
func (d *DB) Revoked(ctx context.Context) (map[string]time.Time, error) {
	rows, err := d.pool.Query(ctx, "SELECT id, expires_at FROM oauth_revocations WHERE expires_at > now()")
	if err != nil {
		return nil, err
	}
	all := map[string]time.Time{}
	var id string
	var until time.Time
	_, err = pgx.ForEachRow(rows, []any{&id, &until}, func() error {
		all[id] = until
		return nil
	})
	return all, err
}

// Clean implements oauth.Store. Codes and refresh tokens go with their session; until then they tell when one comes again.
func (d *DB) Clean(ctx context.Context) error {
	for _, sql := range []string{
		"DELETE FROM oauth_logins WHERE expires_at < now()",
		"DELETE FROM oauth_external_logins WHERE expires_at < now()",
		"DELETE FROM oauth_revocations WHERE expires_at < now()",
		`DELETE FROM oauth_sessions s WHERE expires_at < now() OR ended_at < now() - interval '2 days' OR login_at < now() - interval '2 days'
			AND NOT EXISTS (SELECT FROM oauth_refresh_tokens r WHERE r.session_id = s.id AND r.expires_at > now())
			AND NOT EXISTS (SELECT FROM oauth_codes c WHERE c.session_id = s.id AND c.expires_at > now() - interval '2 days')`,
		"DELETE FROM personal_tokens WHERE expires_at < now() - interval '30 days'",
	} {
		if _, err := d.pool.Exec(ctx, sql); err != nil {
			return err
		}
	}
	return nil
}
