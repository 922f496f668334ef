package server

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/tarn-data/tarn/internal/auth"
	"github.com/tarn-data/tarn/internal/pgtest"
)

func TestPrincipalRoles(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	owner := db.Role(t, "LOGIN CREATEROLE")
	roles := &principalRoles{url: db.RoleURL(t, owner), log: slog.New(slog.DiscardHandler)}
	conn := db.Conn(t)
	// canLogin is whether a role may log in, and whether there is one.
	canLogin := func(name string) (login, there bool) {
		t.Helper()
		rows, err := conn.Query(t.Context(), "SELECT rolcanlogin FROM pg_roles WHERE rolname = $1", name)
		if err != nil {
			t.Fatal(err)
		}
		found, err := pgx.CollectRows(rows, pgx.RowTo[bool])
		if err != nil {
			t.Fatal(err)
		}
		return len(found) == 1 && found[0], len(found) == 1
	}
	for _, name := range []string{owner + "@example.com", owner + `'; DROP ROLE "x"; -- $$`, "0f9b1f2e-" + owner} {
		t.Cleanup(func() { db.Exec(t, "DROP ROLE IF EXISTS "+pgx.Identifier{name}.Sanitize()) })
		for range 2 { // again is no harm
			if err := roles.Make(t.Context(), name, auth.User); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		if login, there := canLogin(name); !login || !there {
			t.Errorf("%s: login %v, there %v", name, login, there)
		}
		if err := roles.Retire(t.Context(), name); err != nil {
			t.Fatal(err)
		}
		if login, there := canLogin(name); login || !there {
			t.Errorf("%s, retired: login %v, there %v", name, login, there)
		}
		if err := roles.Make(t.Context(), name, auth.User); err != nil {
			t.Fatal(err)
		}
		if login, _ := canLogin(name); !login {
			t.Errorf("%s is not given back", name)
		}
	}
	// The roles of others are theirs.
	other := db.Role(t, "LOGIN")
	for _, do := range []func() error{
		func() error { return roles.Make(t.Context(), other, auth.User) },
		func() error { return roles.Retire(t.Context(), other) },
		func() error { return roles.Retire(t.Context(), "nobody") },
		func() error { return roles.Make(t.Context(), strings.Repeat("x", 64), auth.User) },
	} {
		if err := do(); err != nil {
			t.Error(err)
		}
	}
	if login, _ := canLogin(other); !login {
		t.Error("another's role was retired")
	}
	if err := roles.Make(t.Context(), "pg_mine", auth.User); err == nil || !strings.Contains(err.Error(), "reserved") {
		t.Errorf("a reserved name: %v", err)
	}
}
