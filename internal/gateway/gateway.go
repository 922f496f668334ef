// Package gateway provides the one way in for all APIs of the platform: it tells who calls, admits, routes and records
// each call. It doesn't know what the routes do, nor how callers are authenticated, limited or recorded.
package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strings"
	"time"

	"github.com/tarn-data/tarn/internal/auth"
	"github.com/tarn-data/tarn/internal/endpoint"
	"github.com/tarn-data/tarn/internal/fault"
)

// Authenticator tells who makes a request. Its errors are faults.
type Authenticator interface {
	AuthenticateCall(ctx context.Context, h http.Header) (*auth.Credential, error)
}

// Guard refuses calls, for example those over a limit. Its errors are faults. Calls without an account are those of routes
// that need none, and those that are going to be refused since nobody knows who makes them.
type Guard interface {
	Admit(ctx context.Context, c *endpoint.Call) error
}

// Recorder keeps a record of every call. Its errors are faults.
type Recorder interface {
	// Begin is told of an admitted call that is about to be done. Its error refuses the call.
	Begin(ctx context.Context, c *endpoint.Call) error
	// Record is told of each call once, when its outcome is known and before the client is. With an error the client is
	// told of that instead of the outcome. The context may have ended, since the client may have gone.
	Record(ctx context.Context, c *endpoint.Call) error
}

// Observer watches every call from its beginning to its end.
type Observer interface {
	// Begin returns the context that the call is done in, and what to do at its end.
	Begin(r *http.Request, c *endpoint.Call) (ctx context.Context, end func())
}

// Options say what a gateway does.
type Options struct {
	Routes      []endpoint.Route
	Auth        Authenticator // nil if nobody can be
	Doors       []Guard       // asked in their order, before it is found out who calls
	Guards      []Guard       // asked in their order, after
	Recorder    Recorder      // nil for none
	Observer    Observer      // nil for none
	WorkspaceID string        // told to clients
	Now         func() time.Time
	NewID       func() string
	Source      func(*http.Request) netip.Addr // the client's address
	Timeout     time.Duration
	Log         *slog.Logger
}

// Gateway serves all routes. It is safe for concurrent use.
type Gateway struct {
	opt       Options
	mux       *http.ServeMux
	workspace []string // a header's value
}

// New makes a gateway. Routes that contradict each other are an error.
func New(opt Options) (g *Gateway, err error) {
	defer func() { // how http.ServeMux tells of contradictions
		if p := recover(); p != nil {
			g, err = nil, fmt.Errorf("routes: %v", p)
		}
	}()
	g = &Gateway{opt: opt, mux: http.NewServeMux(), workspace: []string{opt.WorkspaceID}}
	for i := range opt.Routes {
		r := &opt.Routes[i]
		for _, path := range append([]string{r.Path}, r.Also...) {
			g.mux.Handle(r.Method+" "+path, g.handler(r))
		}
	}
	g.mux.Handle("/", g.handler(unknown()))
	return g, nil
}

// unknown is the route of what there is not.
func unknown() *endpoint.Route {
	return &endpoint.Route{
		Service: "gateway", Action: "unknown", Access: endpoint.Anyone,
		Do: endpoint.Raw(func(_ http.ResponseWriter, r *http.Request, c *endpoint.Call) error {
			c.Params = map[string]any{"method": r.Method, "path": r.URL.Path}
			return fault.New(fault.NotFound, "ENDPOINT_NOT_FOUND", "No API found for '"+r.Method+" "+r.URL.Path+"'.")
		}),
	}
}

// ServeHTTP implements http.Handler.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if path := r.URL.Path; len(path) > 1 && strings.HasSuffix(path, "/") {
		// Older clients end some paths with a slash, and would lose their body on a redirect.
		r.URL.Path = strings.TrimRight(path, "/")
		r.URL.RawPath = strings.TrimRight(r.URL.RawPath, "/")
	}
	g.mux.ServeHTTP(w, r)
}

func (g *Gateway) handler(route *endpoint.Route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := &endpoint.Call{
			ID: RequestID(r, g.opt.NewID), Start: g.opt.Now(), Source: g.opt.Source(r), UserAgent: r.UserAgent(), Host: r.Host, Route: route,
		}
		h := w.Header()
		h.Set("X-Request-Id", c.ID)
		h["X-Databricks-Org-Id"] = g.workspace
		if g.opt.Observer != nil {
			ctx, end := g.opt.Observer.Begin(r, c)
			if ctx != r.Context() {
				r = r.WithContext(ctx)
			}
			defer end()
		}
		out := &response{ResponseWriter: w, known: func(status int) error { return g.record(r, c, status) }, dialect: dialect(route), id: c.ID}
		c.Err = g.serve(out, r, c)
		if c.Err != nil {
			g.refuse(out, c)
		}
		out.finish()
	})
}

