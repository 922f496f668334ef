package dataapi

import (
	"net/http"
	"slices"
	"strings"
)

const (
	corsMethods = "GET, POST, PATCH, PUT, DELETE, OPTIONS, HEAD"
	corsExposed = "Content-Encoding, Content-Location, Content-Range, Content-Type, Date, Location, Server, Transfer-Encoding, Range-Unit"
	corsMaxAge  = "86400"
)

// cors adds what browsers ask for, and answers their preflight requests; then nothing is left to do.
func (st *state) cors(w http.ResponseWriter, r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" {
		return false
	}
	h := w.Header()
	switch allowed := st.cfg.CORSAllowedOrigins; {
	case len(allowed) == 0:
		h.Set("Access-Control-Allow-Origin", "*")
	case slices.Contains(allowed, origin):
		h.Set("Access-Control-Allow-Origin", origin)
		h.Set("Access-Control-Allow-Credentials", "true")
	default:
		return false
	}
	if r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "" {
		h.Set("Access-Control-Expose-Headers", corsExposed)
		return false
	}
	var headers strings.Builder
	headers.WriteString("Authorization")
	if asked := r.Header.Get("Access-Control-Request-Headers"); asked != "" {
		for name := range strings.SplitSeq(asked, ",") {
			headers.WriteString(", " + strings.TrimSpace(name))
		}
	}
	headers.WriteString(", Accept, Accept-Language, Content-Language")
	h.Set("Access-Control-Allow-Methods", corsMethods)
	h.Set("Access-Control-Allow-Headers", headers.String())
	h.Set("Access-Control-Max-Age", corsMaxAge)
	w.WriteHeader(http.StatusOK)
	return true
}
