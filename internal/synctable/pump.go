package synctable

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
)

const (
	quietTime  = 20 * time.Millisecond  // without a message, after which a group commits
	groupTime  = 200 * time.Millisecond // for which a group gathers transactions
	startPause = 300 * time.Millisecond
	groupRows  = 5000 // of which a group may have that many, and those of its last transaction
)

// pump reads the log from where the target is, and applies what it tells of. Between the source's transactions, with all that
// was read in the target, it asks step whether that is all.
// Where the log ends, it waits as long as idle before it asks again.
func (r *Replica) pump(ctx context.Context, idle time.Duration, step func(context.Context) (done bool, err error)) error {
	wire, err := r.start(ctx)
	if err != nil {
		return r.broken(ctx, err)
	}
	defer closeWire(wire)
	defer r.rollback(ctx)
	r.seen = r.pos.LSN
	in := &reader{r: r}
	var confirmed time.Time
	for quiet := true; ; {
		if !in.open && r.group.due(quiet) {
			if err := r.commit(ctx); err != nil {
				return err
			}
		}
		if !in.open && r.group == nil {
			done, err := step(ctx)
			if err != nil {
				return err
			}
			if done {
				return r.confirm(ctx, wire, false)
			}
		}
		if now := time.Now(); now.Sub(confirmed) >= idle {
			confirmed = now
			if err := r.confirm(ctx, wire, true); err != nil {
				return err
			}
		}
		patience := idle
		if r.group != nil {
			patience = quietTime
		}
		data, err := receive(ctx, wire, patience)
		if err != nil {
			return r.broken(ctx, err)
		}
		if quiet = data == nil; quiet {
			continue
		}
		if err := in.take(ctx, data); err != nil {
			return err
		}
	}
}

// start begins to read the log. The server may take a moment to notice that who read it before has died.
func (r *Replica) start(ctx context.Context) (*pgconn.PgConn, error) {
	const tries = 10
	for try := 1; ; try++ {
		wire, err := r.src.dial(ctx)
		if err != nil {
			return nil, err
		}
		err = pglogrepl.StartReplication(ctx, wire, quote(r.slot), r.pos.LSN, pglogrepl.StartReplicationOptions{
			Mode: pglogrepl.LogicalReplication, PluginArgs: []string{"proto_version '1'", "publication_names " + literal(quote(r.slot))},
		})
		if err == nil {
			return wire, nil
		}
		closeWire(wire)
		if !IsBusy(err) || try == tries {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(startPause):
		}
	}
}

// broken has all rows copied anew if the source's server says that it can't send the log any more.
func (r *Replica) broken(ctx context.Context, err error) error {
	if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch class := pgErr.Code[:2]; {
		case class == "XX", class == "58", pgErr.Code == "55000", pgErr.Code == "42704":
			return r.stale(ctx, "the source's server can't send its log: "+pgErr.Message)
		}
	}
	return err
}

// confirm lets the source's server throw away what is in the target, and may ask it how far it is.
func (r *Replica) confirm(ctx context.Context, wire *pgconn.PgConn, ask bool) error {
	return pglogrepl.SendStandbyStatusUpdate(ctx, wire, pglogrepl.StandbyStatusUpdate{WALWritePosition: r.pos.LSN, ReplyRequested: ask})
}

// receive returns the next message of the log; nil if none comes for a while.
func receive(ctx context.Context, wire *pgconn.PgConn, patience time.Duration) ([]byte, error) {
	short, stop := context.WithTimeout(ctx, patience)
	defer stop()
	for {
		msg, err := wire.ReceiveMessage(short)
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case err != nil && pgconn.Timeout(err):
			return nil, nil
		case err != nil:
			return nil, err
		}
		switch msg := msg.(type) {
		case *pgproto3.CopyData:
			if len(msg.Data) > 1 {
				return msg.Data, nil
			}
		case *pgproto3.ErrorResponse:
			return nil, pgconn.ErrorResponseToPgError(msg)
		case *pgproto3.CopyDone, *pgproto3.CommandComplete, *pgproto3.ReadyForQuery:
			return nil, errEnded
		}
	}
}

var errEnded = errors.New("the source's server has ended the stream")

// reader takes the messages of the log apart.
type reader struct {
	r    *Replica
	open bool // whether a transaction of the source is being read
	skip bool // whether the target has it already
}

func (in *reader) take(ctx context.Context, data []byte) error {
	switch data[0] {
	case pglogrepl.PrimaryKeepaliveMessageByteID:
		alive, err := pglogrepl.ParsePrimaryKeepaliveMessage(data[1:])
		if err == nil && !in.open {
			// All transactions that ended before have been sent.
			in.r.seen = max(in.r.seen, alive.ServerWALEnd)
		}
		return err
	case pglogrepl.XLogDataByteID:
		x, err := pglogrepl.ParseXLogData(data[1:])
		if err != nil {
			return err
		}
		msg, err := parse(x.WALData)
		if err != nil {
			return err
		}
		return in.message(ctx, msg)
	}
	return nil
}

// parse keeps a message that is cut off from ending the process.
func parse(data []byte) (msg pglogrepl.Message, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the source's log has a message that can't be read: %v", p)
		}
	}()
	return pglogrepl.Parse(data)
}

func (in *reader) message(ctx context.Context, msg pglogrepl.Message) error {
	r := in.r
	switch msg := msg.(type) {
	case *pglogrepl.BeginMessage:
		in.open, in.skip = true, msg.FinalLSN < r.pos.LSN
	case *pglogrepl.CommitMessage:
		in.open = false
		r.seen = max(r.seen, msg.TransactionEndLSN)
	case *pglogrepl.RelationMessage:
		if msg.RelationID == r.facts.OID && !in.skip && columnsOf(msg) != r.pos.Wire {
			return r.stale(ctx, "the source's columns have changed")
		}
	case *pglogrepl.InsertMessage:
		if in.ours(msg.RelationID) {
			return r.insert(ctx, msg.Tuple)
		}
	case *pglogrepl.UpdateMessage:
		if in.ours(msg.RelationID) {
			return r.update(ctx, msg.OldTuple, msg.NewTuple)
		}
	case *pglogrepl.DeleteMessage:
		if in.ours(msg.RelationID) {
			return r.remove(ctx, msg.OldTuple)
		}
	case *pglogrepl.TruncateMessage:
		if slices.ContainsFunc(msg.RelationIDs, in.ours) {
			return r.empty(ctx)
		}
	}
	return nil
}

// ours tells whether a relation is the source: a publication may have more.
func (in *reader) ours(id uint32) bool { return id == in.r.facts.OID && !in.skip }

// columnsOf are the columns as facts have them.
func columnsOf(rel *pglogrepl.RelationMessage) string {
	var out []byte
	for i, c := range rel.Columns {
		if i > 0 {
			out = append(out, ';')
		}
		out = fmt.Appendf(out, "%s %d %d", c.Name, c.DataType, c.TypeModifier)
	}
	return string(out)
}
