package test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jwk"
	"github.com/lestrrat-go/jwx/v3/jws"
	"golang.org/x/oauth2"
)

// TestAttacksOnOAuth tries what is tried on token services. All of it is refused, and the server goes on.
func TestAttacksOnOAuth(t *testing.T) {
	t.Parallel()
	s := serveTokens(t, "--rate-limit", "0")
	good := s.client("databricks-cli", "", cliRedirect, "all-apis", "offline_access", "openid")
	t.Run("forged tokens", func(t *testing.T) { forgedTokens(t, s) })
	t.Run("authorization requests", func(t *testing.T) { authorizationRequests(t, s, good) })
	t.Run("codes", func(t *testing.T) { codes(t, s, good) })
	t.Run("refresh tokens", func(t *testing.T) { refreshTokens(t, s, good) })
	t.Run("types of tokens", func(t *testing.T) { mixedTypes(t, s, good) })
	t.Run("clients", func(t *testing.T) { clients(t, s) })
	t.Run("login form", func(t *testing.T) { loginForm(t, s, good) })
	t.Run("guessing", func(t *testing.T) { guessing(t, s, good) })
	if s.me(t, s.admin) != http.StatusOK {
		t.Error("the server doesn't answer any more")
	}
}

// forgedTokens are tokens that the server didn't sign, or not like this.
func forgedTokens(t *testing.T, s *tokenService) {
	signed := strings.TrimSpace(run(t, "", "token", "create", "--data-dir", s.dir, "--admin"))
	if s.me(t, signed) != http.StatusOK {
		t.Fatal("the token to change is no good")
	}
	part := strings.Split(signed, ".")
	b64 := base64.RawURLEncoding
	header := func(change map[string]any) string {
		text, err := b64.DecodeString(part[0])
		if err != nil {
			t.Fatal(err)
		}
		var all map[string]any
		if err := json.Unmarshal(text, &all); err != nil {
			t.Fatal(err)
		}
		for name, v := range change {
			if all[name] = v; v == nil {
				delete(all, name)
			}
		}
		text, _ = json.Marshal(all)
		return b64.EncodeToString(text)
	}
	mac := func(head string, key []byte) string {
		m := hmac.New(sha256.New, key)
		m.Write([]byte(head + "." + part[1]))
		return head + "." + part[1] + "." + b64.EncodeToString(m.Sum(nil))
	}
	jwks := ask(t, http.MethodGet, s.url+"/oidc/jwks.json", "").body
	var set struct{ Keys []map[string]any }
	if err := json.Unmarshal([]byte(jwks), &set); err != nil {
		t.Fatal(err)
	}
	public, _ := json.Marshal(set.Keys[0])
	x, _ := b64.DecodeString(set.Keys[0]["x"].(string))
	hs := header(map[string]any{"alg": "HS256"})
	tokens := map[string]string{
		"none":                 header(map[string]any{"alg": "none"}) + "." + part[1] + ".",
		"None":                 header(map[string]any{"alg": "None"}) + "." + part[1] + ".",
		"no signature":         part[0] + "." + part[1] + ".",
		"HS256 with the set":   mac(hs, []byte(jwks)),
		"HS256 with the key":   mac(hs, public),
		"HS256 with x":         mac(hs, x),
		"HS256 with nothing":   mac(hs, nil),
		"no key named":         header(map[string]any{"kid": nil}) + "." + part[1] + "." + part[2],
		"other claims":         part[0] + "." + b64.EncodeToString([]byte(`{"iss":"tarn","sub":"admin","exp":9999999999}`)) + "." + part[2],
		"signature of zeros":   part[0] + "." + part[1] + "." + b64.EncodeToString(make([]byte, 64)),
		"signature in DER":     part[0] + "." + part[1] + "." + b64.EncodeToString([]byte{0x30, 6, 2, 1, 1, 2, 1, 1}),
		"critical header":      header(map[string]any{"crit": []string{"exp"}}) + "." + part[1] + "." + part[2],
		"four parts":           signed + ".x",
		"encrypted":            signed + ".x.y",
		"key in the header":    resigned(t, part[1], func(h jws.Headers, k jwk.Key) { _ = h.Set("jwk", k) }),
		"address of a key":     resigned(t, part[1], func(h jws.Headers, _ jwk.Key) { _ = h.Set("jku", s.url+"/oidc/jwks.json") }),
		"another's key, ours":  resigned(t, part[1], func(h jws.Headers, _ jwk.Key) { _ = h.Set("kid", set.Keys[0]["kid"]) }),
		"key that is a path":   resigned(t, part[1], func(h jws.Headers, _ jwk.Key) { _ = h.Set("kid", "../../../../dev/null") }),
		"key that is SQL":      resigned(t, part[1], func(h jws.Headers, _ jwk.Key) { _ = h.Set("kid", "x' UNION SELECT 'key' --") }),
		"key that is a string": mac(header(map[string]any{"alg": "HS256", "kid": "/dev/null"}), nil),
		"very long":            part[0] + "." + strings.Repeat("A", 1<<19) + "." + part[2],
	}
	for name, change := range map[string]map[string]any{
		"expired": {"exp": time.Now().Add(-time.Hour).Unix()}, "not yet": {"nbf": time.Now().Add(time.Hour).Unix()},
		"audience": {"aud": "1"}, "issuer": {"iss": "https://evil.example/oidc"},
	} {
		text, _ := b64.DecodeString(part[1])
		var claims map[string]any
		_ = json.Unmarshal(text, &claims)
		maps.Copy(claims, change)
		text, _ = json.Marshal(claims)
		tokens[name] = part[0] + "." + b64.EncodeToString(text) + "." + part[2]
	}
	for name, token := range tokens {
		res, err := http.NewRequest(http.MethodGet, s.url+"/api/2.0/token/list", nil)
		if err != nil {
			t.Fatal(err)
		}
		res.Header.Set("Authorization", "Bearer "+token)
		got, err := http.DefaultClient.Do(res)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		_ = got.Body.Close()
		if got.StatusCode != http.StatusUnauthorized && got.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("%s: answered with %d", name, got.StatusCode)
		}
	}
}

