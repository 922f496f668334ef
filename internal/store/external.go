package store

import (
	"context"
	"errors"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/tarn-data/tarn/internal/auth"
	"github.com/tarn-data/tarn/internal/control/identity"
)

// ExternalUser implements identity.ExternalStore.
func (d *DB) ExternalUser(ctx context.Context, who auth.Person) (identity.Ref, error) {
	var r identity.Ref
	err := d.pool.QueryRow(ctx, `SELECT p.id, p.kind, p.name, p.display_name FROM external_identities e JOIN principals p ON p.id = e.principal_id
		WHERE e.issuer = $1 AND e.subject = $2`, who.Issuer, who.Subject).Scan(&r.ID, &r.Kind, &r.Name, &r.DisplayName)
	if errors.Is(err, pgx.ErrNoRows) {
		err = nil
	}
	return r, err
}

// LinkUser implements identity.ExternalStore.
func (d *DB) LinkUser(ctx context.Context, who auth.Person, principalID int64, replace bool) error {
	return d.inTx(ctx, func(tx pgx.Tx) error {
		// Two who come at once become the same user one after the other.
		if _, err := tx.Exec(ctx, "SELECT FROM principals WHERE id = $1 FOR NO KEY UPDATE", principalID); err != nil {
			return err
		}
		const others = "FROM external_identities WHERE principal_id = $1 AND (issuer, subject) <> ($2, $3)"
		var taken bool
		if err := tx.QueryRow(ctx, "SELECT EXISTS (SELECT "+others+")", principalID, who.Issuer, who.Subject).Scan(&taken); err != nil {
			return err
		}
		if taken && !replace {
			return identity.ErrTaken
		}
		if taken {
			if _, err := tx.Exec(ctx, "DELETE "+others, principalID, who.Issuer, who.Subject); err != nil {
				return err
			}
			if err := endLogins(ctx, tx, principalID); err != nil {
				return err
			}
		}
		return linkUser(ctx, tx, who, principalID)
	})
}

func linkUser(ctx context.Context, tx pgx.Tx, who auth.Person, principalID int64) error {
	_, err := tx.Exec(ctx, "INSERT INTO external_identities (issuer, subject, principal_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
		who.Issuer, who.Subject, principalID)
	return err
}

// CreateExternalUser implements identity.ExternalStore.
func (d *DB) CreateExternalUser(
	ctx context.Context, p *identity.Principal, groups []string, who auth.Person, confirm func(*identity.Principal) error,
) error {
	return d.changePrincipals(ctx, func(tx pgx.Tx) error {
		id, err := insertPrincipal(ctx, tx, p)
		if err != nil {
			return err
		}
		for _, name := range groups {
			tag, err := tx.Exec(ctx, "INSERT INTO members SELECT id, $1 FROM principals WHERE kind = 'Group' AND lower(name) = $2 ON CONFLICT DO NOTHING",
				id, strings.ToLower(name))
			if err != nil {
				return err
			}
			if tag.RowsAffected() == 0 && !strings.EqualFold(name, "users") {
				return identity.NoGroupError(name)
			}
		}
		if err := linkUser(ctx, tx, who, id); err != nil {
			return err
		}
		made, err := principal(ctx, tx, p.Kind, id)
		if err != nil {
			return err
		}
		return confirmed(confirm, made)
	})
}
