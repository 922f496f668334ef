package store

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tarn-data/tarn/internal/control/identity"
)

// PasswordHash implements identity.PasswordStore.
func (d *DB) PasswordHash(ctx context.Context, userName string) (string, error) {
	var hash string
	err := d.pool.QueryRow(ctx, `SELECT w.hash FROM passwords w JOIN principals p ON p.id = w.principal_id
		WHERE lower(p.name) = lower($1) AND p.kind = 'User'`, userName).Scan(&hash)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", nil
	}
	return hash, err
}

// SetPasswordHash implements identity.PasswordStore.
func (d *DB) SetPasswordHash(ctx context.Context, principalID int64, hash string) error {
	return d.inTx(ctx, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `INSERT INTO passwords (principal_id, hash) VALUES ($1, $2)
			ON CONFLICT (principal_id) DO UPDATE SET hash = excluded.hash, changed_at = now()`, principalID, hash)
		if err != nil {
			return err
		}
		return endLogins(ctx, tx, principalID)
	})
}

// RenewPasswordHash implements identity.PasswordStore.
func (d *DB) RenewPasswordHash(ctx context.Context, principalID int64, before, hash string) error {
	_, err := d.pool.Exec(ctx, "UPDATE passwords SET hash = $3 WHERE principal_id = $1 AND hash = $2", principalID, before, hash)
	return err
}

// attemptsKept is how long a failure is remembered after the last one.
const attemptsKept = "1 day"

// BeginAttempt implements identity.PasswordStore. One statement counts and decides, so that attempts at the same time
// can't pass unseen.
func (d *DB) BeginAttempt(ctx context.Context, key []byte, limit identity.Attempts) (time.Duration, error) {
	const count = `INSERT INTO login_attempts AS a (key, failures) VALUES ($1, 1)
	ON CONFLICT (key) DO UPDATE SET
	  failures = CASE WHEN a.last_at < now() - interval '` + attemptsKept + `' THEN 1 ELSE a.failures + 1 END,
	  last_at = now(),
	  next_at = now() + CASE WHEN a.last_at < now() - interval '` + attemptsKept + `' OR a.failures + 1 < $2 THEN interval '0'
	    ELSE least($4::float8, $3::float8 * power(2, least(a.failures + 1 - $2, 30))) * interval '1 second' END
	WHERE a.next_at <= now()
	RETURNING 1`
	tag, err := d.pool.Exec(ctx, count, key, limit.Free, limit.First.Seconds(), limit.Max.Seconds())
	if err != nil || tag.RowsAffected() == 1 {
		return 0, err
	}
	var seconds float64
	err = d.pool.QueryRow(ctx, "SELECT extract(epoch FROM next_at - now()) FROM login_attempts WHERE key = $1", key).Scan(&seconds)
	if errors.Is(err, pgx.ErrNoRows) {
		seconds, err = 0, nil
	}
	const least = 100 * time.Millisecond
	return max(least, time.Duration(seconds*float64(time.Second))), err
}

// EndAttempt implements identity.PasswordStore. It also forgets what is long past.
func (d *DB) EndAttempt(ctx context.Context, key []byte, all bool) error {
	_, err := d.pool.Exec(ctx, `UPDATE login_attempts SET failures = CASE WHEN $2 THEN 0 ELSE greatest(0, failures - 1) END, next_at = now()
		WHERE key = $1`, key, all)
	if err != nil {
		return err
	}
	_, err = d.pool.Exec(ctx, `DELETE FROM login_attempts WHERE key IN (
		SELECT key FROM login_attempts WHERE last_at < now() - interval '`+attemptsKept+`' ORDER BY last_at LIMIT 1000 FOR UPDATE SKIP LOCKED)`)
	return err
}
