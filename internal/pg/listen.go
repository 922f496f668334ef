package pg

import (
	"context"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
)

// Listener hears the notifications of a channel on a connection of its own, and makes a new one when that is lost.
type Listener struct {
	URL     string
	AppName string
	Channel string
	Log     *slog.Logger
	// Connected is called when listening (again) begins: notifications before it may have been missed.
	Connected func()
	// Lost is called when listening ends against its will; nil for nobody.
	Lost func(error)
	// Notified is called with the payload of each notification.
	Notified func(payload string)
}

const (
	firstRetry = 250 * time.Millisecond
	lastRetry  = 32 * time.Second
)

// Run listens until the context ends.
func (l *Listener) Run(ctx context.Context) {
	retry := firstRetry
	for ctx.Err() == nil {
		started := time.Now()
		err := l.listen(ctx)
		if ctx.Err() != nil {
			return
		}
		if time.Since(started) > lastRetry {
			retry = firstRetry
		}
		if l.Lost != nil {
			l.Lost(err)
		}
		l.Log.Warn("can't listen for notifications", "channel", l.Channel, "retry_in", retry.String(), "error", err)
		if !sleep(ctx, retry) {
			return
		}
		retry = min(2*retry, lastRetry)
	}
}

func (l *Listener) listen(ctx context.Context) error {
	conn, err := ConnectPrimary(ctx, l.URL, l.AppName) // a standby has no notifications
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	// To ask how full the queue is also moves its tail, without which a damaged queue would fail LISTEN again and again.
	for _, sql := range []string{"SELECT pg_notification_queue_usage()", "LISTEN " + pgx.Identifier{l.Channel}.Sanitize()} {
		if _, err := conn.Exec(ctx, sql); err != nil {
			return err
		}
	}
	l.Log.Info("listening for notifications", "channel", l.Channel, "server", conn.PgConn().Conn().RemoteAddr().String())
	l.Connected()
	for {
		n, err := conn.WaitForNotification(ctx)
		if err != nil {
			return err
		}
		l.Notified(n.Payload)
	}
}

// ConnectPrimary opens a connection to the primary server of those that the URL names, whatever else the URL wants.
func ConnectPrimary(ctx context.Context, url, appName string) (*pgx.Conn, error) {
	cfg, err := connConfig(url, appName)
	if err != nil {
		return nil, err
	}
	// Nothing that is done there takes long enough to be cancelled: when the context ends, the connection does, at once.
	cfg.BuildContextWatcherHandler = func(c *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.DeadlineContextWatcherHandler{Conn: c.Conn()}
	}
	cfg.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsPrimary
	return pgx.ConnectConfig(ctx, cfg)
}

// sleep waits and tells whether the context still lasts.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
