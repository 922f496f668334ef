package introspect

import (
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/tarn-data/tarn/internal/dataapi/schema"
)

// since15 is the version that lets roles be granted the right to set a parameter.
const since15 = 150000

// rolesQuery asks for the roles that the login role may become, and those of their settings that it may set. A role is
// elevated if it can make roles or databases, owns this database, or may become one that is elevated.
func rolesQuery(version int) string {
	granted := ""
	if version >= since15 {
		granted = ` OR has_parameter_privilege(s.name, 'SET')`
	}
	return strings.Replace(`WITH RECURSIVE elevated AS (
  SELECT r.oid FROM pg_roles r
  WHERE r.rolsuper OR r.rolcreaterole OR r.rolcreatedb OR r.rolname = 'pg_database_owner'
    OR r.oid = (SELECT d.datdba FROM pg_database d WHERE d.datname = current_database())
  UNION
  SELECT m.member FROM pg_auth_members m JOIN elevated e ON e.oid = m.roleid
), settable AS MATERIALIZED (
  SELECT s.name FROM pg_settings s WHERE s.context = 'user'/*granted*/
)
SELECT r.rolname, r.oid IN (SELECT e.oid FROM elevated e),
  CASE
    WHEN r.rolconfig IS NULL OR r.rolname = current_user THEN '{}'
    ELSE ARRAY(
      SELECT u.setting FROM unnest(r.rolconfig) WITH ORDINALITY u (setting, ord)
      JOIN settable s ON s.name = split_part(u.setting, '=', 1)
      ORDER BY u.ord)
  END
FROM pg_roles r
WHERE pg_has_role(r.oid, 'MEMBER')`, `/*granted*/`, granted, 1)
}

func (l *loader) readRoles(rows pgx.Rows) error {
	roles, err := readRoles(rows)
	l.parts.Roles = roles
	return err
}

func readRoles(rows pgx.Rows) (map[string]schema.RoleSettings, error) {
	var (
		name     string
		elevated bool
		config   []string
		out      = map[string]schema.RoleSettings{}
	)
	_, err := pgx.ForEachRow(rows, []any{&name, &elevated, &config}, func() error {
		all := settings(config)
		out[name] = schema.RoleSettings{
			Isolation: isolationSetting(all),
			Settings:  slices.DeleteFunc(all, func(s schema.Setting) bool { return s.Name == isolationName }),
			Elevated:  elevated,
		}
		return nil
	})
	return out, err
}

const timezonesQuery = `SELECT lower(z.name) FROM pg_timezone_names z`

func (l *loader) readTimezones(rows pgx.Rows) error {
	var name string
	l.parts.Timezones = map[string]struct{}{}
	_, err := pgx.ForEachRow(rows, []any{&name}, func() error {
		l.parts.Timezones[name] = struct{}{}
		return nil
	})
	return err
}
