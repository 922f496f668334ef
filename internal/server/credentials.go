package server

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/tarn-data/tarn/internal/auth"
	"github.com/tarn-data/tarn/internal/connector"
	"github.com/tarn-data/tarn/internal/control/identity"
	"github.com/tarn-data/tarn/internal/control/tokens"
	"github.com/tarn-data/tarn/internal/endpoint"
	"github.com/tarn-data/tarn/internal/fault"
	"github.com/tarn-data/tarn/internal/oauth"
	"github.com/tarn-data/tarn/internal/store"
	"github.com/tarn-data/tarn/internal/token"
)

// ownIssuer is the issuer of tokens that are made with the keys at hand, and not by the token service.
const ownIssuer = "tarn"

// keySchedule changes the keys that sign tokens each month. Others may keep the public ones for a day.
func keySchedule() token.Schedule {
	const day = 24 * time.Hour
	return token.Schedule{Every: 30 * day, Publish: day, MaxLifetime: MaxTokenLifetime}
}

// MaxTokenLifetime is how long a signed token may be good: as long, the key has to be kept.
const MaxTokenLifetime = 30 * 24 * time.Hour

// credentials are what callers authenticate with, and what gives them that.
type credentials struct {
	auth     *auth.Platform
	keys     *token.Keyring
	personal *tokens.Service
	oauth    *oauth.Service
	revoked  *oauth.Revocations
}

// LoginOptions say with which other provider people may log in besides with passwords.
type LoginOptions struct {
	Issuer       string // empty for none
	ClientID     string
	ClientSecret string
	Title        string
	Domains      []string
	Link         string   // which users that are there its people can become
	Create       bool     // whether to make users of those who aren't
	Groups       []string // of such users
	Entitlements []string // likewise
}

// stateKeyring opens the keys of a state.
func stateKeyring(ctx context.Context, opt ServeOptions, p *platform, ws store.Workspace, now func() time.Time) (*token.Keyring, error) {
	return token.OpenKeyring(ctx, token.KeyringOptions{
		Store: p.state.SigningKeys(p.vault), Issuer: ownIssuer, Issues: issues(opt.URL), Algorithm: opt.SigningAlgorithm, Audience: strconv.FormatInt(ws.ID, 10),
		Schedule: keySchedule(), Now: now,
	})
}

// issues tells which names the token service has: one if it is said by which address clients know it, else that of
// whichever address they use.
func issues(address string) func(string) bool {
	return func(issuer string) bool {
		if address != "" {
			return issuer == address+"/oidc"
		}
		return strings.HasSuffix(issuer, "/oidc")
	}
}

// originOf returns what tells by which address clients know the server.
func originOf(address string) func(*http.Request) string {
	if address != "" {
		return func(*http.Request) string { return address }
	}
	return origin
}

// CheckURL refuses what can't be the address of a server.
func CheckURL(address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil || u.Path != "" || u.RawQuery != "" || u.Fragment != "" || u.Scheme != "http" && u.Scheme != "https" {
		return fmt.Errorf("%q is not an address such as https://tarn.example.com", address)
	}
	return nil
}

// openCredentials opens what authenticates callers.
func (p *platform) openCredentials(ctx context.Context, opt ServeOptions, ws store.Workspace) (*credentials, error) {
	c := &credentials{}
	var err error
	if c.keys, err = stateKeyring(ctx, opt, p, ws, time.Now); err != nil {
		return nil, fmt.Errorf("signing keys: %w", err)
	}
	c.revoked = oauth.NewRevocations(p.state.Revoked, p.state.Listening, time.Now, opt.Log)
	p.state.Watch("revocations", c.revoked.Hear)
	if err := c.revoked.Load(ctx); err != nil {
		return nil, err
	}
	p.changes.on("signing_keys", c.keys.Reload)
	c.personal = tokens.New(tokens.Options{
		Store: p.state, Directory: p.ids.directory, WorkspaceID: ws.ID, Listening: p.state.Listening, Now: time.Now, Log: opt.Log,
		MayUse: p.ids.mayUseTokens,
	})
	p.state.Watch("tokens", c.personal.Forget)
	sources, err := withIssuers(c.keys, opt.Issuers, p.issuers)
	if err != nil {
		return nil, err
	}
	signed, err := auth.NewLakebase(auth.LakebaseOptions{
		Keys: sources, Revoked: c.revoked.Revoked, CacheMaxEntries: tokenCache, Now: time.Now, Stats: opt.tokenStats,
	})
	if err != nil {
		return nil, err
	}
	c.auth = auth.NewPlatform(signed, c.personal, p.ids.directory)
	c.oauth, err = p.openTokenService(opt, ws, c)
	return c, err
}

