package synctable

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
)

// Replica keeps a target up to date with the changes that the log of a source's server tells of. They are in one transaction
// with the place in the log that they lead to: whatever ends, and however, none is lost and none is made twice.
type Replica struct {
	src    *Postgres
	to     *pgx.Conn
	target Target
	slot   string
	pos    position
	facts  *facts

	group *group // changes of whole transactions of the source that are yet to commit; nil for none
	seen  lsn    // to where the log has been read
	done  Result // since the last report
}

// Following says how a replica is made.
type Following struct {
	Slot    string                      // the name of the slot, and of the publication, at the source
	Fresh   bool                        // whether all rows are to be copied anew
	Reserve func(context.Context) error // is called before there is a slot, so that it isn't forgotten
}

// staleError is that a target can't be brought up to date by the log: all rows have to be copied again.
type staleError struct{ why string }

func (e *staleError) Error() string { return "All rows have to be copied anew: " + e.why + "." }

// IsStale tells of an error that is gone when the source is followed anew.
func IsStale(err error) bool { return errors.As(err, new(*staleError)) }

// Follow brings a target up to date with a source, and returns what keeps it so. At first it copies all rows, as Snapshot does.
// The error is an Unfit if the source can't be followed.
func Follow(ctx context.Context, to *pgx.Conn, src *Postgres, t Target, how Following, told Progress) (*Replica, Result, error) {
	r := &Replica{src: src, to: to, target: t, slot: how.Slot}
	fresh, err := r.resume(ctx)
	if err != nil {
		return nil, Result{}, err
	}
	var res Result
	if how.Fresh {
		fresh = "it was asked for"
	}
	if fresh == "" {
		res, err = r.drain(ctx)
		if stale := (*staleError)(nil); errors.As(err, &stale) {
			fresh = stale.why
		}
	}
	if fresh != "" {
		if res, err = r.copy(ctx, how.Reserve, told); err == nil {
			res.Copied = fresh
			_, err = r.drain(ctx)
		}
	}
	res.Rows = r.pos.Rows
	return r, res, err
}

// resume finds out whether the log can be followed from where the target is; if not, it says why.
func (r *Replica) resume(ctx context.Context) (why string, err error) {
	if err := r.look(ctx); err != nil {
		return "", err
	}
	slot, err := r.src.Slot(ctx, r.slot)
	if err != nil {
		return "", err
	}
	end, err := r.src.current(ctx)
	if err != nil {
		return "", err
	}
	var pos *position
	err = pgx.BeginFunc(ctx, r.to, func(tx pgx.Tx) error {
		c := &copying{tx: tx, target: r.target}
		if err := c.look(ctx); err != nil {
			return err
		}
		pos, err = c.recall(ctx)
		return err
	})
	switch {
	case err != nil:
		return "", err
	case pos == nil || pos.Slot == "":
		return "there is no copy yet that follows the log", nil
	case pos.Slot != r.slot || slot == nil:
		return "the slot is gone", nil
	case slot.Lost:
		return "the source's server has thrown away log that was yet to be read", nil
	case slot.confirmed > pos.LSN:
		return "the slot is ahead of the target", nil
	case pos.LSN > end:
		return "the source's server has gone back in time", nil
	case pos.Shape != r.facts.Shape || pos.Wire != r.facts.Wire:
		return "the source's columns have changed", nil
	case !r.facts.Published:
		return "the publication is gone", nil
	}
	r.pos = *pos
	return "", nil
}

// look finds out what the source is now.
func (r *Replica) look(ctx context.Context) (err error) {
	if r.facts, err = r.src.ask(ctx, r.slot); err != nil {
		return err
	}
	return r.facts.fit(r.target)
}

