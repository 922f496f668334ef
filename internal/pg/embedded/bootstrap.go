package embedded

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"

	"github.com/jackc/pgx/v5"
)

// The databases that every cluster has.
const (
	StoreDatabase = "tarn"                // Tarn's own
	UserDatabase  = "databricks_postgres" // the owner's
)

// StoreRole owns Tarn's own database, and has no rights elsewhere.
const StoreRole = "tarn_store"

const (
	isRole     = "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)"
	isDatabase = "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)"
)

// bootstrap makes the owner and the databases if they are missing. The owner administers the cluster without being a
// superuser: it makes roles, databases and trusted extensions.
func (s *Server) bootstrap(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, s.URL("postgres"))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	owner := pgx.Identifier{s.Owner}.Sanitize()
	// The password must not get into the server's log.
	const quiet = "SET log_statement = none; SET log_min_error_statement = panic; SET log_min_duration_statement = -1"
	if _, err := conn.Exec(ctx, quiet); err != nil {
		return err
	}
	for _, step := range []struct{ there, name, create string }{
		{isRole, s.Owner, "CREATE ROLE " + owner + " LOGIN CREATEROLE CREATEDB PASSWORD '" + s.password + "'"},
		{isDatabase, UserDatabase, "CREATE DATABASE " + UserDatabase + " OWNER " + owner},
		{isRole, StoreRole, "CREATE ROLE " + StoreRole + " LOGIN"},
		{isDatabase, StoreDatabase, "CREATE DATABASE " + StoreDatabase},
	} {
		var there bool
		if err := conn.QueryRow(ctx, step.there, step.name).Scan(&there); err != nil {
			return err
		}
		if there {
			continue
		}
		if _, err := conn.Exec(ctx, step.create); err != nil {
			return err
		}
	}
	_, err = conn.Exec(ctx, "REVOKE ALL ON DATABASE "+StoreDatabase+" FROM PUBLIC; ALTER DATABASE "+StoreDatabase+" OWNER TO "+StoreRole)
	if err != nil || s.runtime.Major >= 15 {
		return err
	}
	return s.givePublicSchema(ctx, owner)
}

// givePublicSchema gives the owner the schema public, as servers since version 15 do.
func (s *Server) givePublicSchema(ctx context.Context, owner string) error {
	conn, err := pgx.Connect(ctx, s.URL(UserDatabase))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	_, err = conn.Exec(ctx, "ALTER SCHEMA public OWNER TO "+owner)
	return err
}

// ensurePassword reads the owner's password, and makes one if there is none.
func ensurePassword(dataDir string) (string, error) {
	if text, err := os.ReadFile(passwordFile(dataDir)); err == nil {
		return string(text), nil
	} else if !os.IsNotExist(err) {
		return "", err
	}
	password := rand.Text()
	if err := writeFile(passwordFile(dataDir), []byte(password)); err != nil {
		return "", fmt.Errorf("owner's password: %w", err)
	}
	return password, nil
}
