package store

import (
	"context"

	"github.com/jackc/pgx/v5"
)

const (
	adminsID = 1
	usersID  = 2
	// principalsLock is held by who changes principals: rules about all of them hold only if changes come one by one.
	principalsLock = 0x7461726e01
)

// Bootstrap makes the first administrator where there is nobody yet, and tells whether it did. Of several processes at
// once, one does. Before it is done, confirm is called.
func (d *DB) Bootstrap(ctx context.Context, userName, passwordHash string, confirm func() error) (made bool, err error) {
	err = d.inTx(ctx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", int64(principalsLock)); err != nil {
			return err
		}
		var somebody bool
		if err := tx.QueryRow(ctx, "SELECT EXISTS (SELECT FROM principals WHERE kind <> 'Group')").Scan(&somebody); err != nil || somebody {
			return err
		}
		var id int64
		err := tx.QueryRow(ctx, "INSERT INTO principals (kind, name, display_name) VALUES ('User', $1, $1) RETURNING id", userName).Scan(&id)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "INSERT INTO members (group_id, member_id) VALUES ($1, $3), ($2, $3)", adminsID, usersID, id); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "INSERT INTO passwords (principal_id, hash) VALUES ($1, $2)", id, passwordHash); err != nil {
			return err
		}
		made = true
		return confirm()
	})
	return made && err == nil, err
}
