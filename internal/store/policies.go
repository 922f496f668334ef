package store

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/tarn-data/tarn/internal/oauth"
)

const policyColumns = `uid, id, coalesce(service_principal_id, 0), description, issuer, audiences, subject, subject_claim, jwks_url, jwks, created_at, updated_at`

func scanPolicy(row pgx.CollectableRow) (oauth.Policy, error) {
	var p oauth.Policy
	err := row.Scan(&p.UID, &p.ID, &p.ServicePrincipalID, &p.Description, &p.Issuer, &p.Audiences, &p.Subject, &p.SubjectClaim,
		&p.JWKSURL, &p.JWKS, &p.CreatedAt, &p.UpdatedAt)
	return p, err
}

// AddPolicy implements oauth.PolicyStore.
func (d *DB) AddPolicy(ctx context.Context, p *oauth.Policy) error {
	tag, err := d.pool.Exec(ctx, `INSERT INTO federation_policies
		(uid, id, service_principal_id, description, issuer, audiences, subject, subject_claim, jwks_url, jwks, created_at, updated_at)
		SELECT $1, $2, nullif($3::bigint, 0), $4, $5, $6, $7, $8, $9, $10, $11, $12
		WHERE $3 = 0 OR EXISTS (SELECT FROM principals WHERE id = $3 AND kind = 'ServicePrincipal')`,
		p.UID, p.ID, p.ServicePrincipalID, p.Description, p.Issuer, texts(p.Audiences), p.Subject, p.SubjectClaim, p.JWKSURL, p.JWKS, p.CreatedAt, p.UpdatedAt)
	var refused *pgconn.PgError
	switch {
	case errors.As(err, &refused) && refused.Code == "23505":
		return oauth.ErrPolicyExists
	case err == nil && tag.RowsAffected() == 0:
		return oauth.ErrNoPrincipal
	}
	return err
}

// Policy implements oauth.PolicyStore.
func (d *DB) Policy(ctx context.Context, servicePrincipalID int64, id string) (*oauth.Policy, error) {
	rows, err := d.pool.Query(ctx, "SELECT "+policyColumns+" FROM federation_policies WHERE coalesce(service_principal_id, 0) = $1 AND id = $2", servicePrincipalID, id)
	if err != nil {
		return nil, err
	}
	p, err := pgx.CollectExactlyOneRow(rows, scanPolicy)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil //nolint:nilnil // as the interface has it
	}
	return &p, err
}

// Policies implements oauth.PolicyStore.
func (d *DB) Policies(ctx context.Context, servicePrincipalID int64) ([]oauth.Policy, error) {
	rows, err := d.pool.Query(ctx, "SELECT "+policyColumns+" FROM federation_policies WHERE coalesce(service_principal_id, 0) = $1 ORDER BY created_at, id", servicePrincipalID)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scanPolicy)
}

// UpdatePolicy implements oauth.PolicyStore.
func (d *DB) UpdatePolicy(ctx context.Context, p *oauth.Policy) error {
	_, err := d.pool.Exec(ctx, `UPDATE federation_policies SET description = $2, issuer = $3, audiences = $4, subject = $5, subject_claim = $6,
		jwks_url = $7, jwks = $8, updated_at = $9 WHERE uid = $1`,
		p.UID, p.Description, p.Issuer, texts(p.Audiences), p.Subject, p.SubjectClaim, p.JWKSURL, p.JWKS, p.UpdatedAt)
	return err
}

// DeletePolicy implements oauth.PolicyStore.
func (d *DB) DeletePolicy(ctx context.Context, servicePrincipalID int64, id string) error {
	_, err := d.pool.Exec(ctx, "DELETE FROM federation_policies WHERE coalesce(service_principal_id, 0) = $1 AND id = $2", servicePrincipalID, id)
	return err
}
