package tokens_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tarn-data/tarn/internal/auth"
	"github.com/tarn-data/tarn/internal/control/identity"
	"github.com/tarn-data/tarn/internal/control/tokens"
	"github.com/tarn-data/tarn/internal/endpoint"
	"github.com/tarn-data/tarn/internal/gateway"
	"github.com/tarn-data/tarn/internal/pgtest"
	"github.com/tarn-data/tarn/internal/store"
)

// counted counts what a store is asked for.
type counted struct {
	tokens.Store
	reads atomic.Int32
}

func (c *counted) TokenOf(ctx context.Context, secret tokens.Digest) (*tokens.Token, error) {
	c.reads.Add(1)
	return c.Store.TokenOf(ctx, secret)
}

// byName believes who a caller says to be.
type byName struct{ directory auth.Directory }

func (b byName) AuthenticateCall(ctx context.Context, h http.Header) (*auth.Credential, error) {
	a, err := b.directory.Account(ctx, h.Get("X-Test-User"))
	if err != nil || a == nil {
		return nil, endpoint.Unauthenticated("nobody").WithCause(err)
	}
	return &auth.Credential{Account: a}, nil
}

type site struct {
	*tokens.Service
	t         *testing.T
	http      http.Handler
	state     *store.DB
	db        *pgtest.DB
	store     *counted
	now       time.Time
	listening bool
	refused   error // of who wants a token
}

