package token_test

import (
	"context"
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
