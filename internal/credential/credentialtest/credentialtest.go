// Package credentialtest holds backends of credentials to what all of them must do. It knows none of them.
package credentialtest

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/tarn-data/tarn/internal/credential"
	"github.com/tarn-data/tarn/internal/vault"
)

// Run tests a backend that has nothing in it.
func Run(t *testing.T, b credential.Backend) {
	ctx := t.Context()
	account, other, app := credential.Path{Account: "one", App: "app"}, credential.Path{Account: "two", App: "app"}, credential.Path{App: "app"}
	if _, err := b.Read(ctx, account, "id"); !errors.Is(err, credential.ErrNoPath) {
		t.Errorf("nothing is there: %v", err)
	}
	if all, err := b.List(ctx, account); err != nil || len(all) != 0 {
		t.Error(all, err)
	}
	if done, err := b.Delete(ctx, account, "id"); done || err != nil {
		t.Error(done, err)
	}
	values := map[credential.Path]vault.Secret{account: "of one ÄΩ\n\"", other: "of two", app: "of the app"}
	for at, value := range values {
		for _, name := range []string{"id", "secret key, with % and ?"} {
			i, err := b.Put(ctx, at, name, value+vault.Secret(name), "me")
			if err != nil || i.Name != name || i.Version < 1 || i.MadeAt.IsZero() {
				t.Fatal(i, err)
			}
		}
	}
	for at, value := range values {
		got, err := b.Read(ctx, at, "id", "secret key, with % and ?", "none")
		if err != nil || len(got) != 2 || got["id"] != value+"id" || got["secret key, with % and ?"] != value+"secret key, with % and ?" {
			t.Errorf("%v: %d values, %v", at, len(got), err)
		}
		all, err := b.List(ctx, at)
		if err != nil || len(all) != 2 || all[0].Name != "id" {
			t.Error(all, err)
		}
	}
	first, err := b.Versions(ctx, account, "id")
	if err != nil || len(first) == 0 {
		t.Fatal(first, err)
	}
	for range 3 {
		if _, err := b.Put(ctx, account, "id", "new", "me"); err != nil {
			t.Fatal(err)
		}
	}
	later, err := b.Versions(ctx, account, "id")
	if err != nil || len(later) != len(first)+3 || later[0].Version <= later[1].Version {
		t.Error(later, err)
	}
	if none, err := b.Versions(ctx, account, "none"); err != nil || len(none) != 0 {
		t.Error(none, err)
	}
	if done, err := b.Delete(ctx, account, "id"); !done || err != nil {
		t.Error(done, err)
	}
	if got, err := b.Read(ctx, account, "id"); err != nil || len(got) != 0 {
		t.Error("deleted, and there", err)
	}
	if done, err := b.Delete(ctx, account, "secret key, with % and ?"); !done || err != nil {
		t.Error(done, err)
	}
	if _, err := b.Read(ctx, account, "id"); !errors.Is(err, credential.ErrNoPath) {
		t.Error("all is deleted:", err)
	}
	if got, err := b.Read(ctx, app, "id"); err != nil || got["id"] != "of the appid" {
		t.Error("another path has changed", err)
	}
	atOnce(t, b)
}

// atOnce puts many credentials at one path at the same time.
func atOnce(t *testing.T, b credential.Backend) {
	at := credential.Path{Account: "busy", App: "app"}
	const n = 8
	var wg sync.WaitGroup
	var names []string
	for i := range n {
		name := fmt.Sprint("name", i)
		names = append(names, name)
		wg.Go(func() {
			if _, err := b.Put(t.Context(), at, name, vault.Secret(name), "me"); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	got, err := b.Read(t.Context(), at, names...)
	if err != nil || len(got) != n {
		t.Errorf("%d of %d are left: %v", len(got), n, err)
	}
}
