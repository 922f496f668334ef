package databases

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/tarn-data/tarn/internal/endpoint"
	"github.com/tarn-data/tarn/internal/fault"
	"github.com/tarn-data/tarn/internal/synctable"
)

const (
	pollInterval = time.Second
	lease        = 20 * time.Second
	heartbeat    = lease / 4
	settleTime   = 5 * time.Second // to write down how a run ended when Tarn itself is ending

	// A continuous table is synced again after this, or after a few times what a run takes: its source has others to serve.
	continuousPause = 5 * time.Second
	continuousShare = 3

	firstRetry = 5 * time.Second
	lastRetry  = 5 * time.Minute
)

// Run keeps synced tables up to date until the context ends. A table is synced by one process at a time; what a process
// leaves behind when it dies, another begins anew.
func (s *Service) Run(ctx context.Context) {
	for ctx.Err() == nil {
		t, err := s.Tables.Claim(ctx, s.Holder, lease)
		if err != nil && ctx.Err() == nil {
			s.Log.Warn("can't look for synced tables that are due", "error", err)
		}
		if t != nil {
			s.sync(ctx, t)
			continue
		}
		select {
		case <-ctx.Done():
		case <-time.After(pollInterval):
		}
	}
}

// sync does one run, and writes down how it ended.
func (s *Service) sync(ctx context.Context, t *Table) {
	running, stop := context.WithCancel(ctx)
	var rows atomic.Int64
	beaten := make(chan struct{})
	go func() {
		defer close(beaten)
		s.beat(running, stop, t, &rows)
	}()
	began := time.Now()
	res, err := s.copy(running, t, func(n int64) { rows.Store(n) })
	stop()
	<-beaten
	log := s.Log.With("table", t.Name, "duration", time.Since(began).Round(time.Millisecond).String())
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTime)
	defer cancel()
	out := Outcome{Rows: res.Rows}
	switch {
	case ctx.Err() != nil && err != nil: // Tarn ends: another process goes on, or this one when it is back
		if err := s.Tables.Release(end, t.ID, s.Holder); err != nil {
			log.Warn("can't give a synced table back; its lease will end", "error", err)
		}
		return
	case err != nil:
		log.Warn("synced table failed", "error", err)
		if out.Failure = plain(err); !errors.As(err, new(*endedError)) {
			out.Next = retryIn(t.Failures)
		}
	default:
		log.Info("synced table is up to date", "rows", res.Rows, "inserted", res.Inserted, "updated", res.Updated, "deleted", res.Deleted)
		if t.Spec.Policy == continuousPolicy {
			pause := max(continuousPause, continuousShare*time.Since(began))
			out.Next = &pause
		}
	}
	if err := s.Tables.Finish(end, t.ID, s.Holder, out); err != nil {
		log.Warn("can't write down how the sync ended; it will be done again", "error", err)
	}
}

// beat prolongs the lease while a run is on. Without it the run ends.
func (s *Service) beat(ctx context.Context, stop context.CancelFunc, t *Table, rows *atomic.Int64) {
	held := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(heartbeat):
		}
		ok, err := s.Tables.Prolong(ctx, t.ID, s.Holder, lease, rows.Load())
		switch {
		case ok:
			held = time.Now()
		case err == nil, time.Since(held) > lease-heartbeat:
			stop()
			return
		}
	}
}

func retryIn(failures int) *time.Duration {
	wait := firstRetry
	for range failures {
		if wait = 2 * wait; wait > lastRetry {
			wait = lastRetry
			break
		}
	}
	return &wait
}

func (s *Service) copy(ctx context.Context, t *Table, told synctable.Progress) (synctable.Result, error) {
	var none synctable.Result
	types, err := overrides(&t.Spec)
	if err != nil {
		return none, err
	}
	if err := s.stillMay(ctx, t); err != nil {
		return none, err
	}
	src, err := s.open(ctx, t.Spec.Source)
	if err != nil {
		return none, err
	}
	defer src.Close()
	conn, err := s.owner(ctx, t.Database)
	if err != nil {
		return none, err
	}
	defer closeConn(ctx, conn)
	to := synctable.Target{
		ID: t.ID, Schema: t.SchemaName, Table: t.TableName, PrimaryKey: t.Spec.PrimaryKey, Latest: t.Spec.TimeseriesKey,
		Types: types, MakeSchema: t.Spec.MakeObjects, Comment: "Synced from " + t.Spec.Source,
	}
	var role bool
	if err := conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)", t.Creator).Scan(&role); err != nil {
		return none, err
	}
	if role {
		to.Readers = []string{t.Creator}
	}
	if t.Spec.Policy == snapshotPolicy || t.FullRefresh {
		return synctable.Snapshot(ctx, conn, src, to, told)
	}
	return synctable.Merge(ctx, conn, src, to, told)
}

// open opens a source.
func (s *Service) open(ctx context.Context, name string) (synctable.Source, error) {
	p := parts(name)
	if s.Sources != nil && s.Sources.Has(p[0]) {
		return s.Sources.Open(ctx, p[0], p[1], p[2])
	}
	c, err := s.Store.Catalog(ctx, p[0])
	if err != nil {
		return nil, err
	}
	if c == nil {
		return nil, endpoint.NotFound("There is no catalog '" + p[0] + "'.")
	}
	conn, err := s.owner(ctx, c.Database)
	if err != nil {
		return nil, err
	}
	return synctable.NewStored(conn, p[1], p[2]), nil
}

// overrides are the types of columns that aren't to have the source's.
func overrides(spec *Spec) (map[string]string, error) {
	types := map[string]string{}
	for _, o := range spec.Overrides {
		name, ok := strings.CutPrefix(o.Type, "PG_SPECIFIC_TYPE_")
		switch {
		case ok && (name == "VARCHAR" || name == "VECTOR" || name == "HALFVEC") && o.Size > 0:
			types[o.Column] = fmt.Sprintf("%s(%d)", strings.ToLower(name), o.Size)
		case ok && name == "VARCHAR":
			types[o.Column] = "varchar"
		default:
			return nil, endpoint.Invalid("The type of column '" + o.Column + "' must be PG_SPECIFIC_TYPE_VARCHAR, _VECTOR or _HALFVEC, the latter two with a size.")
		}
	}
	return types, nil
}

// plain is what people may read of an error: never where a source is, nor how one logs in there.
func plain(err error) string {
	var (
		reason *synctable.Error
		known  *fault.Error
		pgErr  *pgconn.PgError
	)
	switch {
	case errors.As(err, new(*endedError)):
		return err.Error()
	case errors.As(err, &reason):
		return reason.Error()
	case errors.As(err, &known):
		return known.Message
	case errors.As(err, &pgErr):
		return pgErr.Message
	}
	return "The source or the database can't be reached. The log says more."
}
