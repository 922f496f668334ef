package server

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/tarn-data/tarn/internal/audit"
	"github.com/tarn-data/tarn/internal/control/clusters"
	"github.com/tarn-data/tarn/internal/control/databases"
	"github.com/tarn-data/tarn/internal/credential"
	"github.com/tarn-data/tarn/internal/endpoint"
	"github.com/tarn-data/tarn/internal/gateway"
	"github.com/tarn-data/tarn/internal/outbound"
	"github.com/tarn-data/tarn/internal/store"
	"github.com/tarn-data/tarn/internal/vault"
)

// callTimeout is how long a call of the platform API may take where its route doesn't say otherwise.
const callTimeout = time.Minute

// syncs is how many synced tables a process brings up to date at a time.
const syncs = 2

// platform is the platform API with what it stands on.
type platform struct {
	http.Handler
	state  *store.DB
	vault  *vault.Sealer
	audit  *audit.Log
	ids    *identities
	creds  *credentials
	origin func(*http.Request) string
	inst   *databases.Service
	log    *slog.Logger

	outbound       *outbound.Client
	issuers        *outbound.Client // to those who vouch for callers
	appCredentials *credential.Epochs

	guards  *guards
	changes *changes

	cancel     context.CancelFunc // of what runs in the background
	background sync.WaitGroup
}

// openPlatform opens the platform API on its state.
func openPlatform(ctx context.Context, opt ServeOptions, stateURL string) (*platform, error) {
	state, err := store.Open(ctx, store.Options{URL: stateURL, AppName: appName, Log: opt.Log})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx)) // it goes on while requests come to their end
	p := &platform{state: state, log: opt.Log, origin: originOf(opt.URL), changes: newChanges(state, opt.Log), cancel: cancel}
	if err := p.build(ctx, opt); err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

// build makes the services and the gateway.
func (p *platform) build(ctx context.Context, opt ServeOptions) error {
	ws, err := p.state.Workspace(ctx)
	if err != nil {
		return err
	}
	if p.vault, err = openVault(ctx, opt, p.state); err != nil {
		return err
	}
	p.inBackground(ctx, p.vault.Run)
	if p.outbound, err = openOutbound(opt, outboundTimeout, outboundMaxBody); err != nil {
		return err
	}
	if p.issuers, err = openIssuers(opt); err != nil {
		return err
	}
	if p.appCredentials, err = p.openAppCredentials(ctx, opt.Credentials); err != nil {
		return err
	}
	if p.audit, err = openAudit(ctx, opt, p.state, strconv.FormatInt(ws.ID, 10)); err != nil {
		return err
	}
	p.inBackground(ctx, func(ctx context.Context) { forgetRecords(ctx, opt.Log, p.state, opt.AuditRetention) })
	if p.ids, err = openIdentities(ctx, opt, p.state, ws); err != nil {
		return err
	}
	if p.creds, err = p.openCredentials(ctx, opt, ws); err != nil {
		return err
	}
	if p.guards, err = newGuards(opt, p.state); err != nil {
		return err
	}
	p.guards.follow(p.changes, p.state)
	p.inBackground(ctx, p.state.Listen)
	if p.inst, err = openInstances(opt, p.state); err != nil {
		return err
	}
	if opt.Instances.server != nil {
		for range syncs {
			p.inBackground(ctx, p.inst.Run)
		}
	}
	tables, err := p.connector(opt)
	if err != nil {
		return err
	}
	routes, err := withDocument(opt.Version, append(p.routes(ws), tables...))
	if err != nil {
		return err
	}
	p.Handler, err = gateway.New(gateway.Options{
		Routes:      routes,
		Auth:        p.creds.auth,
		Recorder:    p.audit,
		Observer:    p.guards.watch,
		Doors:       []gateway.Guard{&p.guards.gate},
		Guards:      []gateway.Guard{p.guards.limiter, scopes{}},
		WorkspaceID: strconv.FormatInt(ws.ID, 10),
		Now:         time.Now,
		NewID:       gateway.NewIDs(rand.Text()).Next,
		Source:      remoteAddress,
		Timeout:     callTimeout,
		Log:         opt.Log,
	})
	if err != nil {
		return err
	}
	if err := p.changes.load(ctx); err != nil {
		return err
	}
	p.inBackground(ctx, p.changes.run)
	p.creds.run(ctx, p)
	p.guards.limiter.Join(ctx)
	p.inBackground(ctx, func(ctx context.Context) { p.guards.run(ctx, p.state, opt.Log) })
	return nil
}

// inBackground does something until the platform is closed.
func (p *platform) inBackground(ctx context.Context, do func(context.Context)) {
	p.background.Go(func() { do(ctx) })
}

// routes are all routes of the platform API.
func (p *platform) routes(ws store.Workspace) []endpoint.Route {
	return slices.Concat(discovery(ws, p.origin), p.creds.routes(), audit.Routes(p.state.Audit()), clusters.Routes(), p.inst.Routes(), p.connections(),
		p.guards.routes(p.state), p.ids.routes())
}

func (p *platform) close() {
	p.cancel()
	p.background.Wait()
	if p.guards != nil {
		p.guards.close()
	}
	if p.audit != nil {
		closeAudit(p.log, p.audit)
	}
	p.state.Close()
}

// remoteAddress is the address that a request came from.
func remoteAddress(r *http.Request) netip.Addr {
	a, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return a.Addr().Unmap()
}
