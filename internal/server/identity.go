package server

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/tarn-data/tarn/internal/auth"
	"github.com/tarn-data/tarn/internal/control/identity"
	"github.com/tarn-data/tarn/internal/control/permissions"
	"github.com/tarn-data/tarn/internal/endpoint"
	"github.com/tarn-data/tarn/internal/store"
)

// identities is who there is, and how they prove it.
type identities struct {
	directory *store.Directory
	passwords *identity.Passwords
	secrets   *identity.Secrets
	service   *identity.Service
	rights    *permissions.Service
}

// openIdentities makes the first administrator where there is nobody yet.
func openIdentities(ctx context.Context, opt ServeOptions, state *store.DB, ws store.Workspace) (*identities, error) {
	ids := &identities{directory: state.Directory(time.Now)}
	var err error
	if ids.passwords, err = identity.NewPasswords(state, ids.directory, identity.DefaultCost()); err != nil {
		return nil, err
	}
	ids.secrets = identity.NewSecrets(state, ids.directory)
	ids.service = &identity.Service{
		Store: state, Directory: ids.directory, AccountID: ws.AccountID, Passwords: ids.passwords, Secrets: ids.secrets,
	}
	ids.rights = &permissions.Service{Store: state, Sources: map[string]permissions.Source{}}
	if opt.RolesURL != "" {
		ids.service.Roles = &principalRoles{url: opt.RolesURL, log: opt.Log}
	}
	if err := ids.bootstrap(ctx, opt, state); err != nil {
		return nil, fmt.Errorf("make the first administrator: %w", err)
	}
	return ids, nil
}

// AdminPasswordFile is where the first administrator finds the password to log in with.
func AdminPasswordFile(dataDir string) string { return filepath.Join(dataDir, "admin.password") }

func (ids *identities) bootstrap(ctx context.Context, opt ServeOptions, state *store.DB) error {
	password := rand.Text()
	hash, err := ids.passwords.Hash(password)
	if err != nil {
		return err
	}
	file := AdminPasswordFile(opt.DataDir)
	// The file comes first: an administrator whose password is lost would be worse than a file without one.
	made, err := state.Bootstrap(ctx, opt.AdminUser, hash, func() error {
		next := file + ".new"
		if err := os.WriteFile(next, []byte(password+"\n"), 0o600); err != nil {
			return err
		}
		return os.Rename(next, file)
	})
	if err != nil || !made {
		return err
	}
	_, err = fmt.Fprintf(opt.Out, "The first administrator is %s. The password is in %s: change it, and delete the file.\n\n", opt.AdminUser, file)
	return err
}

// mayUseTokens tells whether somebody may have personal access tokens.
func (ids *identities) mayUseTokens(ctx context.Context, a *auth.Account) error {
	return ids.rights.Check(ctx, a, "authorization", "tokens", permissions.Use)
}

// routes are those of who there is, and of who may do what.
func (ids *identities) routes() []endpoint.Route {
	return append(ids.service.Routes(), ids.rights.Routes()...)
}
