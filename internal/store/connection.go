package store

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/tarn-data/tarn/internal/connection"
)

const connectionColumns = `id::text, tenant, name, workspace_url, warehouse_id, catalog, workspace_id, region, cloud, client_id,
	status, version, made_at, made_by, changed_at, tested_at, test_passed, test_message, sealed`

type connectionRow struct {
	ID           string
	Tenant       string
	Name         string
	WorkspaceURL string `db:"workspace_url"`
	WarehouseID  string
	Catalog      string
	WorkspaceID  string
	Region       string
	Cloud        string
	ClientID     string
	Status       string
	Version      int64
	MadeAt       time.Time
	MadeBy       string
	ChangedAt    time.Time
	TestedAt     *time.Time
	TestPassed   *bool
	TestMessage  string
	Sealed       []byte
}

func (r *connectionRow) connection() *connection.Connection {
	return &connection.Connection{
		ID: r.ID, Tenant: r.Tenant, Name: r.Name, WorkspaceURL: r.WorkspaceURL, WarehouseID: r.WarehouseID, Catalog: r.Catalog,
		WorkspaceID: r.WorkspaceID, Region: r.Region, Cloud: r.Cloud, ClientID: r.ClientID, Status: connection.Status(r.Status), Version: r.Version,
		MadeAt: r.MadeAt, MadeBy: r.MadeBy, ChangedAt: r.ChangedAt, TestedAt: r.TestedAt, TestPassed: r.TestPassed, TestMessage: r.TestMessage,
	}
}

// oneConnection reads the one connection that a query returns; nil if there is none.
func oneConnection(ctx context.Context, q interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}, sql string, args ...any) (*connectionRow, error) {
	rows, err := q.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	r, err := pgx.CollectExactlyOneRow(rows, pgx.RowToAddrOfStructByName[connectionRow])
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil //nolint:nilnil // as the interface has it
	}
	return r, err
}

// CreateConnection implements connection.Store.
func (d *DB) CreateConnection(ctx context.Context, c *connection.Connection, sealed []byte) error {
	err := d.pool.QueryRow(ctx, `INSERT INTO connections
		(id, tenant, name, workspace_url, warehouse_id, catalog, workspace_id, region, cloud, client_id, sealed, version, status, made_by)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) RETURNING made_at, changed_at`,
		c.ID, c.Tenant, c.Name, c.WorkspaceURL, c.WarehouseID, c.Catalog, c.WorkspaceID, c.Region, c.Cloud, c.ClientID, sealed, c.Version, c.Status, c.MadeBy).
		Scan(&c.MadeAt, &c.ChangedAt)
	return connectionFault(err)
}

// connectionFault tells what a constraint held.
func connectionFault(err error) error {
	if violated, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch violated.ConstraintName {
		case "connections_one_active":
			return connection.ErrActiveExists
		case "connections_name":
			return connection.ErrNameExists
		}
	}
	return err
}

// Connection implements connection.Store.
func (d *DB) Connection(ctx context.Context, tenant, name string) (*connection.Connection, []byte, error) {
	r, err := oneConnection(ctx, d.pool, "SELECT "+connectionColumns+" FROM connections WHERE tenant = $1 AND name = $2", tenant, name)
	if err != nil || r == nil {
		return nil, nil, err
	}
	return r.connection(), r.Sealed, nil
}

// Connections implements connection.Store.
func (d *DB) Connections(ctx context.Context, access connection.Access) ([]*connection.Connection, error) {
	rows, err := d.pool.Query(ctx, "SELECT "+connectionColumns+" FROM connections WHERE $1 OR tenant = ANY ($2) ORDER BY tenant, name",
		access.All, access.Tenants)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (*connection.Connection, error) {
		r, err := pgx.RowToAddrOfStructByName[connectionRow](row)
		if err != nil {
			return nil, err
		}
		return r.connection(), nil
	})
}