// resigned signs claims with a key of somebody else.
func resigned(t testing.TB, claims string, change func(jws.Headers, jwk.Key)) string {
	t.Helper()
	private, public := newKey(t)
	payload, err := base64.RawURLEncoding.DecodeString(claims)
	if err != nil {
		t.Fatal(err)
	}
	h := jws.NewHeaders()
	_ = h.Set("typ", "at+jwt")
	_ = private.Remove(jwk.KeyIDKey)
	change(h, public)
	text, err := jws.Sign(payload, jws.WithKey(jwa.ES256(), private, jws.WithProtectedHeaders(h)))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// authorizationRequests must not send a browser, or a code, to where it doesn't belong.
func authorizationRequests(t *testing.T, s *tokenService, c *oauth2.Config) {
	b := newBrowser(t)
	base, err := url.Parse(c.AuthCodeURL("s", oauth2.S256ChallengeOption(oauth2.GenerateVerifier())))
	if err != nil {
		t.Fatal(err)
	}
	with := func(name, value string) string {
		q := base.Query()
		if q.Set(name, value); value == "" {
			q.Del(name)
		}
		return s.url + "/oidc/v1/authorize?" + q.Encode()
	}
	for _, to := range []string{
		"", "https://evil.example", "//evil.example", "http://localhost:8020/other", "http://localhost:8020/../x", "https://localhost:8020",
		"http://localhost:8020@evil.example", "http://user@localhost:8020", "http://localhost.evil.example:8020", "http://localhost:8020#x",
		"http://localhost:8020?x=1", "http://localhost:8020\\@evil.example", "http://LOCALHOST:8020", "http://localhost:8020%2f", "http://127.0.0.2:8020",
		"http://localhost:", "http://localhost:8020\r\nX: y", "javascript:alert(1)", "http://localhost:8020 http://evil.example", "http://[::1]:8020",
		"http://2130706433:8020", "http://0x7f.1:8020",
	} {
		if p := b.get(with("redirect_uri", to)); p.status != http.StatusBadRequest || p.location != "" {
			t.Errorf("redirect to %q: %d %s", to, p.status, p.location)
		}
	}
	for name, address := range map[string]string{
		"two redirects":   with("state", "s") + "&redirect_uri=https%3A%2F%2Fevil.example",
		"unknown client":  with("client_id", "nobody"),
		"no client":       with("client_id", ""),
		"script":          with("client_id", "<script>alert(1)</script>"),
		"two of anything": with("state", "s") + "&scope=sql",
	} {
		p := b.get(address)
		if p.status != http.StatusBadRequest || p.location != "" || strings.Contains(p.body, "<script") {
			t.Errorf("%s: %d %s %s", name, p.status, p.location, p.body)
		}
	}
	for name, c := range map[string]struct{ address, code string }{
		"plain PKCE":     {with("code_challenge_method", "plain"), "invalid_request"},
		"no PKCE method": {with("code_challenge_method", ""), "invalid_request"},
		"no PKCE":        {with("code_challenge", ""), "invalid_request"},
		"short PKCE":     {with("code_challenge", "x"), "invalid_request"},
		"implicit":       {with("response_type", "token"), "unsupported_response_type"},
		"hybrid":         {with("response_type", "code id_token"), "unsupported_response_type"},
		"fragment":       {with("response_mode", "fragment"), "invalid_request"},
		"request object": {with("request", "x"), "request_not_supported"},
		"scope":          {with("scope", "all-apis root"), "invalid_scope"},
		"silent":         {with("prompt", "none"), "login_required"},
	} {
		p := b.get(c.address)
		u, _ := url.Parse(p.location)
		if p.status != http.StatusSeeOther || u.Host != "localhost:8020" || u.Query().Get("error") != c.code || u.Query().Get("code") != "" || u.Query().Get("state") != "s" {
			t.Errorf("%s: %d %s", name, p.status, p.location)
		}
	}
}

// codes are good once, for who asked.
func codes(t *testing.T, s *tokenService, c *oauth2.Config) {
	exchange := func(code, verifier string, change func(url.Values)) answer {
		form := url.Values{
			"grant_type": {"authorization_code"}, "code": {code}, "code_verifier": {verifier}, "client_id": {c.ClientID}, "redirect_uri": {c.RedirectURL},
		}
		if change != nil {
			change(form)
		}
		return s.form(t, "/oidc/v1/token", form)
	}
	for name, change := range map[string]func(url.Values){
		"no verifier":     func(f url.Values) { f.Del("code_verifier") },
		"other verifier":  func(f url.Values) { f.Set("code_verifier", oauth2.GenerateVerifier()) },
		"other redirect":  func(f url.Values) { f.Set("redirect_uri", "http://localhost:9999") },
		"no redirect":     func(f url.Values) { f.Del("redirect_uri") },
		"other client":    func(f url.Values) { f.Set("client_id", "tarn-cli") },
		"challenge as is": func(f url.Values) { f.Set("code_verifier", oauth2.S256ChallengeFromVerifier(f.Get("code_verifier"))) },
	} {
		code, verifier := s.code(t, c)
		oauthError(t, exchange(code, verifier, change), http.StatusBadRequest, "invalid_grant")
		if got := exchange(code, verifier, nil); got.status != http.StatusBadRequest {
			t.Errorf("%s: the code is still good", name)
		}
	}
	code, verifier := s.code(t, c)
	var token struct {
		Access  string `json:"access_token"`
		Refresh string `json:"refresh_token"`
	}
	decode(t, exchange(code, verifier, nil), http.StatusOK, &token)
	if s.me(t, token.Access) != http.StatusOK {
		t.Error("the token is no good")
	}
	oauthError(t, exchange(code, verifier, nil), http.StatusBadRequest, "invalid_grant")
	eventually(t, func() bool { return s.me(t, token.Access) == http.StatusUnauthorized })
	refresh := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token.Refresh}, "client_id": {c.ClientID}}
	oauthError(t, s.form(t, "/oidc/v1/token", refresh), http.StatusBadRequest, "invalid_grant")
}