// copy makes the slot, and copies all rows that were there when it began.
func (r *Replica) copy(ctx context.Context, reserve func(context.Context) error, told Progress) (res Result, err error) {
	wire, err := r.src.dial(ctx) // first, since it tells whether the role may
	if err != nil {
		return res, err
	}
	defer closeWire(wire)
	if !r.facts.Published {
		if err := r.src.publish(ctx, r.slot); err != nil {
			return res, err
		}
	}
	if err := reserve(ctx); err != nil {
		return res, err
	}
	if err := r.src.DropSlot(ctx, r.slot); err != nil {
		return res, unfit(err)
	}
	// Until the rows are copied, nobody may alter or empty the table: a snapshot doesn't keep its old state from that.
	if err := r.src.hold(ctx); err != nil {
		return res, err
	}
	defer func() {
		_, endErr := r.src.conn.Exec(ctx, "ROLLBACK")
		if err != nil && endErr == nil {
			_ = r.src.DropSlot(ctx, r.slot) // or it would keep the source's log
		}
		err = errors.Join(err, endErr)
	}()
	if err := r.src.lock(ctx); err != nil {
		return res, err
	}
	if err := r.look(ctx); err != nil {
		return res, err
	}
	if !r.facts.Published {
		return res, Missing(r.src.schema, r.src.table)
	}
	at, snapshot, err := createSlot(ctx, wire, r.slot)
	if err != nil {
		return res, err
	}
	conn, err := pgx.ConnectConfig(ctx, r.src.conn.Config())
	if err != nil {
		return res, err
	}
	rows := &Postgres{conn: conn, schema: r.src.schema, table: r.src.table, stored: true, snapshot: snapshot}
	defer rows.Close()
	return run(ctx, r.to, rows, r.target, func(c *copying) error {
		if err := c.snapshot(ctx, told); err != nil {
			return err
		}
		r.pos = position{Part: c.old, Rows: c.result.Rows, Slot: r.slot, LSN: at, Shape: r.facts.Shape, Wire: r.facts.Wire}
		return c.remember(ctx, &r.pos)
	})
}

// drain follows the log to where it ends now.
func (r *Replica) drain(ctx context.Context) (Result, error) {
	until, err := r.src.current(ctx)
	if err != nil {
		return Result{}, err
	}
	err = r.pump(ctx, drainIdle, func(ctx context.Context) (bool, error) {
		if r.seen < until {
			return false, nil
		}
		return true, r.advance(ctx)
	})
	res := r.done
	r.done = Result{}
	return res, err
}

// Report is what a replica tells while it follows the log.
type Report struct {
	Result

	AsOf     time.Time // what was committed at the source before is in the target
	Retained int64     // bytes of the log that the source's server keeps for the slot
}

const (
	drainIdle    = 50 * time.Millisecond
	streamIdle   = 500 * time.Millisecond
	lookInterval = 2 * time.Second  // in which a source is asked where it is
	idleInterval = 10 * time.Second // in which a target's position is written though nothing has changed
)

// Stream follows the log until the context ends, or until tell, which is called every few seconds, returns an error. Then it
// returns that.
func (r *Replica) Stream(ctx context.Context, tell func(context.Context, Report) error) error {
	var (
		looked, wrote time.Time
		asked         time.Time // when the log ended at until; zero if that was told
		until         lsn
	)
	return r.pump(ctx, streamIdle, func(ctx context.Context) (bool, error) {
		now := time.Now()
		if now.Sub(wrote) > idleInterval {
			wrote = now
			if err := r.advance(ctx); err != nil {
				return false, err
			}
		}
		if !asked.IsZero() && r.seen >= until {
			if err := r.report(ctx, asked, tell); err != nil {
				return false, err
			}
			asked = time.Time{}
		}
		if now.Sub(looked) < lookInterval {
			return false, nil
		}
		looked = now
		if err := r.check(ctx); err != nil {
			return false, err
		}
		end, err := r.src.current(ctx)
		if asked.IsZero() {
			asked, until = now, end
		}
		return false, err
	})
}

func (r *Replica) report(ctx context.Context, asOf time.Time, tell func(context.Context, Report) error) error {
	slot, err := r.src.Slot(ctx, r.slot)
	if err != nil {
		return err
	}
	rep := Report{Result: r.done, AsOf: asOf}
	if rep.Rows = r.pos.Rows; slot != nil {
		rep.Retained = slot.Retained
	}
	r.done = Result{}
	return tell(ctx, rep)
}

// check sees to it that the source is still what it was.
func (r *Replica) check(ctx context.Context) error {
	if err := r.look(ctx); err != nil {
		return err
	}
	if r.pos.Shape != r.facts.Shape || r.pos.Wire != r.facts.Wire {
		return r.stale(ctx, "the source's columns have changed")
	}
	if !r.facts.Published {
		return r.stale(ctx, "the publication is gone")
	}
	return nil
}

// stale has all rows copied anew, now or the next time.
func (r *Replica) stale(ctx context.Context, why string) error {
	r.rollback(ctx)
	err := pgx.BeginFunc(ctx, r.to, func(tx pgx.Tx) error {
		return (&copying{tx: tx, target: r.target}).forget(ctx)
	})
	return errors.Join(&staleError{why}, err)
}
