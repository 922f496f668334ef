package introspect

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/tarn-data/tarn/internal/dataapi/schema"
)

// settingPrefix is what the names of settings in the database begin with.
const settingPrefix = "pgrst."

// settingNames are the settings that the database may hold.
func settingNames() []string {
	return []string{
		"client_error_verbosity", "db_aggregates_enabled", "db_anon_role", "db_extra_search_path", "db_hoisted_tx_settings",
		"db_max_rows", "db_plan_enabled", "db_pre_config", "db_pre_request", "db_prepared_statements", "db_root_spec",
		"db_schemas", "db_tx_end", "jwt_aud", "jwt_cache_max_lifetime", "jwt_role_claim_key", "jwt_secret",
		"jwt_secret_is_base64", "openapi_mode", "openapi_security_active", "openapi_server_proxy_uri",
		"server_cors_allowed_origins", "server_timing_enabled", "server_trace_header", "url_use_legacy_target_names",
	}
}

// The login role's own settings, those for this database before those for all.
const roleSettingsQuery = `SELECT DISTINCT ON (s.name) s.name, s.value
FROM (
  SELECT d.setdatabase, split_part(c, '=', 1) AS name, substr(c, strpos(c, '=') + 1) AS value
  FROM pg_catalog.pg_db_role_setting d, unnest(d.setconfig) c
  WHERE d.setrole = (SELECT r.oid FROM pg_catalog.pg_roles r WHERE r.rolname = current_user)
    AND d.setdatabase IN (0, (SELECT b.oid FROM pg_catalog.pg_database b WHERE b.datname = current_database()))
) s
WHERE s.name = ANY ($1)
ORDER BY s.name, s.setdatabase DESC`

// LoadSettings reads the settings that the database holds: those of the login role, and beneath them those that the
// function preConfig sets. Names come without their prefix.
func LoadSettings(ctx context.Context, conn *pgx.Conn, preConfig string) ([]schema.Setting, error) {
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{AccessMode: pgx.ReadOnly})
	if err != nil {
		return nil, fmt.Errorf("settings in the database: %w", err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }()
	values := map[string]string{}
	names := settingNames()
	full := make([]string, len(names))
	for i, n := range names {
		full[i] = settingPrefix + n
	}
	if preConfig != "" {
		if _, err := tx.Exec(ctx, "SELECT "+quoteName(preConfig)+"()"); err != nil {
			return nil, fmt.Errorf("pre-config function %s: %w", preConfig, err)
		}
		if err := collect(ctx, tx, values, "SELECT n, current_setting(n, true) FROM unnest($1::text[]) n", full); err != nil {
			return nil, err
		}
	}
	if err := collect(ctx, tx, values, roleSettingsQuery, full); err != nil {
		return nil, err
	}
	var out []schema.Setting
	for i, n := range names {
		if v, ok := values[full[i]]; ok {
			out = append(out, schema.Setting{Name: n, Value: v})
		}
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
