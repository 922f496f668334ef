package token_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/tarn-data/tarn/internal/token"
)

// TestSchedule follows two processes through a few changes of keys: what one signs, the other always verifies.
func TestSchedule(t *testing.T) {
	c, dir := newClock(), t.TempDir()
	const day = 24 * time.Hour
	store := &timedStore{KeyFiles: token.KeyFiles(dir), from: map[int]time.Time{}}
	opt := token.KeyringOptions{
		Store: store, Issuer: "https://tarn.test", Audience: "9", Now: c.now,
		Schedule: token.Schedule{Every: 10 * day, Publish: day, MaxLifetime: 3 * day},
	}
	open := func() *token.Keyring {
		k, err := token.OpenKeyring(t.Context(), opt)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	one, two := open(), open()
	v := subjectVerifier(t, c, two, "")
	signers, most := map[string]bool{}, 0
	var bearers []string
	for hour := range 40 * 24 {
		for _, k := range []*token.Keyring{one, two} {
			if err := k.Maintain(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		bearer := mint(t, one, token.Claims{Lifetime: 3 * day})
		signers[kid(t, bearer)] = true
		if hour%24 == 0 {
			bearers = append(bearers, bearer)
		}
		for _, b := range bearers[max(0, len(bearers)-3):] {
			if _, err := v.Verify(b, true); err != nil {
				t.Fatalf("hour %d: %v", hour, err)
			}
		}
		most = max(most, len(one.KeyIDs()))
		c.advance(time.Hour)
	}
	if len(signers) != 4 || most != 2 {
		t.Errorf("%d keys signed, %d at most were there", len(signers), most)
	}
}

// timedStore keeps since when keys sign, too.
type timedStore struct {
	token.KeyFiles
	from map[int]time.Time
}

func (s *timedStore) SigningKeys(ctx context.Context) ([]token.StoredKey, error) {
	keys, err := s.KeyFiles.SigningKeys(ctx)
	for i := range keys {
		keys[i].SignsFrom = s.from[keys[i].Number]
	}
	return keys, err
}

func (s *timedStore) AddSigningKey(ctx context.Context, k token.StoredKey) (bool, error) {
	if _, there := s.from[k.Number]; there {
		return false, nil
	}
	s.from[k.Number] = k.SignsFrom
	return s.KeyFiles.AddSigningKey(ctx, k)
}

func TestTypesAreNotMixedUp(t *testing.T) {
	c := newClock()
	ring := openKeyring(t, t.TempDir(), c)
	v := subjectVerifier(t, c, ring, "")
	if _, err := v.Verify(mint(t, ring, token.Claims{IDToken: true, Audience: []string{"client"}}), true); err == nil {
		t.Error("an ID token is an access token")
	}
}

// TestAlgorithms has processes that sign in different ways share their keys, until one way isn't used any more.
func TestAlgorithms(t *testing.T) {
	c := newClock()
	const day = 24 * time.Hour
	store := &timedStore{KeyFiles: token.KeyFiles(t.TempDir()), from: map[int]time.Time{}}
	open := func(algorithm string) *token.Keyring {
		k, err := token.OpenKeyring(t.Context(), token.KeyringOptions{
			Store: store, Issuer: "https://tarn.test", Algorithm: algorithm, Now: c.now,
			Schedule: token.Schedule{Every: 10 * day, Publish: day, MaxLifetime: 3 * day},
		})
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	first := open("")
	elliptic, rsa := open(token.ES256), open(token.RS256)
	if first.Algorithm() != token.ES256 || elliptic.Algorithm() != token.ES256 || rsa.Algorithm() != token.RS256 {
		t.Fatal(first.Algorithm(), elliptic.Algorithm(), rsa.Algorithm())
	}
	if again := open(""); again.Algorithm() != token.RS256 || len(again.KeyIDs()) != 2 {
		t.Error("the newest one signs, and none was added:", again.Algorithm(), again.KeyIDs())
	}
	if _, err := token.OpenKeyring(t.Context(), token.KeyringOptions{Store: store, Algorithm: "HS256", Now: c.now}); err == nil {
		t.Error("it signs with HS256")
	}
	verifiers := map[*token.Keyring]*token.Verifier{elliptic: subjectVerifier(t, c, elliptic, ""), rsa: subjectVerifier(t, c, rsa, "")}
	signers := map[string]bool{}
	step := func(rings ...*token.Keyring) {
		for _, k := range rings {
			if err := k.Maintain(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		for _, k := range rings {
			bearer := mint(t, k, token.Claims{Lifetime: 3 * day})
			signers[kid(t, bearer)] = true
			for _, other := range rings {
				if _, err := verifiers[other].Verify(bearer, true); err != nil {
					t.Fatal(err)
				}
			}
		}
		c.advance(6 * time.Hour)
	}
	for range 21 * 4 {
		step(elliptic, rsa)
	}
	if n := len(elliptic.KeyIDs()); len(signers) != 6 || n < 2 || n > 4 || elliptic.Algorithm() == rsa.Algorithm() {
		t.Errorf("%d keys signed, %d are there", len(signers), n)
	}
	before := c.now()
	for len(rsa.KeyIDs()) > 2 || c.now().Sub(before) < 9*day { // the last of ES256 is kept for what it may have signed
		step(rsa)
		if c.now().Sub(before) > 30*day {
			t.Fatal("keys that nobody uses are kept:", rsa.KeyIDs())
		}
	}
	for range 15 * 4 {
		step(rsa)
	}
	for _, id := range elliptic.KeyIDs() { // as they were
		if own := slices.Contains(rsa.KeyIDs(), id); own {
			t.Error("a key is still there:", id)
		}
	}
}
