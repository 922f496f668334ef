package http1

import (
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// holdBody is how much of a body whose length isn't known is held, so that it can be said if there isn't more.
	holdBody = 4 << 10
	// maxOut is how much is put together to be written at once.
	maxOut = 64 << 10
	// maxKept is how large a buffer is kept for the next answer.
	maxKept = maxOut + 8<<10
)

// How a body is sent.
type framing uint8

const (
	undecided framing = iota
	none
	counted // its length was said
	chunked
)

// response writes an answer. The head goes with the first bytes of the body.
type response struct {
	conn   *conn  // nil when the answer is over
	out    []byte // what is to be written
	header http.Header
	head   bool // only the head is asked for
	close  bool // the connection ends with it

	status  int
	typed   bool // the handler said what the body is
	dated   bool // and when
	framing framing
	length  int64 // that the handler said; -1 if it didn't
	written int64
	held    []byte // the body, until its framing is decided
	failed  error
}

// Header implements http.ResponseWriter.
func (w *response) Header() http.Header { return w.header }

// WriteHeader implements http.ResponseWriter.
func (w *response) WriteHeader(status int) {
	if w.conn == nil || w.status != 0 {
		return
	}
	if status < 100 || status > 999 {
		status = http.StatusInternalServerError
	}
	if status < http.StatusOK && status != http.StatusSwitchingProtocols { // there will be another one
		w.out = appendStatus(w.out, status)
		w.out = append(appendFields(w.out, w.header), "\r\n"...)
		w.send()
		return
	}
	w.status, w.length = status, -1
	_, w.typed = w.header["Content-Type"]
	w.typed = w.typed || w.header.Get("Content-Encoding") != ""
	_, w.dated = w.header["Date"]
	if said := w.header["Content-Length"]; len(said) > 0 {
		n, err := strconv.ParseInt(said[0], 10, 64)
		if err != nil || n < 0 || len(said) > 1 {
			delete(w.header, "Content-Length") // it would be taken for another's
		} else {
			w.length = n
		}
	}
	said := w.header["Connection"]
	if w.close = w.close || w.conn.server.noReuse.Load(); w.close && len(said) == 0 {
		w.header["Connection"] = []string{"close"}
	}
	w.close = w.close || len(said) > 0 && strings.EqualFold(said[0], "close")
	w.out = appendFields(appendStatus(w.out, status), w.header)
	if !bodyAllowed(status) {
		w.begin(none, nil)
	}
}

func bodyAllowed(status int) bool {
	return status >= http.StatusOK && status != http.StatusNoContent && status != http.StatusNotModified
}

// Write implements http.ResponseWriter.
func (w *response) Write(p []byte) (int, error) {
	if w.conn == nil {
		return 0, net.ErrClosed
	}
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	switch {
	case w.failed != nil:
		return 0, w.failed
	case len(p) == 0:
		return 0, nil
	case w.framing == none:
		return 0, http.ErrBodyNotAllowed
	case w.length >= 0 && w.written+int64(len(p)) > w.length:
		return 0, http.ErrContentLength
	}
	w.written += int64(len(p))
	if w.framing == undecided {
		switch {
		case w.length >= 0:
			w.begin(counted, p)
		case len(w.held)+len(p) <= holdBody:
			w.held = append(w.held, p...)
			return len(p), nil
		default:
			w.begin(chunked, p)
		}
	}
	w.body(p)
	if w.failed != nil {
		return 0, w.failed
	}
	return len(p), nil
}

// begin ends the head, and sends what was held of the body. What comes next of it tells what it is, if the handler didn't,
// as with net/http.
func (w *response) begin(f framing, next []byte) {
	w.framing = f
	if len(w.held) > 0 {
		next = w.held
	}
	if !w.typed && len(next) > 0 {
		w.say("Content-Type: ", http.DetectContentType(next))
	}
	if !w.dated {
		w.say("Date: ", w.conn.server.date())
	}
	if f == chunked && !w.head {
		w.say("Transfer-Encoding: ", "chunked")
	}
	w.out = append(w.out, "\r\n"...)
	if held := w.held; len(held) > 0 {
		w.held = nil
		w.body(held)
	}
}

