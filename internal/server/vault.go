package server

import (
	"context"
	"path/filepath"
	"time"

	"github.com/tarn-data/tarn/internal/config"
	"github.com/tarn-data/tarn/internal/store"
	"github.com/tarn-data/tarn/internal/vault"
)

// vaultDir is where the root keys are that Tarn makes.
func vaultDir(dataDir string) string { return filepath.Join(dataDir, "vault") }

// openVault opens the root keys that the state's secrets are sealed with.
func openVault(ctx context.Context, opt ServeOptions, state *store.DB) (*vault.Sealer, error) {
	sources, err := vault.ParseSources(opt.VaultKeys, vault.SourceOptions{Dir: vaultDir(opt.DataDir), Env: config.Variable})
	if err != nil {
		return nil, err
	}
	return vault.Open(ctx, vault.Options{Store: state, Sources: sources, Now: time.Now, Log: opt.Log})
}
