package server

import (
	"context"
	"errors"
	"time"

	"github.com/tarn-data/tarn/internal/connector"
	"github.com/tarn-data/tarn/internal/credential"
	"github.com/tarn-data/tarn/internal/endpoint"
	"github.com/tarn-data/tarn/internal/vault"
)

// ConnectorOptions say what the connector may do.
type ConnectorOptions struct {
	Direct    bool // whether applications may give credentials in headers
	MaxPerApp int  // requests of one application at a time
}

// appVault reads the credentials of applications.
type appVault struct{ *credential.Epochs }

// Read implements connector.Vault.
func (v appVault) Read(ctx context.Context, at connector.Path, names ...string) (map[string]vault.Secret, error) {
	secrets, err := v.Epochs.Read(ctx, credential.Path{App: at.App, Account: at.Account}, names...)
	if errors.Is(err, credential.ErrNoPath) {
		return nil, nil //nolint:nilnil // it is how the connector is told
	}
	return secrets, err
}

// connector are the routes of the connector. Its answers are as large and take as long as a table is: limits are its own.
func (p *platform) connector(opt ServeOptions) ([]endpoint.Route, error) {
	asked, err := openOutbound(opt, 0, 0)
	if err != nil {
		return nil, err
	}
	return connector.New(connector.Options{
		Vault: appVault{p.appCredentials}, HTTP: asked, Direct: opt.Connector.Direct, MaxPerApp: opt.Connector.MaxPerApp,
		Now: time.Now, Sleep: sleep,
	}).Routes(), nil
}

// sleep waits, or until the context ends.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
