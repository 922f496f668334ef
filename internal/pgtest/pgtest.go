// Package pgtest gives a test a database of its own on a real PostgreSQL: on the server that TARN_TEST_POSTGRES names, or
// on a private one that is started once in a test process and goes when the process does. A test that needs a server of
// another kind starts one of its own. The package knows nothing of what the tests do there.
package pgtest

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// password is what Role gives to roles. Servers for tests hold nothing that it protects.
const password = "tarn-test"

// DB is a database that one test has for itself. Roles belong to the server and are shared with other tests.
type DB struct {
	URL  string // logs in as a superuser
	Name string
}

// server is the same for all tests of the process.
var server = sync.OnceValues(func() (*Server, error) {
	if given := os.Getenv("TARN_TEST_POSTGRES"); given != "" {
		return &Server{URL: given}, nil
	}
	return startServer(Options{})
})

// made counts what tests have made here, for names.
var made atomic.Uint32

// New makes a database for the test, and drops it when the test ends.
func New(t testing.TB) *DB {
	t.Helper()
	shared, err := server()
	if err != nil {
		t.Fatalf("PostgreSQL for tests: %v", err)
	}
	return newDB(t, shared.URL)
}

func newDB(t testing.TB, admin string) *DB {
	t.Helper()
	db := &DB{Name: unique("db")}
	db.URL = edit(t, admin, func(u *url.URL) { u.Path = "/" + db.Name })
	t.Cleanup(func() { run(t, admin, "DROP DATABASE IF EXISTS "+quote(db.Name)+" WITH (FORCE)") })
	run(t, admin, "CREATE DATABASE "+quote(db.Name)+" TEMPLATE template0 ENCODING UTF8")
	return db
}

// Exec runs statements, separated by semicolons, as the superuser.
func (db *DB) Exec(t testing.TB, sql string) {
	t.Helper()
	run(t, db.URL, sql)
}

// Needs skips the test when a server that was named doesn't have an extension. The private server must have it.
func (db *DB) Needs(t testing.TB, extension string) {
	t.Helper()
	var there bool
	const query = "SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = $1)"
	if err := db.Conn(t).QueryRow(context.Background(), query, extension).Scan(&there); err != nil {
		t.Fatal(err)
	}
	if !there && os.Getenv("TARN_TEST_POSTGRES") != "" {
		t.Skipf("the server has no extension %s", extension)
	}
}

// Conn returns a connection of the superuser, which is closed when the test ends.
func (db *DB) Conn(t testing.TB) *pgx.Conn {
	t.Helper()
	return connect(t, db.URL)
}

// ConnAs returns a connection of a role that may log in, which is closed when the test ends.
func (db *DB) ConnAs(t testing.TB, role string) *pgx.Conn {
	t.Helper()
	return connect(t, db.RoleURL(t, role))
}

// Role makes a role with the given attributes, such as "LOGIN NOINHERIT", under a name of its own, and drops it with all
// that it has when the test ends.
func (db *DB) Role(t testing.TB, attributes string) string {
	t.Helper()
	name := unique("role")
	run(t, db.URL, "CREATE ROLE "+quote(name)+" PASSWORD '"+password+"' "+attributes)
	t.Cleanup(func() {
		run(t, db.URL, "DROP OWNED BY "+quote(name)+" CASCADE")
		run(t, db.URL, "DROP ROLE "+quote(name))
	})
	return name
}

// RoleURL is the URL of the database for a role that Role made. On the private server any role that may log in will do.
func (db *DB) RoleURL(t testing.TB, role string) string {
	t.Helper()
	return edit(t, db.URL, func(u *url.URL) {
		u.User = nil
		q := u.Query()
		q.Set("user", role)
		q.Set("password", password)
		u.RawQuery = q.Encode()
	})
}

func unique(kind string) string {
	return fmt.Sprintf("tarn_test_%s_%d_%d", kind, os.Getpid(), made.Add(1))
}

func edit(t testing.TB, given string, change func(*url.URL)) string {
	t.Helper()
	u, err := url.Parse(given)
	if err != nil {
		t.Fatal("TARN_TEST_POSTGRES must be a URL")
	}
	change(u)
	return u.String()
}

func connect(t testing.TB, url string) *pgx.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// run runs statements on a connection of their own. It fails the test, and lets cleaning up go on.
func run(t testing.TB, url, sql string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	defer func() { _ = conn.Close(ctx) }()
	if _, err := conn.PgConn().Exec(ctx, sql).ReadAll(); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func quote(name string) string { return pgx.Identifier{name}.Sanitize() }
