package synctable

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/pgproto3"
)

// lsn is a place in a server's log.
type lsn = pglogrepl.LSN

// slotPatience is how long a slot waits for transactions of the source that have been open since before.
const slotPatience = 30 * time.Second

// SlotState is what a server says of a slot.
type SlotState struct {
	Active   bool
	Lost     bool  // whether the server has thrown away what the slot had yet to read
	Retained int64 // bytes of the log that the server keeps for it

	confirmed lsn
}

// Slot asks for the state of a slot; nil if there is none.
func (p *Postgres) Slot(ctx context.Context, name string) (*SlotState, error) {
	var (
		s         SlotState
		confirmed string
	)
	const query = `SELECT active, coalesce(to_jsonb(s) ->> 'wal_status', '') = 'lost' OR restart_lsn IS NULL,
		coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn), 0)::bigint, coalesce(confirmed_flush_lsn, '0/0')::text
		FROM pg_replication_slots s WHERE slot_name = $1 AND plugin = 'pgoutput' AND database = current_database()`
	err := p.conn.QueryRow(ctx, query, name).Scan(&s.Active, &s.Lost, &s.Retained, &confirmed)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil //nolint:nilnil // as said above
	}
	if err == nil {
		s.confirmed, err = pglogrepl.ParseLSN(confirmed)
	}
	return &s, err
}

// DropSlot drops a slot, if it is there. One that is being read is left, with an error.
func (p *Postgres) DropSlot(ctx context.Context, name string) error {
	_, err := p.conn.Exec(ctx, "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = $1 AND database = current_database()", name)
	return err
}

// DropPublication drops the publication of a slot, if it is there and the role's own.
func (p *Postgres) DropPublication(ctx context.Context, name string) error {
	_, err := p.conn.Exec(ctx, "DROP PUBLICATION IF EXISTS "+quote(name))
	if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok && pgErr.Code == "42501" {
		return nil
	}
	return err
}

// publish makes the publication of a slot.
func (p *Postgres) publish(ctx context.Context, name string) error {
	if err := p.DropPublication(ctx, name); err != nil {
		return err
	}
	_, err := p.conn.Exec(ctx, "CREATE PUBLICATION "+quote(name)+" FOR TABLE ONLY "+quote(p.schema, p.table))
	if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok && (pgErr.Code == "42501" || pgErr.Code == "42710") {
		return &Unfit{fmt.Sprintf("the source's role may not make its publication; the table's owner may: CREATE PUBLICATION %s FOR TABLE %s",
			quote(name), quote(p.schema, p.table))}
	}
	return unfit(err)
}

// current is the end of what the server's log holds for sure. A transaction that was seen to have committed is before it.
func (p *Postgres) current(ctx context.Context) (lsn, error) {
	const (
		header = 40 // bytes at the begin of a page, which the place to insert at may be after
		tries  = 40
	)
	var inserted string
	if err := p.conn.QueryRow(ctx, "SELECT pg_current_wal_insert_lsn()::text").Scan(&inserted); err != nil {
		return 0, err
	}
	want, err := pglogrepl.ParseLSN(inserted)
	if err != nil {
		return 0, err
	}
	for try := 1; ; try++ {
		var flushed string
		if err := p.conn.QueryRow(ctx, "SELECT pg_current_wal_flush_lsn()::text").Scan(&flushed); err != nil {
			return 0, err
		}
		end, err := pglogrepl.ParseLSN(flushed)
		if err != nil || end+header >= want || try == tries {
			return end, err
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// dial opens a connection to the source's server that can follow its log. Values come in the form that COPY has.
func (p *Postgres) dial(ctx context.Context) (*pgconn.PgConn, error) {
	cfg := p.conn.Config().Config.Copy()
	cfg.RuntimeParams = maps.Clone(cfg.RuntimeParams)
	maps.Copy(cfg.RuntimeParams, map[string]string{
		"replication": "database", "datestyle": "ISO", "intervalstyle": "postgres", "extra_float_digits": "3", "client_encoding": "UTF8",
	})
	cfg.AfterConnect = nil
	cfg.BuildContextWatcherHandler = func(c *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.DeadlineContextWatcherHandler{Conn: c.Conn()}
	}
	// Such a connection takes nothing but simple queries.
	cfg.ValidateConnect = func(ctx context.Context, c *pgconn.PgConn) error {
		results, err := c.Exec(ctx, "SELECT pg_is_in_recovery()").ReadAll()
		if err == nil && string(results[0].Rows[0][0]) != "f" {
			err = errors.New("it is a standby")
		}
		return err
	}
	wire, err := pgconn.ConnectConfig(ctx, cfg)
	return wire, unfit(err)
}

// createSlot makes a slot, and a snapshot of what there was when it began, which is good until the connection is used again.
func createSlot(ctx context.Context, wire *pgconn.PgConn, name string) (at lsn, snapshot string, err error) {
	patient, stop := context.WithTimeout(ctx, slotPatience)
	defer stop()
	made, err := pglogrepl.CreateReplicationSlot(patient, wire, quote(name), "pgoutput", pglogrepl.CreateReplicationSlotOptions{
		Mode: pglogrepl.LogicalReplication, SnapshotAction: "EXPORT_SNAPSHOT",
	})
	if patient.Err() != nil && ctx.Err() == nil {
		return 0, "", &Unfit{"the source has transactions that have been open for long"}
	}
	if err != nil {
		return 0, "", unfit(err)
	}
	at, err = pglogrepl.ParseLSN(made.ConsistentPoint)
	return at, made.SnapshotName, err
}

// IsBusy tells of the error that a slot is being read.
func IsBusy(err error) bool {
	pgErr, ok := errors.AsType[*pgconn.PgError](err)
	return ok && pgErr.Code == "55006"
}

// closeWire ends a connection, and waits until the server has: only then it has let go of the slot.
func closeWire(wire *pgconn.PgConn) {
	ctx, stop := context.WithTimeout(context.Background(), 2*time.Second)
	defer stop()
	wire.Frontend().Send(&pgproto3.Terminate{})
	if wire.Frontend().Flush() == nil {
		for err := error(nil); err == nil; {
			_, err = wire.ReceiveMessage(ctx)
		}
	}
	_ = wire.Close(ctx)
}
