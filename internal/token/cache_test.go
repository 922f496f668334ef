package token_test

import (
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/tarn-data/tarn/internal/token"
)

func TestCacheChecksClaimsAtEveryHit(t *testing.T) {
	s, c, stats := hmacSigner("HS256"), newClock(), new(token.Stats)
	v := verifier(t, func(o *token.VerifierOptions) { o.Now, o.Stats = c.now, stats }, s)
	bearer := s.sign(t, fmt.Sprintf(`{"nbf":%d,"exp":%d}`, start.Unix()+60, start.Unix()+120))
	for _, step := range []struct {
		advance time.Duration
		want    string
	}{
		{0, "JWT not yet valid"}, {30 * time.Second, ""}, {120 * time.Second, ""}, {time.Second, "JWT expired"},
	} {
		c.advance(step.advance)
		_, err := v.Verify(bearer, true)
		if step.want == "" && err != nil || step.want != "" && (err == nil || refusal(t, err) != invalid("PGRST303", step.want, "")) {
			t.Errorf("%s: %v", c.now(), err)
		}
	}
	if l, h := stats.Lookups.Load(), stats.Hits.Load(); l != 4 || h != 3 {
		t.Errorf("%d lookups, %d hits", l, h)
	}
}

func TestCacheHoldsNoRefusedTokens(t *testing.T) {
	s, stats := hmacSigner("HS256"), new(token.Stats)
	v := verifier(t, func(o *token.VerifierOptions) { o.Stats = stats }, s)
	forged := *s
	forged.key = []byte("another secret")
	for range 3 {
		if _, err := v.Verify(forged.sign(t, `{}`), true); err == nil {
			t.Fatal("verified")
		}
	}
	if stats.Hits.Load() != 0 {
		t.Error("what was refused is in the cache")
	}
}

func TestCacheReturnsTheSameIdentity(t *testing.T) {
	s := hmacSigner("HS256")
	cached := verifier(t, nil, s)
	uncached := verifier(t, func(o *token.VerifierOptions) { o.CacheMaxEntries = 0 }, s)
	bearer := s.sign(t, `{"role":"r"}`)
	for v, want := range map[*token.Verifier]bool{cached: true, uncached: false} {
		one, err := v.Verify(bearer, true)
		if err != nil {
			t.Fatal(err)
		}
		two, err := v.Verify(bearer, true)
		if err != nil || (one == two) != want {
			t.Error(one, two, err)
		}
	}
}

func TestCacheIsBounded(t *testing.T) {
	s, stats := hmacSigner("HS256"), new(token.Stats)
	const size = 10
	v := verifier(t, func(o *token.VerifierOptions) { o.CacheMaxEntries, o.Stats = size, stats }, s)
	ask := func(user int) {
		t.Helper()
		id, err := v.Verify(s.sign(t, fmt.Sprintf(`{"role":"r%d"}`, user)), true)
		if err != nil || id.Role != fmt.Sprintf("r%d", user) {
			t.Fatal(id, err)
		}
	}
	for user := range size {
		ask(user)
	}
	if stats.Evictions.Load() != 0 {
		t.Error("evicted too early")
	}
	// The first three are asked for again and again, so that many that come once don't push them out.
	for user := size; user < 20*size; user++ {
		for favourite := range 3 {
			ask(favourite)
		}
		ask(user)
	}
	if e := stats.Evictions.Load(); e != 19*size {
		t.Errorf("%d evictions", e)
	}
	if h := stats.Hits.Load(); h != 3*19*size {
		t.Errorf("%d hits", h)
	}
}

func TestCacheIsEmptiedWhenAKeyIsRetired(t *testing.T) {
	c, stats := newClock(), new(token.Stats)
	ring, err := token.OpenKeyring(t.Context(), token.KeyringOptions{Store: token.KeyFiles(filepath.Join(t.TempDir(), "keys")), Issuer: "tarn", Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	v := verifier(t, func(o *token.VerifierOptions) { o.Keys, o.Now, o.Stats = ring, c.now, stats })
	before := ring.KeyIDs()[0]
	bearer, err := ring.Mint(token.Claims{Subject: "me", Lifetime: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	verify := func(wantHits int64, wantOK bool) {
		t.Helper()
		_, err := v.Verify(bearer, true)
		if (err == nil) != wantOK || stats.Hits.Load() != wantHits {
			t.Fatalf("%v, %d hits", err, stats.Hits.Load())
		}
	}
	verify(0, true)
	verify(1, true)
	if err := ring.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	verify(2, true) // a new key takes no trust away
	if err := ring.Retire(t.Context(), before); err != nil {
		t.Fatal(err)
	}
	verify(2, false)
	verify(2, false)
}

func TestVerifyAtOnce(t *testing.T) {
	s := hmacSigner("HS256")
	v := verifier(t, func(o *token.VerifierOptions) { o.CacheMaxEntries = 8 }, s)
	var bearers []string
	for user := range 20 {
		bearers = append(bearers, s.sign(t, fmt.Sprintf(`{"role":"r%d"}`, user)))
	}
	var wg sync.WaitGroup
	for worker := range 4 {
		wg.Go(func() {
			for i := range 500 {
				user := (i*7 + worker) % len(bearers)
				id, err := v.Verify(bearers[user], true)
				if err != nil || id.Role != fmt.Sprintf("r%d", user) {
					t.Errorf("%+v %v", id, err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func BenchmarkVerify(b *testing.B) {
	for _, s := range signers() {
		bearer := s.sign(b, `{"role":"author","sub":"somebody@example.com","iss":"https://issuer.example.com","exp":1900000000}`)
		if s.alg == "ES256" {
			cached := verifier(b, nil, s)
			b.Run("cached", func(b *testing.B) { benchmark(b, cached, bearer) })
			b.Run("cached-parallel", func(b *testing.B) {
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						if _, err := cached.Verify(bearer, true); err != nil {
							b.Fatal(err)
						}
					}
				})
			})
		}
		v := verifier(b, func(o *token.VerifierOptions) { o.CacheMaxEntries = 0 }, s)
		b.Run(s.alg, func(b *testing.B) { benchmark(b, v, bearer) })
	}
}

func benchmark(b *testing.B, v *token.Verifier, bearer string) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.Verify(bearer, true); err != nil {
			b.Fatal(err)
		}
	}
}
