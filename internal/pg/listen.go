package pg

import (
	"context"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
)

// Listener hears the notifications of a channel on a connection of its own, and makes a new one when that is lost.
type Listener struct {
	URL     string
	AppName string
	Channel string
	Log     *slog.Logger
	// Connected is called when listening (again) begins: notifications before it may have been missed.
	Connected func()
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
		l.Log.Warn("listener lost its connection", "channel", l.Channel, "retry_in", retry.String(), "error", err)
		if !sleep(ctx, retry) {
			return
		}
		retry = min(2*retry, lastRetry)
	}
}

func (l *Listener) listen(ctx context.Context) error {
	conn, err := Connect(ctx, l.URL, l.AppName)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	if _, err := conn.Exec(ctx, "LISTEN "+pgx.Identifier{l.Channel}.Sanitize()); err != nil {
		return err
	}
	l.Connected()
	for {
		n, err := conn.WaitForNotification(ctx)
		if err != nil {
			return err
		}
		l.Notified(n.Payload)
	}
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
