package databases

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tarn-data/tarn/internal/endpoint"
	"github.com/tarn-data/tarn/internal/synctable"
)

// work is what a turn at a table has open, and what has come of it.
type work struct {
	src     synctable.Source
	to      *pgx.Conn
	replica *synctable.Replica // nil if the source isn't followed
	result  synctable.Result
	note    string // how the table is synced
}

func (w *work) close() {
	if w.src != nil {
		w.src.Close()
	}
	if w.to != nil {
		closeConn(context.Background(), w.to)
	}
}

// copy brings a table up to date once.
func (s *Service) copy(own *turn) (*work, error) {
	w := &work{}
	ctx, t := own.ctx, own.Table
	types, err := overrides(&t.Spec)
	if err != nil {
		return w, err
	}
	if err := s.stillMay(ctx, t); err != nil {
		return w, err
	}
	var database *string
	if w.src, database, err = s.open(ctx, t.Spec.Source); err != nil {
		return w, err
	}
	if w.to, err = s.owner(ctx, t.Database); err != nil {
		return w, err
	}
	to := synctable.Target{
		ID: t.ID, Schema: t.SchemaName, Table: t.TableName, PrimaryKey: t.Spec.PrimaryKey, Latest: t.Spec.TimeseriesKey,
		Types: types, MakeSchema: t.Spec.MakeObjects, Comment: "Synced from " + t.Spec.Source,
	}
	var role bool
	if err := w.to.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)", t.Creator).Scan(&role); err != nil {
		return w, err
	}
	if role {
		to.Readers = []string{t.Creator}
	}
	return w, s.bring(ctx, own, w, to, database)
}

// bring chooses how the table is brought up to date: by the log of the source's server if that can be followed, else by comparing.
func (s *Service) bring(ctx context.Context, own *turn, w *work, to synctable.Target, database *string) (err error) {
	told := func(n int64) { own.rows.Store(n) }
	if own.Spec.Policy == snapshotPolicy {
		w.note = "Synced by copying all rows."
		w.result, err = synctable.Snapshot(ctx, w.to, w.src, to, told)
		return err
	}
	why := "the source is a file"
	if src, ok := w.src.(*synctable.Postgres); ok {
		name := slotName(own.Table)
		how := synctable.Following{Slot: name, Fresh: own.FullRefresh, Reserve: func(ctx context.Context) error {
			held, err := s.Slots.ReserveSlot(ctx, s.Holder, Slot{Name: name, TableID: &own.ID, Source: own.Spec.Source, Database: database})
			if err == nil && !held {
				err = context.Canceled
			}
			return err
		}}
		w.note = "Synced by logical replication, with the slot " + name + "."
		w.replica, w.result, err = synctable.Follow(ctx, w.to, src, to, how, told)
		unfit, isUnfit := errors.AsType[*synctable.Unfit](err)
		if !isUnfit {
			return err
		}
		w.replica, why = nil, unfit.Reason
		if err := s.Slots.GiveUpSlot(ctx, own.ID); err != nil {
			return err
		}
	}
	w.note = "Synced by comparing all rows. There is no logical replication: " + why + "."
	if own.FullRefresh {
		w.result, err = synctable.Snapshot(ctx, w.to, w.src, to, told)
		return err
	}
	if src, ok := w.src.(*synctable.Postgres); ok && to.Latest != "" {
		byComparing := w.note
		w.note = "Synced by the rows that have a greater " + to.Latest + " than before; what is deleted is looked for now and then. " +
			"There is no logical replication: " + why + "."
		w.result, err = synctable.Since(ctx, w.to, src, to, pace(), told)
		if !errors.As(err, new(*synctable.Unfit)) {
			return err
		}
		w.note = byComparing
		if err := s.reopen(ctx, own, w); err != nil {
			return err
		}
	}
	w.result, err = synctable.Merge(ctx, w.to, w.src, to, told)
	return err
}

// pace is that of tables that are synced by a column.
func pace() synctable.Pace {
	return synctable.Pace{Overlap: 10 * time.Minute, Keys: 5 * time.Minute, Whole: 24 * time.Hour}
}

// reopen opens the source once more: it can be read only once.
func (s *Service) reopen(ctx context.Context, own *turn, w *work) (err error) {
	w.src.Close()
	w.src, _, err = s.open(ctx, own.Spec.Source)
	return err
}

// slotName is the name of a table's slot and publication: people who look at the source's server know whose it is.
func slotName(t *Table) string {
	const longest = 20
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, strings.ToLower(t.TableName))
	return "tarn_sync_" + name[:min(len(name), longest)] + "_" + strings.ReplaceAll(t.PipelineID, "-", "")[:12]
}

