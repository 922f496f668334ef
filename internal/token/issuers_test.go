package token_test

import (
	"crypto/elliptic"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tarn-data/tarn/internal/token"
)

// publisher is an issuer's server.
type publisher struct {
	*httptest.Server
	mu       sync.Mutex
	body     []byte
	etag     string
	status   int
	delay    time.Duration
	requests int
	matched  int // requests that had what is there already
}

func publish(t *testing.T, of ...*signer) *publisher {
	t.Helper()
	p := &publisher{status: http.StatusOK}
	p.set(keySet(t, of...))
	p.Server = httptest.NewServer(p)
	t.Cleanup(p.Close)
	return p
}

func (p *publisher) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.requests++
	time.Sleep(p.delay)
	w.Header().Set("ETag", p.etag)
	switch {
	case p.status == http.StatusFound:
		http.Redirect(w, r, "/elsewhere", p.status)
	case p.status == http.StatusOK && p.etag != "" && r.Header.Get("If-None-Match") == p.etag:
		p.matched++
		w.WriteHeader(http.StatusNotModified)
	default:
		w.WriteHeader(p.status)
		if _, err := w.Write(p.body); err != nil {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}
}

func (p *publisher) set(body []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.body = body
	p.etag = fmt.Sprintf(`"%d"`, len(body)+p.requests)
}

func (p *publisher) answer(status int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.status = status
}

func (p *publisher) count() (requests, matched int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.requests, p.matched
}

const issuerName = "https://issuer.test"

