package gateway

import (
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
)

const maxRequestID = 128

// RequestID is the id that the client gave the request, if it is a reasonable one, else a new one.
func RequestID(r *http.Request, newID func() string) string {
	for _, name := range [...]string{"X-Request-Id", "X-Databricks-Request-Id"} {
		if values := r.Header[name]; len(values) > 0 && values[0] != "" && len(values[0]) <= maxRequestID && plain(values[0]) {
			return values[0]
		}
	}
	return newID()
}

func plain(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune("-_.:", rune(c)) {
			return false
		}
	}
	return true
}

// IDs are ids of requests: a prefix that no other process has, and a number.
type IDs struct {
	prefix string
	last   atomic.Uint64
}

// NewIDs makes ids with a prefix.
func NewIDs(prefix string) *IDs { return &IDs{prefix: prefix + "-"} }

// Next is a new id.
func (i *IDs) Next() string {
	const base = 36
	var b [64]byte
	return string(strconv.AppendUint(append(b[:0], i.prefix...), i.last.Add(1), base))
}
