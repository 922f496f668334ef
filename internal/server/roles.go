package server

import (
	"context"
	"errors"
	"log/slog"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/tarn-data/tarn/internal/auth"
	"github.com/tarn-data/tarn/internal/endpoint"
	"github.com/tarn-data/tarn/internal/pg"
)

// principalRoles makes the roles of PostgreSQL that principals act as in the Data API, just as the function
// databricks_create_role does.
type principalRoles struct {
	url string // of who may create roles
	log *slog.Logger
}

// roleComment is what the comments of such roles begin with. Other roles are left alone, whatever their names are.
const roleComment = "databricks_auth "

const maxRoleName = 63 // bytes

// Make implements identity.Roles.
func (r *principalRoles) Make(ctx context.Context, name string, kind auth.Kind) error {
	if len(name) > maxRoleName {
		r.log.Warn("a principal gets no role: its name is too long for one", "principal", name)
		return nil
	}
	comment := roleComment + "USER"
	if kind == auth.ServicePrincipal {
		comment = roleComment + "SERVICE_PRINCIPAL"
	}
	return r.alter(ctx, name, func(tx pgx.Tx, role string, there, ours bool) error {
		switch {
		case there && !ours:
			r.log.Warn("a principal gets no role: there is another one of its name", "principal", name)
			return nil
		case there:
			return run(ctx, tx, "ALTER ROLE "+role+" LOGIN", grantSQL("GRANT ", role, " TO "))
		}
		err := run(ctx, tx, "CREATE ROLE "+role+" LOGIN", "COMMENT ON ROLE "+role+" IS "+literal(comment), grantSQL("GRANT ", role, " TO "))
		if refusal, ok := errors.AsType[*pgconn.PgError](err); ok && refusal.Code == "42939" { // reserved_name
			return endpoint.Invalid("'" + name + "' is reserved by PostgreSQL: no role can have it.")
		}
		return err
	})
}

// Retire implements identity.Roles.
func (r *principalRoles) Retire(ctx context.Context, name string) error {
	return r.alter(ctx, name, func(tx pgx.Tx, role string, _, ours bool) error {
		if !ours {
			return nil
		}
		err := run(ctx, tx, "ALTER ROLE "+role+" NOLOGIN", grantSQL("REVOKE ", role, " FROM "))
		if refusal, ok := errors.AsType[*pgconn.PgError](err); ok && refusal.Code == "42501" { // insufficient_privilege
			return endpoint.InvalidState("The use of the role " + name + " can't be taken away, since somebody else made it: " +
				"REVOKE it FROM authenticator as its maker first.").WithCause(err)
		}
		return err
	})
}

// alter does something to a role, of which it is known whether it is there and whether it is a principal's.
func (r *principalRoles) alter(ctx context.Context, name string, do func(tx pgx.Tx, role string, there, ours bool) error) error {
	conn, err := pg.Connect(ctx, r.url, appName)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		var comment *string
		err := tx.QueryRow(ctx, "SELECT shobj_description(oid, 'pg_authid') FROM pg_roles WHERE rolname = $1", name).Scan(&comment)
		if err != nil && !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		there := err == nil
		return do(tx, pgx.Identifier{name}.Sanitize(), there, there && comment != nil && strings.HasPrefix(*comment, roleComment))
	})
}

// grantSQL lets the Data API become a role or not, where it has been set up.
func grantSQL(verb, role, whom string) string {
	return "DO " + literal("BEGIN IF to_regrole('authenticator') IS NOT NULL THEN "+verb+role+whom+"authenticator; END IF; END")
}

func run(ctx context.Context, tx pgx.Tx, statements ...string) error {
	for _, sql := range statements {
		if _, err := tx.Exec(ctx, sql); err != nil {
			return err
		}
	}
	return nil
}
