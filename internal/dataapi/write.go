package dataapi

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/tarn-data/tarn/internal/dataapi/reply"
	"github.com/tarn-data/tarn/internal/fault"
)

// decorate adds the headers that go with every answer that is no error.
func (v *visit) decorate(r *reply.Reply) {
	if v.timing.on {
		r.Headers = append(r.Headers, reply.Header{Name: "Server-Timing", Value: v.timing.String()})
	}
	if !r.Has("Vary") {
		r.Headers = append(r.Headers, reply.Header{Name: "Vary", Value: "Accept, Prefer, Range"})
	}
}

// write writes an answer. A status that HTTP doesn't know can only come of SQL, and is the server's fault.
func write(w http.ResponseWriter, r *reply.Reply) { writeAfter(w, r, nil) }

// writeAfter writes an answer after what is kept of it.
func writeAfter(w http.ResponseWriter, r *reply.Reply, kept *spool) {
	h := w.Header()
	values := make([]string, len(r.Headers)) // of all headers at once
	for i, header := range r.Headers {
		name := http.CanonicalHeaderKey(header.Name)
		if name == "Content-Length" && !bodyAllowed(r.Status) {
			continue
		}
		if there := h[name]; there != nil {
			h[name] = append(there, header.Value)
			continue
		}
		values[i] = header.Value
		h[name] = values[i : i+1 : i+1]
	}
	if r.Status < 200 || r.Status > 999 {
		r.Status = http.StatusInternalServerError
	}
	w.WriteHeader(r.Status)
	if r.Before > 0 && bodyAllowed(r.Status) && kept.copyTo(w) != nil {
		panic(http.ErrAbortHandler) //nolint:forbidigo // it is net/http's own way to cut a response
	}
	if len(r.Body) > 0 && bodyAllowed(r.Status) {
		_, _ = w.Write(r.Body) // a client that went away has no use for the error
	}
}

func bodyAllowed(status int) bool {
	return status >= 200 && status != http.StatusNoContent && status != http.StatusNotModified
}

// timing measures the stages of a request for Server-Timing.
type timing struct {
	on    bool
	since time.Time
	parts []string
}

func (t *timing) start() {
	if t.on {
		t.since = time.Now()
	}
}

func (t *timing) end(stage string) {
	if t.on {
		ms := float64(time.Since(t.since)) / float64(time.Millisecond)
		t.parts = append(t.parts, stage+";dur="+strconv.FormatFloat(ms, 'f', 1, 64))
	}
}

// String is the header's value.
func (t *timing) String() string { return strings.Join(t.parts, ", ") }

// WriteError writes an error in the Data API's dialect.
func WriteError(w http.ResponseWriter, err error) { write(w, reply.Error(fault.From(err), false)) }