// open opens a source, and tells which database of the server it is in; nil for one elsewhere.
func (s *Service) open(ctx context.Context, name string) (synctable.Source, *string, error) {
	p := parts(name)
	if s.Sources != nil && s.Sources.Has(p[0]) {
		src, err := s.Sources.Open(ctx, p[0], p[1], p[2])
		return src, nil, err
	}
	c, err := s.Store.Catalog(ctx, p[0])
	if err != nil {
		return nil, nil, err
	}
	if c == nil {
		return nil, nil, endpoint.NotFound("There is no catalog '" + p[0] + "'.")
	}
	conn, err := s.owner(ctx, c.Database)
	if err != nil {
		return nil, nil, err
	}
	return synctable.NewStored(conn, p[1], p[2]), &c.Database, nil
}

// follow keeps a table up to date until its turn ends.
func (s *Service) follow(own *turn, w *work) error {
	own.stream.Store(true)
	first := synctable.Report{Result: w.result, AsOf: own.began}
	first.Inserted++ // it counts as a sync, even if there was nothing to do
	checked := time.Now()
	tell := func(ctx context.Context, rep synctable.Report) error {
		if time.Since(checked) > rightsInterval {
			if err := s.stillMay(ctx, own.Table); err != nil {
				return err
			}
			checked = time.Now()
		}
		if err := s.Slots.SlotKeeps(ctx, slotName(own.Table), rep.Retained); err != nil {
			return err
		}
		own.rows.Store(rep.Rows)
		held, err := s.Slots.Synced(ctx, own.ID, s.Holder, Synced{
			AsOf: rep.AsOf, Rows: rep.Rows, Changed: rep.Inserted+rep.Updated+rep.Deleted > 0, Note: w.note,
		})
		if err == nil && !held {
			err = context.Canceled
		}
		return err
	}
	own.log.Info("synced table is followed", "rows", w.result.Rows, "copied", w.result.Copied)
	if err := tell(own.ctx, first); err != nil {
		return err
	}
	own.Failures = 0
	return w.replica.Stream(own.ctx, tell)
}

// mostLog is how much of its log a server has to keep for a table that nobody brings up to date: 4 GiB.
const mostLog = 4 << 30

// tend looks after the slot that was looked at the longest ago, if one is due.
func (s *Service) tend(ctx context.Context) {
	slot, err := s.Slots.DueSlot(ctx)
	if err == nil && slot != nil {
		err = s.tendSlot(ctx, slot, mostLog)
	}
	switch {
	case err == nil, ctx.Err() != nil:
	case synctable.IsBusy(err): // until the process that reads it has noticed that the table is gone
	case slot == nil:
		s.Log.Warn("can't look for replication slots to look after", "error", err)
	default:
		s.Log.Warn("can't look after a replication slot; it will be tried again", "slot", slot.Name, "error", err)
	}
}

// tendSlot drops a slot that is of no use any more, or takes note of what it costs. One that costs too much is dropped: then the
// table's next sync copies all rows.
func (s *Service) tendSlot(ctx context.Context, slot *Slot, most int64) error {
	src, err := s.openSlot(ctx, slot)
	if err != nil {
		return err
	}
	defer src.Close()
	if slot.TableID == nil {
		if err := src.DropSlot(ctx, slot.Name); err != nil {
			return err
		}
		if err := src.DropPublication(ctx, slot.Name); err != nil {
			return err
		}
		return s.Slots.ForgetSlot(ctx, slot.Name)
	}
	state, err := src.Slot(ctx, slot.Name)
	if err != nil || state == nil {
		return err
	}
	if !state.Active && state.Retained > most {
		if err := src.DropSlot(ctx, slot.Name); err != nil {
			return err
		}
		s.Log.Warn("a replication slot kept too much of its server's log, and was dropped", "slot", slot.Name)
		err := s.Slots.Note(ctx, *slot.TableID, "The replication slot kept too much of the source's log and was dropped: the next sync copies all rows.")
		return errors.Join(err, s.Slots.SlotKeeps(ctx, slot.Name, 0))
	}
	return s.Slots.SlotKeeps(ctx, slot.Name, state.Retained)
}

// openSlot connects to where a slot is.
func (s *Service) openSlot(ctx context.Context, slot *Slot) (*synctable.Postgres, error) {
	p := parts(slot.Source)
	if slot.Database != nil {
		conn, err := s.owner(ctx, *slot.Database)
		if err != nil {
			return nil, err
		}
		return synctable.NewStored(conn, p[1], p[2]), nil
	}
	if s.Sources == nil || !s.Sources.Has(p[0]) {
		return nil, endpoint.NotFound("There is no source '" + p[0] + "'.")
	}
	src, err := s.Sources.Open(ctx, p[0], p[1], p[2])
	if err != nil {
		return nil, err
	}
	pg, ok := src.(*synctable.Postgres)
	if !ok {
		src.Close()
		return nil, endpoint.NotFound("The source '" + p[0] + "' has no slots.")
	}
	return pg, nil
}
