package server

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// compressFrom is how many bytes an answer must have to be worth compressing.
const compressFrom = 1 << 10

// compressor compresses the answers of those who ask for it. It doesn't take middleware of others, which leaves out what
// has a Content-Range, as everything here has.
type compressor struct {
	next http.Handler
	gzip sync.Pool
	zstd sync.Pool
}

func compressed(next http.Handler) http.Handler { return &compressor{next: next} }

// ServeHTTP implements http.Handler.
func (c *compressor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	encoding := acceptedEncoding(r.Header.Get("Accept-Encoding"))
	if encoding == "" || r.Method == http.MethodHead {
		c.next.ServeHTTP(w, r)
		return
	}
	out := &compressedWriter{ResponseWriter: w, from: c, encoding: encoding}
	c.next.ServeHTTP(out, r)
	out.close() // not when the handler panics, which cuts the answer short
}

// acceptedEncoding chooses among what a client accepts; empty for none of ours.
func acceptedEncoding(accept string) string {
	best := ""
	for part := range strings.SplitSeq(accept, ",") {
		name, parameter, _ := strings.Cut(strings.TrimSpace(part), ";")
		if q, ok := strings.CutPrefix(strings.TrimSpace(parameter), "q="); ok {
			if weight, err := strconv.ParseFloat(q, 64); err != nil || weight <= 0 {
				continue
			}
		}
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "zstd":
			return "zstd"
		case "gzip":
			best = "gzip"
		}
	}
	return best
}

// encoder is a writer of either kind.
type encoder interface {
	io.WriteCloser
	Flush() error
	Reset(io.Writer)
}

// take returns an encoder, a used one if there is one. The fastest level has most of the gain.
func (c *compressor) take(encoding string, w io.Writer) (encoder, error) {
	if encoding == "zstd" {
		if e, ok := c.zstd.Get().(*zstd.Encoder); ok {
			e.Reset(w)
			return zstdEncoder{e}, nil
		}
		e, err := zstd.NewWriter(w, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(1<<18))
		return zstdEncoder{e}, err
	}
	if e, ok := c.gzip.Get().(*gzip.Writer); ok {
		e.Reset(w)
		return e, nil
	}
	return gzip.NewWriterLevel(w, gzip.BestSpeed)
}

func (c *compressor) giveBack(e encoder) {
	e.Reset(nil)
	switch e := e.(type) {
	case zstdEncoder:
		c.zstd.Put(e.Encoder)
	case *gzip.Writer:
		c.gzip.Put(e)
	}
}

type zstdEncoder struct{ *zstd.Encoder }

// compressedWriter compresses a response if its headers say that it is worth it.
type compressedWriter struct {
	http.ResponseWriter
	from     *compressor
	encoding string
	decided  bool
	encoder  encoder // nil where the response stays as it is
}

// Unwrap lets http.ResponseController find the writer beneath.
func (w *compressedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader implements http.ResponseWriter.
func (w *compressedWriter) WriteHeader(status int) {
	if !w.decided && status >= http.StatusOK {
		w.decided = true
		w.decide(status)
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *compressedWriter) decide(status int) {
	h := w.Header()
	if status == http.StatusNoContent || status == http.StatusNotModified || h.Get("Content-Encoding") != "" || !compressible(h.Get("Content-Type")) {
		return
	}
	if length := h.Get("Content-Length"); length != "" {
		if n, err := strconv.Atoi(length); err != nil || n < compressFrom {
			return
		}
	}
	e, err := w.from.take(w.encoding, w.ResponseWriter)
	if err != nil {
		return
	}
	w.encoder = e
	h.Del("Content-Length")
	h.Set("Content-Encoding", w.encoding)
	h.Add("Vary", "Accept-Encoding")
}

// compressible tells whether a media type is text of some kind.
func compressible(contentType string) bool {
	return strings.HasPrefix(contentType, "text/") || strings.Contains(contentType, "json") || strings.Contains(contentType, "xml")
}

// Write implements http.ResponseWriter.
func (w *compressedWriter) Write(p []byte) (int, error) {
	if !w.decided {
		w.WriteHeader(http.StatusOK)
	}
	if w.encoder == nil {
		return w.ResponseWriter.Write(p)
	}
	return w.encoder.Write(p)
}

// FlushError sends what was written so far.
func (w *compressedWriter) FlushError() error {
	if w.encoder != nil {
		if err := w.encoder.Flush(); err != nil {
			return err
		}
	}
	return http.NewResponseController(w.ResponseWriter).Flush()
}

func (w *compressedWriter) close() {
	if w.encoder == nil {
		return
	}
	_ = w.encoder.Close() // a client that went away has no use for the error
	w.from.giveBack(w.encoder)
}
