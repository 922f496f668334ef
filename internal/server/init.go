package server

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/tarn-data/tarn/internal/pg"
	"github.com/tarn-data/tarn/internal/pg/databricksauth"
)

// InitOptions say what to make on a server of one's own.
type InitOptions struct {
	URL      string // of a role that may create roles and databases
	Database string
	DryRun   bool
}

// initStep is one thing that Tarn needs: how to find out whether it is there, and what makes it.
type initStep struct {
	what  string
	there string // a query of one boolean; empty to make it each time
	sql   string
}

const enableSQL = `CREATE SCHEMA IF NOT EXISTS pgrst;
CREATE FUNCTION pgrst.pre_config() RETURNS void LANGUAGE sql AS $$
SELECT set_config('pgrst.db_schemas', 'public', true), set_config('pgrst.db_aggregates_enabled', 'true', true)
$$;`

// Init makes what Tarn needs on a PostgreSQL server that it doesn't run itself, and reports what it did and what is left
// to do. Doing it again changes nothing.
func Init(ctx context.Context, opt InitOptions) ([]string, error) {
	var report []string
	say := func(format string, args ...any) { report = append(report, fmt.Sprintf(format, args...)) }
	password := rand.Text()
	database := pgx.Identifier{opt.Database}.Sanitize()
	server := []initStep{
		{
			"the role authenticator", "SELECT to_regrole('authenticator') IS NOT NULL",
			"CREATE ROLE authenticator LOGIN NOINHERIT NOCREATEDB NOCREATEROLE NOSUPERUSER PASSWORD '" + password + "'",
		},
		{
			"the database " + opt.Database,
			"SELECT EXISTS (SELECT FROM pg_database WHERE datname = " + literal(opt.Database) + ")", "CREATE DATABASE " + database,
		},
	}
	inDatabase := []initStep{
		{"the function pgrst.pre_config()", "SELECT to_regprocedure('pgrst.pre_config()') IS NOT NULL", enableSQL},
		{"the rights of authenticator", "", "GRANT USAGE ON SCHEMA pgrst TO authenticator; GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA pgrst TO authenticator"},
	}
	if opt.DryRun {
		for _, s := range append(server, inDatabase...) {
			say("-- %s\n%s;", s.what, strings.TrimSuffix(strings.ReplaceAll(s.sql, password, "CHOOSE-ONE"), ";"))
		}
		return report, nil
	}
	conn, err := pg.Connect(ctx, opt.URL, appName)
	if err != nil {
		return report, err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	made, err := runSteps(ctx, conn, server, say)
	if err != nil {
		return report, err
	}
	there, err := withDatabase(opt.URL, opt.Database)
	if err != nil {
		return report, err
	}
	db, err := pg.Connect(ctx, there, appName)
	if err != nil {
		return report, err
	}
	defer func() { _ = db.Close(context.WithoutCancel(ctx)) }()
	if _, err := runSteps(ctx, db, inDatabase, say); err != nil {
		return report, err
	}
	watchAndExtend(ctx, db, say)
	sayNext(there, password, made[0], say)
	return report, nil
}

func runSteps(ctx context.Context, conn *pgx.Conn, steps []initStep, say func(string, ...any)) ([]bool, error) {
	made := make([]bool, len(steps))
	for i, s := range steps {
		var there bool
		if s.there != "" {
			if err := conn.QueryRow(ctx, s.there).Scan(&there); err != nil {
				return made, fmt.Errorf("%s: %w", s.what, err)
			}
		}
		if there {
			say("there  %s", s.what)
			continue
		}
		if _, err := conn.PgConn().Exec(ctx, s.sql).ReadAll(); err != nil {
			return made, fmt.Errorf("%s: %w", s.what, err)
		}
		made[i] = true
		say("made   %s", s.what)
	}
	return made, nil
}

// watchAndExtend makes what not every administrator can make; without it Tarn works, too.
func watchAndExtend(ctx context.Context, conn *pgx.Conn, say func(string, ...any)) {
	var pgErr *pgconn.PgError
	switch err := pg.WatchDDL(ctx, conn); {
	case err == nil:
		say("made   event triggers that tell Tarn of changes to the schema")
	case errors.As(err, &pgErr) && pgErr.Code == "42501":
		say("left   event triggers: only a superuser can make them. After a change to the schema, run NOTIFY pgrst, 'reload schema'")
	default:
		say("left   event triggers: %v", err)
	}
	_, err := conn.Exec(ctx, "CREATE EXTENSION IF NOT EXISTS "+databricksauth.Name)
	if err == nil {
		say("made   the extension %s", databricksauth.Name)
		return
	}
	say("left   the extension %s: the server doesn't have its files. Write them with tarn init --extension-files DIR, and copy them into"+
		" the folder `extension` in what `pg_config --sharedir` prints on the server; or make roles by CREATE ROLE \"user@example.com\" LOGIN",
		databricksauth.Name)
}

func sayNext(admin, password string, newRole bool, say func(string, ...any)) {
	if !newRole {
		say("\nNext: tarn serve --postgres postgresql://authenticator:PASSWORD@HOST:PORT/ with the password that authenticator has.")
		return
	}
	u, err := url.Parse(admin)
	if err != nil {
		return
	}
	u.User = url.UserPassword("authenticator", password)
	say("\nNext: tarn serve --postgres '%s'\nThe password is shown only now.", u.String())
}

func literal(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
