package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tarn-data/tarn/internal/audit"
)

// Audit is the audit log.
type Audit struct{ db *DB }

// Audit returns the audit log.
func (d *DB) Audit() Audit { return Audit{d} }

// entriesAtOnce is how many records one statement adds.
const entriesAtOnce = 2000

// Append implements audit.Appender. The row of the head is a lock: one process adds at a time, each after the other's last.
func (a Audit) Append(ctx context.Context, b audit.Batch) (audit.Head, error) {
	var head audit.Head
	err := a.db.inTx(ctx, func(tx pgx.Tx) error {
		var day time.Time
		again, err := a.lock(ctx, tx, b, &head, &day)
		if err != nil || again || len(b.Entries) == 0 {
			return err
		}
		out := &pgx.Batch{}
		for rest := b.Entries; len(rest) > 0; {
			n := min(len(rest), entriesAtOnce)
			head = queueEntries(out, head, day, rest[:n])
			rest = rest[n:]
		}
		out.Queue("UPDATE audit_head SET seq = $1, hash = $2, day = $3", head.Sequence, head.Hash[:], day)
		out.Queue(`INSERT INTO audit_writers (writer, batch) VALUES ($1, $2)
			ON CONFLICT (writer) DO UPDATE SET batch = excluded.batch, added_at = now()`, b.Writer, b.Number)
		return tx.SendBatch(ctx, out).Close()
	})
	return head, err
}

// lock waits for the row of the head, and tells whether the batch was added before. The segment of the day is made if there
// is none.
func (Audit) lock(ctx context.Context, tx pgx.Tx, b audit.Batch, head *audit.Head, day *time.Time) (again bool, err error) {
	var (
		hash []byte
		old  bool
	)
	in := &pgx.Batch{}
	in.Queue(`SELECT seq, hash, greatest(day, today), day < today
		FROM audit_head, (SELECT (now() AT TIME ZONE 'UTC')::date AS today) t FOR UPDATE OF audit_head`).
		QueryRow(func(row pgx.Row) error { return row.Scan(&head.Sequence, &hash, day, &old) })
	// A statement of its own: it must see what was committed while the one before waited.
	in.Queue("SELECT EXISTS (SELECT FROM audit_writers WHERE writer = $1 AND batch >= $2)", b.Writer, b.Number).
		QueryRow(func(row pgx.Row) error { return row.Scan(&again) })
	if err := tx.SendBatch(ctx, in).Close(); err != nil {
		return false, err
	}
	copy(head.Hash[:], hash)
	if old && !again {
		_, err = tx.Exec(ctx, "SELECT audit_add_segment($1)", *day)
	}
	return again, err
}

func queueEntries(out *pgx.Batch, head audit.Head, day time.Time, entries []audit.Entry) audit.Head {
	n := len(entries)
	var (
		seqs                                      = make([]int64, n)
		times                                     = make([]time.Time, n)
		ids, principals, services, actions, texts = make([]string, n), make([]string, n), make([]string, n), make([]string, n), make([]string, n)
		statuses                                  = make([]int32, n)
		hashes                                    = make([][]byte, n)
	)
	for i, e := range entries {
		head = head.Next(e.Text)
		seqs[i], times[i], ids[i], principals[i], services[i] = head.Sequence, e.Time, e.RequestID, e.Principal, e.Service
		actions[i], statuses[i], texts[i] = e.Action, int32(e.Status), string(e.Text) //nolint:gosec // HTTP has no such status
		hash := head.Hash
		hashes[i] = hash[:]
	}
	out.Queue(`INSERT INTO audit_log (seq, day, at, request_id, principal, service, action, status, record, hash)
		SELECT seq, $2, at, request_id, principal, service, action, status, record, hash
		FROM unnest($1::bigint[], $3::timestamptz[], $4::text[], $5::text[], $6::text[], $7::text[], $8::integer[], $9::text[], $10::bytea[])
			AS t (seq, at, request_id, principal, service, action, status, record, hash)`,
		seqs, day, times, ids, principals, services, actions, statuses, texts, hashes)
	return head
}

// Bounds implements audit.Source.
func (a Audit) Bounds(ctx context.Context) (start, head audit.Head, err error) {
	var first, last []byte
	err = a.db.pool.QueryRow(ctx, `SELECT coalesce(c.seq, 0), coalesce(c.hash, ''), h.seq, h.hash
		FROM audit_head h LEFT JOIN (SELECT seq, hash FROM audit_cuts ORDER BY seq DESC LIMIT 1) c ON true`).
		Scan(&start.Sequence, &first, &head.Sequence, &last)
	copy(start.Hash[:], first)
	copy(head.Hash[:], last)
	return start, head, err
}

// Lines implements audit.Source.
func (a Audit) Lines(ctx context.Context, q audit.Query) ([]audit.Line, error) {
	sql, args := auditQuery(q)
	rows, err := a.db.pool.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (audit.Line, error) {
		var (
			l    audit.Line
			hash []byte
		)
		err := row.Scan(&l.Sequence, &l.Time, &l.RequestID, &l.Principal, &l.Service, &l.Action, &l.Status, &l.Text, &hash)
		copy(l.Hash[:], hash)
		return l, err
	})
}

// auditQuery builds a query of what is asked for: of constant conditions, and parameters.
func auditQuery(q audit.Query) (string, []any) {
	var (
		where = []string{"true"}
		args  []any
	)
	when := func(given bool, condition string, value any) {
		if given {
			args = append(args, value)
			where = append(where, fmt.Sprintf(condition, len(args)))
		}
	}
	when(q.After > 0, "seq > $%d", q.After)
	when(q.Before > 0, "seq < $%d", q.Before)
	when(!q.From.IsZero(), "at >= $%d", q.From)
	when(!q.From.IsZero(), "day >= $%d", q.From.AddDate(0, 0, -1)) // no record is added before its call came
	when(!q.To.IsZero(), "at < $%d", q.To)
	when(q.Principal != "", "principal = $%d", q.Principal)
	when(q.Service != "", "service = $%d", q.Service)
	when(q.Action != "", "action = $%d", q.Action)
	when(q.RequestID != "", "request_id = $%d", q.RequestID)
	when(q.Status != 0, "status = $%d", q.Status)
	when(q.Outcome == "success", "(status > 0 AND status < $%d)", audit.FailureStatus)
	when(q.Outcome == "failure", "(status = 0 OR status >= $%d)", audit.FailureStatus)
	order := "DESC"
	if q.Ascending {
		order = "ASC"
	}
	args = append(args, q.Limit)
	return "SELECT seq, at, request_id, principal, service, action, status, record, hash FROM audit_log WHERE " +
		strings.Join(where, " AND ") + " ORDER BY seq " + order + " LIMIT $" + fmt.Sprint(len(args)), args
}

// Cut drops the records of days before a moment, and returns how many there were.
func (a Audit) Cut(ctx context.Context, before time.Time) (int64, error) {
	var n int64
	err := a.db.pool.QueryRow(ctx, "SELECT audit_cut($1)", before.UTC()).Scan(&n)
	return n, err
}
