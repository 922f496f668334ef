package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tarn-data/tarn/internal/ratelimit"
	"github.com/tarn-data/tarn/internal/throttle"
)

// RateShares are the buckets of rate limits that processes share, with the server's clock.
type RateShares struct{ db *DB }

// RateShares returns the buckets of rate limits.
func (d *DB) RateShares() RateShares { return RateShares{d} }

const (
	seeProcess = `INSERT INTO rate_process (name, seen_at) VALUES ($1, clock_timestamp())
		ON CONFLICT (name) DO UPDATE SET seen_at = excluded.seen_at`
	countProcesses = "SELECT count(*) FROM rate_process WHERE seen_at > clock_timestamp() - $1::interval"
	fillBuckets    = `INSERT INTO rate_bucket (name, tokens, at, slot, wanted, before)
		SELECT *, extract(epoch FROM clock_timestamp()), 0, 0, 0 FROM unnest($1::text[], $2::float8[])
		ON CONFLICT DO NOTHING`
	lockBuckets = `SELECT name, tokens, at, slot, wanted, before, extract(epoch FROM clock_timestamp())::float8 AS now
		FROM rate_bucket WHERE name = ANY ($1) ORDER BY name COLLATE "C" FOR UPDATE`
	saveBuckets = `UPDATE rate_bucket b SET tokens = n.tokens, at = n.at, slot = n.slot, wanted = n.wanted, before = n.before
		FROM unnest($1::text[], $2::float8[], $3::float8[], $4::bigint[], $5::float8[], $6::float8[])
			AS n (name, tokens, at, slot, wanted, before)
		WHERE b.name = n.name`
)

// Settle implements throttle.Shares.
func (s RateShares) Settle(ctx context.Context, process string, asks []throttle.Ask) (granted []float64, processes int, err error) {
	if len(asks) == 0 {
		batch := &pgx.Batch{}
		batch.Queue(seeProcess, process)
		batch.Queue(countProcesses, throttle.ForgetAfter).QueryRow(func(row pgx.Row) error { return row.Scan(&processes) })
		return nil, processes, s.db.pool.SendBatch(ctx, batch).Close()
	}
	err = s.db.inTx(ctx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SET LOCAL synchronous_commit = off"); err != nil {
			return err
		}
		granted, processes, err = settle(ctx, tx, process, asks)
		return err
	})
	return granted, processes, err
}

// row is a bucket as the table has it.
type row struct {
	Name                       string
	Tokens, At, Wanted, Before float64
	Slot                       int64
	Now                        float64
}

func settle(ctx context.Context, tx pgx.Tx, process string, asks []throttle.Ask) (granted []float64, processes int, err error) {
	names, full := make([]string, len(asks)), make([]float64, len(asks))
	for i, a := range asks {
		names[i], full[i] = a.Bucket, a.Limit.Burst
	}
	var rows []row
	batch := &pgx.Batch{}
	batch.Queue(fillBuckets, names, full)
	batch.Queue(lockBuckets, names).Query(func(found pgx.Rows) error {
		rows, err = pgx.CollectRows(found, pgx.RowToStructByName[row])
		return err
	})
	batch.Queue(seeProcess, process)
	batch.Queue(countProcesses, throttle.ForgetAfter).QueryRow(func(row pgx.Row) error { return row.Scan(&processes) })
	if err := tx.SendBatch(ctx, batch).Close(); err != nil {
		return nil, 0, err
	}
	at := make(map[string]int, len(rows))
	for i := range rows {
		at[rows[i].Name] = i
	}
	granted = make([]float64, len(asks))
	for i, a := range asks {
		if j, ok := at[a.Bucket]; ok {
			granted[i] = rows[j].settle(a)
		}
	}
	return granted, processes, save(ctx, tx, rows)
}

func (r *row) settle(a throttle.Ask) (granted float64) {
	b := ratelimit.Shared{Tokens: r.Tokens, At: seconds(r.At), Slot: r.Slot, Wanted: r.Wanted, Before: r.Before}
	granted = b.Settle(a.Limit, a.Settlement, seconds(r.Now))
	r.Tokens, r.At, r.Slot, r.Wanted, r.Before = b.Tokens, b.At.Seconds(), b.Slot, b.Wanted, b.Before
	return granted
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

func save(ctx context.Context, tx pgx.Tx, rows []row) error {
	n := len(rows)
	names, slots := make([]string, n), make([]int64, n)
	tokens, at, wanted, before := make([]float64, n), make([]float64, n), make([]float64, n), make([]float64, n)
	for i, r := range rows {
		names[i], tokens[i], at[i], slots[i], wanted[i], before[i] = r.Name, r.Tokens, r.At, r.Slot, r.Wanted, r.Before
	}
	_, err := tx.Exec(ctx, saveBuckets, names, tokens, at, slots, wanted, before)
	return err
}

// Leave implements throttle.Shares.
func (s RateShares) Leave(ctx context.Context, process string) error {
	_, err := s.db.pool.Exec(ctx, "DELETE FROM rate_process WHERE name = $1", process)
	return err
}

// Clean forgets what nobody asked of for long: buckets that are full, and processes that are gone.
func (s RateShares) Clean(ctx context.Context, older time.Duration) error {
	batch := &pgx.Batch{}
	batch.Queue("DELETE FROM rate_bucket WHERE at < extract(epoch FROM clock_timestamp() - $1::interval)", older)
	batch.Queue("DELETE FROM rate_process WHERE seen_at < clock_timestamp() - $1::interval", older)
	return s.db.pool.SendBatch(ctx, batch).Close()
}
