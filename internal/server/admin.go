package server

import "net/http"

// health is what the admin endpoint tells.
type health struct {
	live  func() bool
	ready func() bool
}

// adminHandler serves /live, /ready and /metrics.
func adminHandler(h health, metrics http.Handler) *http.ServeMux {
	mux := http.NewServeMux()
	status := func(ok func() bool, otherwise int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			if !ok() {
				w.WriteHeader(otherwise)
			}
		}
	}
	mux.HandleFunc("GET /live", status(h.live, http.StatusInternalServerError))
	mux.HandleFunc("GET /ready", status(h.ready, http.StatusServiceUnavailable))
	mux.Handle("GET /metrics", metrics)
	return mux
}