func (p *platform) openTokenService(opt ServeOptions, ws store.Workspace, c *credentials) (*oauth.Service, error) {
	subject, err := token.ParseRoleClaim("$.sub")
	if err != nil {
		return nil, err
	}
	service := oauth.Options{
		Store: p.state, Keys: c.keys, Revocations: c.revoked, Directory: p.ids.directory, Passwords: p.ids.passwords, Secrets: p.ids.secrets,
		Verifier: token.NewVerifier(token.VerifierOptions{
			Keys: c.keys, RoleClaim: subject, RequireExpiry: true, Revoked: c.revoked.Revoked, Now: time.Now,
		}),
		Transport: p.issuers,
		Origin:    p.origin, AccountID: ws.AccountID, Scopes: []string{"sql", connector.Scope}, Now: time.Now, Log: opt.Log,
	}
	if opt.Login.Issuer != "" {
		if service.External, err = p.openExternal(opt.Login); err != nil {
			return nil, fmt.Errorf("the login provider: %w", err)
		}
	}
	return oauth.New(service)
}

// openExternal makes the other provider with whom people may log in.
func (p *platform) openExternal(l LoginOptions) (*oauth.External, error) {
	people, err := identity.NewExternal(identity.ExternalOptions{
		Store: p.state, Directory: p.ids.directory, Users: p.ids.service, Link: identity.Link(l.Link), Create: l.Create,
		Groups: l.Groups, Entitlements: l.Entitlements,
	})
	if err != nil {
		return nil, err
	}
	return oauth.NewExternal(oauth.ExternalOptions{
		Issuer: l.Issuer, ClientID: l.ClientID, ClientSecret: l.ClientSecret, Title: l.Title, Domains: l.Domains,
		Transport: p.issuers, Admit: people.Admit, Now: time.Now,
	})
}

// withIssuers adds the issuers that are trusted besides Tarn's own keys.
func withIssuers(keys *token.Keyring, issuers []token.IssuerConfig, transport http.RoundTripper) (token.Source, error) {
	if len(issuers) == 0 {
		return keys, nil
	}
	others, err := token.NewIssuers(token.IssuersOptions{Issuers: issuers, Transport: transport, Now: time.Now})
	if err != nil {
		return nil, err
	}
	return token.Sources{keys, others}, nil
}

// run does what credentials need done until the context ends.
func (c *credentials) run(ctx context.Context, p *platform) {
	p.inBackground(ctx, c.personal.Run)
	p.inBackground(ctx, c.oauth.Run)
	p.inBackground(ctx, c.revoked.Run)
	p.inBackground(ctx, func(ctx context.Context) { c.keys.Run(ctx, p.log) })
}

func (c *credentials) routes() []endpoint.Route {
	return append(c.personal.Routes(), c.oauth.Routes()...)
}

// scopes are a guard that holds tokens which are good for some things only to these.
type scopes struct{}

// Admit implements gateway.Guard.
func (scopes) Admit(_ context.Context, c *endpoint.Call) error {
	if auth.Permitted(c.Scopes, c.Route.Scope) {
		return nil
	}
	needs := auth.AllScopes
	if c.Route.Scope != "" {
		needs = c.Route.Scope
	}
	return fault.New(fault.Denied, "PERMISSION_DENIED", "The token does not have the scope "+needs+", which this call needs.").
		WithHeader("WWW-Authenticate", `Bearer realm="tarn", error="insufficient_scope", scope="`+needs+`"`)
}

// SignOptions say which token to sign, and where the keys are.
type SignOptions struct {
	ServeOptions
	Claims token.Claims
	Now    func() time.Time
}

// Sign makes a token with the keys of a state, or without one with those in the data directory.
func Sign(ctx context.Context, opt SignOptions) (string, error) {
	if opt.StateURL == "" {
		keys, err := fileKeyring(ctx, opt.ServeOptions, opt.Now)
		if err != nil {
			return "", err
		}
		return keys.Mint(opt.Claims)
	}
	state, err := store.Open(ctx, store.Options{URL: opt.StateURL, AppName: appName, Log: opt.Log})
	if err != nil {
		return "", err
	}
	defer state.Close()
	p := &platform{state: state}
	ws, err := state.Workspace(ctx)
	if err != nil {
		return "", err
	}
	if p.vault, err = openVault(ctx, opt.ServeOptions, state); err != nil {
		return "", err
	}
	keys, err := stateKeyring(ctx, opt.ServeOptions, p, ws, opt.Now)
	if err != nil {
		return "", err
	}
	return keys.Mint(opt.Claims)
}

func fileKeyring(ctx context.Context, opt ServeOptions, now func() time.Time) (*token.Keyring, error) {
	return token.OpenKeyring(ctx, token.KeyringOptions{
		Store: token.KeyFiles(KeyDir(opt.DataDir)), Issuer: ownIssuer, Algorithm: opt.SigningAlgorithm, Now: now,
	})
}
