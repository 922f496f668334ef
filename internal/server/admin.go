package server

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"sync/atomic"

	"github.com/tarn-data/tarn/internal/dataapi"
)

// admin answers the admin endpoint.
type admin struct {
	live    func() bool                // whether clients find the API
	ready   func(context.Context) bool // whether the API has all that it needs to answer
	engine  *dataapi.Engine            // whose settings and schema cache may be seen; nil for none
	metrics http.Handler
}

// ServeHTTP implements http.Handler.
func (a *admin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/live":
		if !a.live() {
			w.WriteHeader(http.StatusInternalServerError)
		}
	case "/ready":
		switch {
		case !a.ready(r.Context()):
			w.WriteHeader(http.StatusServiceUnavailable)
		case !a.live():
			w.WriteHeader(http.StatusInternalServerError)
		}
	case "/config":
		a.config(w)
	case "/schema_cache":
		a.schemaCache(w)
	case "/metrics":
		a.metrics.ServeHTTP(w, r)
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

// config shows the settings in force, without secrets: unlike the dump for who may read the file, this is for who may ask.
func (a *admin) config(w http.ResponseWriter) {
	if a.engine == nil {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = io.WriteString(w, a.engine.Config().String()) // as below
}

func (a *admin) schemaCache(w http.ResponseWriter) {
	if a.engine == nil {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	if cache := a.engine.Cache(); cache != nil {
		_ = json.NewEncoder(w).Encode(dataapi.Dump(cache)) // a client that went away has no use for the error
	}
}

// door is where clients find an API: nowhere until it is opened, nor when the context has ended.
type door struct {
	ctx      context.Context //nolint:containedctx // it is the server's own
	listener atomic.Pointer[net.Listener]
}

func (d *door) open(l net.Listener) { d.listener.Store(&l) }

func (d *door) isOpen() bool {
	l := d.listener.Load()
	if l == nil || d.ctx.Err() != nil {
		return false
	}
	if addr := (*l).Addr(); addr.Network() == "unix" {
		_, err := os.Stat(addr.String()) // someone may have removed it
		return err == nil
	}
	return true
}