// refreshTokens are good once. If one comes again, nobody knows which of the two stole it.
func refreshTokens(t *testing.T, s *tokenService, c *oauth2.Config) {
	code, verifier := s.code(t, c)
	first, err := c.Exchange(context.Background(), code, oauth2.VerifierOption(verifier))
	if err != nil {
		t.Fatal(err)
	}
	refresh := func(token, client string) answer {
		return s.form(t, "/oidc/v1/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}, "client_id": {client}})
	}
	oauthError(t, refresh(first.RefreshToken, "tarn-cli"), http.StatusBadRequest, "invalid_grant") // which doesn't use it up
	more := s.form(t, "/oidc/v1/token", url.Values{
		"grant_type": {"refresh_token"}, "refresh_token": {first.RefreshToken + "x"}, "client_id": {c.ClientID},
	})
	oauthError(t, more, http.StatusBadRequest, "invalid_grant")
	var second struct {
		Access  string `json:"access_token"`
		Refresh string `json:"refresh_token"`
	}
	decode(t, refresh(first.RefreshToken, c.ClientID), http.StatusOK, &second)
	oauthError(t, refresh(first.RefreshToken, c.ClientID), http.StatusBadRequest, "invalid_grant") // again
	oauthError(t, refresh(second.Refresh, c.ClientID), http.StatusBadRequest, "invalid_grant")
	eventually(t, func() bool {
		return s.me(t, first.AccessToken) == http.StatusUnauthorized && s.me(t, second.Access) == http.StatusUnauthorized
	})
}

// mixedTypes are tokens where others belong.
func mixedTypes(t *testing.T, s *tokenService, c *oauth2.Config) {
	code, verifier := s.code(t, c)
	got, err := c.Exchange(context.Background(), code, oauth2.VerifierOption(verifier))
	if err != nil {
		t.Fatal(err)
	}
	id, _ := got.Extra("id_token").(string)
	for name, token := range map[string]string{"ID token": id, "refresh token": got.RefreshToken, "code": code} {
		if status := s.me(t, token); status != http.StatusUnauthorized {
			t.Errorf("%s as access token: %d", name, status)
		}
	}
	for _, token := range []string{got.AccessToken, id, code, s.admin} {
		form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}, "client_id": {c.ClientID}}
		oauthError(t, s.form(t, "/oidc/v1/token", form), http.StatusBadRequest, "invalid_grant")
	}
	for _, token := range []string{got.AccessToken, id, s.admin} { // nor is the server an issuer that it trusts
		form := url.Values{
			"grant_type": {"urn:ietf:params:oauth:grant-type:token-exchange"}, "subject_token": {token},
			"subject_token_type": {"urn:ietf:params:oauth:token-type:jwt"},
		}
		oauthError(t, s.form(t, "/oidc/v1/token", form), http.StatusBadRequest, "invalid_grant")
	}
}

