package pg_test

import (
	"testing"

	"github.com/tarn-data/tarn/internal/pg"
	"github.com/tarn-data/tarn/internal/pgtest"
)

func TestElevated(t *testing.T) {
	db := pgtest.New(t)
	conn := db.Conn(t)
	grant := func(group, member string) { db.Exec(t, `GRANT "`+group+`" TO "`+member+`"`) }

	plain, owner := db.Role(t, "LOGIN"), db.Role(t, "LOGIN")
	db.Exec(t, `ALTER DATABASE "`+db.Name+`" OWNER TO "`+owner+`"`)
	t.Cleanup(func() { db.Exec(t, `ALTER DATABASE "`+db.Name+`" OWNER TO CURRENT_USER`) })
	member, second, files := db.Role(t, "LOGIN"), db.Role(t, "LOGIN NOINHERIT"), db.Role(t, "LOGIN")
	grant(owner, member)
	grant(member, second)
	grant("pg_read_server_files", files)
	reader, ofPlain := db.Role(t, "LOGIN"), db.Role(t, "LOGIN")
	grant("pg_read_all_data", reader)
	grant(plain, ofPlain)

	for _, c := range []struct {
		name, role string
		want       bool
	}{
		{"a user", plain, false},
		{"a member of a user", ofPlain, false},
		{"one that reads all", reader, false},
		{"one that doesn't exist", "nobody at all", false},
		{"superuser", db.Role(t, "SUPERUSER"), true},
		{"maker of roles", db.Role(t, "CREATEROLE"), true},
		{"maker of databases", db.Role(t, "CREATEDB"), true},
		{"replication", db.Role(t, "REPLICATION"), true},
		{"one whom policies don't bind", db.Role(t, "BYPASSRLS"), true},
		{"owner of the database", owner, true},
		{"whoever owns the database", "pg_database_owner", true},
		{"member of the owner", member, true},
		{"member of a member", second, true},
		{"one that reads the server's files", files, true},
	} {
		got, err := pg.Elevated(t.Context(), conn, c.role)
		if err != nil || got != c.want {
			t.Errorf("%s: %v, %v, want %v", c.name, got, err, c.want)
		}
	}
}

// TestElevatedHere holds that the owner of another database is a user in this one.
func TestElevatedHere(t *testing.T) {
	here, there := pgtest.New(t), pgtest.New(t)
	owner := there.Role(t, "LOGIN")
	there.Exec(t, `ALTER DATABASE "`+there.Name+`" OWNER TO "`+owner+`"`)
	t.Cleanup(func() { there.Exec(t, `ALTER DATABASE "`+there.Name+`" OWNER TO CURRENT_USER`) })
	for db, want := range map[*pgtest.DB]bool{here: false, there: true} {
		if got, err := pg.Elevated(t.Context(), db.Conn(t), owner); err != nil || got != want {
			t.Errorf("%v, %v, want %v", got, err, want)
		}
	}
}
