package store_test

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tarn-data/tarn/internal/control/identity"
	"github.com/tarn-data/tarn/internal/endpoint"
	"github.com/tarn-data/tarn/internal/fault"
)

// cheap is a cost for tests.
func cheap() identity.Cost { return identity.Cost{Memory: 64, Passes: 1, Threads: 1} }

func from(ctx context.Context, source string) context.Context {
	return endpoint.NewContext(ctx, &endpoint.Call{Source: netip.MustParseAddr(source)})
}

func kindOf(err error) fault.Kind {
	if err == nil {
		return 0
	}
	return fault.From(err).Kind
}

func TestPasswords(t *testing.T) {
	t.Parallel()
	state, db := open(t)
	db.Exec(t, `INSERT INTO tarn.principals (id, kind, name) VALUES (10, 'User', 'ann'), (11, 'User', 'empty');
		INSERT INTO tarn.principals (id, kind, name, active) VALUES (12, 'User', 'gone', false)`)
	passwords, err := identity.NewPasswords(state, state.Directory(time.Now), cheap())
	if err != nil {
		t.Fatal(err)
	}
	const good = "correct horse battery"
	for _, id := range []int64{10, 12} {
		if err := passwords.Set(t.Context(), id, good); err != nil {
			t.Fatal(err)
		}
	}
	if err := passwords.Set(t.Context(), 10, "short"); kindOf(err) != fault.Invalid {
		t.Errorf("a short password: %v", err)
	}
	for _, c := range []struct{ user, password string }{
		{"ann", "wrong"}, {"ann", ""}, {"empty", ""}, {"empty", good}, {"gone", good}, {"nobody", good}, {"nobody", ""}, {"ann", strings.Repeat("x", 1<<16)},
	} {
		a, err := passwords.VerifyPassword(from(t.Context(), "10.0.0.1"), c.user, c.password)
		if a != nil || kindOf(err) != fault.Unauthenticated {
			t.Errorf("%s: %+v, %v", c.user, a, err)
		}
	}
	a, err := passwords.VerifyPassword(from(t.Context(), "10.0.0.1"), "ANN", good)
	if err != nil || a == nil || a.ID != 10 {
		t.Fatalf("%+v, %v", a, err)
	}
	before, err := state.PasswordHash(t.Context(), "ann")
	if err != nil {
		t.Fatal(err)
	}
	dearer, err := identity.NewPasswords(state, state.Directory(time.Now), identity.Cost{Memory: 128, Passes: 1, Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := dearer.VerifyPassword(from(t.Context(), "10.0.0.1"), "ann", good); err != nil {
			t.Fatal(err)
		}
	}
	after, err := state.PasswordHash(t.Context(), "ann")
	if err != nil || after == before || !strings.Contains(after, "m=128,") {
		t.Errorf("the hash was not renewed: %q, %v", after, err)
	}
}

func TestGuessing(t *testing.T) {
	t.Parallel()
	_, db := open(t)
	db.Exec(t, "INSERT INTO tarn.principals (id, kind, name) VALUES (10, 'User', 'ann')")
	const good = "correct horse battery"
	verify := make([]*identity.Passwords, 3) // processes
	for i := range verify {
		other := openState(t, db.URL)
		var err error
		if verify[i], err = identity.NewPasswords(other, other.Directory(time.Now), cheap()); err != nil {
			t.Fatal(err)
		}
	}
	if err := verify[0].Set(t.Context(), 10, good); err != nil {
		t.Fatal(err)
	}
	var wrong, waits atomic.Int64
	var group sync.WaitGroup
	for i := range 30 {
		group.Go(func() {
			// From another address each time: it is the user who is guarded here.
			ctx := from(t.Context(), netip.AddrFrom4([4]byte{10, 0, 1, byte(i)}).String())
			switch _, err := verify[i%len(verify)].VerifyPassword(ctx, "ann", "guess"); kindOf(err) {
			case fault.Unauthenticated:
				wrong.Add(1)
			case fault.TooMany:
				waits.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	group.Wait()
	if wrong.Load() > 6 || waits.Load() < 24 {
		t.Errorf("%d guesses were heard, %d had to wait", wrong.Load(), waits.Load())
	}
	if _, err := verify[0].VerifyPassword(from(t.Context(), "10.0.2.1"), "ann", good); kindOf(err) != fault.TooMany {
		t.Errorf("who guesses right while waiting: %v", err)
	}
	db.Exec(t, "UPDATE tarn.login_attempts SET next_at = now()")
	if _, err := verify[0].VerifyPassword(from(t.Context(), "10.0.2.1"), "ann", good); err != nil {
		t.Error(err)
	}
	// One address guesses at many users.
	heard := 0
	for range 80 {
		_, err := verify[1].VerifyPassword(from(t.Context(), "2001:db8::1"), "nobody"+time.Now().String(), "guess")
		if kindOf(err) == fault.Unauthenticated {
			heard++
		}
	}
	if heard < 50 || heard > 53 {
		t.Errorf("%d guesses of one address were heard", heard)
	}
	if _, err := verify[1].VerifyPassword(from(t.Context(), "2001:db8::ffff:1"), "ann", good); kindOf(err) != fault.TooMany {
		t.Errorf("another address of the same host: %v", err)
	}
	if _, err := verify[1].VerifyPassword(from(t.Context(), "2001:db8:1::1"), "ann", good); err != nil {
		t.Errorf("another host: %v", err)
	}
}

func TestSecrets(t *testing.T) {
	t.Parallel()
	state, db := open(t)
	const app = "0f9b1f2e-1111-4222-8333-444455556666"
	db.Exec(t, "INSERT INTO tarn.principals (id, kind, name) VALUES (10, 'ServicePrincipal', '"+app+"'), (11, 'User', 'ann')")
	secrets := identity.NewSecrets(state, state.Directory(time.Now))
	first, one, err := secrets.Make(t.Context(), 10, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	second, two, err := secrets.Make(t.Context(), 10, time.Hour)
	if err != nil || first == second || one.ID == two.ID {
		t.Fatal(err)
	}
	if _, _, err := secrets.Make(t.Context(), 11, time.Hour); !errors.Is(err, identity.ErrMissing) {
		t.Errorf("a user's secret: %v", err)
	}
	good := func(secret string) bool {
		a, err := secrets.VerifySecret(t.Context(), app, secret)
		if kind := kindOf(err); kind != 0 && kind != fault.Unauthenticated {
			t.Error(err)
		}
		return a != nil && a.ID == 10
	}
	if !good(first) || !good(second) || good("") || good(first+"x") || good(first[:len(first)-1]) {
		t.Error("the wrong secrets are good")
	}
	if _, err := secrets.VerifySecret(t.Context(), "ann", first); kindOf(err) != fault.Unauthenticated {
		t.Errorf("another's: %v", err)
	}
	all, err := state.Secrets(t.Context(), 10)
	if err != nil || len(all) != 2 || all[0].LastUsed.IsZero() || strings.Contains(string(all[0].Hash), first) {
		t.Errorf("%+v, %v", all, err)
	}
	db.Exec(t, "UPDATE tarn.service_principal_secrets SET expires_at = now() WHERE id = '"+one.ID+"'")
	if good(first) || !good(second) {
		t.Error("an expired secret is good")
	}
	if err := state.DeleteSecret(t.Context(), 11, two.ID); !errors.Is(err, identity.ErrMissing) {
		t.Errorf("another's: %v", err)
	}
	if err := state.DeleteSecret(t.Context(), 10, two.ID); err != nil || good(second) {
		t.Errorf("a deleted secret is good: %v", err)
	}
}
