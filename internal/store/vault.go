package store

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tarn-data/tarn/internal/vault"
)

// sealedColumn is where sealed values are.
type sealedColumn struct{ table, column string }

// sealedColumns are all columns of sealed values. A change of the root key concerns them.
func sealedColumns() []sealedColumn {
	return []sealedColumn{{"vault_secret_versions", "sealed"}, {"connections", "sealed"}, {"signing_keys", "sealed"}}
}

// sealedHeader is how many bytes of a sealed value say which root key wraps it, after one for the form.
const sealedHeader = 8

type rootKeyRow struct {
	ID        []byte
	Source    string
	Proof     []byte
	IsPrimary bool
	MadeAt    time.Time
	RetiredAt *time.Time
}

// RootKeys implements vault.Store.
func (d *DB) RootKeys(ctx context.Context) ([]vault.RootKey, error) {
	rows, err := d.pool.Query(ctx, "SELECT id, source, proof, is_primary, made_at, retired_at FROM vault_root_keys ORDER BY made_at, id")
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (vault.RootKey, error) {
		r, err := pgx.RowToStructByName[rootKeyRow](row)
		k := vault.RootKey{Source: r.Source, Proof: r.Proof, Primary: r.IsPrimary, Made: r.MadeAt, Retired: r.RetiredAt}
		copy(k.ID[:], r.ID)
		return k, err
	})
}

// AddFirstRootKey implements vault.Store.
func (d *DB) AddFirstRootKey(ctx context.Context, k vault.RootKey) error {
	_, err := d.pool.Exec(ctx, "INSERT INTO vault_root_keys (id, source, proof, is_primary) VALUES ($1, $2, $3, true) ON CONFLICT DO NOTHING",
		k.ID[:], k.Source, k.Proof)
	return err
}

// SetPrimaryRootKey implements vault.Store.
func (d *DB) SetPrimaryRootKey(ctx context.Context, k vault.RootKey, inPlaceOf vault.ID) (done bool, err error) {
	err = d.inTx(ctx, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, "UPDATE vault_root_keys SET is_primary = false WHERE id = $1 AND is_primary", inPlaceOf[:])
		if err != nil || tag.RowsAffected() == 0 {
			return err
		}
		done = true
		_, err = tx.Exec(ctx, "INSERT INTO vault_root_keys (id, source, proof, is_primary) VALUES ($1, $2, $3, true)", k.ID[:], k.Source, k.Proof)
		return err
	})
	return done && err == nil, err
}

// RetireRootKey implements vault.Store.
func (d *DB) RetireRootKey(ctx context.Context, id vault.ID, after time.Duration) (bool, error) {
	tag, err := d.pool.Exec(ctx, `UPDATE vault_root_keys SET retired_at = now() WHERE id = $1 AND NOT is_primary
		AND (SELECT made_at + $2 < now() FROM vault_root_keys WHERE is_primary)`, id[:], after)
	return tag.RowsAffected() > 0, err
}

// CountByRootKey implements vault.Store.
func (d *DB) CountByRootKey(ctx context.Context) (map[vault.ID]int64, error) {
	counts := map[vault.ID]int64{}
	for _, c := range sealedColumns() {
		column := pgx.Identifier{c.column}.Sanitize()
		rows, err := d.pool.Query(ctx, "SELECT substring("+column+" FROM 2 FOR $1), count(*) FROM "+pgx.Identifier{c.table}.Sanitize()+
			" WHERE "+column+" IS NOT NULL GROUP BY 1", sealedHeader)
		if err != nil {
			return nil, err
		}
		var prefix []byte
		var n int64
		if _, err := pgx.ForEachRow(rows, []any{&prefix, &n}, func() error {
			var id vault.ID
			copy(id[:], prefix)
			counts[id] += n
			return nil
		}); err != nil {
			return nil, err
		}
	}
	return counts, nil
}

const (
	rewrapBatch = 50
	rewrapLock  = 0x7461726e_0050 // of the one process that wraps anew
)

// Rewrap implements vault.Store.
func (d *DB) Rewrap(ctx context.Context, from []vault.ID, rewrap func(context.Context, []byte) ([]byte, error)) error {
	for _, c := range sealedColumns() {
		after := "(0,0)"
		for {
			last, err := d.rewrapSome(ctx, c, from, after, rewrap)
			if err != nil {
				return err
			}
			if last == "" {
				break
			}
			after = last
		}
	}
	return nil
}

var errBusy = errors.New("another process is at it")

// rewrapSome wraps some values anew in one transaction, those past a place in the table. It returns the last place that it
// looked at; empty at the end. A value that changes meanwhile is left to the next time.
func (d *DB) rewrapSome(ctx context.Context, c sealedColumn, from []vault.ID, after string, rewrap func(context.Context, []byte) ([]byte, error)) (last string, err error) {
	prefixes := make([][]byte, len(from))
	for i := range from {
		prefixes[i] = from[i][:]
	}
	table, column := pgx.Identifier{c.table}.Sanitize(), pgx.Identifier{c.column}.Sanitize()
	err = d.inTx(ctx, func(tx pgx.Tx) error {
		var mine bool
		if err := tx.QueryRow(ctx, "SELECT pg_try_advisory_xact_lock($1)", int64(rewrapLock)).Scan(&mine); err != nil {
			return err
		}
		if !mine {
			return errBusy
		}
		rows, err := tx.Query(ctx, "SELECT ctid::text AS place, "+column+" FROM "+table+" WHERE substring("+column+" FROM 2 FOR $1) = ANY ($2) AND ctid > $3::text::tid ORDER BY ctid LIMIT $4",
			sealedHeader, prefixes, after, rewrapBatch)
		if err != nil {
			return err
		}
		type place struct {
			Ctid   string
			Sealed []byte
		}
		found, err := pgx.CollectRows(rows, pgx.RowToStructByPos[place])
		if err != nil {
			return err
		}
		batch := &pgx.Batch{}
		for _, p := range found {
			last = p.Ctid
			if out, err := rewrap(ctx, p.Sealed); err == nil {
				batch.Queue("UPDATE "+table+" SET "+column+" = $1 WHERE ctid = $2::text::tid AND "+column+" = $3", out, p.Ctid, p.Sealed)
			}
		}
		return tx.SendBatch(ctx, batch).Close()
	})
	if errors.Is(err, errBusy) {
		return "", nil
	}
	return last, err
}
