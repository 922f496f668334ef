package server

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/tarn-data/tarn/internal/endpoint"
	"github.com/tarn-data/tarn/internal/gateway"
	"github.com/tarn-data/tarn/internal/pgtest"
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
func caller(t testing.TB, g *testGateway, path, token string) func() {
	t.Helper()
	eventually(t, g.state.Listening) // until then, little is remembered
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
	r.Header.Set("Authorization", "Bearer "+token)
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

// doingNothing is a gateway to calls that do nothing.
func doingNothing(t testing.TB) func() {
	t.Helper()
	g := newTestGateway(t, func(_ *ServeOptions, o *gateway.Options) { o.Routes = nothing() })
	return caller(t, g, "/api/2.0/nothing/1", g.admin)
}

// askingForMe is a gateway to all calls, of which one is made with a personal access token.
func askingForMe(t testing.TB) (call func(), stateURL string) {
	t.Helper()
	g := newTestGateway(t, func(o *ServeOptions, _ *gateway.Options) { stateURL = o.StateURL })
	status, made := g.call(t, "198.51.100.1", http.MethodPost, "/api/2.0/token/create", `{"comment":"of a test"}`)
	token, ok := made["token_value"].(string)
	if !ok {
		t.Fatal(status, made)
	}
	return caller(t, g, "/api/2.0/preview/scim/v2/Me", token), stateURL
}

// BenchmarkGateway is what the gateway costs each call: authentication, limits, figures and audit record.
func BenchmarkGateway(b *testing.B) {
	call := doingNothing(b)
	b.ReportAllocs()
	for b.Loop() {
		call()
	}
}

// BenchmarkMe is what a call of Me costs, with a personal access token.
func BenchmarkMe(b *testing.B) {
	call, _ := askingForMe(b)
	b.ReportAllocs()
	for b.Loop() {
		call()
	}
}

// TestGatewayAllocatesLittle guards the cost of a call.
func TestGatewayAllocatesLittle(t *testing.T) {
	me, _ := askingForMe(t)
	for _, c := range []struct {
		name string
		call func()
		most float64
	}{
		{"that does nothing", doingNothing(t), 30},
		{"of Me", me, 45},
	} {
		if n := testing.AllocsPerRun(500, c.call); n > c.most {
			t.Errorf("a call %s allocates %v times, more than %v", c.name, n, c.most)
		} else {
			t.Logf("a call %s allocates %v times", c.name, n)
		}
	}
}

// TestKnownCallersAskNothingOfTheState has a call be answered while nobody can read who there is.
func TestKnownCallersAskNothingOfTheState(t *testing.T) {
	t.Parallel()
	call, url := askingForMe(t)
	conn := (&pgtest.DB{URL: url}).Conn(t)
	for _, sql := range []string{
		"BEGIN", "SET LOCAL lock_timeout = '20s'",
		"LOCK TABLE tarn.principals, tarn.members, tarn.personal_tokens IN ACCESS EXCLUSIVE MODE",
	} {
		if _, err := conn.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		call()
	}()
	select {
	case <-answered:
	case <-time.After(20 * time.Second):
		t.Error("the call waits for the state")
	}
	if _, err := conn.Exec(t.Context(), "ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	<-answered
}
