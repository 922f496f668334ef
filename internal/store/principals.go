package store

import (
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/tarn-data/tarn/internal/control/identity"
)

// missing says so in the words of the service.
func missing(err error) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return identity.ErrMissing
	}
	return err
}
