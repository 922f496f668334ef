package throttle_test

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"strconv"
	"strings"
	"testing"

	"github.com/tarn-data/tarn/internal/endpoint"
	"github.com/tarn-data/tarn/internal/fault"
	"github.com/tarn-data/tarn/internal/ratelimit"
	"github.com/tarn-data/tarn/internal/throttle"
)

var here = netip.MustParseAddr("192.0.2.1")

func slow(burst float64) ratelimit.Limit { return ratelimit.Limit{Rate: 1.0 / 3600, Burst: burst} }

func newLimiter(shares throttle.Shares) *throttle.Limiter {
	return throttle.New(throttle.Options{
		Default: slow(3), Services: map[string]ratelimit.Limit{"free": {}},
		Shares: shares, Process: "test", Log: slog.New(slog.DiscardHandler),
	})
}

// admitted counts how many of ten calls are admitted.
func admitted(l *throttle.Limiter, r *endpoint.Route, who string, addr netip.Addr) (n int) {
	for range 10 {
		if l.Allow(r, who, addr) == nil {
			n++
		}
	}
	return n
}

func TestRules(t *testing.T) {
	create := &endpoint.Route{Service: "tokens", Action: "create"}
	list := &endpoint.Route{Service: "tokens", Action: "list"}
	free := &endpoint.Route{Service: "free", Action: "get"}
	for _, c := range []struct {
		name  string
		rules []throttle.Rule
		route *endpoint.Route
		who   string
		want  int
	}{
		{"default", nil, create, "ann", 3},
		{"default of the service", nil, free, "ann", 10},
		{"all endpoints", []throttle.Rule{{Endpoint: "*", Limit: slow(4)}}, free, "ann", 4},
		{"service", []throttle.Rule{{Endpoint: "*", Limit: slow(4)}, {Endpoint: "tokens.*", Limit: slow(5)}}, list, "ann", 5},
		{"endpoint", []throttle.Rule{{Endpoint: "tokens.list", Limit: slow(2)}, {Endpoint: "tokens.*", Limit: slow(5)}}, list, "ann", 2},
		{"another endpoint", []throttle.Rule{{Endpoint: "tokens.list", Limit: slow(2)}}, create, "ann", 3},
		{"principal", []throttle.Rule{{Endpoint: "tokens.create", Limit: slow(2)}, {Endpoint: "*", Principal: "ann", Limit: slow(7)}}, create, "ann", 7},
		{"another principal", []throttle.Rule{{Endpoint: "*", Principal: "ann", Limit: slow(7)}}, create, "bob", 3},
		{"no limit", []throttle.Rule{{Endpoint: "*", Principal: "ann"}}, create, "ann", 10},
		{"workspace", []throttle.Rule{{Endpoint: "tokens.*", Workspace: true, Limit: slow(2)}}, create, "ann", 2},
		{"workspace of another service", []throttle.Rule{{Endpoint: "free.*", Workspace: true, Limit: slow(2)}}, create, "ann", 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLimiter(nil)
			l.SetRules(c.rules)
			if got := admitted(l, c.route, c.who, netip.Addr{}); got != c.want {
				t.Errorf("%d were admitted, want %d", got, c.want)
			}
		})
	}
}

func TestWorkspaceCountsAllTogether(t *testing.T) {
	l := newLimiter(nil)
	l.SetRules([]throttle.Rule{{Endpoint: "*", Workspace: true, Limit: slow(4)}})
	r := &endpoint.Route{Service: "tokens", Action: "list"}
	if a, b := admitted(l, r, "ann", here), admitted(l, r, "bob", here); a != 3 || b != 1 {
		t.Errorf("admitted %d and %d", a, b)
	}
}

