package dataapi

import (
	"errors"
	"net/http"
	"time"

	"github.com/tarn-data/tarn/internal/dataapi/exec"
	"github.com/tarn-data/tarn/internal/dataapi/plan"
	"github.com/tarn-data/tarn/internal/dataapi/prepared"
	"github.com/tarn-data/tarn/internal/dataapi/reply"
	"github.com/tarn-data/tarn/internal/dataapi/request"
	"github.com/tarn-data/tarn/internal/fault"
)

// stallTimeout is how long a client may not take what is written to it, until it is given up: it holds a connection to
// the database.
const stallTimeout = 30 * time.Second

// stream writes a large answer while its rows arrive.
type stream struct {
	visit   *visit
	control *http.ResponseController
}

// sink takes the parts of an answer that is too large to be kept. With the first, the headers go out: so there is
// neither a length nor the number of rows in them, and what the query itself sets of the response comes too late.
func (v *visit) sink(w *prepared.Work, p *plan.Read) exec.Sink {
	if w.Request.Prefer.Count != request.NoCount {
		return v.spool.write // since how many rows there are goes before them
	}
	return func(part []byte) error {
		if v.stream == nil {
			v.stream = &stream{visit: v, control: http.NewResponseController(v.writer)}
			head := reply.Streamed(p, w.Request, v.mount.Base)
			reply.WarnLegacyTargets(head, w.Legacy)
			v.decorate(head)
			write(v.writer, head)
		}
		return v.stream.write(part)
	}
}

func (s *stream) write(part []byte) error {
	// Not every writer can do this; then the server's own limits hold.
	_ = s.control.SetWriteDeadline(time.Now().Add(stallTimeout))
	if _, err := s.visit.writer.Write(part); err != nil {
		return err
	}
	if err := s.control.Flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	return nil
}

// finish writes the rest. If something went wrong the connection is cut, so that what was sent can't be taken for the
// whole.
func (s *stream) finish(r *http.Request, rest *reply.Reply, err error) {
	if err == nil {
		err = s.write(rest.Body)
	}
	if err != nil {
		s.visit.engine.logFault(r, fault.From(err))
		panic(http.ErrAbortHandler) //nolint:forbidigo // it is net/http's own way to cut a response
	}
	_ = s.control.SetWriteDeadline(time.Time{})
	s.visit.logQueries(r, http.StatusOK)
}
