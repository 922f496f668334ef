package store_test

import (
	"errors"
	"sync"
	"testing"
)

// TestBootstrap has several processes start on the same empty database at once.
func TestBootstrap(t *testing.T) {
	t.Parallel()
	_, db := open(t)
	const processes = 8
	made := make([]bool, processes)
	var group sync.WaitGroup
	for i := range processes {
		state := openState(t, db.URL)
		group.Go(func() {
			var err error
			if made[i], err = state.Bootstrap(t.Context(), "admin", "hash", func() error { return nil }); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	n := 0
	for _, one := range made {
		if one {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%d processes made the first administrator", n)
	}
	state := openState(t, db.URL)
	admin, err := state.Account(t.Context(), "admin")
	if err != nil || admin == nil || !admin.Admin || !admin.In("users") {
		t.Errorf("%+v, %v", admin, err)
	}
}

func TestBootstrapUndone(t *testing.T) {
	t.Parallel()
	state, _ := open(t)
	failure := errors.New("no file")
	if made, err := state.Bootstrap(t.Context(), "admin", "hash", func() error { return failure }); made || !errors.Is(err, failure) {
		t.Fatalf("%v, %v", made, err)
	}
	if admin, err := state.Account(t.Context(), "admin"); admin != nil || err != nil {
		t.Errorf("%+v, %v", admin, err)
	}
}
