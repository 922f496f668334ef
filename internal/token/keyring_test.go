package token_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tarn-data/tarn/internal/token"
)

func openKeyring(t testing.TB, dir string, c *clock) *token.Keyring {
	t.Helper()
	k, err := token.OpenKeyring(t.Context(), token.KeyringOptions{Store: token.KeyFiles(dir), Issuer: "https://tarn.test", Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func mint(t testing.TB, k *token.Keyring, c token.Claims) string {
	t.Helper()
	if c.Lifetime == 0 {
		c.Lifetime = time.Hour
	}
	if c.Subject == "" {
		c.Subject = "me"
	}
	bearer, err := k.Mint(c)
	if err != nil {
		t.Fatal(err)
	}
	return bearer
}

// subjectVerifier makes a verifier that takes the subject for the role.
func subjectVerifier(t testing.TB, c *clock, source token.Source, audience string) *token.Verifier {
	t.Helper()
	return token.NewVerifier(token.VerifierOptions{
		Keys: source, Audience: audience, RoleClaim: roleClaim(t, "$.sub"), RequireExpiry: true, CacheMaxEntries: 10, Now: c.now,
	})
}

func TestMint(t *testing.T) {
	c := newClock()
	ring := openKeyring(t, t.TempDir(), c)
	bearer := mint(t, ring, token.Claims{
		Subject: "me@example.com", Audience: []string{"tarn", "other"}, Scopes: []string{"sql", "files"}, Admin: true,
		Lifetime: time.Minute, Extra: map[string]any{"team": "x"},
	})
	id, err := subjectVerifier(t, c, ring, "tarn").Verify(bearer, true)
	if err != nil {
		t.Fatal(err)
	}
	claims := decodeClaims(t, id.Claims)
	if jti, _ := claims["jti"].(string); len(jti) < 20 {
		t.Error("no jti:", claims)
	}
	delete(claims, "jti")
	want := map[string]any{
		"iss": "https://tarn.test", "sub": "me@example.com", "role": "me@example.com", "aud": []any{"tarn", "other"},
		"iat": json.Number(fmt.Sprint(start.Unix())), "exp": json.Number(fmt.Sprint(start.Unix() + 60)),
		"scope": "sql files", "admin": true, "team": "x",
	}
	if diff := cmp.Diff(want, claims); diff != "" {
		t.Error(diff)
	}
	id.Claims, id.ID = "", ""
	wantID := token.Identity{
		Name: "me@example.com", Role: "me@example.com", Scopes: []string{"sql", "files"}, Own: true, Admin: true,
	}
	if diff := cmp.Diff(wantID, *id); diff != "" {
		t.Error(diff)
	}
	if _, err := subjectVerifier(t, c, ring, "somebody").Verify(bearer, true); err == nil {
		t.Error("verified for another audience")
	}
	c.advance(91 * time.Second)
	if _, err := subjectVerifier(t, c, ring, "tarn").Verify(bearer, true); err == nil {
		t.Error("verified after its lifetime")
	}
}

func TestMintRefuses(t *testing.T) {
	ring := openKeyring(t, t.TempDir(), newClock())
	for _, c := range []token.Claims{
		{Lifetime: time.Hour},
		{Subject: "me"},
		{Subject: "me", Lifetime: -time.Hour},
		{Subject: "me", Lifetime: time.Hour, Extra: map[string]any{"admin": true}},
		{Subject: "me", Lifetime: time.Hour, Extra: map[string]any{"exp": 1}},
		{Subject: "me", Lifetime: time.Hour, Extra: map[string]any{"x": func() {}}},
	} {
		if bearer, err := ring.Mint(c); err == nil {
			t.Errorf("%+v: %s", c, bearer)
		}
	}
}

// TestAdminIsOnlyTarns signs the claim with a key that is trusted otherwise.
func TestAdminIsOnlyTarns(t *testing.T) {
	c, s := newClock(), hmacSigner("HS256")
	ring := openKeyring(t, t.TempDir(), c)
	both := token.Sources{newKeys(t, []byte(secret)), ring}
	v := subjectVerifier(t, c, both, "")
	bearer := s.sign(t, fmt.Sprintf(`{"iss":"https://tarn.test","sub":"me","admin":true,"exp":%d}`, start.Unix()+9))
	id, err := v.Verify(bearer, true)
	if err != nil || id.Admin {
		t.Error(id, err)
	}
	if id, err := v.Verify(mint(t, ring, token.Claims{Admin: true}), true); err != nil || !id.Admin {
		t.Error(id, err)
	}
}

func TestKeyringLooksAtTheIssuer(t *testing.T) {
	c, dir := newClock(), t.TempDir()
	ring := openKeyring(t, dir, c)
	other, err := token.OpenKeyring(t.Context(), token.KeyringOptions{Store: token.KeyFiles(dir), Issuer: "https://other.test", Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := subjectVerifier(t, c, ring, "").Verify(mint(t, other, token.Claims{}), true); err == nil {
		t.Error("verified")
	}
}

func TestKeysLast(t *testing.T) {
	c, dir := newClock(), filepath.Join(t.TempDir(), "a", "keys")
	ring := openKeyring(t, dir, c)
	first := mint(t, ring, token.Claims{})
	if err := ring.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	second := mint(t, ring, token.Claims{})
	if kid(t, first) == kid(t, second) || kid(t, second) != ring.KeyIDs()[1] {
		t.Error("the newest key does not sign")
	}
	for name, text := range map[string]string{".new-1": "half", "note.txt": "x", "x-y.jwk": "x", "0-y.jwk": "x"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	again := openKeyring(t, dir, c)
	if diff := cmp.Diff(ring.KeyIDs(), again.KeyIDs()); diff != "" {
		t.Error(diff)
	}
	v := subjectVerifier(t, c, again, "")
	for _, bearer := range []string{first, second, mint(t, again, token.Claims{})} {
		if _, err := v.Verify(bearer, true); err != nil {
			t.Error(err)
		}
	}
	if err := again.Retire(t.Context(), kid(t, second)); err == nil {
		t.Error("the key that signs was retired")
	}
	if err := again.Retire(t.Context(), "nobody's"); err == nil {
		t.Error("a key that is not there was retired")
	}
	if err := again.Retire(t.Context(), kid(t, first)); err != nil {
		t.Fatal(err)
	}
	if _, err := v.Verify(first, true); err == nil {
		t.Error("what a retired key signed is verified")
	}
	if _, err := v.Verify(second, true); err != nil {
		t.Error(err)
	}
	// The other one still trusts the key, until it hears of it.
	if _, err := subjectVerifier(t, c, ring, "").Verify(first, true); err != nil {
		t.Error(err)
	}
	if err := ring.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := subjectVerifier(t, c, ring, "").Verify(first, true); err == nil {
		t.Error("what a retired key signed is verified")
	}
}

// kid returns the id of the key that signed.
func kid(t testing.TB, bearer string) string {
	t.Helper()
	header, _, _ := strings.Cut(bearer, ".")
	return fmt.Sprint(decodeClaims(t, string(unb64(t, header)))["kid"])
}

func TestKeyFilesAreTheOwners(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	openKeyring(t, dir, newClock())
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Error(info.Mode(), err)
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	if info, err := files[0].Info(); err != nil || info.Mode().Perm() != 0o600 {
		t.Error(info.Mode(), err)
	}
}

func TestJWKSIsPublic(t *testing.T) {
	c := newClock()
	ring := openKeyring(t, t.TempDir(), c)
	if err := ring.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	var set struct{ Keys []map[string]any }
	if err := json.Unmarshal(ring.JWKS(), &set); err != nil || len(set.Keys) != 2 {
		t.Fatal(string(ring.JWKS()), err)
	}
	ids := ring.KeyIDs()
	for i, k := range set.Keys {
		if k["kid"] != ids[1-i] || k["alg"] != "ES256" || k["use"] != "sig" || k["d"] != nil || len(k) != 7 {
			t.Error(k)
		}
	}
	// Whoever has it can verify.
	v := verifier(t, func(o *token.VerifierOptions) { o.Keys, o.Now = newKeys(t, ring.JWKS()), c.now })
	if _, err := v.Verify(mint(t, ring, token.Claims{}), true); err != nil {
		t.Error(err)
	}
}

func TestKeyringFindsKeysOfOthers(t *testing.T) {
	c, dir := newClock(), t.TempDir()
	one, two := openKeyring(t, dir, c), openKeyring(t, dir, c)
	v := subjectVerifier(t, c, one, "")
	for range 2 {
		if err := two.Rotate(t.Context()); err != nil {
			t.Fatal(err)
		}
		c.advance(2 * time.Second) // since it looks for unknown keys only so often
		if _, err := v.Verify(mint(t, two, token.Claims{}), true); err != nil {
			t.Error(err)
		}
	}
	if err := two.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := v.Verify(mint(t, two, token.Claims{}), true); err == nil {
		t.Error("the directory is read for each unknown key")
	}
	if !slices.Equal(one.KeyIDs(), two.KeyIDs()[:3]) {
		t.Error(one.KeyIDs(), two.KeyIDs())
	}
}

func TestKeyringRefusesWhatIsNoKey(t *testing.T) {
	s := hmacSigner("HS256")
	for _, text := range []string{"", "{}", string(encode(t, s.jwk)), `{"kty":"EC","crv":"P-256","alg":"ES256","kid":"x"}`} {
		dir := t.TempDir()
		path := filepath.Join(dir, "0001-x.jwk")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := token.OpenKeyring(t.Context(), token.KeyringOptions{Store: token.KeyFiles(dir), Now: newClock().now})
		if err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%q: %v", text, err)
		}
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := token.OpenKeyring(t.Context(), token.KeyringOptions{Store: token.KeyFiles(file), Now: newClock().now}); err == nil {
		t.Error("a file is no directory")
	}
}

func TestKeyringAtOnce(t *testing.T) {
	c := newClock()
	ring := openKeyring(t, t.TempDir(), c)
	v := subjectVerifier(t, c, ring, "")
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 5 {
				if _, err := v.Verify(mint(t, ring, token.Claims{}), true); err != nil {
					t.Error(err)
				}
				if err := ring.Rotate(t.Context()); err != nil {
					t.Error(err)
				}
				if !bytes.Contains(ring.JWKS(), []byte(ring.KeyIDs()[0])) {
					t.Error("the set lacks a key")
				}
			}
		})
	}
	wg.Wait()
	if n := len(ring.KeyIDs()); n != 21 {
		t.Errorf("%d keys", n)
	}
}

func BenchmarkMint(b *testing.B) {
	ring := openKeyring(b, b.TempDir(), newClock())
	for b.Loop() {
		mint(b, ring, token.Claims{})
	}
}
