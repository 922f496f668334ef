package databases

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
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

	maxStreams     = 32               // of tables that a process follows at a time
	rightsInterval = 10 * time.Second // in which the creator's rights are checked while a table is followed

	firstRetry = 5 * time.Second
	lastRetry  = 5 * time.Minute
)

// Run keeps synced tables up to date until the context ends. A table is synced by one process at a time; what a process
// leaves behind when it dies, another goes on with.
func (s *Service) Run(ctx context.Context) {
	var streams sync.WaitGroup
	defer streams.Wait()
	for ctx.Err() == nil {
		s.tend(ctx)
		t, err := s.Tables.Claim(ctx, s.Holder, lease)
		if err != nil && ctx.Err() == nil {
			s.Log.Warn("can't look for synced tables that are due", "error", err)
		}
		if t != nil {
			s.sync(ctx, t, &streams)
			continue
		}
		select {
		case <-ctx.Done():
		case <-time.After(pollInterval):
		}
	}
}

// turn is a process's turn at a table, from when it is claimed until it is given back.
type turn struct {
	*Table

	ctx    context.Context //nolint:containedctx // it is the turn's own, and ends when the lease is lost
	stop   context.CancelCauseFunc
	beaten chan struct{}
	began  time.Time
	rows   atomic.Int64
	stream atomic.Bool // whether all that is left is to follow the source
	log    *slog.Logger
}

// errAsked is that a client asks for a table to be synced again, which ends the stream that it is followed by.
var errAsked = errors.New("another sync was asked for")

// sync does one run, and writes down how it ended. A table that is followed goes on in the background.
func (s *Service) sync(ctx context.Context, t *Table, streams *sync.WaitGroup) {
	running, stop := context.WithCancelCause(ctx)
	own := &turn{
		Table: t, ctx: running, stop: stop, beaten: make(chan struct{}), began: time.Now(), log: s.Log.With("table", t.Name),
	}
	go func() {
		defer close(own.beaten)
		s.beat(own)
	}()
	w, err := s.copy(own)
	if err == nil && t.Spec.Policy == continuousPolicy && w.replica != nil && s.streams.Add(1) <= maxStreams {
		streams.Go(func() {
			defer s.streams.Add(-1)
			s.end(ctx, own, w, s.follow(own, w))
		})
		return
	} else if err == nil && t.Spec.Policy == continuousPolicy && w.replica != nil {
		s.streams.Add(-1) // there are too many: this one is followed in steps
	}
	s.end(ctx, own, w, err)
}

// end writes down how a turn has ended.
func (s *Service) end(ctx context.Context, own *turn, w *work, err error) {
	w.close()
	own.stop(nil)
	<-own.beaten
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTime)
	defer cancel()
	log := own.log.With("duration", time.Since(own.began).Round(time.Millisecond).String())
	out := Outcome{Rows: w.result.Rows, Note: w.note}
	switch {
	// Tarn ends, or the table is to be synced from the begin: another process goes on, or this one.
	case err != nil && (ctx.Err() != nil || synctable.IsStale(err) || errors.Is(context.Cause(own.ctx), errAsked)):
		if err := s.Tables.Release(end, own.ID, s.Holder); err != nil {
			log.Warn("can't give a synced table back; its lease will end", "error", err)
		}
		return
	case err != nil:
		log.Warn("synced table failed", "error", err)
		if out.Failure = plain(err); !errors.As(err, new(*endedError)) {
			out.Next = retryIn(own.Failures)
		}
	default:
		res := w.result
		log.Info("synced table is up to date", "rows", res.Rows, "inserted", res.Inserted, "updated", res.Updated, "deleted", res.Deleted, "copied", res.Copied)
		if own.Spec.Policy == continuousPolicy {
			pause := max(continuousPause, continuousShare*time.Since(own.began))
			out.Next = &pause
		}
	}
	if err := s.Tables.Finish(end, own.ID, s.Holder, out); err != nil {
		log.Warn("can't write down how the sync ended; it will be done again", "error", err)
	}
}

// beat prolongs the lease while a turn lasts. Without it the turn ends.
func (s *Service) beat(own *turn) {
	held := time.Now()
	for {
		select {
		case <-own.ctx.Done():
			return
		case <-time.After(heartbeat):
		}
		ok, asked, err := s.Tables.Prolong(own.ctx, own.ID, s.Holder, lease, own.rows.Load())
		switch {
		case ok && asked && own.stream.Load():
			own.stop(errAsked)
		case ok:
			held = time.Now()
		case err == nil, time.Since(held) > lease-heartbeat:
			own.stop(nil)
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
