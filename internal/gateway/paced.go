package gateway

import (
	"errors"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/tarn-data/tarn/internal/fault"
)

const (
	// bodyGrace is how long a body may take in any case.
	bodyGrace = 30 * time.Second
	// bodyRate is how many bytes a second it must have beyond that.
	bodyRate = 1 << 10
)

// Paced cuts off who sends a body so slowly that they only mean to keep a connection busy.
func Paced(next http.Handler) http.Handler { return paced(next, bodyGrace, bodyRate) }

func paced(next http.Handler, grace time.Duration, rate int64) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Body != nil && r.Body != http.NoBody {
			b := &pacedBody{body: r.Body, control: http.NewResponseController(w), rate: rate, due: time.Now().Add(grace)}
			b.limit(b.due) // also of what net/http reads by itself, where the handler doesn't want the body
			r.Body = b
			defer func() { r.Body = b.body }() // by whose type net/http knows how much of it is left
		}
		next.ServeHTTP(w, r)
	})
}

// pacedBody is a body with a deadline that moves on with what has been read.
type pacedBody struct {
	body    io.ReadCloser
	control *http.ResponseController
	rate    int64
	due     time.Time // when what was read so far had to be there
	unpaid  int64     // bytes that due doesn't reckon with yet
	over    bool
}

// limit sets the deadline. Where there is none, as in tests without a connection, there is nothing to do.
func (b *pacedBody) limit(deadline time.Time) { _ = b.control.SetReadDeadline(deadline) }

// Read implements io.Reader.
func (b *pacedBody) Read(p []byte) (int, error) {
	if seconds := b.unpaid / b.rate; seconds > 0 && !b.over {
		b.unpaid -= seconds * b.rate
		b.due = b.due.Add(time.Duration(seconds) * time.Second)
		b.limit(b.due)
	}
	n, err := b.body.Read(p)
	b.unpaid += int64(n)
	switch {
	case errors.Is(err, io.EOF) && !b.over:
		b.over = true
		b.limit(time.Time{}) // it would end the request, too
	case errors.Is(err, os.ErrDeadlineExceeded):
		err = fault.New(fault.Stalled, "REQUEST_TIMEOUT", "The request's body came too slowly.").WithCause(err)
	}
	return n, err
}

// Close implements io.Closer.
func (b *pacedBody) Close() error { return b.body.Close() }
