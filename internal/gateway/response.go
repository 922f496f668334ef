package gateway

import (
	"net/http"

	"github.com/tarn-data/tarn/internal/endpoint"
	"github.com/tarn-data/tarn/internal/fault"
)

// response is a response writer that says which status there will be before the client learns of it.
type response struct {
	http.ResponseWriter
	known   func(status int) error
	dialect endpoint.Dialect
	id      string // of the request

	status   int
	withheld bool // the client was told of a fault instead
}

// WriteHeader implements http.ResponseWriter.
func (w *response) WriteHeader(status int) {
	if w.withheld {
		return
	}
	if w.status == 0 && status >= http.StatusOK {
		w.status = status
		if err := w.known(status); err != nil {
			w.withhold(err)
			return
		}
	}
	w.ResponseWriter.WriteHeader(status)
}

// withhold tells of a fault in place of the answer.
func (w *response) withhold(err error) {
	w.withheld = true
	h := w.Header()
	for name := range h {
		if name != "X-Request-Id" && name != "X-Databricks-Org-Id" {
			delete(h, name)
		}
	}
	w.dialect.WriteFault(w.ResponseWriter, fault.From(err), w.id)
}

// Write implements http.ResponseWriter.
func (w *response) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if w.withheld {
		return len(p), nil
	}
	return w.ResponseWriter.Write(p)
}

// FlushError is for http.ResponseController.
func (w *response) FlushError() error {
	w.finish()
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// finish sends the header, if nobody has.
func (w *response) finish() {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
}

// Unwrap is for http.ResponseController.
func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }
