package accesslog

import (
	"net/http"
	"strconv"
	"sync"
	"time"
)

// Handler logs what another handler answers, if the status is one to log. That handler tells the role by SetRole of the
// response writer. Answers to the preflight requests of browsers are nobody's, and aren't logged.
func (l *Log) Handler(next http.Handler, logs func(status int) bool) http.Handler {
	var (
		clock clock
		pool  = sync.Pool{New: func() any { return new(response) }}
	)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		res := pool.Get().(*response)
		*res = response{ResponseWriter: w, line: res.line[:0]}
		defer func() { // also of answers that are cut off
			if status := res.answered(); logs(status) && !preflight(w, r) {
				res.line = appendLine(res.line, r, &entry{
					role: res.role, time: clock.text(time.Now()), status: status, size: res.length(),
				})
				l.add(res.line)
			}
			res.ResponseWriter = nil
			pool.Put(res)
		}()
		next.ServeHTTP(res, r)
	})
}

// preflight tells whether the answer is one to a browser that asks what it may ask.
func preflight(w http.ResponseWriter, r *http.Request) bool {
	return r.Method == http.MethodOptions && w.Header().Get("Access-Control-Allow-Methods") != ""
}

// response is a response writer that takes note of what is answered.
type response struct {
	http.ResponseWriter
	role    string
	status  int
	written int64
	line    []byte
}

// SetRole says as which role the request is answered.
func (w *response) SetRole(role string) { w.role = role }

// WriteHeader implements http.ResponseWriter.
func (w *response) WriteHeader(status int) {
	if w.status == 0 && status >= http.StatusOK {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (w *response) Write(p []byte) (int, error) {
	n, err := w.ResponseWriter.Write(p)
	w.written += int64(n)
	return n, err
}

// Unwrap is for http.ResponseController.
func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// answered is the status that the client sees.
func (w *response) answered() int {
	if w.status == 0 {
		return http.StatusOK
	}
	return w.status
}

func (w *response) length() string {
	if said := w.Header().Get("Content-Length"); said != "" {
		return said
	}
	if w.written > 0 {
		return strconv.FormatInt(w.written, 10)
	}
	return ""
}
