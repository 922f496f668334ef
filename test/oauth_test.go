package test

import (
	"context"
	"encoding/json"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// browser is what a person uses: it keeps cookies, and goes where it is sent only when asked to.
type browser struct {
	t    testing.TB
	http *http.Client
}

func newBrowser(t testing.TB) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{t, &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// page is what a browser got.
type page struct {
	status   int
	header   http.Header
	body     string
	location string
}

func (b *browser) do(req *http.Request) page {
	b.t.Helper()
	res, err := b.http.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	p := page{res.StatusCode, res.Header, string(text), ""}
	if to, err := res.Location(); err == nil {
		p.location = to.String()
	}
	return p
}

func (b *browser) get(address string) page {
	b.t.Helper()
	req, err := http.NewRequest(http.MethodGet, address, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	return b.do(req)
}

func (b *browser) post(address string, form url.Values, headers ...string) page {
	b.t.Helper()
	req, err := http.NewRequest(http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	return b.do(req)
}

// field is a hidden field of a page's form.
func (p page) field(name string) string {
	found := regexp.MustCompile(`name="` + name + `" value="([^"]*)"`).FindStringSubmatch(p.body)
	if found == nil {
		return ""
	}
	return found[1]
}

// action is where a page's form goes.
func (p page) action() string {
	found := regexp.MustCompile(`action="([^"]*)"`).FindStringSubmatch(p.body)
	if found == nil {
		return ""
	}
	return html.UnescapeString(found[1])
}

// logIn opens an address that asks to log in, does so, and returns where the browser ends up outside of the server.
func (b *browser) logIn(address, user, password string) page {
	b.t.Helper()
	p := b.get(address)
	if p.status != http.StatusOK || p.field("form") == "" {
		b.t.Fatalf("no login page: %d %s", p.status, p.body)
	}
	origin := address[:strings.Index(address, "/oidc/")]
	p = b.post(origin+p.action(), url.Values{"form": {p.field("form")}, "user": {user}, "password": {password}})
	for strings.HasPrefix(p.location, origin+"/oidc/") {
		p = b.get(p.location)
	}
	return p
}

// tokenService is a server whose token service is tried.
type tokenService struct {
	*tarn
	admin    string // a token
	password string // the administrator's
}

func serveTokens(t testing.TB, args ...string) *tokenService {
	t.Helper()
	s := &tokenService{tarn: serve(t, dataDir(t), args...)}
	s.admin, s.password = s.adminToken(t), readPassword(t, s.dir)
	return s
}

// readPassword is the first administrator's.
func readPassword(t testing.TB, dir string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "admin.password"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}

const cliRedirect = "http://localhost:8020"

// client is an OAuth client of the server, as golang.org/x/oauth2 has it.
func (s *tokenService) client(id, secret, redirect string, scopes ...string) *oauth2.Config {
	return &oauth2.Config{
		ClientID: id, ClientSecret: secret, RedirectURL: redirect, Scopes: scopes,
		Endpoint: oauth2.Endpoint{AuthURL: s.url + "/oidc/v1/authorize", TokenURL: s.url + "/oidc/v1/token"},
	}
}

// code has the administrator log in for a client, and returns the code and its verifier.
func (s *tokenService) code(t testing.TB, c *oauth2.Config) (code, verifier string) {
	t.Helper()
	verifier = oauth2.GenerateVerifier()
	back := newBrowser(t).logIn(c.AuthCodeURL("state-1", oauth2.S256ChallengeOption(verifier)), "admin", s.password)
	u, err := url.Parse(back.location)
	if err != nil || u.Query().Get("code") == "" || u.Query().Get("state") != "state-1" || u.Query().Get("iss") != s.url+"/oidc" {
		t.Fatalf("came back with %d %s %s", back.status, back.location, back.body)
	}
	return u.Query().Get("code"), verifier
}

func (s *tokenService) form(t testing.TB, path string, form url.Values, headers ...string) answer {
	t.Helper()
	return ask(t, http.MethodPost, s.url+path, form.Encode(), append([]string{"Content-Type", "application/x-www-form-urlencoded"}, headers...)...)
}

// oauthError checks a refusal.
func oauthError(t testing.TB, got answer, status int, code string) {
	t.Helper()
	var said struct {
		Error string `json:"error"`
	}
	_ = json.Unmarshal([]byte(got.body), &said)
	if got.status != status || said.Error != code {
		t.Errorf("wanted %d %s, got %d %s", status, code, got.status, got.body)
	}
	if got.header.Get("Cache-Control") != "no-store" {
		t.Error("the refusal may be kept")
	}
}

func (s *tokenService) me(t testing.TB, token string) int {
	t.Helper()
	return s.call(t, token, http.MethodGet, "/api/2.0/preview/scim/v2/Me", "").status
}

// TestTokenService is all of what the token service gives, with a client that knows only the standards.
func TestTokenService(t *testing.T) {
	t.Parallel()
	issuer := newOtherIssuer(t)
	s := serveTokens(t, "--issuer-host", issuer.URL)
	ctx := context.Background()

	t.Run("person", func(t *testing.T) {
		provider, err := oidc.NewProvider(ctx, s.url+"/oidc")
		if err != nil {
			t.Fatal(err)
		}
		c := s.client("databricks-cli", "", cliRedirect, "all-apis", "offline_access", "openid", "profile")
		if provider.Endpoint().TokenURL != c.Endpoint.TokenURL || provider.Endpoint().AuthURL != c.Endpoint.AuthURL {
			t.Error(provider.Endpoint())
		}
		code, verifier := s.code(t, c)
		got, err := c.Exchange(ctx, code, oauth2.VerifierOption(verifier))
		if err != nil {
			t.Fatal(err)
		}
		if s.me(t, got.AccessToken) != http.StatusOK {
			t.Error("the access token is no good")
		}
		id, err := provider.Verifier(&oidc.Config{ClientID: c.ClientID}).Verify(ctx, got.Extra("id_token").(string))
		if err != nil || id.Subject != "admin" {
			t.Fatal(id, err)
		}
		info, err := provider.UserInfo(ctx, oauth2.StaticTokenSource(got))
		if err != nil || info.Subject != "admin" {
			t.Error(info, err)
		}
		next, err := c.TokenSource(ctx, &oauth2.Token{RefreshToken: got.RefreshToken}).Token()
		if err != nil || next.RefreshToken == got.RefreshToken || s.me(t, next.AccessToken) != http.StatusOK {
			t.Error(next, err)
		}
	})

	t.Run("program", func(t *testing.T) {
		id, secret := s.servicePrincipal(t, s.admin, "program")
		form := url.Values{"grant_type": {"client_credentials"}, "scope": {"all-apis"}}
		basic, err := http.NewRequest(http.MethodPost, s.url+"/oidc/v1/token", strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		basic.SetBasicAuth(id, secret)
		withBody := url.Values{"grant_type": {"client_credentials"}, "client_id": {id}, "client_secret": {secret}}
		for name, got := range map[string]answer{
			"basic":   s.form(t, "/oidc/v1/token", form, "Authorization", basic.Header.Get("Authorization")),
			"body":    s.form(t, "/oidc/v1/token", withBody),
			"account": s.form(t, "/oidc/accounts/any/v1/token", withBody),
		} {
			var token struct {
				Access  string `json:"access_token"`
				Type    string `json:"token_type"`
				Expires int    `json:"expires_in"`
			}
			decode(t, got, http.StatusOK, &token)
			if token.Type != "Bearer" || token.Expires != 3600 || s.me(t, token.Access) != http.StatusOK {
				t.Error(name, token)
			}
			// Looked into, taken back, and no good any more.
			look := func() (active struct{ Active bool }) {
				decode(t, s.form(t, "/oidc/v1/introspect", url.Values{"client_id": {id}, "client_secret": {secret}, "token": {token.Access}}), http.StatusOK, &active)
				return active
			}
			if !look().Active {
				t.Error("not active")
			}
			revoke := url.Values{"client_id": {id}, "client_secret": {secret}, "token": {token.Access}}
			if got := s.form(t, "/oidc/v1/revoke", revoke); got.status != http.StatusOK {
				t.Error(got)
			}
			eventually(t, func() bool { return s.me(t, token.Access) == http.StatusUnauthorized && !look().Active })
		}
	})

	t.Run("federation", func(t *testing.T) { federation(t, s, issuer) })

	t.Run("scopes", func(t *testing.T) {
		id, secret := s.servicePrincipal(t, s.admin, "limited")
		var token struct {
			Access string `json:"access_token"`
		}
		decode(t, s.form(t, "/oidc/v1/token", url.Values{
			"grant_type": {"client_credentials"}, "client_id": {id}, "client_secret": {secret}, "scope": {"sql"},
		}), http.StatusOK, &token)
		if status := s.me(t, token.Access); status != http.StatusForbidden {
			t.Errorf("a token for sql reads Me: %d", status)
		}
		if got := s.call(t, token.Access, http.MethodPost, "/api/2.0/token/create", `{}`); got.status != http.StatusForbidden {
			t.Error("a token for sql makes one for all")
		}
	})
}

// eventually waits until something is so.
func eventually(t testing.TB, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if so() {
			return
		}
	}
	t.Error("it never came to be")
}
