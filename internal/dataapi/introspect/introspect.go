// Package introspect reads the system catalogs of a PostgreSQL database and makes the snapshot that the Data API
// answers from. It knows neither requests nor when a snapshot is stale.
package introspect

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/tarn-data/tarn/internal/dataapi/schema"
)

// Options say what to load.
type Options struct {
	Schemas           []string // that are exposed
	ExtraSearchPath   []string // whose views may stand between an exposed view and its tables
	HoistedTxSettings []string // regular expressions of the settings of a routine that hold for the whole transaction
}

// Load reads the snapshot, in one transaction.
func Load(ctx context.Context, conn *pgx.Conn, opt Options) (*schema.Cache, error) {
	return nil, errors.New("not yet")
}

// LoadRoles reads the roles that the login role may become, and their settings.
func LoadRoles(ctx context.Context, conn *pgx.Conn) (map[string]schema.RoleSettings, error) {
	return nil, errors.New("not yet")
}
