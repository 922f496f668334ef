package oauth_test

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"testing"
	"time"

	"github.com/tarn-data/tarn/internal/oauth"
	"github.com/tarn-data/tarn/internal/token"
)

// TestRevocations follows what a process knows of tokens that were taken back: what it hears, and what it reads.
func TestRevocations(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	stored, failure := map[string]time.Time{}, error(nil)
	r := oauth.NewRevocations(func(context.Context) (map[string]time.Time, error) {
		return maps.Clone(stored), failure
	}, func() bool { return true }, func() time.Time { return now }, slog.New(slog.DiscardHandler))
	revoked := func(id, session string) bool { return r.Revoked(&token.Identity{ID: id, Session: session}) }
	if revoked("", "") || revoked("one", "s") {
		t.Error("nothing was taken back")
	}
	r.Hear("one")
	r.Hear("s")
	for _, c := range []struct {
		id, session string
		want        bool
	}{{"one", "", true}, {"other", "", false}, {"other", "s", true}, {"other", "one", true}, {"", "", false}} {
		if got := revoked(c.id, c.session); got != c.want {
			t.Error(c, got)
		}
	}
	// What was heard stays though what is read was written before; a failure takes nothing away.
	stored["two"] = now.Add(time.Hour)
	if err := r.Load(t.Context()); err != nil || !revoked("one", "") || !revoked("two", "") {
		t.Error(err)
	}
	failure = errors.New("no database")
	if err := r.Load(t.Context()); err == nil || !revoked("one", "") || !revoked("two", "") {
		t.Error(err)
	}
	// No token lives longer than what was heard is kept.
	failure, now = nil, now.Add(time.Hour+time.Second)
	delete(stored, "two")
	if err := r.Load(t.Context()); err != nil || revoked("one", "") || revoked("two", "") || revoked("x", "s") {
		t.Error("what has expired is kept:", err)
	}
	// Without an id, all is read anew.
	stored["three"] = now.Add(time.Hour)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { r.Run(ctx); close(done) }()
	r.Hear("")
	for deadline := time.Now().Add(10 * time.Second); !revoked("three", ""); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it wasn't read")
		}
	}
	cancel()
	<-done
}
