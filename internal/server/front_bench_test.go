package server

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
)

// newFront is what stands before the Data API, with a Data API that does nothing.
func newFront(t testing.TB) (h http.Handler, w http.ResponseWriter, r *http.Request) {
	t.Helper()
	g, err := newGuards(ServeOptions{Log: slog.New(slog.DiscardHandler)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	h = GatewayOptions{}.Proxies.Handler(g.front(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
	r = httptest.NewRequestWithContext(t.Context(), http.MethodGet, lakebasePath, nil)
	return h, &discard{http.Header{}}, r
}

// BenchmarkFront is what stands before each request of the Data API while lists, limits and traces are off.
func BenchmarkFront(b *testing.B) {
	h, w, r := newFront(b)
	b.ReportAllocs()
	for b.Loop() {
		h.ServeHTTP(w, r)
	}
}

// TestFrontAllocatesLittle guards the Data API's hot path.
func TestFrontAllocatesLittle(t *testing.T) {
	const most = 5
	h, w, r := newFront(t)
	if n := testing.AllocsPerRun(500, func() { h.ServeHTTP(w, r) }); n > most {
		t.Errorf("%v allocations, more than %d", n, most)
	}
}
