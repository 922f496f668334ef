package dataapi

import (
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/tarn-data/tarn/internal/pg"
)

const (
	// replayWait is how long a load waits for a standby at most; it may be far behind.
	replayWait = 5 * time.Second
	replayPoll = 5 * time.Millisecond
)

// catchUp waits until a standby has what the primary server has now, if the connection is to one and the settings name
// both: notifications come from the primary, and may be here before what they tell of.
func (e *Engine) catchUp(ctx context.Context, conn *pgx.Conn) {
	if conn.PgConn().ParameterStatus("in_hot_standby") != "on" || !severalServers(conn.Config()) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, replayWait)
	defer cancel()
	position, err := e.primaryPosition(ctx)
	if err != nil {
		e.opt.Log.Debug("the primary server doesn't say where it is", "error", err)
		return
	}
	for replayed := false; !replayed; {
		const query = "SELECT pg_last_wal_replay_lsn() >= $1::text::pg_lsn"
		if err := conn.QueryRow(ctx, query, position).Scan(&replayed); err != nil {
			e.opt.Log.Warn("the standby is behind the primary server", "error", err)
			return
		}
		if !replayed {
			time.Sleep(replayPoll)
		}
	}
}

// primaryPosition is how far the primary server has come.
func (e *Engine) primaryPosition(ctx context.Context) (string, error) {
	conn, err := pg.ConnectPrimary(ctx, e.Config().DBURI, e.opt.AppName)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	var position string
	err = conn.QueryRow(ctx, "SELECT pg_current_wal_insert_lsn()::text").Scan(&position)
	return position, err
}

// severalServers tells whether a configuration names more than one server.
func severalServers(cfg *pgx.ConnConfig) bool {
	return slices.ContainsFunc(cfg.Fallbacks, func(f *pgconn.FallbackConfig) bool {
		return f.Host != cfg.Host || f.Port != cfg.Port
	})
}