// clients have to show that they are who they say.
func clients(t *testing.T, s *tokenService) {
	id, secret := s.servicePrincipal(t, s.admin, "attacked")
	grant := func(form url.Values, headers ...string) answer {
		form.Set("grant_type", "client_credentials")
		return s.form(t, "/oidc/v1/token", form, headers...)
	}
	basic := func(id, secret string) string {
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(id+":"+secret))
	}
	for _, got := range []answer{
		grant(url.Values{"client_id": {id}, "client_secret": {secret + "x"}}),
		grant(url.Values{"client_id": {id}, "client_secret": {secret[:len(secret)-1]}}),
		grant(url.Values{"client_id": {id}, "client_secret": {""}}),
		grant(url.Values{"client_id": {id}}),
		grant(url.Values{"client_id": {"nobody"}, "client_secret": {secret}}),
		grant(url.Values{"client_id": {"admin"}, "client_secret": {s.password}}),
		grant(url.Values{"client_id": {"databricks-cli"}, "client_secret": {secret}}),
		grant(url.Values{}, "Authorization", basic(id, "x")),
		grant(url.Values{}),
	} {
		oauthError(t, got, http.StatusUnauthorized, "invalid_client")
	}
	for _, got := range []answer{
		grant(url.Values{"client_id": {id}, "client_secret": {secret}}, "Authorization", basic(id, secret)),
		grant(url.Values{"client_id": {"other"}}, "Authorization", basic(id, secret)),
		grant(url.Values{"client_id": {id, id}, "client_secret": {secret}}),
		ask(t, http.MethodPost, s.url+"/oidc/v1/token?client_secret="+secret, "grant_type=client_credentials&client_id="+id, "Content-Type", "application/x-www-form-urlencoded"),
		ask(t, http.MethodPost, s.url+"/oidc/v1/token", `{"grant_type":"client_credentials"}`, "Content-Type", "application/json"),
	} {
		oauthError(t, got, http.StatusBadRequest, "invalid_request")
	}
	password := url.Values{"grant_type": {"password"}, "username": {"admin"}, "password": {s.password}}
	oauthError(t, s.form(t, "/oidc/v1/token", password), http.StatusBadRequest, "unsupported_grant_type")
	for _, path := range []string{"/oidc/v1/introspect", "/oidc/v1/revoke"} {
		oauthError(t, s.form(t, path, url.Values{"token": {"x"}}), http.StatusUnauthorized, "invalid_client")
	}
	// One client's tokens are nothing to another.
	var token struct {
		Access string `json:"access_token"`
	}
	decode(t, grant(url.Values{"client_id": {id}, "client_secret": {secret}}), http.StatusOK, &token)
	other, otherSecret := s.servicePrincipal(t, s.admin, "other")
	revoke := url.Values{"client_id": {other}, "client_secret": {otherSecret}, "token": {token.Access}}
	if got := s.form(t, "/oidc/v1/revoke", revoke); got.status != http.StatusOK {
		t.Error(got)
	}
	if s.me(t, token.Access) != http.StatusOK {
		t.Error("another client took the token back")
	}
}

