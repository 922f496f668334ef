// Package credential keeps the credentials of applications: those of an app in one account, and those of the app itself.
// It knows who may manage them, and gives them to nobody but the code that asks in their name. It doesn't know where they
// are kept.
package credential

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/tarn-data/tarn/internal/vault"
)

// Path is where an application's credentials are: with an account those that belong to it, without one the app's own.
type Path struct{ Account, App string }

// Info is what may be known of a credential.
type Info struct {
	Name    string
	Version int64
	MadeAt  time.Time
	MadeBy  string // empty where it isn't known
}

// ErrNoPath says that there are no credentials at a path at all.
var ErrNoPath = errors.New("there are no credentials at the path")

// Reader gives credentials to code.
type Reader interface {
	// Read returns the values of those of the names that are there. If nothing is at the path, its error is ErrNoPath.
	Read(ctx context.Context, at Path, names ...string) (map[string]vault.Secret, error)
}

// Backend keeps credentials. It is safe for concurrent use.
type Backend interface {
	Reader
	// Put keeps a new version of a credential.
	Put(ctx context.Context, at Path, name string, value vault.Secret, by string) (Info, error)
	// List returns the credentials at a path, ordered by name.
	List(ctx context.Context, at Path) ([]Info, error)
	// Versions returns the versions of a credential that are kept, newest first; none if it isn't there.
	Versions(ctx context.Context, at Path, name string) ([]Info, error)
	// Delete deletes a credential with all its versions, and tells whether it was there.
	Delete(ctx context.Context, at Path, name string) (bool, error)
}

// Sealed is a version of a credential as a store has it.
type Sealed struct {
	Info

	Sealed []byte
}

// Store keeps sealed credentials.
type Store interface {
	// PutCredential keeps a new version. Nobody else makes one of the same number.
	PutCredential(ctx context.Context, at Path, name, by string, seal func(version int64) ([]byte, error)) (Info, error)
	// Credentials returns the latest versions of all credentials at a path, ordered by name.
	Credentials(ctx context.Context, at Path) ([]Sealed, error)
	CredentialVersions(ctx context.Context, at Path, name string) ([]Info, error)
	DeleteCredential(ctx context.Context, at Path, name string) (bool, error)
}

// Sealer seals secrets.
type Sealer interface {
	Seal(ctx context.Context, aad, plaintext []byte) ([]byte, error)
	Open(ctx context.Context, aad, sealed []byte) ([]byte, error)
}

// Own is the backend of Tarn's own state.
type Own struct {
	Store  Store
	Sealer Sealer
}

func binding(at Path, name string, version int64) []byte {
	return vault.Bind("credential", at.Account, at.App, name, strconv.FormatInt(version, 10))
}

// Put implements Backend.
func (o Own) Put(ctx context.Context, at Path, name string, value vault.Secret, by string) (Info, error) {
	return o.Store.PutCredential(ctx, at, name, by, func(version int64) ([]byte, error) {
		return o.Sealer.Seal(ctx, binding(at, name, version), []byte(value.Reveal()))
	})
}

// Read implements Reader.
func (o Own) Read(ctx context.Context, at Path, names ...string) (map[string]vault.Secret, error) {
	all, err := o.Store.Credentials(ctx, at)
	if err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, ErrNoPath
	}
	out := map[string]vault.Secret{}
	for _, c := range all {
		for _, name := range names {
			if c.Name != name {
				continue
			}
			text, err := o.Sealer.Open(ctx, binding(at, name, c.Version), c.Sealed)
			if err != nil {
				return nil, err
			}
			out[name] = vault.Secret(text)
			clear(text)
		}
	}
	return out, nil
}

// List implements Backend.
func (o Own) List(ctx context.Context, at Path) ([]Info, error) {
	all, err := o.Store.Credentials(ctx, at)
	out := make([]Info, len(all))
	for i, c := range all {
		out[i] = c.Info
	}
	return out, err
}

// Versions implements Backend.
func (o Own) Versions(ctx context.Context, at Path, name string) ([]Info, error) {
	return o.Store.CredentialVersions(ctx, at, name)
}

// Delete implements Backend.
func (o Own) Delete(ctx context.Context, at Path, name string) (bool, error) {
	return o.Store.DeleteCredential(ctx, at, name)
}