// record keeps what became of a call, before the client is told.
func (g *Gateway) record(r *http.Request, c *endpoint.Call, status int) error {
	c.Status, c.Latency = status, g.opt.Now().Sub(c.Start)
	if g.opt.Recorder == nil {
		return nil
	}
	return g.opt.Recorder.Record(r.Context(), c)
}

// serve takes a call from one step to the next.
func (g *Gateway) serve(w http.ResponseWriter, r *http.Request, c *endpoint.Call) (err error) {
	defer func() {
		if p := recover(); p != nil {
			g.opt.Log.Error("panic", "request", c.ID, "path", r.URL.Path, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			err = fault.New(fault.Internal, "INTERNAL_ERROR", "Internal error")
		}
	}()
	ctx := endpoint.NewContext(r.Context(), c)
	if timeout := c.Route.Timeout; timeout > 0 || g.opt.Timeout > 0 {
		if timeout == 0 {
			timeout = g.opt.Timeout
		}
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	defer func() { err = timedOut(ctx, err) }()
	if err := admit(ctx, g.opt.Doors, c); err != nil {
		return err
	}
	unknown := g.authenticate(ctx, r, c)
	if err := admit(ctx, g.opt.Guards, c); err != nil { // also who tries one token after the other
		return err
	}
	if unknown != nil {
		return unknown
	}
	if c.Route.Access == endpoint.Admins && !c.Account.Admin {
		return endpoint.Denied("Only administrators may do this.")
	}
	limit := c.Route.MaxBody
	if limit == 0 {
		limit = endpoint.DefaultBody
	}
	if limit > 0 && r.Body != nil && r.Body != http.NoBody {
		r.Body = http.MaxBytesReader(w, r.Body, limit)
	}
	if g.opt.Recorder != nil {
		if err := g.opt.Recorder.Begin(ctx, c); err != nil {
			return err
		}
	}
	return c.Route.Do.Serve(w, r.WithContext(ctx), c)
}

func (g *Gateway) authenticate(ctx context.Context, r *http.Request, c *endpoint.Call) error {
	if c.Route.Access == endpoint.Anyone {
		return nil
	}
	if g.opt.Auth == nil {
		return endpoint.Unauthenticated("Nobody can be authenticated here.")
	}
	cred, err := g.opt.Auth.AuthenticateCall(ctx, r.Header)
	if err != nil {
		return err
	}
	c.Account, c.TokenID, c.Scopes, c.Claims = cred.Account, cred.TokenID, cred.Scopes, cred.Claims
	return nil
}

func admit(ctx context.Context, guards []Guard, c *endpoint.Call) error {
	for _, guard := range guards {
		if err := guard.Admit(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

// timedOut says so of an error that came of the end of the call's time.
func timedOut(ctx context.Context, err error) error {
	if err == nil || ctx.Err() == nil {
		return err
	}
	f := fault.From(err)
	if f.Kind != fault.Internal {
		return err
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fault.New(fault.TimedOut, "DEADLINE_EXCEEDED", "The call took longer than the server allows.").WithCause(err)
	}
	return fault.New(clientGone, "CANCELLED", "The client went away.").WithCause(err)
}

// clientGone is the status of calls that nobody waits for.
const clientGone fault.Kind = 499

// refuse answers with an error, unless an answer is on its way already.
func (g *Gateway) refuse(w *response, c *endpoint.Call) {
	if w.withheld {
		return
	}
	f := fault.From(c.Err)
	if f.Kind >= fault.Internal {
		g.opt.Log.Error("call failed", "request", c.ID, "service", c.Route.Service, "action", c.Route.Action, "code", f.Code, "error", f.Cause)
	}
	if w.status != 0 {
		panic(http.ErrAbortHandler) //nolint:forbidigo // the client must see that the answer isn't whole
	}
	dialect(c.Route).WriteFault(w, f, c.ID)
}

func dialect(r *endpoint.Route) endpoint.Dialect {
	if r.Dialect == nil {
		return endpoint.Platform{}
	}
	return r.Dialect
}
