package keyservice_test

import (
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "gocloud.dev/secrets/localsecrets" // base64key://, a service within the process

	"github.com/tarn-data/tarn/internal/pgtest"
	"github.com/tarn-data/tarn/internal/store"
	"github.com/tarn-data/tarn/internal/vault"
	"github.com/tarn-data/tarn/internal/vault/keyservice"
)

// From a key file to a key of a service and on to another one, by way of the same interface that all services have.
func TestRootKeyOfService(t *testing.T) {
	t.Parallel()
	state, err := store.Open(t.Context(), store.Options{URL: pgtest.New(t).URL, AppName: "test", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(state.Close)
	open := func(keys ...string) (*vault.Sealer, error) {
		sources, err := vault.ParseSources(keys, vault.SourceOptions{Dir: filepath.Join(t.TempDir(), "vault"), OpenKeeper: keyservice.Open})
		if err != nil {
			return nil, err
		}
		return vault.Open(t.Context(), vault.Options{Store: state, Sources: sources, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	}
	const one, two = "base64key://MTExMTExMTExMTExMTExMTExMTExMTExMTExMTExMTE=", "base64key://MjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjI="
	s, err := open(one)
	if err != nil {
		t.Fatal(err)
	}
	before, err := s.Seal(t.Context(), nil, []byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	if s, err = open(one, two); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	after, err := s.Seal(t.Context(), nil, []byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	for _, sealed := range [][]byte{before, after} {
		if text, err := s.Open(t.Context(), nil, sealed); err != nil || string(text) != "secret" {
			t.Error(err)
		}
	}
	if _, err := s.Rotate(t.Context()); err == nil {
		t.Error("there is no third key")
	}
	if _, err := open(one); err == nil || !strings.Contains(err.Error(), "sealed with root key") {
		t.Error(err)
	}
	for _, bad := range []string{"nothing://x", "base64key://short", "awskms", "what"} {
		if _, err := open(bad); err == nil {
			t.Error(bad)
		}
	}
}
