package connection

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/tarn-data/tarn/internal/auth"
	"github.com/tarn-data/tarn/internal/endpoint"
	"github.com/tarn-data/tarn/internal/vault"
)

// Options say what a service works with.
type Options struct {
	Store     Store
	Sealer    Sealer
	Outbound  Outbound
	Workspace Workspace
	Directory auth.Directory
	NewID     func() string // a UUID
	Now       func() time.Time
	Log       *slog.Logger

	TestTimeout time.Duration // how long a test may take; 0 for a default
}

// Service keeps and tests connections. It is safe for concurrent use.
type Service struct {
	store     Store
	sealer    Sealer
	outbound  Outbound
	workspace Workspace
	directory auth.Directory
	newID     func() string
	now       func() time.Time
	log       *slog.Logger

	testTimeout time.Duration
}

// NewService makes a service.
func NewService(opt Options) *Service {
	if opt.TestTimeout == 0 {
		opt.TestTimeout = testTimeout
	}
	return &Service{
		store: opt.Store, sealer: opt.Sealer, outbound: opt.Outbound, workspace: opt.Workspace, directory: opt.Directory,
		newID: opt.NewID, now: opt.Now, log: opt.Log, testTimeout: opt.TestTimeout,
	}
}

// access tells which tenants' connections the caller may manage.
func (s *Service) access(ctx context.Context) (Access, error) {
	who := endpoint.Caller(ctx)
	if who.Admin {
		return Access{All: true}, nil
	}
	tenants, err := s.store.TenantsOf(ctx, who.ID, who.GroupNames)
	return Access{Tenants: tenants}, err
}

func (s *Service) may(ctx context.Context, tenant string) (bool, error) {
	a, err := s.access(ctx)
	return a.All || slices.Contains(a.Tenants, tenant), err
}

// Create makes a connection, and keeps its credentials if there are any, as one.
func (s *Service) Create(ctx context.Context, n New, withCredentials bool) (*Connection, error) {
	if ok, err := s.may(ctx, n.Tenant); err != nil || !ok {
		return nil, orElse(err, denied())
	}
	if err := s.validate(&n, withCredentials); err != nil {
		return nil, err
	}
	c := &Connection{
		ID: s.newID(), Tenant: n.Tenant, Name: n.Name, WorkspaceURL: n.WorkspaceURL, WarehouseID: n.WarehouseID,
		Catalog: n.Catalog, WorkspaceID: n.WorkspaceID, Region: n.Region, Cloud: n.Cloud, Status: Pending, MadeBy: endpoint.Caller(ctx).Name,
	}
	var sealed []byte
	if withCredentials {
		var err error
		c.ClientID, c.Version = n.ClientID, 1
		if sealed, err = s.sealer.Seal(ctx, c.binding(c.ClientID, c.Version), []byte(n.ClientSecret.Reveal())); err != nil {
			return nil, err
		}
	}
	return c, stored(s.store.CreateConnection(ctx, c, sealed))
}

// StoreCredentials keeps the credentials of a connection, in place of those it had.
func (s *Service) StoreCredentials(ctx context.Context, tenant, name, clientID string, secret vault.Secret) (*Connection, error) {
	if ok, err := s.may(ctx, tenant); err != nil || !ok {
		return nil, orElse(err, notFound())
	}
	if blank(clientID) || blank(secret.Reveal()) {
		return nil, empty("clientId or clientSecret")
	}
	if err := validCredentials(clientID, secret); err != nil {
		return nil, err
	}
	c, err := s.store.StoreCredentials(ctx, tenant, name, clientID, func(c *Connection, version int64) ([]byte, error) {
		return s.sealer.Seal(ctx, c.binding(clientID, version), []byte(secret.Reveal()))
	})
	return found(c, stored(err))
}

// Get returns a connection.
func (s *Service) Get(ctx context.Context, tenant, name string) (*Connection, error) {
	if ok, err := s.may(ctx, tenant); err != nil || !ok {
		return nil, orElse(err, notFound())
	}
	c, _, err := s.store.Connection(ctx, tenant, name)
	return found(c, err)
}

// List returns the connections of a tenant, or without one, of all tenants whose connections the caller may manage.
func (s *Service) List(ctx context.Context, tenant string) ([]*Connection, error) {
	a, err := s.access(ctx)
	if err != nil {
		return nil, err
	}
	if tenant != "" {
		if !a.All && !slices.Contains(a.Tenants, tenant) {
			return nil, nil
		}
		a = Access{Tenants: []string{tenant}}
	}
	return s.store.Connections(ctx, a)
}

// Revoke takes a connection's credentials away. The tenant can have another one then.
func (s *Service) Revoke(ctx context.Context, tenant, name string) (*Connection, error) {
	if ok, err := s.may(ctx, tenant); err != nil || !ok {
		return nil, orElse(err, notFound())
	}
	return found(s.store.RevokeConnection(ctx, tenant, name))
}

// Delete deletes a connection with its credentials.
func (s *Service) Delete(ctx context.Context, tenant, name string) error {
	if ok, err := s.may(ctx, tenant); err != nil || !ok {
		return orElse(err, notFound())
	}
	done, err := s.store.DeleteConnection(ctx, tenant, name)
	if err == nil && !done {
		return notFound()
	}
	return err
}

func found(c *Connection, err error) (*Connection, error) {
	if err == nil && c == nil {
		return nil, notFound()
	}
	return c, err
}

// orElse is an error, or another one if there is none.
func orElse(err, other error) error {
	if err != nil {
		return err
	}
	return other
}
