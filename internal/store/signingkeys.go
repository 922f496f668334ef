package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tarn-data/tarn/internal/token"
	"github.com/tarn-data/tarn/internal/vault"
)

// SigningKeys keeps the keys that sign tokens, sealed. It implements token.KeyStore.
type SigningKeys struct {
	db     *DB
	sealer *vault.Sealer
}

// SigningKeys returns where the keys that sign tokens are.
func (d *DB) SigningKeys(sealer *vault.Sealer) *SigningKeys { return &SigningKeys{d, sealer} }

func signingKeyPurpose(id string) []byte { return vault.Bind("signing key", id) }

// SigningKeys implements token.KeyStore.
func (s *SigningKeys) SigningKeys(ctx context.Context) ([]token.StoredKey, error) {
	rows, err := s.db.pool.Query(ctx, "SELECT number, id, sealed, signs_from FROM signing_keys ORDER BY number")
	if err != nil {
		return nil, err
	}
	type row struct {
		Number    int
		ID        string
		Sealed    []byte
		SignsFrom time.Time
	}
	found, err := pgx.CollectRows(rows, pgx.RowToStructByName[row])
	if err != nil {
		return nil, err
	}
	keys := make([]token.StoredKey, len(found))
	for i, r := range found {
		text, err := s.sealer.Open(ctx, signingKeyPurpose(r.ID), r.Sealed)
		if err != nil {
			return nil, fmt.Errorf("signing key %s: %w", r.ID, err)
		}
		keys[i] = token.StoredKey{Number: r.Number, ID: r.ID, Text: text, SignsFrom: r.SignsFrom, From: "signing key " + r.ID}
	}
	return keys, nil
}

// AddSigningKey implements token.KeyStore.
func (s *SigningKeys) AddSigningKey(ctx context.Context, k token.StoredKey) (bool, error) {
	sealed, err := s.sealer.Seal(ctx, signingKeyPurpose(k.ID), k.Text)
	if err != nil {
		return false, err
	}
	tag, err := s.db.pool.Exec(ctx, "INSERT INTO signing_keys (number, id, sealed, signs_from) VALUES ($1, $2, $3, $4) ON CONFLICT (number) DO NOTHING",
		k.Number, k.ID, sealed, k.SignsFrom)
	return tag.RowsAffected() > 0, err
}

// RemoveSigningKey implements token.KeyStore.
func (s *SigningKeys) RemoveSigningKey(ctx context.Context, k token.StoredKey) error {
	_, err := s.db.pool.Exec(ctx, "DELETE FROM signing_keys WHERE id = $1", k.ID)
	return err
}