// loginForm is what a person types a password into.
func loginForm(t *testing.T, s *tokenService, c *oauth2.Config) {
	address := c.AuthCodeURL("s", oauth2.S256ChallengeOption(oauth2.GenerateVerifier()))
	b := newBrowser(t)
	p := b.get(address)
	policy := p.header.Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self' http://localhost:8020"} {
		if !strings.Contains(policy, want) {
			t.Errorf("the policy lacks %s: %s", want, policy)
		}
	}
	if strings.Contains(p.body, "<script") || p.header.Get("X-Frame-Options") != "DENY" || p.header.Get("Cache-Control") != "no-store" {
		t.Error(p)
	}
	for _, cookie := range p.header.Values("Set-Cookie") {
		if !strings.Contains(cookie, "HttpOnly") || !strings.Contains(cookie, "SameSite=Lax") {
			t.Error(cookie)
		}
	}
	action, form := s.url+p.action(), url.Values{"form": {p.field("form")}, "user": {"admin"}, "password": {s.password}}
	without := url.Values{"user": {"admin"}, "password": {s.password}}
	if got := b.post(action, without); got.status != http.StatusForbidden || len(got.header.Values("Set-Cookie")) > 0 {
		t.Error("a form without its token:", got.status)
	}
	if got := newBrowser(t).post(action, form); got.status != http.StatusForbidden {
		t.Error("a form without its cookie:", got.status)
	}
	for _, headers := range [][]string{{"Sec-Fetch-Site", "cross-site"}, {"Origin", "https://evil.example"}} {
		if got := b.post(action, form, headers...); got.status != http.StatusForbidden {
			t.Errorf("a form of another site, %v: %d", headers, got.status)
		}
	}
	// Fixation: a cookie that somebody else chose is not the one after the login.
	u, _ := url.Parse(s.url)
	b.http.Jar.SetCookies(u, []*http.Cookie{{Name: "tarn_login", Value: "chosen", Path: "/"}})
	got := b.post(action, form)
	if got.status != http.StatusSeeOther || !strings.HasPrefix(got.location, s.url+"/oidc/v1/authorize?") {
		t.Fatal(got)
	}
	for _, cookie := range b.http.Jar.Cookies(u) {
		if cookie.Name == "tarn_login" && cookie.Value == "chosen" {
			t.Error("the cookie was kept")
		}
	}
	// Nor does the login lead to anywhere else.
	other := newBrowser(t)
	evil := strings.Replace(address, url.QueryEscape(cliRedirect), url.QueryEscape("https://evil.example"), 1)
	p = other.get(address)
	form.Set("form", p.field("form"))
	if got := other.post(strings.Replace(evil, "/authorize?", "/login?", 1), form); got.status != http.StatusBadRequest || got.location != "" {
		t.Error("open redirect:", got.status, got.location)
	}
}

// guessing passwords ends in waiting, also for the right one.
func guessing(t *testing.T, s *tokenService, c *oauth2.Config) {
	var user struct{ ID string }
	decode(t, s.call(t, s.admin, "POST", "/api/2.0/preview/scim/v2/Users", `{"userName":"victim@example.com"}`), http.StatusCreated, &user)
	b := newBrowser(t)
	p := b.get(c.AuthCodeURL("s", oauth2.S256ChallengeOption(oauth2.GenerateVerifier())))
	form := url.Values{"form": {p.field("form")}, "user": {"victim@example.com"}}
	waits := false
	for range 12 {
		form.Set("password", "a guess")
		got := b.post(s.url+p.action(), form)
		switch got.status {
		case http.StatusUnauthorized:
		case http.StatusTooManyRequests:
			waits = true
			if got.header.Get("Retry-After") == "" {
				t.Error("it isn't said how long to wait")
			}
		default:
			t.Fatal(got.status, got.body)
		}
		if strings.Contains(got.body, "a guess") {
			t.Error("the page has the password")
		}
	}
	if !waits {
		t.Error("twelve guesses in a row")
	}
}
