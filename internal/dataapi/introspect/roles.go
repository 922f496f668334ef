package introspect

import (
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/tarn-data/tarn/internal/dataapi/schema"
	"github.com/tarn-data/tarn/internal/pg"
)

// since15 is the version that lets roles be granted the right to set a parameter.
const since15 = 150000

// rolesQuery asks for the roles that the login role may become, and those of their settings that it may set. It may run on a
// connection that somebody left as another role, so it asks of session_user.
func rolesQuery(version int) string {
	granted := ""
	if version >= since15 {
		granted = ` OR has_parameter_privilege(session_user, s.name, 'SET')`
	}
	return `WITH settable AS MATERIALIZED (
  SELECT s.name FROM pg_settings s WHERE s.context = 'user'` + granted + `
)
SELECT r.rolname, r.oid IN (` + pg.ElevatedRoles + `),
  CASE
    WHEN r.rolconfig IS NULL OR r.rolname = session_user THEN '{}'
    ELSE ARRAY(
      SELECT u.setting FROM unnest(r.rolconfig) WITH ORDINALITY u (setting, ord)
      JOIN settable s ON s.name = split_part(u.setting, '=', 1)
      ORDER BY u.ord)
  END
FROM pg_roles r
WHERE pg_has_role(session_user, r.oid, 'MEMBER')`
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
