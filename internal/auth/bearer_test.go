package auth_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tarn-data/tarn/internal/auth"
	"github.com/tarn-data/tarn/internal/config"
	"github.com/tarn-data/tarn/internal/fault"
	"github.com/tarn-data/tarn/internal/token"
)

const secret = "reallyreallyreallyreallyverysafe"

func now() time.Time { return time.Unix(1_700_000_000, 0) }

// sign makes an HS256 token.
func sign(payload string) string {
	b64 := base64.RawURLEncoding
	signed := b64.EncodeToString([]byte(`{"alg":"HS256"}`)) + "." + b64.EncodeToString([]byte(payload))
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(signed))
	return signed + "." + b64.EncodeToString(mac.Sum(nil))
}

func postgREST(t *testing.T, env ...string) *auth.Bearer {
	t.Helper()
	cfg, err := config.LoadDataAPI(config.Source{Environ: env})
	if err != nil {
		t.Fatal(err)
	}
	b, err := auth.NewPostgREST(cfg, now, nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func code(err error) string {
	var f *fault.Error
	if !errors.As(err, &f) {
		return fmt.Sprint(err)
	}
	return fmt.Sprintf("%d %s", f.Kind, f.Code)
}

func TestAuthorizationHeader(t *testing.T) {
	b := postgREST(t, "PGRST_JWT_SECRET="+secret, "PGRST_DB_ANON_ROLE=anon")
	good := sign(`{"role":"author"}`)
	for _, c := range []struct {
		header []string
		role   string // or the refusal
	}{
		{nil, "anon"},
		{[]string{""}, "anon"},
		{[]string{"Bearer " + good}, "author"},
		{[]string{"bearer " + good}, "author"},
		{[]string{"BEARER \t " + good}, "author"},
		{[]string{"Bearer " + good, "Bearer x"}, "author"},
		{[]string{"Bearer"}, "401 PGRST301"},
		{[]string{"Bearer "}, "401 PGRST301"},
		{[]string{"Bearer x"}, "401 PGRST301"},
		{[]string{"Bearer " + good + "x"}, "401 PGRST301"},
		{[]string{"Bearer " + good + " "}, "401 PGRST301"}, // HTTP has taken off what comes after a value
		{[]string{"Basic dTpw"}, "anon"},
		{[]string{"Bearer:" + good}, "anon"},
		{[]string{" Bearer " + good}, "anon"},
		{[]string{good}, "anon"},
		{[]string{"Bearer " + sign(`{"role":"author","exp":1}`)}, "401 PGRST303"},
	} {
		p, err := b.Authenticate(http.Header{"Authorization": c.header})
		got := code(err)
		if err == nil {
			got = p.Role
		}
		if got != c.role {
			t.Errorf("%q: got %s, want %s", c.header, got, c.role)
		}
	}
}

func TestPostgRESTSettings(t *testing.T) {
	bearer := "Bearer " + sign(`{"sub":"me","role":"author","aud":"a","deep":["x",{"role":"inner"}]}`)
	anonymous := &auth.Principal{Role: "anon", Claims: `{"role":"anon"}`, Anonymous: true}
	for _, c := range []struct {
		name   string
		env    []string
		bearer string
		want   *auth.Principal
		code   string
	}{
		{"no token", []string{"PGRST_DB_ANON_ROLE=anon"}, "", anonymous, ""},
		{"no token, no anonymous role", nil, "", nil, "401 PGRST302"},
		{"no secret", []string{"PGRST_DB_ANON_ROLE=anon"}, bearer, nil, "500 PGRST300"},
		{"audience", []string{"PGRST_JWT_SECRET=" + secret, "PGRST_JWT_AUD=a"}, bearer, &auth.Principal{
			Name: "me", Role: "author", Claims: `{"aud":"a","deep":["x",{"role":"inner"}],"role":"author","sub":"me"}`,
		}, ""},
		{"other audience", []string{"PGRST_JWT_SECRET=" + secret, "PGRST_JWT_AUD=b"}, bearer, nil, "401 PGRST303"},
		{"role claim", []string{"PGRST_JWT_SECRET=" + secret, "PGRST_JWT_ROLE_CLAIM_KEY=$.deep[1].role"}, bearer, &auth.Principal{
			Name: "me", Role: "inner", Claims: `{"aud":"a","deep":["x",{"role":"inner"}],"role":"inner","sub":"me"}`,
		}, ""},
		{"base64", []string{
			"PGRST_JWT_SECRET=" + base64.StdEncoding.EncodeToString([]byte(secret)), "PGRST_JWT_SECRET_IS_BASE64=true",
			"PGRST_DB_ANON_ROLE=anon", "PGRST_JWT_ROLE_CLAIM_KEY=$.nothing",
		}, bearer, &auth.Principal{
			Name: "me", Role: "anon", Anonymous: true,
			Claims: `{"aud":"a","deep":["x",{"role":"inner"}],"role":"anon","sub":"me"}`,
		}, ""},
	} {
		header := http.Header{}
		if c.bearer != "" {
			header.Set("Authorization", c.bearer)
		}
		got, err := postgREST(t, c.env...).Authenticate(header)
		if c.code != "" {
			if err == nil || code(err) != c.code {
				t.Errorf("%s: got %+v and %v, want %s", c.name, got, err, c.code)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		} else if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
}

func TestNewPostgRESTRefuses(t *testing.T) {
	for _, cfg := range []config.DataAPI{
		{JWTRoleClaimKey: "?"}, {JWTRoleClaimKey: "$.role", JWTSecret: []byte("short")},
	} {
		if _, err := auth.NewPostgREST(&cfg, now, nil); err == nil {
			t.Error("made from", cfg)
		}
	}
}

func TestLakebase(t *testing.T) {
	ring, err := token.OpenKeyring(t.Context(), token.KeyringOptions{
		Store: token.KeyFiles(filepath.Join(t.TempDir(), "keys")), Issuer: "https://tarn.test", Now: now,
	})
	if err != nil {
		t.Fatal(err)
	}
	stats := new(token.Stats)
	b, err := auth.NewLakebase(auth.LakebaseOptions{Keys: ring, Audience: "tarn", CacheMaxEntries: 5, Now: now, Stats: stats})
	if err != nil {
		t.Fatal(err)
	}
	authenticate := func(c token.Claims) (*auth.Principal, error) {
		t.Helper()
		c.Lifetime = time.Minute
		bearer, err := ring.Mint(c)
		if err != nil {
			t.Fatal(err)
		}
		h := http.Header{"Authorization": {"Bearer " + bearer}}
		if _, err := b.Authenticate(h); err != nil {
			return nil, err
		}
		return b.Authenticate(h)
	}
	p, err := authenticate(token.Claims{Subject: "me@example.com", Audience: []string{"tarn"}, Scopes: []string{"sql"}, Admin: true})
	if err != nil {
		t.Fatal(err)
	}
	if p.Name != "me@example.com" || p.Role != p.Name || !p.Admin || p.Anonymous || len(p.Scopes) != 1 {
		t.Errorf("%+v", p)
	}
	if stats.Lookups.Load() != 2 || stats.Hits.Load() != 1 {
		t.Error("not cached")
	}
	if _, err := authenticate(token.Claims{Subject: "me", Audience: []string{"other"}}); code(err) != "401 PGRST303" {
		t.Error(err)
	}
	if _, err := b.Authenticate(http.Header{}); code(err) != "401 PGRST302" {
		t.Error(err)
	}
	if _, err := b.Authenticate(http.Header{"Authorization": {"Bearer " + sign(`{"sub":"me"}`)}}); code(err) != "401 PGRST301" {
		t.Error(err)
	}
	if _, err := auth.NewLakebase(auth.LakebaseOptions{Now: now}); err == nil {
		t.Error("made without keys")
	}
}

func TestContext(t *testing.T) {
	if p, ok := auth.FromContext(context.Background()); ok {
		t.Error(p)
	}
	want := &auth.Principal{Name: "me"}
	if p, ok := auth.FromContext(auth.NewContext(context.Background(), want)); !ok || p != want {
		t.Error(p, ok)
	}
}

func FuzzAuthorizationHeader(f *testing.F) {
	f.Add("Bearer " + sign(`{"role":"author"}`))
	f.Add("Basic dTpw")
	ring, err := token.OpenKeyring(f.Context(), token.KeyringOptions{Store: token.KeyFiles(f.TempDir()), Issuer: "x", Now: now})
	if err != nil {
		f.Fatal(err)
	}
	b, err := auth.NewLakebase(auth.LakebaseOptions{Keys: ring, Now: now})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, value string) {
		p, err := b.Authenticate(http.Header{"Authorization": {value}})
		if err == nil {
			t.Fatalf("%q: %+v", value, p)
		}
		if k := fault.From(err).Kind; k != fault.Unauthenticated {
			t.Fatalf("%q: %v", value, err)
		}
	})
}
