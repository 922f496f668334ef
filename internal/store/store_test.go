package store_test

import (
	"context"
	"testing"

	"github.com/tarn-data/tarn/internal/pgtest"
	"github.com/tarn-data/tarn/internal/store"
)

// open opens a state of its own for a test, and also returns its database.
func open(t *testing.T) (*store.DB, *pgtest.DB) {
	t.Helper()
	db := pgtest.New(t)
	return openState(t, db.URL), db
}

// listen hears of changes until the test ends, from when it returns.
func listen(t testing.TB, state *store.DB) {
	t.Helper()
	connected := make(chan struct{}, 16)
	state.Watch("test", func(string) { connected <- struct{}{} })
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		state.Listen(ctx)
	}()
	t.Cleanup(func() { cancel(); <-done })
	<-connected
}