// newSite serves the API to root, who administers, to ann and to bob.
func newSite(t *testing.T) *site {
	t.Helper()
	t.Parallel()
	s := &site{t: t, db: pgtest.New(t), now: time.Now().UTC().Truncate(time.Second), listening: true}
	log := slog.New(slog.DiscardHandler)
	var err error
	if s.state, err = store.Open(t.Context(), store.Options{URL: s.db.URL, AppName: "test", Log: log}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.state.Close)
	if _, err := s.state.Bootstrap(t.Context(), "root", "hash", func() error { return nil }); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"ann", "bob"} {
		if _, err := s.state.CreatePrincipal(t.Context(), &identity.Principal{Kind: auth.User, Name: name, Active: true}, nil); err != nil {
			t.Fatal(err)
		}
	}
	s.store = &counted{Store: s.state}
	directory := s.state.Directory(time.Now)
	s.Service = tokens.New(tokens.Options{
		Store: s.store, Directory: directory, WorkspaceID: 9, Listening: func() bool { return s.listening }, Now: func() time.Time { return s.now }, Log: log,
		MayUse: func(context.Context, *auth.Account) error { return s.refused },
	})
	s.http, err = gateway.New(gateway.Options{
		Routes: s.Routes(), Auth: byName{directory}, Now: time.Now, NewID: func() string { return "x" }, Log: log,
		Source: func(*http.Request) netip.Addr { return netip.IPv4Unspecified() },
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *site) call(status int, as, method, path, body string) map[string]any {
	s.t.Helper()
	w := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(s.t.Context(), method, path, strings.NewReader(body))
	r.Header.Set("X-Test-User", as)
	s.http.ServeHTTP(w, r)
	var out map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil || w.Code != status {
		s.t.Fatalf("%s %s as %s: %d %s %v", method, path, as, w.Code, w.Body, err)
	}
	return out
}

// made makes a token, and returns its secret and its id.
func (s *site) made(as, body string) (secret, id string) {
	s.t.Helper()
	out := s.call(200, as, "POST", "/api/2.0/token/create", body)
	return out["token_value"].(string), out["token_info"].(map[string]any)["token_id"].(string)
}

func (s *site) use(secret string) *auth.PersonalToken {
	s.t.Helper()
	p, err := s.Use(s.t.Context(), secret)
	if err != nil {
		s.t.Fatal(err)
	}
	return p
}

// TestUse holds when a token is good, and when the store is asked about it.
func TestUse(t *testing.T) {
	s := newSite(t)
	secret, id := s.made("ann", `{"comment":"ci","lifetime_seconds":3600,"scopes":["sql"]}`)
	if p := s.use(secret); p == nil || p.Owner != "ann" || p.ID != id || strings.Join(p.Scopes, " ") != "sql" {
		t.Fatal(p)
	}
	reads := func() int32 { n := s.store.reads.Load(); s.store.reads.Store(0); return n }
	reads()
	for range 3 {
		s.use(secret)
	}
	if n := reads(); n != 0 {
		t.Error(n, "reads of what is known")
	}
	s.listening = false // so what is known may be old
	if s.use(secret); reads() != 1 {
		t.Error("not asked while nothing is heard")
	}
	s.listening, s.now = true, s.now.Add(6*time.Minute)
	if s.use(secret); reads() != 1 {
		t.Error("not asked after a while")
	}
	for _, bad := range []string{
		"", "dapi", secret + "0", secret[:len(secret)-1], strings.ToUpper(secret), "dapi" + strings.Repeat("g", 32), "DAPI" + secret[4:], secret[:35] + "\x00",
	} {
		if s.use(bad) != nil {
			t.Errorf("%q is good", bad)
		}
	}
	if n := reads(); n != 0 {
		t.Error("the store was asked for what can't be a secret")
	}
	if s.use("dapi"+strings.Repeat("0", 32)) != nil || reads() != 1 {
		t.Error("an unknown one")
	}
	s.now = s.now.Add(time.Hour)
	if s.use(secret) != nil {
		t.Error("it has expired")
	}
}

// TestForget deletes tokens: from when that is heard, none is good any more, also if it was being read at that moment.
func TestForget(t *testing.T) {
	s := newSite(t)
	one, oneID := s.made("ann", `{}`)
	two, _ := s.made("ann", `{}`)
	s.use(one)
	s.use(two)
	s.call(200, "ann", "POST", "/api/2.0/token/delete", `{"token_id":"`+oneID+`"}`)
	s.Forget(oneID)
	if s.use(one) != nil || s.use(two) == nil {
		t.Error("the wrong one was forgotten")
	}
	s.db.Exec(t, "DELETE FROM tarn.personal_tokens")
	s.Forget("") // any may have changed
	if s.use(two) != nil {
		t.Error("it is remembered")
	}
	// It is forgotten between when it is read and when that is kept.
	three, threeID := s.made("ann", `{}`)
	s.store.Store = forgetful{s.state, func() { s.Forget(threeID) }}
	s.use(three)
	s.store.reads.Store(0)
	if s.use(three); s.store.reads.Load() != 1 {
		t.Error("what was read before it changed is kept")
	}
}

// forgetful has a change be heard of just when a token was read.
type forgetful struct {
	*store.DB
	heard func()
}

func (f forgetful) TokenOf(ctx context.Context, secret tokens.Digest) (*tokens.Token, error) {
	t, err := f.DB.TokenOf(ctx, secret)
	f.heard()
	return t, err
}

// TestLastUse holds that what was used is written when the process ends, also of tokens that it doesn't keep any more.
func TestLastUse(t *testing.T) {
	s := newSite(t)
	for _, forget := range []bool{false, true} {
		secret, id := s.made("ann", `{}`)
		s.use(secret)
		if forget {
			s.Forget(id)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		s.Run(ctx)
		kept, err := s.state.Token(t.Context(), id)
		if err != nil || kept.LastUsedAt == nil || kept.LastUsedAt.Sub(s.now).Abs() > time.Second {
			t.Error(forget, kept, err)
		}
	}
}

// TestGrants holds what may be asked for, by whom, and what others see of it.
func TestGrants(t *testing.T) {
	s := newSite(t)
	for _, bad := range []string{
		`{"lifetime_seconds":-1}`, `{"lifetime_seconds":9223372036854775807}`, `{"comment":"` + strings.Repeat("x", 2001) + `"}`,
		`{"scopes":["` + strings.Repeat(`x","`, 50) + `x"]}`, `{"lifetime_seconds":"soon"}`,
	} {
		s.call(400, "ann", "POST", "/api/2.0/token/create", bad)
	}
	secret, id := s.made("ann", `{"comment":"mine"}`)
	list := func(as, path, key string) string {
		text, err := json.Marshal(s.call(200, as, "GET", path, "")[key])
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	if got := list("ann", "/api/2.0/token/list", "token_infos"); !strings.Contains(got, `"comment":"mine"`) || !strings.Contains(got, `"expiry_time":-1`) || strings.Contains(got, secret[4:]) {
		t.Error(got)
	}
	if got := list("bob", "/api/2.0/token/list", "token_infos"); strings.Contains(got, id) {
		t.Error("bob sees ann's:", got)
	}
	if got := list("root", "/api/2.0/token-management/tokens?created_by_username=ann", "token_infos"); !strings.Contains(got, id) || !strings.Contains(got, `"workspace_id":9`) {
		t.Error(got)
	}
	s.call(404, "bob", "POST", "/api/2.0/token/delete", `{"token_id":"`+id+`"}`)
	s.call(403, "bob", "GET", "/api/2.0/token-management/tokens", "")
	if s.use(secret) == nil {
		t.Error("bob deleted it")
	}
	s.refused = endpoint.Denied("no")
	s.call(403, "ann", "POST", "/api/2.0/token/create", `{}`)
	s.refused = errors.New("no database")
	s.call(500, "ann", "POST", "/api/2.0/token/create", `{}`)
}
