package exec

import (
	"context"

	"github.com/jackc/pgx/v5/pgconn/ctxwatch"

	"github.com/tarn-data/tarn/internal/pg"
)

// watch has what runs on a connection cancelled when the request's context ends. The driver has such a watcher, too, which
// makes anew for each request what this one makes once.
type watch struct {
	handler   ctxwatch.Handler
	cancel    func()
	cancelled chan struct{}
	stop      func() bool // nil while nothing is watched
}

func newWatch(h ctxwatch.Handler) watch {
	cancelled := make(chan struct{}, 1)
	return watch{handler: h, cancelled: cancelled, cancel: func() {
		h.HandleCancel(context.Background())
		cancelled <- struct{}{}
	}}
}

func (w *watch) begin(ctx context.Context) {
	w.stop = pg.AfterFunc(ctx, w.cancel)
}

// end ends the watch, and waits for what it has begun.
func (w *watch) end() {
	if !w.stop() {
		<-w.cancelled
		w.handler.HandleUnwatchAfterCancel()
	}
	w.stop = nil
}