func issuers(t *testing.T, c *clock, of ...token.IssuerConfig) *token.Issuers {
	t.Helper()
	s, err := token.NewIssuers(token.IssuersOptions{
		Issuers: of, Now: c.now, Timeout: time.Second,
		TTL: 10 * time.Minute, Interval: 30 * time.Second, MaxStale: time.Hour,
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// issue signs a token of an issuer.
func issue(t *testing.T, s *signer, c *clock, issuer, subject string) string {
	t.Helper()
	return s.sign(t, fmt.Sprintf(`{"iss":%q,"sub":%q,"aud":"app","admin":true,"exp":%d}`, issuer, subject, c.now().Unix()+7200))
}

func TestIssuer(t *testing.T) {
	c := newClock()
	one, two := ecSigner("ES256", elliptic.P256()).with("one"), ecSigner("ES384", elliptic.P384())
	p := publish(t, one, two, hmacSigner("HS256"))
	v := subjectVerifier(t, c, issuers(t, c, token.IssuerConfig{Issuer: issuerName, JWKSURL: p.URL}), "")
	if n, _ := p.count(); n != 0 {
		t.Error("fetched before it is needed")
	}
	for _, s := range []*signer{one, two, one} {
		id, err := v.Verify(issue(t, s, c, issuerName, "me"), true)
		if err != nil {
			t.Fatal(err)
		}
		if id.Name != "me" || id.Role != "me" || id.Admin {
			t.Errorf("%+v", id)
		}
	}
	for name, bearer := range map[string]string{
		"of another issuer":      issue(t, one, c, "https://other.test", "me"),
		"of no issuer":           one.sign(t, fmt.Sprintf(`{"sub":"me","exp":%d}`, start.Unix()+9)),
		"without expiry":         one.sign(t, fmt.Sprintf(`{"iss":%q,"sub":"me"}`, issuerName)),
		"with a published oct":   issue(t, hmacSigner("HS256"), c, issuerName, "me"),
		"of a key without trust": issue(t, ecSigner("ES256", elliptic.P256()).with("one"), c, issuerName, "me"),
		"without subject":        one.sign(t, fmt.Sprintf(`{"iss":%q,"exp":%d}`, issuerName, start.Unix()+9)),
		"for the login role":     issue(t, one, c, issuerName, "none"),
	} {
		if id, err := v.Verify(bearer, true); err == nil {
			t.Errorf("%s: %+v", name, id)
		}
	}
	if n, _ := p.count(); n != 1 {
		t.Errorf("%d requests", n)
	}
}

func TestIssuersAudience(t *testing.T) {
	c, s := newClock(), ecSigner("ES256", elliptic.P256())
	p := publish(t, s)
	for audience, want := range map[string]bool{"": true, "app": true, "other": false} {
		v := subjectVerifier(t, c, issuers(t, c, token.IssuerConfig{Issuer: issuerName, JWKSURL: p.URL, Audience: audience}), "")
		for range 2 {
			if _, err := v.Verify(issue(t, s, c, issuerName, "me"), true); (err == nil) != want {
				t.Errorf("%q: %v", audience, err)
			}
		}
		toNobody := s.sign(t, fmt.Sprintf(`{"iss":%q,"sub":"me","exp":%d}`, issuerName, start.Unix()+9))
		if _, err := v.Verify(toNobody, true); (err == nil) != (audience == "") {
			t.Errorf("%q, and a token without: %v", audience, err)
		}
	}
}

func TestIssuerRotatesKeys(t *testing.T) {
	c := newClock()
	one, two := ecSigner("ES256", elliptic.P256()).with("one"), ecSigner("ES256", elliptic.P256()).with("two")
	p := publish(t, one)
	source := issuers(t, c, token.IssuerConfig{Issuer: issuerName, JWKSURL: p.URL})
	v := subjectVerifier(t, c, source, "")
	first, second := issue(t, one, c, issuerName, "me"), issue(t, two, c, issuerName, "me")
	expect := func(bearer string, ok bool, wantRequests, wantMatched int) {
		t.Helper()
		_, err := v.Verify(bearer, true)
		if requests, matched := p.count(); (err == nil) != ok || requests != wantRequests || matched != wantMatched {
			t.Fatalf("%v, %d requests, %d matched", err, requests, matched)
		}
	}
	expect(first, true, 1, 0)
	p.set(keySet(t, one, two))
	expect(second, false, 1, 0) // too soon to look again
	c.advance(31 * time.Second)
	expect(second, true, 2, 0)
	expect(first, true, 2, 0)
	c.advance(31 * time.Second)
	expect(issue(t, one.with("three"), c, issuerName, "me"), false, 3, 1)
	expect(issue(t, one.with("four"), c, issuerName, "me"), false, 3, 1)
	expect(first, true, 3, 1)

	// The first key is withdrawn. Until the time is over, what is known holds.
	p.set(keySet(t, two))
	c.advance(9 * time.Minute)
	expect(first, true, 3, 1)
	c.advance(2 * time.Minute)
	expect(second, true, 4, 1)
	expect(first, false, 4, 1)
	c.advance(11 * time.Minute)
	expect(second, true, 5, 2) // nothing has changed
}

func TestIssuerIsDown(t *testing.T) {
	c, s := newClock(), ecSigner("ES256", elliptic.P256()).with("k")
	p := publish(t, s)
	v := subjectVerifier(t, c, issuers(t, c, token.IssuerConfig{Issuer: issuerName, JWKSURL: p.URL}), "")
	bearer := issue(t, s, c, issuerName, "me")
	const unavailable = "503 PGRST301 The keys of the token's issuer are not available"
	p.answer(http.StatusInternalServerError)
	for range 3 {
		if _, err := v.Verify(bearer, true); err == nil || refusal(t, err) != unavailable {
			t.Fatal(err)
		}
	}
	if n, _ := p.count(); n != 1 {
		t.Errorf("%d requests", n)
	}
	p.answer(http.StatusOK)
	c.advance(31 * time.Second)
	if _, err := v.Verify(bearer, true); err != nil {
		t.Fatal(err)
	}
	// What is known holds for a while.
	p.answer(http.StatusServiceUnavailable)
	c.advance(50 * time.Minute)
	for range 3 {
		if _, err := v.Verify(bearer, true); err != nil {
			t.Fatal(err)
		}
	}
	if n, _ := p.count(); n != 3 {
		t.Errorf("%d requests", n)
	}
	c.advance(11 * time.Minute)
	if _, err := v.Verify(bearer, true); err == nil || refusal(t, err) != unavailable {
		t.Fatal(err)
	}
}

func TestIssuerAnswersOddly(t *testing.T) {
	s := ecSigner("ES256", elliptic.P256())
	good := keySet(t, s)
	for name, c := range map[string]struct {
		change func(*publisher)
		ok     bool
	}{
		"as it should":    {func(*publisher) {}, true},
		"with an odd key": {func(p *publisher) { p.set([]byte(strings.Replace(string(good), `[`, `[5,{"kty":"EC"},`, 1))) }, true},
		"not found":       {func(p *publisher) { p.answer(http.StatusNotFound) }, false},
		"a redirect":      {func(p *publisher) { p.answer(http.StatusFound) }, false},
		"unmodified":      {func(p *publisher) { p.answer(http.StatusNotModified) }, false},
		"no JSON":         {func(p *publisher) { p.set([]byte("<html>")) }, false},
		"no set":          {func(p *publisher) { p.set([]byte(`{}`)) }, false},
		"an empty set":    {func(p *publisher) { p.set([]byte(`{"keys":[]}`)) }, false},
		"too much":        {func(p *publisher) { p.set([]byte(string(good) + strings.Repeat(" ", 1<<20))) }, false},
		"too slowly":      {func(p *publisher) { p.delay = 2 * time.Second }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			clock := newClock()
			p := publish(t, s)
			c.change(p)
			v := subjectVerifier(t, clock, issuers(t, clock, token.IssuerConfig{Issuer: issuerName, JWKSURL: p.URL}), "")
			if _, err := v.Verify(issue(t, s, clock, issuerName, "me"), true); (err == nil) != c.ok {
				t.Error(err)
			} else if err != nil {
				refusal(t, err)
			}
			if n, _ := p.count(); n != 1 {
				t.Errorf("%d requests", n)
			}
		})
	}
}

// TestOneFetchServesAll has many ask at once.
func TestOneFetchServesAll(t *testing.T) {
	c, s := newClock(), ecSigner("ES256", elliptic.P256())
	p := publish(t, s)
	p.delay = 30 * time.Millisecond
	v := subjectVerifier(t, c, issuers(t, c, token.IssuerConfig{Issuer: issuerName, JWKSURL: p.URL}), "")
	ask := func() {
		t.Helper()
		var wg sync.WaitGroup
		for i := range 20 {
			bearer := issue(t, s, c, issuerName, fmt.Sprint("user", i))
			wg.Go(func() {
				if _, err := v.Verify(bearer, true); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	}
	ask()
	if n, _ := p.count(); n != 1 {
		t.Errorf("%d requests", n)
	}
	c.advance(11 * time.Minute)
	ask()
	if n, matched := p.count(); n != 2 || matched != 1 {
		t.Errorf("%d requests, %d matched", n, matched)
	}
}

func TestSources(t *testing.T) {
	c, s := newClock(), ecSigner("ES256", elliptic.P256())
	p := publish(t, s)
	ring := openKeyring(t, t.TempDir(), c)
	v := subjectVerifier(t, c, token.Sources{
		ring, issuers(t, c, token.IssuerConfig{Issuer: issuerName, JWKSURL: p.URL, Audience: "app"}),
	}, "")
	for name, bearer := range map[string]string{
		"Tarn's":   mint(t, ring, token.Claims{Audience: []string{"tarn"}}),
		"issuer's": issue(t, s, c, issuerName, "me"),
	} {
		if _, err := v.Verify(bearer, true); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := v.Verify(issue(t, s, c, "https://tarn.test", "me"), true); err == nil {
		t.Error("an issuer's key signs in Tarn's name")
	}
}

func TestNewIssuersRefuses(t *testing.T) {
	good := token.IssuerConfig{Issuer: "a", JWKSURL: "https://example.com/keys"}
	for _, bad := range [][]token.IssuerConfig{
		{{JWKSURL: "https://example.com/keys"}},
		{{Issuer: "a"}},
		{{Issuer: "a", JWKSURL: "http://example.com/keys"}},
		{{Issuer: "a", JWKSURL: "http://127.0.0.1.example.com/keys"}},
		{{Issuer: "a", JWKSURL: "ftp://127.0.0.1/keys"}},
		{{Issuer: "a", JWKSURL: "https://user:password@example.com/keys"}},
		{{Issuer: "a", JWKSURL: "://"}},
		{good, good},
	} {
		if _, err := token.NewIssuers(token.IssuersOptions{Issuers: bad, Now: newClock().now}); err == nil {
			t.Errorf("%+v", bad)
		}
	}
	for _, address := range []string{"https://example.com/keys", "http://localhost:1/keys", "http://[::1]:1/keys"} {
		good.JWKSURL = address
		if _, err := token.NewIssuers(token.IssuersOptions{Issuers: []token.IssuerConfig{good}, Now: newClock().now}); err != nil {
			t.Error(err)
		}
	}
}
