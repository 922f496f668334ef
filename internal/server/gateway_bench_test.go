package server

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/tarn-data/tarn/internal/endpoint"
	"github.com/tarn-data/tarn/internal/gateway"
)

// nothing is a call that does nothing: what it costs is the gateway's.
func nothing() []endpoint.Route {
	return []endpoint.Route{{
		Method: http.MethodGet, Path: "/api/2.0/nothing/{id}", Service: "nothing", Action: "get",
		Do: endpoint.Raw(func(w http.ResponseWriter, _ *http.Request, _ *endpoint.Call) error {
			w.WriteHeader(http.StatusOK)
			return nil
		}),
	}}
}

// discard is a response that nobody reads.
type discard struct{ header http.Header }

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }
func (d *discard) WriteHeader(int)             {}

// caller returns a function that makes one call with a token that is known already: authenticated, limited, counted and
// recorded.
func caller(t testing.TB) func() {
	t.Helper()
	g := newTestGateway(t, func(_ *ServeOptions, o *gateway.Options) { o.Routes = nothing() })
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/api/2.0/nothing/1", nil)
	r.Header.Set("Authorization", "Bearer "+g.admin)
	r.RemoteAddr = "198.51.100.1:4711"
	w := httptest.NewRecorder()
	g.Handler.ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	return func() {
		clear(w.Header())
		g.Handler.ServeHTTP(&discard{w.Header()}, r)
	}
}

// BenchmarkGateway is what the gateway costs each call: authentication, limits, figures and audit record.
func BenchmarkGateway(b *testing.B) {
	call := caller(b)
	b.ReportAllocs()
	for b.Loop() {
		call()
	}
}

// TestGatewayAllocatesLittle guards the cost of a call.
func TestGatewayAllocatesLittle(t *testing.T) {
	const most = 60
	call := caller(t)
	if n := testing.AllocsPerRun(500, call); n > most {
		t.Errorf("a call allocates %v times, more than %d", n, most)
	} else {
		t.Logf("a call allocates %v times", n)
	}
}
