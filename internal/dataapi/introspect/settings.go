package introspect

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/tarn-data/tarn/internal/dataapi/schema"
)

// The login role's own settings, those for this database before those for all.
const roleSettingsQuery = `SELECT DISTINCT ON (s.name) s.name, s.value
FROM (
  SELECT d.setdatabase, split_part(c, '=', 1) AS name, substr(c, strpos(c, '=') + 1) AS value
  FROM pg_catalog.pg_db_role_setting d, unnest(d.setconfig) c
  WHERE d.setrole = (SELECT r.oid FROM pg_catalog.pg_roles r WHERE r.rolname = current_user)
    AND d.setdatabase IN (0, (SELECT b.oid FROM pg_catalog.pg_database b WHERE b.datname = current_database()))
) s
WHERE s.name = ANY ($1) OR s.name LIKE 'app.settings.%'
ORDER BY s.name, s.setdatabase DESC`

// LoadSettings reads the settings of these names that the database holds: those of the login role, and beneath them those
// that the function preConfig sets. The role's settings of the application's own are among them, whatever their names.
func LoadSettings(ctx context.Context, conn *pgx.Conn, preConfig string, names []string) ([]schema.Setting, error) {
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{AccessMode: pgx.ReadOnly})
	if err != nil {
		return nil, fmt.Errorf("settings in the database: %w", err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }()
	values := map[string]string{}
	if preConfig != "" {
		if _, err := tx.Exec(ctx, "SELECT "+quoteName(preConfig)+"()"); err != nil {
			return nil, fmt.Errorf("pre-config function %s: %w", preConfig, err)
		}
		if err := collect(ctx, tx, values, "SELECT n, current_setting(n, true) FROM unnest($1::text[]) n", names); err != nil {
			return nil, err
		}
	}
	if err := collect(ctx, tx, values, roleSettingsQuery, names); err != nil {
		return nil, err
	}
	out := make([]schema.Setting, 0, len(values))
	for _, n := range slices.Sorted(maps.Keys(values)) {
		out = append(out, schema.Setting{Name: n, Value: values[n]})
	}
	return out, nil
}

func collect(ctx context.Context, tx pgx.Tx, into map[string]string, query string, names []string) error {
	rows, err := tx.Query(ctx, query, names)
	if err != nil {
		return fmt.Errorf("settings in the database: %w", err)
	}
	var (
		name  string
		value *string
	)
	_, err = pgx.ForEachRow(rows, []any{&name, &value}, func() error {
		if value != nil {
			into[name] = *value
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("settings in the database: %w", err)
	}
	return nil
}

// quoteName quotes name or schema.name.
func quoteName(s string) string {
	before, after, ok := strings.Cut(s, ".")
	if !ok {
		return pgx.Identifier{s}.Sanitize()
	}
	return pgx.Identifier{before, after}.Sanitize()
}
