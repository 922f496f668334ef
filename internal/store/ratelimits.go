package store

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/tarn-data/tarn/internal/control/limits"
)

const rateLimitColumns = `id::text AS id, endpoint, scope, principal, requests_per_second AS rate, burst, comment,
	created_at AS created, updated_at AS updated`

// RateLimits implements limits.Store.
func (d *DB) RateLimits(ctx context.Context) ([]limits.Limit, error) {
	rows, err := d.pool.Query(ctx, "SELECT "+rateLimitColumns+" FROM rate_limit ORDER BY created_at, id")
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[limits.Limit])
}

// RateLimit implements limits.Store.
func (d *DB) RateLimit(ctx context.Context, id string) (*limits.Limit, error) {
	rows, err := d.pool.Query(ctx, "SELECT "+rateLimitColumns+" FROM rate_limit WHERE id::text = $1", id)
	if err != nil {
		return nil, err
	}
	return maybe(pgx.CollectExactlyOneRow(rows, pgx.RowToAddrOfStructByName[limits.Limit]))
}

// CreateRateLimit implements limits.Store.
func (d *DB) CreateRateLimit(ctx context.Context, l limits.Limit) (*limits.Limit, error) {
	return d.changeRateLimit(ctx, `INSERT INTO rate_limit (endpoint, scope, principal, requests_per_second, burst, comment)
		VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING RETURNING `+rateLimitColumns,
		l.Endpoint, l.Scope, l.Principal, l.Rate, l.Burst, l.Comment)
}

// UpdateRateLimit implements limits.Store.
func (d *DB) UpdateRateLimit(ctx context.Context, l limits.Limit) (*limits.Limit, error) {
	return d.changeRateLimit(ctx, `UPDATE rate_limit SET requests_per_second = $2, burst = $3, comment = $4, updated_at = now()
		WHERE id::text = $1 RETURNING `+rateLimitColumns, l.ID, l.Rate, l.Burst, l.Comment)
}

// DeleteRateLimit implements limits.Store.
func (d *DB) DeleteRateLimit(ctx context.Context, id string) (found bool, err error) {
	gone, err := d.changeRateLimit(ctx, "DELETE FROM rate_limit WHERE id::text = $1 RETURNING "+rateLimitColumns, id)
	return gone != nil, err
}

func (d *DB) changeRateLimit(ctx context.Context, sql string, args ...any) (changed *limits.Limit, err error) {
	err = d.inTx(ctx, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, sql, args...)
		if err != nil {
			return err
		}
		if changed, err = maybe(pgx.CollectExactlyOneRow(rows, pgx.RowToAddrOfStructByName[limits.Limit])); err != nil {
			return err
		}
		return tell(ctx, tx, RateLimitsTopic)
	})
	return changed, err
}

// maybe makes nil of what isn't there.
func maybe[T any](found *T, err error) (*T, error) {
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil //nolint:nilnil // that there is none is no error
	}
	return found, err
}
