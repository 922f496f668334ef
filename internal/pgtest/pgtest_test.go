package pgtest_test

import (
	"os"
	"testing"

	"github.com/tarn-data/tarn/internal/pgtest"
)

func TestNewGivesADatabaseOfItsOwn(t *testing.T) {
	a, b := pgtest.New(t), pgtest.New(t)
	a.Exec(t, "CREATE TABLE mine (id int); INSERT INTO mine VALUES (1)")
	var there bool
	if err := a.Conn(t).QueryRow(t.Context(), "SELECT to_regclass('mine') IS NOT NULL").Scan(&there); err != nil || !there {
		t.Errorf("a table that was made is missing: %v", err)
	}
	if err := b.Conn(t).QueryRow(t.Context(), "SELECT to_regclass('mine') IS NOT NULL").Scan(&there); err != nil || there {
		t.Errorf("a database has the table of another: %v", err)
	}
}

func TestCleanupDropsDatabaseAndRole(t *testing.T) {
	keep := pgtest.New(t)
	var name, role string
	t.Run("made", func(t *testing.T) {
		db := pgtest.New(t)
		name, role = db.Name, db.Role(t, "LOGIN")
		db.Exec(t, `CREATE SCHEMA s; GRANT USAGE ON SCHEMA s TO "`+role+`"`)
	})
	var left int
	err := keep.Conn(t).QueryRow(t.Context(),
		"SELECT (SELECT count(*) FROM pg_database WHERE datname = $1) + (SELECT count(*) FROM pg_roles WHERE rolname = $2)",
		name, role).Scan(&left)
	if err != nil || left != 0 {
		t.Errorf("%d of database and role are left, %v", left, err)
	}
}

func TestRoleLogsIn(t *testing.T) {
	db := pgtest.New(t)
	role := db.Role(t, "LOGIN NOINHERIT")
	var got string
	if err := db.ConnAs(t, role).QueryRow(t.Context(), "SELECT current_user").Scan(&got); err != nil || got != role {
		t.Errorf("current_user = %q, %v; want %q", got, err, role)
	}
}

func TestExtensionIsThere(t *testing.T) {
	db := pgtest.New(t)
	db.Needs(t, "databricks_auth")
	db.Exec(t, "CREATE EXTENSION databricks_auth")
}

func TestServerOfATestsOwn(t *testing.T) {
	var dir string
	t.Run("runs", func(t *testing.T) {
		s := pgtest.NewServer(t, pgtest.Options{
			Settings: []string{"work_mem=7MB"}, Files: map[string][]byte{"note": []byte("hello")},
		})
		dir = s.Dir
		var got string
		err := s.NewDB(t).Conn(t).QueryRow(t.Context(), "SELECT current_setting('work_mem') || pg_read_file('note')").Scan(&got)
		if err != nil || got != "7MBhello" {
			t.Errorf("%q, %v", got, err)
		}
	})
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("a stopped server leaves its folder: %v", err)
	}
}
