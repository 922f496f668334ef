package exec

import "github.com/tarn-data/tarn/internal/dataapi/sqlgen"

// RunsAlone tells whether a query that could share a connection is kept from it.
func (r *Runner) RunsAlone(q *sqlgen.Query) bool { return r.multiplexer(r.Pool).runsAlone(q.Main.SQL) }

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
