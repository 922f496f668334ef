package server

import (
	"context"
	"crypto/rand"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"github.com/tarn-data/tarn/internal/endpoint"
	"github.com/tarn-data/tarn/internal/gateway"
	"github.com/tarn-data/tarn/internal/store"
)

// callTimeout is how long a call of the platform API may take where its route doesn't say otherwise.
const callTimeout = time.Minute

// platform is the platform API with what it stands on.
type platform struct {
	http.Handler
	state *store.DB
}

// openPlatform opens the platform API on its state.
func openPlatform(ctx context.Context, opt ServeOptions, stateURL string) (*platform, error) {
	state, err := store.Open(ctx, store.Options{URL: stateURL, AppName: appName, Log: opt.Log})
	if err != nil {
		return nil, err
	}
	ws, err := state.Workspace(ctx)
	if err != nil {
		state.Close()
		return nil, err
	}
	p := &platform{state: state}
	p.Handler, err = gateway.New(gateway.Options{
		Routes:      p.routes(ws),
		WorkspaceID: strconv.FormatInt(ws.ID, 10),
		Now:         time.Now,
		NewID:       rand.Text,
		Source:      remoteAddress,
		Timeout:     callTimeout,
		Log:         opt.Log,
	})
	if err != nil {
		state.Close()
		return nil, err
	}
	return p, nil
}

// routes are all routes of the platform API.
func (p *platform) routes(ws store.Workspace) []endpoint.Route {
	return discovery(ws)
}

func (p *platform) close() { p.state.Close() }

// remoteAddress is the address that a request came from.
func remoteAddress(r *http.Request) netip.Addr {
	a, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return a.Addr().Unmap()
}
