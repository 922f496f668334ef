package pg

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// ElevatedRoles is a query for the oids of the roles, in a column of that name, that have more than a user's rights: who
// may become one of them could do anything to the database. They are those with an attribute that PostgreSQL gives to
// administrators, this database's owner by either name, the predefined roles that reach the server's files and programs,
// and all of their members, be it at second hand.
const ElevatedRoles = `WITH RECURSIVE elevated AS (
  SELECT r.oid FROM pg_catalog.pg_roles r
  WHERE r.rolsuper OR r.rolcreaterole OR r.rolcreatedb OR r.rolreplication OR r.rolbypassrls
    OR r.oid = (SELECT d.datdba FROM pg_catalog.pg_database d WHERE d.datname = current_database())
    OR r.rolname IN ('pg_database_owner', 'pg_execute_server_program', 'pg_read_server_files', 'pg_write_server_files')
  UNION
  SELECT m.member FROM pg_catalog.pg_auth_members m JOIN elevated e ON e.oid = m.roleid
) SELECT oid FROM elevated`

// Elevated tells whether a role has more than a user's rights. A role that doesn't exist has none.
func Elevated(ctx context.Context, conn *pgx.Conn, role string) (bool, error) {
	var elevated bool
	const query = `SELECT EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.rolname = $1 AND r.oid IN (` + ElevatedRoles + `))`
	err := conn.QueryRow(ctx, query, role).Scan(&elevated)
	return elevated, err
}
