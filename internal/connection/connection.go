// Package connection keeps the connections of tenants to workspaces, with the credentials that they are made with, and
// tests them. It knows who may manage which tenant's connections. It doesn't know how they are kept, nor what is done
// with them.
package connection

import (
	"context"
	"net/url"
	"strconv"
	"time"

	"github.com/tarn-data/tarn/internal/vault"
	"github.com/tarn-data/tarn/internal/workspace"
)

// Status is how far a connection has come.
type Status string

// The statuses of connections. One that isn't revoked is active in the sense that a tenant can have no other.
const (
	Pending Status = "PENDING" // not tested with success yet
	Active  Status = "ACTIVE"
	Revoked Status = "REVOKED" // its credentials are gone
)

// Connection is a tenant's connection to a workspace. Its secret is no part of it.
type Connection struct {
	ID           string
	Tenant       string
	Name         string
	WorkspaceURL string
	WarehouseID  string
	Catalog      string
	WorkspaceID  string
	Region       string
	Cloud        string
	ClientID     string // empty for none
	Status       Status
	Version      int64 // of the credentials; 0 for none
	MadeAt       time.Time
	MadeBy       string
	ChangedAt    time.Time
	TestedAt     *time.Time
	TestPassed   *bool
	TestMessage  string
}

// binding is what a connection's secret is sealed to: it opens for no other connection, and for no other workspace.
func (c *Connection) binding(clientID string, version int64) []byte {
	return vault.Bind("connection", c.Tenant, c.ID, c.WorkspaceURL, clientID, strconv.FormatInt(version, 10))
}

// Access is which tenants' connections somebody may manage.
type Access struct {
	All     bool
	Tenants []string
}

// Store keeps connections. What isn't there is nil.
type Store interface {
	// CreateConnection keeps a new connection with its sealed secret, which may be nil, in one transaction. Its error is
	// ErrActiveExists or ErrNameExists if such a one is there.
	CreateConnection(ctx context.Context, c *Connection, sealed []byte) error
	Connection(ctx context.Context, tenant, name string) (c *Connection, sealed []byte, err error)
	// Connections returns connections, ordered by tenant and name.
	Connections(ctx context.Context, access Access) ([]*Connection, error)
	// StoreCredentials seals and keeps the credentials of a connection, which is pending then. Nobody else changes it
	// meanwhile. Its error is ErrActiveExists if the tenant has another that isn't revoked.
	StoreCredentials(ctx context.Context, tenant, name, clientID string, seal func(c *Connection, version int64) ([]byte, error)) (*Connection, error)
	// RecordTest takes note of a test, and makes the connection active if it passed with the credentials of the version.
	RecordTest(ctx context.Context, id string, version int64, passed bool, message string) error
	// RevokeConnection takes a connection's credentials away.
	RevokeConnection(ctx context.Context, tenant, name string) (*Connection, error)
	DeleteConnection(ctx context.Context, tenant, name string) (bool, error)

	GrantTenant(ctx context.Context, g Grant) error
	RevokeTenant(ctx context.Context, g Grant) (bool, error)
	TenantGrants(ctx context.Context, tenant string) ([]Grant, error)
	// TenantsOf returns the tenants that are granted to a principal or one of its groups.
	TenantsOf(ctx context.Context, principal int64, groups []string) ([]string, error)
}

// Grant lets somebody manage a tenant's connections.
type Grant struct {
	Tenant    string
	Kind      string // user, service_principal or group
	Name      string
	Principal int64 // id of the user or service principal; 0 for a group
	MadeAt    time.Time
	MadeBy    string
}

// Sealer seals secrets.
type Sealer interface {
	Seal(ctx context.Context, aad, plaintext []byte) ([]byte, error)
	Open(ctx context.Context, aad, sealed []byte) ([]byte, error)
}

// Outbound tells which URLs requests may go to.
type Outbound interface {
	Check(raw string) (*url.URL, error)
}

// Workspace is the workspace that a connection leads to.
type Workspace interface {
	Token(ctx context.Context, base string, cred workspace.Credentials) (workspace.Token, error)
	Run(ctx context.Context, base string, token vault.Secret, warehouse, statement string) error
}
