package gateway

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/tarn-data/tarn/internal/auth"
	"github.com/tarn-data/tarn/internal/endpoint"
	"github.com/tarn-data/tarn/internal/fault"
)

// ledger is a recorder that notes what it is told, and when: answered tells whether the client has had anything.
type ledger struct {
	begun, recorded []string
	refuseBegin     error
	refuseRecord    error
	answered        func() bool
	early           bool
}

func (l *ledger) Begin(_ context.Context, c *endpoint.Call) error {
	l.begun = append(l.begun, c.Route.Action)
	return l.refuseBegin
}

func (l *ledger) Record(_ context.Context, c *endpoint.Call) error {
	l.early = !l.answered()
	text := c.Route.Action + " " + http.StatusText(c.Status)
	if c.Err != nil {
		text += " " + endpoint.PlatformCode(fault.From(c.Err))
	}
	l.recorded = append(l.recorded, text)
	return l.refuseRecord
}

type nobody struct{}

func (nobody) AuthenticateCall(context.Context, http.Header) (*auth.Credential, error) {
	return nil, endpoint.Unauthenticated("Who are you?")
}

func TestRecorder(t *testing.T) {
	away := fault.New(fault.Unavailable, "TEMPORARILY_UNAVAILABLE", "The audit log is away.")
	do := func(f func(w http.ResponseWriter) error) endpoint.Function {
		return endpoint.Raw(func(w http.ResponseWriter, _ *http.Request, _ *endpoint.Call) error { return f(w) })
	}
	routes := []endpoint.Route{
		{Method: "GET", Path: "/quiet", Access: endpoint.Anyone, Action: "quiet", Do: do(func(http.ResponseWriter) error { return nil })},
		{Method: "GET", Path: "/text", Access: endpoint.Anyone, Action: "text", Do: do(func(w http.ResponseWriter) error {
			_, err := io.WriteString(w, "text")
			return err
		})},
		{Method: "GET", Path: "/flush", Access: endpoint.Anyone, Action: "flush", Do: do(func(w http.ResponseWriter) error {
			return http.NewResponseController(w).Flush()
		})},
		{Method: "GET", Path: "/panic", Access: endpoint.Anyone, Action: "panic", Do: do(func(http.ResponseWriter) error { panic("oh") })},
		{Method: "GET", Path: "/private", Action: "private"},
	}
	cases := []struct {
		path            string
		begin, record   error
		begun, recorded string
		status          int
		body            string
	}{
		{path: "/quiet", begun: "quiet", recorded: "quiet OK", status: 200},
		{path: "/text", begun: "text", recorded: "text OK", status: 200, body: "text"},
		{path: "/flush", begun: "flush", recorded: "flush OK", status: 200},
		{path: "/panic", begun: "panic", recorded: "panic Internal Server Error INTERNAL_ERROR", status: 500, body: "Internal error"},
		{path: "/private", recorded: "private Unauthorized UNAUTHENTICATED", status: 401, body: "Who are you?"},
		{path: "/nowhere", begun: "unknown", recorded: "unknown Not Found ENDPOINT_NOT_FOUND", status: 404, body: "No API found"},
		{path: "/text", begin: away, begun: "text", recorded: "text Service Unavailable TEMPORARILY_UNAVAILABLE", status: 503, body: "away"},
		{path: "/text", record: away, begun: "text", recorded: "text OK", status: 503, body: "away"},
		{path: "/private", record: away, recorded: "private Unauthorized UNAUTHENTICATED", status: 503, body: "away"},
	}
	for _, c := range cases {
		w := httptest.NewRecorder()
		log := &ledger{refuseBegin: c.begin, refuseRecord: c.record, answered: func() bool { return w.Flushed || w.Body.Len() > 0 }}
		g, err := New(Options{
			Routes: routes, Auth: nobody{}, Recorder: log, Now: time.Now, NewID: func() string { return "id" },
			Source: func(*http.Request) netip.Addr { return netip.Addr{} }, Log: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		g.ServeHTTP(w, httptest.NewRequest("GET", c.path, nil))
		if got := strings.Join(log.begun, ","); got != c.begun {
			t.Errorf("%s: begun %q, wanted %q", c.path, got, c.begun)
		}
		if got := strings.Join(log.recorded, ","); got != c.recorded {
			t.Errorf("%s: recorded %q, wanted %q", c.path, got, c.recorded)
		}
		if !log.early {
			t.Errorf("%s: answered before it was recorded", c.path)
		}
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.body) || (c.record != nil && strings.HasSuffix(w.Body.String(), "text")) {
			t.Errorf("%s: %d %s", c.path, w.Code, w.Body)
		}
	}
}
