package exec

import (
	"context"

	"github.com/tarn-data/tarn/internal/pg"
)

// watch has what runs on a connection cancelled when the request's context ends. The driver has such a watcher, too, which
// makes anew for each request what this one makes once.
type watch struct {
	canceller *pg.Canceller
	cancel    func()
	cancelled chan struct{}
	stop      func() bool // nil while nothing is watched
}

func newWatch(c *pg.Canceller) watch {
	cancelled := make(chan struct{}, 1)
	return watch{canceller: c, cancelled: cancelled, cancel: func() {
		c.HandleCancel(context.Background())
		cancelled <- struct{}{}
	}}
}

func (w *watch) begin(ctx context.Context) {
	w.stop = pg.AfterFunc(ctx, w.cancel)
}

// end ends the watch, and waits for what it has begun. It tells whether the connection can still be used.
func (w *watch) end() (usable bool) {
	usable = true
	if !w.stop() {
		<-w.cancelled
		usable = w.canceller.Wait()
	}
	w.stop = nil
	return usable
}
