package server

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"github.com/tarn-data/tarn/internal/auth"
	"github.com/tarn-data/tarn/internal/control/ipaccess"
	"github.com/tarn-data/tarn/internal/control/limits"
	"github.com/tarn-data/tarn/internal/control/workspaceconf"
	"github.com/tarn-data/tarn/internal/dataapi"
	"github.com/tarn-data/tarn/internal/endpoint"
	"github.com/tarn-data/tarn/internal/fault"
	"github.com/tarn-data/tarn/internal/gateway"
	"github.com/tarn-data/tarn/internal/ratelimit"
	"github.com/tarn-data/tarn/internal/store"
	"github.com/tarn-data/tarn/internal/telemetry"
	"github.com/tarn-data/tarn/internal/throttle"
	"github.com/tarn-data/tarn/internal/throttle/redisshares"
)

// GatewayOptions say who is let in, and how often.
type GatewayOptions struct {
	Limit        ratelimit.Limit // of each endpoint for each principal
	DataAPILimit ratelimit.Limit // of the Data API for each principal
	RedisURL     string          // where limits are shared; empty for the state
	Proxies      gateway.Proxies // that are trusted
	TLS          TLSOptions
	DrainDelay   time.Duration // between being told to end and refusing connections
	OTLP         string        // address of a collector for traces; empty for none

	tracer *telemetry.Tracer // nil for none
}

// openTracer makes the tracer, if there is where to send traces. What it returns sends those that are left.
func (o *GatewayOptions) openTracer(ctx context.Context, version string, log *slog.Logger) (stop func(), err error) {
	if o.OTLP == "" {
		return func() {}, nil
	}
	o.tracer, err = telemetry.Open(ctx, telemetry.Options{Endpoint: o.OTLP, Service: appName, Version: version, Log: log})
	return func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), traceTimeout)
		defer cancel()
		if err := o.tracer.Close(ctx); err != nil {
			log.Warn("the last traces could not be sent", "error", err)
		}
	}, err
}

// traceTimeout is how long the last traces may take to be sent.
const traceTimeout = 5 * time.Second

// dataAPIService is what the Data API is called in limits and figures.
const dataAPIService = "dataApi"

// cleanRates is how often shared buckets that nobody uses are deleted.
const cleanRates = 10 * time.Minute

// guards are what keeps callers out of all APIs.
type guards struct {
	gate    ipaccess.Gate
	limiter *throttle.Limiter
	dataAPI endpoint.Route // all of the Data API, as far as guards are concerned
	shares  interface{ Close() error }
	watch   *observer // of all APIs
}

// newGuards makes the guards. With neither Redis nor a state, limits are this process's own.
func newGuards(opt ServeOptions, state *store.DB) (*guards, error) {
	g := &guards{watch: newObserver(opt.Gateway.tracer), dataAPI: endpoint.Route{Service: dataAPIService, Action: "request"}}
	limit := throttle.Options{
		Default: opt.Gateway.Limit, Services: map[string]ratelimit.Limit{dataAPIService: opt.Gateway.DataAPILimit},
		Process: rand.Text(), Log: opt.Log,
	}
	switch {
	case opt.Gateway.RedisURL != "":
		shares, err := redisshares.Open(opt.Gateway.RedisURL)
		if err != nil {
			return nil, err
		}
		limit.Shares, g.shares = shares, shares
	case state != nil:
		limit.Shares = state.RateShares()
	}
	g.limiter = throttle.New(limit)
	return g, nil
}

// openGuarded opens the platform API, if there is a place for its state, and what guards it and the Data API.
func openGuarded(ctx context.Context, opt ServeOptions) (*guards, *platform, error) {
	if opt.StateURL != "" {
		p, err := openPlatform(ctx, opt, opt.StateURL)
		if err != nil {
			return nil, nil, err
		}
		return p.guards, p, nil
	}
	opt.Log.Info("the platform API is not served: it needs a database for its state, which --state names")
	g, err := newGuards(opt, nil)
	if err != nil {
		return nil, nil, err
	}
	g.limiter.Join(ctx)
	go func() {
		g.limiter.Run(ctx)
		g.close()
	}()
	return g, nil, nil
}

