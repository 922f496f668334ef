package exec

import (
	"time"

	"github.com/tarn-data/tarn/internal/dataapi/sqlgen"
)

// RunsAlone tells whether a query that could share a connection is kept from it.
func (r *Runner) RunsAlone(q *sqlgen.Query) bool { return r.multiplexer(r.Pool).runsAlone(q.Main.SQL) }

// Patience is how long the connection that is shared gives a statement before those behind it go elsewhere; 0 if none is.
func (r *Runner) Patience() time.Duration {
	for _, l := range *r.multiplexer(r.Pool).lines.Load() {
		l.mu.Lock()
		defer l.mu.Unlock()
		return stalledAfter + 2*l.floor
	}
	return 0
}

// CutLine cuts a connection that requests share and wait on. It is false if there is none.
func (r *Runner) CutLine() bool {
	for _, l := range *r.multiplexer(r.Pool).lines.Load() {
		l.mu.Lock()
		cut := !l.shut && len(l.queue) > 1
		if cut {
			_ = l.link.conn.Conn().Close()
		}
		l.mu.Unlock()
		if cut {
			return true
		}
	}
	return false
}
