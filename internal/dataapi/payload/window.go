package payload

import (
	"errors"
	"io"

	"github.com/tarn-data/tarn/internal/fault"
)

// firstWindow is how much of a body is looked at, unless a row is larger.
const firstWindow = 256 << 10

// window is the part of a body that is in memory: at most a row that isn't complete, and some rows.
type window struct {
	in  io.Reader
	buf []byte
	at  int // where the rest begins
	max int // bytes of a row at most
	err error
}

// rest is what was not gone past yet.
func (w *window) rest() []byte { return w.buf[w.at:] }

// eof tells whether the rest is all that there is.
func (w *window) eof() bool { return errors.Is(w.err, io.EOF) }

// failed is why no more can be read, other than that there is no more.
func (w *window) failed() error {
	if w.eof() {
		return nil
	}
	return w.err
}

// more reads on, and tells whether there was more. The rest moves. It grows twofold at least, so that who looks at all of
// it anew each time does so a few times only.
func (w *window) more() bool {
	want := 2 * len(w.rest())
	if w.at > 0 || w.buf == nil {
		w.shift()
	}
	before := len(w.buf)
	for w.err == nil && len(w.buf) <= max(before, want-1) {
		if len(w.buf) == cap(w.buf) {
			if len(w.buf) >= w.max {
				w.err = fault.New(fault.TooLarge, "413", "A row of the request's body is larger than the server accepts.")
				break
			}
			w.buf = append(make([]byte, 0, 2*cap(w.buf)), w.buf...)
		}
		var n int
		n, w.err = w.in.Read(w.buf[len(w.buf):cap(w.buf)])
		w.buf = w.buf[:len(w.buf)+n]
	}
	return len(w.buf) > before
}

// shift moves the rest to the front.
func (w *window) shift() {
	if w.buf == nil {
		w.buf = make([]byte, 0, firstWindow)
	}
	w.buf = w.buf[:copy(w.buf, w.buf[w.at:])]
	w.at = 0
}
