package server

import (
	"context"
	"errors"

	"github.com/tarn-data/tarn/internal/pg"
	"github.com/tarn-data/tarn/internal/pg/embedded"
)

// StateOptions say where Tarn's own state is.
type StateOptions struct {
	URL     string // of its database, as the owner; empty for the one of the embedded PostgreSQL
	DataDir string
	BinDir  string // of PostgreSQL's server programs; empty to look for them
}

// with does something with the state. The embedded PostgreSQL is started meanwhile, if it isn't running.
func (o StateOptions) with(ctx context.Context, do func(stateURL string) error) (err error) {
	if o.URL != "" {
		return do(o.URL)
	}
	if a, err := embedded.Locate(o.DataDir); err == nil {
		url := a.RoleURL(embedded.StoreRole, embedded.StoreDatabase)
		if conn, err := pg.Connect(ctx, url, "tarn state"); err == nil {
			_ = conn.Close(ctx) // it was only to find out
			return do(url)
		}
	}
	s, err := embedded.Start(ctx, embedded.Options{DataDir: o.DataDir, BinDir: o.BinDir, Logins: []string{authenticator}})
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
		defer cancel()
		err = errors.Join(err, s.Stop(ctx))
	}()
	return do(s.RoleURL(embedded.StoreRole, embedded.StoreDatabase))
}