func TestRulesAreHeededAtOnce(t *testing.T) {
	l := newLimiter(nil)
	r := &endpoint.Route{Service: "tokens", Action: "list"}
	if got := admitted(l, r, "ann", here); got != 3 {
		t.Fatalf("admitted %d", got)
	}
	l.SetRules([]throttle.Rule{{Endpoint: "other.*", Limit: slow(9)}})
	if got := admitted(l, r, "ann", here); got != 0 {
		t.Errorf("a rule for others filled the bucket: admitted %d", got)
	}
	l.SetRules([]throttle.Rule{{Endpoint: "tokens.*", Limit: slow(5)}})
	if got := admitted(l, r, "ann", here); got != 5 {
		t.Errorf("admitted %d", got)
	}
}

func TestUnknownCallersAreLimitedByAddress(t *testing.T) {
	l := newLimiter(nil)
	r := &endpoint.Route{Service: "oauth", Action: "token"}
	for _, c := range []struct {
		addr string
		want int
	}{
		{"192.0.2.1", 3}, {"::ffff:192.0.2.1", 0}, {"192.0.2.2", 3},
		{"2001:db8::1", 3}, {"2001:db8::2", 0 /* the same network */}, {"2001:db8:0:1::1", 3},
	} {
		if got := admitted(l, r, "", netip.MustParseAddr(c.addr)); got != c.want {
			t.Errorf("%s: admitted %d, want %d", c.addr, got, c.want)
		}
	}
}

func TestRefusal(t *testing.T) {
	l := throttle.New(throttle.Options{Default: ratelimit.Limit{Rate: 0.25, Burst: 1}, Log: slog.New(slog.DiscardHandler)})
	r := &endpoint.Route{Service: "tokens", Action: "list"}
	admitted(l, r, "ann", here)
	f := fault.From(l.Allow(r, "ann", here))
	if f.Kind != fault.TooMany || f.Code != "REQUEST_LIMIT_EXCEEDED" || len(f.Headers) != 1 || f.Headers[0] != (fault.Header{Name: "Retry-After", Value: "4"}) {
		t.Errorf("refused with %+v", f)
	}
	if !strings.Contains(f.Message, "tokens.list") {
		t.Errorf("the message is %q", f.Message)
	}
	if got := l.Stats.Refused.Load(); got != 10 {
		t.Errorf("counted %d", got)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	l := newLimiter(nil)
	r := &endpoint.Route{Service: "tokens", Action: "list"}
	const callers = 400_000
	for i := range callers {
		_ = l.Allow(r, "user"+strconv.Itoa(i), netip.Addr{})
	}
	if got := l.Buckets(); got > callers*3/4 {
		t.Errorf("there are %d buckets", got)
	}
}

// broken are shares that can't be reached.
type broken struct{}

func (broken) Settle(context.Context, string, []throttle.Ask) ([]float64, int, error) {
	return nil, 0, errors.New("away")
}
func (broken) Leave(context.Context, string) error { return nil }

// TestAway: who can't share goes on with what it has, neither more nor nothing.
func TestAway(t *testing.T) {
	l := newLimiter(broken{})
	l.Join(t.Context())
	r := &endpoint.Route{Service: "tokens", Action: "list"}
	if got := admitted(l, r, "ann", here); got != 3 {
		t.Errorf("admitted %d", got)
	}
	if l.Stats.FailedSettling.Load() == 0 {
		t.Error("the failure isn't counted")
	}
}

func TestAllowAllocatesNothing(t *testing.T) {
	l := throttle.New(throttle.Options{Default: ratelimit.Limit{Rate: 1e9, Burst: 1e9}, Log: slog.New(slog.DiscardHandler)})
	r := &endpoint.Route{Service: "tokens", Action: "list"}
	if n := testing.AllocsPerRun(100, func() { _ = l.Allow(r, "ann", here) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkAllow(b *testing.B) {
	l := throttle.New(throttle.Options{Default: ratelimit.Limit{Rate: 1e9, Burst: 1e9}, Log: slog.New(slog.DiscardHandler)})
	routes := []*endpoint.Route{{Service: "tokens", Action: "list"}, {Service: "tokens", Action: "create"}}
	who := make([]string, 10_000)
	for i := range who {
		who[i] = "user" + strconv.Itoa(i)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if l.Allow(routes[i%2], who[i%len(who)], here) != nil {
			b.Fatal("refused")
		}
	}
}