func (w *response) say(name, value string) {
	w.out = append(append(append(w.out, name...), value...), "\r\n"...)
}

// body sends a part of the body, or puts it into what is sent next.
func (w *response) body(p []byte) {
	if w.head {
		return
	}
	if w.framing == chunked {
		w.out = append(strconv.AppendInt(w.out, int64(len(p)), 16), "\r\n"...)
	}
	for len(p) > 0 && w.failed == nil {
		n := min(len(p), maxOut-min(maxOut, len(w.out)))
		w.out = append(w.out, p[:n]...)
		if p = p[n:]; len(p) > 0 {
			w.send()
		}
	}
	if w.framing == chunked {
		w.out = append(w.out, "\r\n"...)
	}
}

// send writes what there is.
func (w *response) send() {
	if w.failed == nil && len(w.out) > 0 {
		_, w.failed = w.conn.rwc.Write(w.out)
	}
	w.out = w.out[:0]
}

// FlushError is for http.ResponseController.
func (w *response) FlushError() error {
	if w.conn == nil {
		return net.ErrClosed
	}
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if w.framing == undecided {
		f := chunked
		if w.length >= 0 {
			f = counted
		}
		w.begin(f, nil)
	}
	w.send()
	return w.failed
}

// Flush implements http.Flusher.
func (w *response) Flush() { _ = w.FlushError() }

// SetReadDeadline is for http.ResponseController. The request has been read.
func (w *response) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline is for http.ResponseController. It holds for this answer.
func (w *response) SetWriteDeadline(t time.Time) error {
	if w.conn == nil {
		return net.ErrClosed
	}
	w.conn.deadline = !t.IsZero()
	return w.conn.rwc.SetWriteDeadline(t)
}

// EnableFullDuplex is for http.ResponseController. The request has been read.
func (w *response) EnableFullDuplex() error { return nil }

// finish sends what is left. It tells whether the connection can be used again.
func (w *response) finish() (again bool) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if w.framing == undecided {
		if w.length < 0 {
			if w.length = w.written; !w.head || w.written > 0 {
				w.say("Content-Length: ", strconv.FormatInt(w.written, 10))
			}
		}
		w.begin(counted, nil)
	}
	if w.framing == chunked && !w.head {
		w.out = append(w.out, "0\r\n\r\n"...)
	}
	w.send()
	if w.conn.deadline {
		w.conn.deadline = false
		_ = w.conn.rwc.SetWriteDeadline(time.Time{})
	}
	short := w.framing == counted && !w.head && w.written < w.length
	return w.failed == nil && !w.close && !short
}

func appendStatus(out []byte, status int) []byte {
	out = append(out, "HTTP/1.1 "...)
	out = strconv.AppendInt(out, int64(status), 10)
	out = append(out, ' ')
	if text := http.StatusText(status); text != "" {
		out = append(out, text...)
	} else {
		out = strconv.AppendInt(append(out, "status code "...), int64(status), 10)
	}
	return append(out, "\r\n"...)
}

// appendFields renders the fields in the order of their names. Names that aren't any are left out, and what would end a
// line becomes a space, as with net/http.
func appendFields(out []byte, h http.Header) []byte {
	var few [16]string
	names := few[:0]
	for name := range h {
		if token(name) && name != "Transfer-Encoding" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		for _, value := range h[name] {
			out = append(append(out, name...), ": "...)
			out = append(appendValue(out, value), "\r\n"...)
		}
	}
	return out
}

func appendValue(out []byte, value string) []byte {
	from := len(out)
	out = append(out, strings.Trim(value, " \t\r\n")...)
	for i := from; i < len(out); i++ {
		if out[i] == '\r' || out[i] == '\n' {
			out[i] = ' '
		}
	}
	return out
}

// dateText is a time as answers say it.
type dateText struct {
	second int64
	text   string
}

// date is the time, rendered once a second.
func (s *Server) date() string {
	t := time.Now()
	if d := s.dated.Load(); d != nil && d.second == t.Unix() {
		return d.text
	}
	d := &dateText{t.Unix(), t.UTC().Format(http.TimeFormat)}
	s.dated.Store(d)
	return d.text
}
