package pg

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// cancelGrace is how long a cancelled query may take to end before its connection is given up.
const cancelGrace = 2 * time.Second

// Canceller has the server cancel what runs on a connection, and gives the connection up if that doesn't end. It is a
// ctxwatch.Handler.
//
// PostgreSQL cancels whatever the connection runs when it is told to. So a connection goes on only when the server has
// confirmed that it was told, before anything else is sent. The driver's own handler doesn't wait for that, but for
// a tenth of a second, which is too long where the machine is idle and too short where it is busy.
type Canceller struct {
	Conn *pgconn.PgConn

	finished  chan struct{}
	confirmed bool
}

// HandleCancel begins to cancel.
func (c *Canceller) HandleCancel(context.Context) {
	finished := make(chan struct{})
	c.finished, c.confirmed = finished, false
	deadline := time.Now().Add(cancelGrace)
	_ = c.Conn.Conn().SetDeadline(deadline)
	go func() {
		defer close(finished)
		ctx, stop := context.WithDeadline(context.Background(), deadline)
		defer stop()
		c.confirmed = c.Conn.CancelRequest(ctx) == nil && ctx.Err() == nil
	}()
}

// HandleUnwatchAfterCancel waits until nothing more can be cancelled. The connection may be cut afterwards.
func (c *Canceller) HandleUnwatchAfterCancel() { c.Wait() }

// Wait does that, too, and tells whether the connection can be used.
func (c *Canceller) Wait() (usable bool) {
	<-c.finished
	if !c.confirmed {
		_ = c.Conn.Conn().Close()
		return false
	}
	_ = c.Conn.Conn().SetDeadline(time.Time{})
	return true
}
