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

const (
	// ownLife is how long credentials are believed whose changes are heard of at once; this is for those that aren't.
	ownLife = 15 * time.Second
	// foreignLife is how long those are believed that are changed where nobody tells.
	foreignLife = 5 * time.Second
)

// openAppCredentials opens where the credentials of applications are kept.
func (p *platform) openAppCredentials(ctx context.Context, opt CredentialOptions) (*credential.Epochs, error) {
	if opt.Address == "" {
		e := credential.NewEpochs(credential.Own{Store: p.state, Sealer: p.vault}, func() time.Duration {
			if p.state.Listening() {
				return ownLife
			}
			return 0
		})
		p.state.Watch("vault_secrets", func(string) { e.Changed() })
		return e, nil
	}
	login, err := kv.ParseLogin(opt.Login)
	if err != nil {
		return nil, err
	}
	b, err := kv.New(kv.Options{Address: opt.Address, Namespace: opt.Namespace, CACert: opt.CACert, Login: login, Sleep: sleep, Log: p.log})
	if err != nil {
		return nil, err
	}
	p.inBackground(ctx, b.Run)
	return credential.NewEpochs(b, func() time.Duration { return foreignLife }), nil
}

// vaultRoutes are the routes of the vault.
func (p *platform) vaultRoutes() []endpoint.Route {
	return credential.NewService(p.appCredentials, p.state, p.vault).Routes()
}
