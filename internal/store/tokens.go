package store

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tarn-data/tarn/internal/control/tokens"
)

const tokenColumns = `id, owner_id, owner, created_by_id, created_by, comment, scopes, created_at, expires_at, last_used_at`

// AddToken implements tokens.Store. Tokens that have expired are removed at the same time.
func (d *DB) AddToken(ctx context.Context, t *tokens.Token, secret tokens.Digest, most int) error {
	return d.inTx(ctx, func(tx pgx.Tx) error {
		// Whoever else makes a token for the owner waits, so that together they don't make too many.
		if _, err := tx.Exec(ctx, "SELECT FROM principals WHERE id = $1 FOR NO KEY UPDATE", t.OwnerID); err != nil {
			return err
		}
		const expired = "DELETE FROM personal_tokens WHERE owner_id = $1 AND expires_at < now() - interval '1 day'"
		if _, err := tx.Exec(ctx, expired, t.OwnerID); err != nil {
			return err
		}
		var n int
		if err := tx.QueryRow(ctx, "SELECT count(*) FROM personal_tokens WHERE owner_id = $1", t.OwnerID).Scan(&n); err != nil {
			return err
		}
		if n >= most {
			return tokens.ErrTooMany
		}
		_, err := tx.Exec(ctx, `INSERT INTO personal_tokens
			(id, secret, owner_id, owner, created_by_id, created_by, comment, scopes, created_at, expires_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
			t.ID, secret[:], t.OwnerID, t.Owner, t.CreatedByID, t.CreatedBy, t.Comment, texts(t.Scopes), t.CreatedAt, t.ExpiresAt)
		return err
	})
}

// TokenOf implements tokens.Store.
func (d *DB) TokenOf(ctx context.Context, secret tokens.Digest) (*tokens.Token, error) {
	return d.token(ctx, "SELECT "+tokenColumns+" FROM personal_tokens WHERE secret = $1", secret[:])
}

// Token implements tokens.Store.
func (d *DB) Token(ctx context.Context, id string) (*tokens.Token, error) {
	return d.token(ctx, "SELECT "+tokenColumns+" FROM personal_tokens WHERE id = $1", id)
}

func (d *DB) token(ctx context.Context, query string, arg any) (*tokens.Token, error) {
	rows, err := d.pool.Query(ctx, query, arg)
	if err != nil {
		return nil, err
	}
	t, err := pgx.CollectExactlyOneRow(rows, scanToken)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil //nolint:nilnil // as the interface has it
	}
	return &t, err
}

// Tokens implements tokens.Store.
func (d *DB) Tokens(ctx context.Context, f tokens.Filter) ([]tokens.Token, error) {
	rows, err := d.pool.Query(ctx, "SELECT "+tokenColumns+` FROM personal_tokens
		WHERE ($1 = 0 OR owner_id = $1) AND ($2 = 0 OR created_by_id = $2) AND ($3 = '' OR created_by = $3)
		ORDER BY created_at, id`, f.OwnerID, f.CreatedByID, f.CreatedBy)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scanToken)
}

func scanToken(row pgx.CollectableRow) (tokens.Token, error) {
	var t tokens.Token
	err := row.Scan(&t.ID, &t.OwnerID, &t.Owner, &t.CreatedByID, &t.CreatedBy, &t.Comment, &t.Scopes, &t.CreatedAt, &t.ExpiresAt, &t.LastUsedAt)
	return t, err
}

// UpdateToken implements tokens.Store.
func (d *DB) UpdateToken(ctx context.Context, t *tokens.Token) error {
	_, err := d.pool.Exec(ctx, "UPDATE personal_tokens SET comment = $2, scopes = $3 WHERE id = $1", t.ID, t.Comment, texts(t.Scopes))
	return err
}

// DeleteToken implements tokens.Store.
func (d *DB) DeleteToken(ctx context.Context, id string) error {
	_, err := d.pool.Exec(ctx, "DELETE FROM personal_tokens WHERE id = $1", id)
	return err
}

// TouchTokens implements tokens.Store.
func (d *DB) TouchTokens(ctx context.Context, used map[string]time.Time) error {
	ids, times := make([]string, 0, len(used)), make([]time.Time, 0, len(used))
	for id, at := range used {
		ids, times = append(ids, id), append(times, at)
	}
	// In the order of the ids, so that processes that do this at the same time don't wait for each other in a circle.
	_, err := d.pool.Exec(ctx, `WITH used AS (
			SELECT t.id, u.at FROM unnest($1::text[], $2::timestamptz[]) AS u (id, at) JOIN personal_tokens t USING (id)
			WHERE t.last_used_at IS NULL OR t.last_used_at < u.at ORDER BY t.id FOR NO KEY UPDATE OF t)
		UPDATE personal_tokens t SET last_used_at = used.at FROM used WHERE t.id = used.id`, ids, times)
	return err
}

// texts is a list that isn't null.
func texts(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}
