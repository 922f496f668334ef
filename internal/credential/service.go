package credential

import (
	"context"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/tarn-data/tarn/internal/endpoint"
	"github.com/tarn-data/tarn/internal/fault"
	"github.com/tarn-data/tarn/internal/vault"
)

// Tenants tells which accounts somebody may manage.
type Tenants interface {
	TenantsOf(ctx context.Context, principal int64, groups []string) ([]string, error)
}

// Keys are the root keys that secrets are sealed with.
type Keys interface {
	Status(ctx context.Context) ([]vault.KeyStatus, error)
	Rotate(ctx context.Context) (vault.ID, error)
}

// Service manages credentials in the name of callers.
type Service struct {
	backend Backend
	tenants Tenants
	keys    Keys
}

// NewService makes a service.
func NewService(backend Backend, tenants Tenants, keys Keys) *Service {
	return &Service{backend, tenants, keys}
}

const (
	maxName  = 256
	maxValue = 64 << 10
)

// admit tells whether the caller may manage what is at a path: administrators may everything, others what belongs to the
// accounts that are granted to them.
func (s *Service) admit(ctx context.Context, at Path) error {
	if !nameable(at.App) || (at.Account != "" && !nameable(at.Account)) {
		return endpoint.Invalid("An account or app is named by up to 256 characters, without slashes.")
	}
	who := endpoint.Caller(ctx)
	if who.Admin {
		return nil
	}
	if at.Account != "" {
		granted, err := s.tenants.TenantsOf(ctx, who.ID, who.GroupNames)
		if err != nil {
			return err
		}
		if slices.Contains(granted, at.Account) {
			return nil
		}
	}
	return fault.New(fault.Denied, "PERMISSION_DENIED", "You may not manage these credentials.").
		WithHint("Administrators may, and for an account, who is granted it: tarn connection grant.")
}

// Put keeps a new version of a credential.
func (s *Service) Put(ctx context.Context, at Path, name string, value vault.Secret) (Info, error) {
	if err := s.admit(ctx, at); err != nil {
		return Info{}, err
	}
	switch text := value.Reveal(); {
	case !nameable(name):
		return Info{}, endpoint.Invalid("A credential is named by up to 256 characters, without slashes.")
	case text == "":
		return Info{}, endpoint.Invalid("The value is missing.")
	case len(text) > maxValue || !utf8.ValidString(text):
		return Info{}, endpoint.Invalid("A value is text of at most 64 KiB.")
	}
	info, err := s.backend.Put(ctx, at, name, value, endpoint.Caller(ctx).Name)
	return info, unavailable(err)
}

// List returns the credentials at a path.
func (s *Service) List(ctx context.Context, at Path) ([]Info, error) {
	if err := s.admit(ctx, at); err != nil {
		return nil, err
	}
	all, err := s.backend.List(ctx, at)
	return all, unavailable(err)
}

// Versions returns the versions of a credential, newest first.
func (s *Service) Versions(ctx context.Context, at Path, name string) ([]Info, error) {
	if err := s.admit(ctx, at); err != nil {
		return nil, err
	}
	all, err := s.backend.Versions(ctx, at, name)
	if err == nil && len(all) == 0 {
		return nil, notFound()
	}
	return all, unavailable(err)
}

// Delete deletes a credential with all its versions.
func (s *Service) Delete(ctx context.Context, at Path, name string) error {
	if err := s.admit(ctx, at); err != nil {
		return err
	}
	done, err := s.backend.Delete(ctx, at, name)
	if err == nil && !done {
		return notFound()
	}
	return unavailable(err)
}

func notFound() error { return endpoint.NotFound("There is no credential of this name at the path.") }

// unavailable tells the client that it is the backend that has failed, and the log why.
func unavailable(err error) error {
	if err == nil {
		return nil
	}
	if f := fault.From(err); f.Kind != fault.Internal {
		return f
	}
	return fault.New(fault.Unavailable, "TEMPORARILY_UNAVAILABLE", "The credentials can't be reached just now.").WithCause(err)
}

func nameable(name string) bool {
	return name != "" && name != "." && name != ".." && len(name) <= maxName && utf8.ValidString(name) && strings.TrimSpace(name) == name &&
		!strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f || r == '/' || r == '\\' })
}