// StoreCredentials implements connection.Store.
func (d *DB) StoreCredentials(ctx context.Context, tenant, name, clientID string, seal func(*connection.Connection, int64) ([]byte, error)) (c *connection.Connection, err error) {
	err = d.inTx(ctx, func(tx pgx.Tx) error {
		r, err := oneConnection(ctx, tx, "SELECT "+connectionColumns+" FROM connections WHERE tenant = $1 AND name = $2 FOR UPDATE", tenant, name)
		if err != nil || r == nil {
			return err
		}
		sealed, err := seal(r.connection(), r.Version+1)
		if err != nil {
			return err
		}
		r, err = oneConnection(ctx, tx, `UPDATE connections SET client_id = $2, sealed = $3, version = version + 1, status = 'PENDING', changed_at = now(),
			tested_at = NULL, test_passed = NULL, test_message = '' WHERE id = $1::uuid RETURNING `+connectionColumns, r.ID, clientID, sealed)
		if err == nil && r != nil {
			c = r.connection()
		}
		return err
	})
	if err != nil {
		return nil, connectionFault(err)
	}
	return c, nil
}

// RecordTest implements connection.Store.
func (d *DB) RecordTest(ctx context.Context, id string, version int64, passed bool, message string) error {
	_, err := d.pool.Exec(ctx, `UPDATE connections SET tested_at = now(), test_passed = $3, test_message = $4,
		status = CASE WHEN $3 AND status = 'PENDING' THEN 'ACTIVE' ELSE status END WHERE id = $1::uuid AND version = $2`, id, version, passed, message)
	return err
}

// RevokeConnection implements connection.Store.
func (d *DB) RevokeConnection(ctx context.Context, tenant, name string) (*connection.Connection, error) {
	r, err := oneConnection(ctx, d.pool, `UPDATE connections SET status = 'REVOKED', sealed = NULL, changed_at = now()
		WHERE tenant = $1 AND name = $2 RETURNING `+connectionColumns, tenant, name)
	if err != nil || r == nil {
		return nil, err
	}
	return r.connection(), nil
}

// DeleteConnection implements connection.Store.
func (d *DB) DeleteConnection(ctx context.Context, tenant, name string) (bool, error) {
	tag, err := d.pool.Exec(ctx, "DELETE FROM connections WHERE tenant = $1 AND name = $2", tenant, name)
	return tag.RowsAffected() > 0, err
}

// GrantTenant implements connection.Store.
func (d *DB) GrantTenant(ctx context.Context, g connection.Grant) error {
	_, err := d.pool.Exec(ctx, `INSERT INTO tenant_grants (tenant, kind, name, principal, made_by) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (tenant, kind, name) DO UPDATE SET principal = excluded.principal, made_by = excluded.made_by, made_at = now()`,
		g.Tenant, g.Kind, g.Name, g.Principal, g.MadeBy)
	return err
}

// RevokeTenant implements connection.Store.
func (d *DB) RevokeTenant(ctx context.Context, g connection.Grant) (bool, error) {
	tag, err := d.pool.Exec(ctx, "DELETE FROM tenant_grants WHERE tenant = $1 AND kind = $2 AND name = $3", g.Tenant, g.Kind, g.Name)
	return tag.RowsAffected() > 0, err
}

// TenantGrants implements connection.Store.
func (d *DB) TenantGrants(ctx context.Context, tenant string) ([]connection.Grant, error) {
	rows, err := d.pool.Query(ctx, "SELECT tenant, kind, name, principal, made_at, made_by FROM tenant_grants WHERE tenant = $1 ORDER BY kind, name", tenant)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[connection.Grant])
}

// TenantsOf implements connection.Store.
func (d *DB) TenantsOf(ctx context.Context, principal int64, groups []string) ([]string, error) {
	rows, err := d.pool.Query(ctx, `SELECT DISTINCT tenant FROM tenant_grants
		WHERE principal <> 0 AND principal = $1 OR kind = 'group' AND name = ANY ($2) ORDER BY tenant`, principal, groups)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}
