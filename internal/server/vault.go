package server

import (
	"context"
	"path/filepath"
	"time"

	"github.com/tarn-data/tarn/internal/config"
	"github.com/tarn-data/tarn/internal/credential"
	"github.com/tarn-data/tarn/internal/credential/kv"
	"github.com/tarn-data/tarn/internal/endpoint"
	"github.com/tarn-data/tarn/internal/store"
	"github.com/tarn-data/tarn/internal/vault"
	"github.com/tarn-data/tarn/internal/vault/keyservice"
)

// vaultDir is where the root keys are that Tarn makes.
func vaultDir(dataDir string) string { return filepath.Join(dataDir, "vault") }

// openVault opens the root keys that the state's secrets are sealed with.
func openVault(ctx context.Context, opt ServeOptions, state *store.DB) (*vault.Sealer, error) {
	sources, err := vault.ParseSources(opt.VaultKeys, vault.SourceOptions{Dir: vaultDir(opt.DataDir), Env: config.Variable, OpenKeeper: keyservice.Open})
	if err != nil {
		return nil, err
	}
	return vault.Open(ctx, vault.Options{Store: state, Sources: sources, Now: time.Now, Log: opt.Log})
}

// CredentialOptions say where the credentials of applications are kept.
type CredentialOptions struct {
	Address   string // of a key-value store; empty for Tarn's own state
	Login     string // how to log in there
	Namespace string
	CACert    string
}

// openAppCredentials opens where the credentials of applications are kept.
func (p *platform) openAppCredentials(ctx context.Context, opt CredentialOptions) (credential.Backend, error) {
	if opt.Address == "" {
		return credential.Own{Store: p.state, Sealer: p.vault}, nil
	}
	login, err := kv.ParseLogin(opt.Login)
	if err != nil {
		return nil, err
	}
	b, err := kv.New(kv.Options{Address: opt.Address, Namespace: opt.Namespace, CACert: opt.CACert, Login: login, Log: p.log})
	if err != nil {
		return nil, err
	}
	p.inBackground(ctx, b.Run)
	return b, nil
}

// vaultRoutes are the routes of the vault.
func (p *platform) vaultRoutes() []endpoint.Route {
	return credential.NewService(p.appCredentials, p.state, p.vault).Routes()
}