// follow has the guards heed what the state says.
func (g *guards) follow(c *changes, state *store.DB) {
	gate := func(ctx context.Context) error {
		lists, err := state.IPAccessLists(ctx)
		if err != nil {
			return err
		}
		conf, err := state.WorkspaceConf(ctx)
		if err != nil {
			return err
		}
		g.gate.Set(lists, conf[workspaceconf.EnableIPAccessLists] == "true")
		return nil
	}
	c.on(store.IPAccessTopic, gate)
	c.on(store.WorkspaceConfTopic, gate)
	c.on(store.RateLimitsTopic, func(ctx context.Context) error {
		set, err := state.RateLimits(ctx)
		if err != nil {
			return err
		}
		rules := make([]throttle.Rule, len(set))
		for i, l := range set {
			rules[i] = throttle.Rule{
				Endpoint: l.Endpoint, Principal: l.Principal, Workspace: l.Scope == limits.Workspace,
				Limit: ratelimit.Limit{Rate: l.Rate, Burst: l.Burst},
			}
		}
		g.limiter.SetRules(rules)
		return nil
	})
}

// run shares the limits with other processes until the context ends.
func (g *guards) run(ctx context.Context, state *store.DB, log *slog.Logger) {
	if state != nil {
		go func() {
			t := time.NewTicker(cleanRates)
			defer t.Stop()
			for {
				select {
				case <-ctx.Done():
					return
				case <-t.C:
					if err := state.RateShares().Clean(ctx, cleanRates); err != nil {
						log.Warn("could not delete what is left of rate limits", "error", err)
					}
				}
			}
		}()
	}
	g.limiter.Run(ctx)
}

func (g *guards) close() {
	if g.shares != nil {
		_ = g.shares.Close()
	}
}

// routes are those by which the guards are ruled.
func (g *guards) routes(state *store.DB) []endpoint.Route {
	lists := ipaccess.New(state, g.gate.Enforced)
	conf := workspaceconf.New(state, map[string]workspaceconf.Check{
		workspaceconf.EnableIPAccessLists: func(ctx context.Context, value string) error {
			if value != "true" {
				return nil
			}
			return lists.CheckEnable(ctx)
		},
	})
	return append(append(limits.New(state).Routes(), lists.Routes()...), conf.Routes()...)
}

// front stands before the Data API: its answers have a request id, and who may not come in is told so in its own words.
func (g *guards) front(next http.Handler) http.Handler {
	ids := gateway.NewIDs(rand.Text())
	next = g.watch.dataAPI(g.gated(next))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header()["X-Request-Id"] = []string{gateway.RequestID(r, ids.Next)}
		next.ServeHTTP(w, r)
	})
}

// gated lets nobody through whom the access lists keep out.
func (g *guards) gated(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if g.gate.Enforced() {
			if err := g.gate.Allow(remoteAddress(r)); err != nil {
				dataapi.WriteError(w, inDataAPI(err))
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// limited limits how often a principal is authenticated, which happens once for each request of the Data API.
func (g *guards) limited(a auth.Authenticator) auth.Authenticator { return &limitedAuth{a, g} }

type limitedAuth struct {
	auth.Authenticator
	guards *guards
}

// Authenticate implements auth.Authenticator.
func (a *limitedAuth) Authenticate(h http.Header) (*auth.Principal, error) {
	who, err := a.Authenticator.Authenticate(h)
	if err != nil {
		return nil, err
	}
	name := who.Name
	if name == "" {
		name = who.Role
	}
	if err := a.guards.limiter.Allow(&a.guards.dataAPI, name, netip.Addr{}); err != nil {
		return nil, inDataAPI(err)
	}
	return who, nil
}

// inDataAPI has a guard's fault say its status where the platform's codes aren't known.
func inDataAPI(err error) error {
	var f *fault.Error
	if !errors.As(err, &f) {
		return err
	}
	c := *f
	switch f.Kind { //nolint:exhaustive // guards refuse with these two
	case fault.Denied:
		c.Code = "403"
	case fault.TooMany:
		c.Code = "429"
	}
	return &c
}
