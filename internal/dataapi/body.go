package dataapi

import (
	"errors"
	"io"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/tarn-data/tarn/internal/dataapi/payload"
	"github.com/tarn-data/tarn/internal/fault"
)

const (
	// holdBelow is how many bytes of a body are held in any case.
	holdBelow = 256 << 10

	// loadFrom is how large a payload is for which a table is made. Smaller ones are one parameter of their statement.
	loadFrom = 1 << 20

	// idleBody is how long a client may not send any of a body, and drainBody how long it may go on sending one that is
	// refused already: who only sends would never see the answer.
	idleBody  = 30 * time.Second
	drainBody = 10 * time.Second
)

// body is the body of a request. What was read of it is kept until its rows are begun to be taken; then it is read as it
// arrives. It is safe for concurrent use, since a lost connection to the database leaves a reader behind.
type body struct {
	mu      sync.Mutex
	from    io.ReadCloser
	control *http.ResponseController // nil where the body is small
	left    int64                    // bytes that may come yet

	head    []byte
	at      int // how much of the head was read
	ended   bool
	err     error
	taken   bool // whether what is read isn't kept
	idle    time.Duration
	hurried bool // whether the end is near in any case
}

// openBody reads the beginning of a body, and all of it if that is little.
func openBody(w http.ResponseWriter, r *http.Request, limit int64) (*body, error) {
	if r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0 {
		return &body{ended: true}, nil
	}
	if r.ContentLength > limit {
		return nil, tooLarge()
	}
	b := &body{from: r.Body, left: limit, idle: idleBody}
	if n := r.ContentLength; n > 0 && n < holdBelow {
		b.head = make([]byte, 0, n+1)
	} else {
		b.head, b.control = make([]byte, 0, holdBelow), http.NewResponseController(w)
	}
	return b, b.fill(holdBelow)
}

func tooLarge() error {
	return fault.New(fault.TooLarge, "413", "The request's body is larger than the server accepts.").
		WithHint("Send the rows in several requests.")
}

// fill reads until the head has so many bytes, or the body ends.
func (b *body) fill(size int) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for !b.ended && len(b.head) < size {
		if len(b.head) == cap(b.head) {
			b.head = append(b.head, 0)[:len(b.head)]
		}
		n, err := b.receive(b.head[len(b.head):min(cap(b.head), max(size, len(b.head)+1))])
		b.head = b.head[:len(b.head)+n]
		if err != nil && !b.ended {
			return err
		}
	}
	return nil
}

// hold reads all of the body.
func (b *body) hold(limit int64) ([]byte, error) {
	if err := b.fill(int(limit) + 1); err != nil {
		return nil, err
	}
	if int64(len(b.head)) > limit {
		return nil, tooLarge()
	}
	return b.head, nil
}

// take has nothing more of the body be kept when it is read.
func (b *body) take() { b.taken = true }

// rewind has the body be read from its beginning, as can be done until it is taken.
func (b *body) rewind() { b.at = 0 }

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.at < len(b.head) {
		n := copy(p, b.head[b.at:])
		b.at += n
		return n, nil
	}
	if b.taken {
		b.head, b.at = nil, 0
	}
	if b.ended {
		return 0, io.EOF
	}
	n, err := b.receive(p)
	if !b.taken {
		b.head = append(b.head, p[:n]...)
		b.at += n
	}
	return n, err
}

// receive reads what the client sends.
func (b *body) receive(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	if !b.hurried {
		b.patience(b.idle)
	}
	n, err := b.from.Read(p)
	if b.left -= int64(n); b.left < 0 {
		n, err = 0, tooLarge()
	}
	switch {
	case err == nil:
		return n, nil
	case errors.Is(err, io.EOF):
		b.ended = true
		b.patience(0)
	case errors.Is(err, os.ErrDeadlineExceeded):
		err = fault.New(fault.Stalled, "408", "The request's body did not arrive in time.").WithCause(err)
	case fault.From(err).Kind != fault.TooLarge:
		err = fault.New(fault.Invalid, "PGRST102", "The request's body could not be read").WithCause(err)
	}
	b.err = err
	return n, err
}

// patience is how long it may take until more arrives; 0 for any time. Not every connection can be told.
func (b *body) patience(d time.Duration) {
	if b.control == nil {
		return
	}
	var until time.Time
	if d > 0 {
		until = time.Now().Add(d)
	}
	_ = b.control.SetReadDeadline(until)
}

// drain reads the rest of a body that is refused, so that the client, who may read only when it has sent all, sees why.
// It ends soon.
func (b *body) drain(limit int64) {
	if b == nil {
		return
	}
	b.hurry(limit)
	_, _ = io.Copy(io.Discard, b)
}

// check reads the rest of the rows of a body that is refused, for the same reason, and tells what is wrong with them.
func (b *body) check(rows *payload.Rows, limit int64) error {
	b.hurry(limit)
	for rows.Next() { // and do nothing with them
	}
	if b.ended {
		return rows.Err()
	}
	return nil
}

// hurry bounds what of the body is still read, and for how long.
func (b *body) hurry(limit int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.hurried || b.ended {
		return
	}
	b.patience(drainBody)
	b.hurried, b.taken, b.left = true, true, min(b.left, limit)
}
