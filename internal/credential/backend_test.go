package credential_test

import (
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tarn-data/tarn/internal/credential"
	"github.com/tarn-data/tarn/internal/credential/credentialtest"
	"github.com/tarn-data/tarn/internal/pgtest"
	"github.com/tarn-data/tarn/internal/store"
	"github.com/tarn-data/tarn/internal/vault"
)

func own(t *testing.T) (credential.Own, *pgtest.DB, *vault.Sealer) {
	t.Helper()
	db := pgtest.New(t)
	state, err := store.Open(t.Context(), store.Options{URL: db.URL, AppName: "test", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(state.Close)
	sources, err := vault.ParseSources(nil, vault.SourceOptions{Dir: filepath.Join(t.TempDir(), "vault")})
	if err != nil {
		t.Fatal(err)
	}
	sealer, err := vault.Open(t.Context(), vault.Options{Store: state, Sources: sources, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return credential.Own{Store: state, Sealer: sealer}, db, sealer
}

func TestOwn(t *testing.T) {
	t.Parallel()
	b, _, _ := own(t)
	credentialtest.Run(t, b)
}

// A sealed value that is moved to another path, name or version doesn't open.
func TestOwnSealedToItsPlace(t *testing.T) {
	t.Parallel()
	b, db, _ := own(t)
	at := credential.Path{Account: "one", App: "app"}
	for _, change := range []string{"account = 'two'", "account = ''", "app = 'other'", "name = 'other'"} {
		name := "key"
		if _, err := b.Put(t.Context(), at, name, "value", "me"); err != nil {
			t.Fatal(err)
		}
		db.Exec(t, "UPDATE tarn.vault_secrets SET "+change)
		moved := at
		switch {
		case strings.HasPrefix(change, "account = 'two'"):
			moved.Account = "two"
		case strings.HasPrefix(change, "account"):
			moved.Account = ""
		case strings.HasPrefix(change, "app"):
			moved.App = "other"
		default:
			name = "other"
		}
		if got, err := b.Read(t.Context(), moved, name); err == nil {
			t.Errorf("%s: opened %v", change, len(got))
		}
		db.Exec(t, "DELETE FROM tarn.vault_secrets")
	}
	if _, err := b.Read(t.Context(), at, "key"); !errors.Is(err, credential.ErrNoPath) {
		t.Error(err)
	}
}

// The root key changes while credentials are put and read: nothing fails, and nothing is lost.
func TestOwnWhileRootKeyChanges(t *testing.T) {
	t.Parallel()
	b, _, sealer := own(t)
	at := credential.Path{App: "app"}
	var wg sync.WaitGroup
	stop := make(chan struct{})
	for i := range 4 {
		name := fmt.Sprint("key", i)
		wg.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				want := vault.Secret(fmt.Sprint(name, " ", n))
				if _, err := b.Put(t.Context(), at, name, want, "me"); err != nil {
					t.Error(err)
					return
				}
				got, err := b.Read(t.Context(), at, name)
				if err != nil || got[name] != want {
					t.Error("read", err)
					return
				}
			}
		})
	}
	for range 4 {
		if _, err := sealer.Rotate(t.Context()); err != nil {
			t.Error(err)
		}
		if err := sealer.Rewrap(t.Context()); err != nil {
			t.Error(err)
		}
	}
	close(stop)
	wg.Wait()
	if err := sealer.Rewrap(t.Context()); err != nil {
		t.Fatal(err)
	}
	status, err := sealer.Status(t.Context())
	if err != nil || len(status) != 5 {
		t.Fatal(status, err)
	}
	for _, k := range status {
		if (k.Values > 0) != k.Primary {
			t.Errorf("key %s, primary %t, has %d values", k.ID, k.Primary, k.Values)
		}
	}
}
