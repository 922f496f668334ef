package oauth

import (
	"context"
	"crypto/subtle"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/tarn-data/tarn/internal/auth"
	"github.com/tarn-data/tarn/internal/endpoint"
	"github.com/tarn-data/tarn/internal/fault"
)

// ExternalOptions say with which other provider people may log in.
type ExternalOptions struct {
	Issuer       string
	ClientID     string
	ClientSecret string
	Domains      []string // of e-mail addresses that may log in; empty for all
	Title        string   // on the login page; empty for the issuer's host
	Transport    http.RoundTripper
	// Admit tells which user a person is, and whether the user was made just now. Errors are faults.
	Admit func(ctx context.Context, who auth.Person) (account *auth.Account, made bool, err error)
	Now   func() time.Time
}

// External is another provider of identities, with whom people may log in.
type External struct {
	opt    ExternalOptions
	client *http.Client

	mu       sync.Mutex
	provider *oidc.Provider
}

const (
	externalTimeout  = 10 * time.Second
	externalLifetime = 10 * time.Minute // of the way there and back
)

// NewExternal makes one. The provider is asked when somebody first logs in with it.
func NewExternal(opt ExternalOptions) (*External, error) {
	if opt.Issuer == "" || opt.ClientID == "" {
		return nil, errors.New("a login provider needs an issuer and a client id")
	}
	return &External{opt: opt, client: &http.Client{
		Transport: opt.Transport, Timeout: externalTimeout,
		// Who is sent elsewhere might take the client's secret along.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// Name is what people know the provider as.
func (e *External) Name() string {
	if e.opt.Title != "" {
		return e.opt.Title
	}
	_, host, _ := strings.Cut(e.opt.Issuer, "://")
	host, _, _ = strings.Cut(host, "/")
	return host
}

// discovered returns what the provider says of itself.
func (e *External) discovered() (*oidc.Provider, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.provider != nil {
		return e.provider, nil
	}
	// It keeps the context for fetching keys later on.
	p, err := oidc.NewProvider(oidc.ClientContext(context.Background(), e.client), e.opt.Issuer)
	if err != nil {
		return nil, fault.New(fault.Unavailable, "temporarily_unavailable", "The other provider can't be reached just now.").WithCause(err)
	}
	e.provider = p
	return p, nil
}

func (e *External) config(p *oidc.Provider, origin string) oauth2.Config {
	return oauth2.Config{
		ClientID: e.opt.ClientID, ClientSecret: e.opt.ClientSecret, Endpoint: p.Endpoint(), RedirectURL: origin + callbackPath,
		Scopes: []string{oidc.ScopeOpenID, scopeProfile, scopeEmail},
	}
}

// goExternal sends a person to the other provider.
func (s *Service) goExternal(w http.ResponseWriter, r *http.Request, c *endpoint.Call) error {
	a, err := s.parseAuthorization(r)
	if err != nil {
		return s.refuse(w, r, a, err)
	}
	c.Params = map[string]any{"client_id": a.client.id}
	p, err := s.opt.External.discovered()
	if err != nil {
		return err
	}
	browser, browserDigest := newSecret("")
	state, digest := newSecret("")
	nonce, _ := newSecret("")
	l := ExternalLogin{Browser: browserDigest, Nonce: nonce, Verifier: oauth2.GenerateVerifier(), Query: a.query}
	if err := s.opt.Store.AddExternalLogin(r.Context(), digest, l, externalLifetime); err != nil {
		return err
	}
	http.SetCookie(w, s.cookie(r, externalCookie, browser, externalLifetime))
	cfg := s.opt.External.config(p, s.opt.Origin(r))
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "no-referrer")
	w.Header().Set("Location", cfg.AuthCodeURL(state, oidc.Nonce(nonce), oauth2.S256ChallengeOption(l.Verifier)))
	w.WriteHeader(http.StatusSeeOther)
	return nil
}

// fromExternal takes a person who comes back.
func (s *Service) fromExternal(w http.ResponseWriter, r *http.Request, c *endpoint.Call) error {
	refuse := func(message string, cause error) error {
		return s.refuse(w, r, nil, fault.New(fault.Denied, "access_denied", message).WithCause(cause))
	}
	q := r.URL.Query()
	if err := once(q); err != nil {
		return s.refuse(w, r, nil, err)
	}
	l, err := s.opt.Store.TakeExternalLogin(r.Context(), digestOf(q.Get("state")))
	if err != nil {
		return err
	}
	browser := digestOf(s.readCookie(r, externalCookie))
	if l == nil || subtle.ConstantTimeCompare(l.Browser[:], browser[:]) != 1 {
		return refuse("This login wasn't begun in this browser, or too long ago. Go back to where you came from and begin anew.", nil)
	}
	http.SetCookie(w, s.cookie(r, externalCookie, "", -time.Second))
	// RFC 9207: whose answer this is.
	if iss := q.Get("iss"); iss != "" && iss != s.opt.External.opt.Issuer {
		return refuse("The answer is another provider's.", nil)
	}
	if q.Get("code") == "" {
		return refuse("The other provider didn't log you in: "+printable(q.Get("error")+" "+q.Get("error_description")), nil)
	}
	who, err := s.opt.External.person(r.Context(), l, q.Get("code"), s.opt.Origin(r))
	if err != nil {
		s.opt.Log.Warn("login with the other provider failed", "error", err, "cause", fault.From(err).Cause)
		if f := fault.From(err); f.Kind < fault.Internal {
			return s.refuse(w, r, nil, err)
		}
		return refuse("The other provider's answer is not good.", err)
	}
	account, made, err := s.opt.External.opt.Admit(r.Context(), *who)
	c.Params = map[string]any{"user": printable(who.Email), "made": made}
	if err != nil {
		if f := fault.From(err); f.Kind < fault.Internal {
			return s.refuse(w, r, nil, err)
		}
		return err
	}
	return s.loggedIn(w, r, account, l.Query)
}

// person is who the other provider says came.
func (e *External) person(ctx context.Context, l *ExternalLogin, code, origin string) (*auth.Person, error) {
	p, err := e.discovered()
	if err != nil {
		return nil, err
	}
	cfg := e.config(p, origin)
	got, err := cfg.Exchange(context.WithValue(ctx, oauth2.HTTPClient, e.client), code, oauth2.VerifierOption(l.Verifier))
	if err != nil {
		return nil, err
	}
	text, _ := got.Extra("id_token").(string)
	id, err := p.Verifier(&oidc.Config{ClientID: e.opt.ClientID, Now: e.opt.Now}).Verify(oidc.ClientContext(ctx, e.client), text)
	if err != nil {
		return nil, err
	}
	if subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(l.Nonce)) != 1 {
		return nil, errors.New("the nonce is not the one that was sent")
	}
	var said struct {
		Email    string `json:"email"`
		Verified bool   `json:"email_verified"`
		Name     string `json:"name"`
	}
	if err := id.Claims(&said); err != nil {
		return nil, err
	}
	if err := e.vouched(said.Email, said.Verified); err != nil {
		return nil, err
	}
	return &auth.Person{Issuer: id.Issuer, Subject: id.Subject, Email: said.Email, Name: said.Name}, nil
}

// vouched tells whether people of an e-mail address may log in.
func (e *External) vouched(email string, verified bool) error {
	denied := func(message string) error { return fault.New(fault.Denied, "access_denied", message) }
	at := strings.LastIndexByte(email, '@')
	if at <= 0 || !verified {
		return denied("The other provider doesn't vouch for your e-mail address.")
	}
	if domain := email[at+1:]; len(e.opt.Domains) > 0 && !slices.ContainsFunc(e.opt.Domains, func(d string) bool { return strings.EqualFold(d, domain) }) {
		return denied("Addresses of " + printable(domain) + " may not log in here.")
	}
	return nil
}
