package server

import (
	"net/http"
	"strings"
	"time"

	"github.com/tarn-data/tarn/internal/audit"
	"github.com/tarn-data/tarn/internal/auth"
	"github.com/tarn-data/tarn/internal/dataapi"
	"github.com/tarn-data/tarn/internal/endpoint"
	"github.com/tarn-data/tarn/internal/fault"
)

// DataAPIAudit says which requests of the Data API are recorded.
type DataAPIAudit string

// The kinds of requests that may be recorded.
const (
	AuditAll    DataAPIAudit = "all"
	AuditWrites DataAPIAudit = "writes" // and what was refused for who asked
	AuditOff    DataAPIAudit = "off"
)

// audited records the requests of the Data API before they are answered. Values are not recorded, nor what is searched for.
func audited(next http.Handler, log *audit.Log, mode DataAPIAudit) http.Handler {
	if log == nil || mode == AuditOff {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := &recordedResponse{ResponseWriter: w, request: r, log: log, start: time.Now(), all: mode == AuditAll || !readsOnly(r.Method)}
		if rec.all {
			if err := log.Room(); err != nil {
				rec.withhold(err)
				return
			}
		}
		next.ServeHTTP(rec, r)
		if rec.status == 0 {
			rec.WriteHeader(http.StatusOK)
		}
	})
}

func readsOnly(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions
}

// recordedResponse records a request when its status is known.
type recordedResponse struct {
	http.ResponseWriter
	request  *http.Request
	log      *audit.Log
	start    time.Time
	role     string
	status   int
	all      bool // whatever the status
	withheld bool // the client was told that the request can't be recorded
}

// SetRole says as which role the request is answered.
func (w *recordedResponse) SetRole(role string) {
	w.role = role
	if next, ok := w.ResponseWriter.(interface{ SetRole(role string) }); ok {
		next.SetRole(role)
	}
}

// WriteHeader implements http.ResponseWriter.
func (w *recordedResponse) WriteHeader(status int) {
	if w.withheld {
		return
	}
	if w.status == 0 && status >= http.StatusOK {
		w.status = status
		if w.all || refusal(status) {
			if err := w.log.Record(w.request.Context(), w.call()); err != nil {
				w.withhold(err)
				return
			}
		}
	}
	w.ResponseWriter.WriteHeader(status)
}

func refusal(status int) bool {
	return status == http.StatusUnauthorized || status == http.StatusForbidden || status == http.StatusTooManyRequests
}

// withhold tells that the request can't be recorded, in place of its answer.
func (w *recordedResponse) withhold(err error) {
	w.withheld, w.status = true, http.StatusServiceUnavailable
	h := w.Header()
	for name := range h {
		if name != "X-Request-Id" {
			delete(h, name)
		}
	}
	f := *fault.From(err)
	f.Code = "503"
	dataapi.WriteError(w.ResponseWriter, &f)
}

// Write implements http.ResponseWriter.
func (w *recordedResponse) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if w.withheld {
		return len(p), nil
	}
	return w.ResponseWriter.Write(p)
}

// FlushError is for http.ResponseController.
func (w *recordedResponse) FlushError() error {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Unwrap is for http.ResponseController.
func (w *recordedResponse) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *recordedResponse) call() *endpoint.Call {
	r := w.request
	target, _ := parseLakebase(r.URL.EscapedPath())
	name := strings.TrimPrefix(target.mount.Path, "/")
	c := &endpoint.Call{
		ID: w.Header().Get("X-Request-Id"), Start: w.start, Source: remoteAddress(r), UserAgent: r.UserAgent(),
		Route:     &endpoint.Route{Method: r.Method, Service: dataAPIService, Action: dataAPIAction(r.Method, name)},
		Securable: strings.Join([]string{target.database, target.mount.Schema, name}, "."),
		Status:    w.status, Latency: time.Since(w.start),
	}
	if w.role != "" {
		c.Account = &auth.Account{Name: w.role}
	}
	return c
}

func dataAPIAction(method, name string) string {
	switch method {
	case http.MethodPost:
		if strings.HasPrefix(name, "rpc/") {
			return "call"
		}
		return "insert"
	case http.MethodPatch:
		return "update"
	case http.MethodPut:
		return "upsert"
	case http.MethodDelete:
		return "delete"
	}
	return "read"
}
