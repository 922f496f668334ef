package introspect

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/tarn-data/tarn/internal/dataapi/schema"
	"github.com/tarn-data/tarn/internal/pgtest"
)

func TestLoadRoles(t *testing.T) {
	db := pgtest.New(t)
	login := db.Role(t, "LOGIN NOINHERIT")
	names := map[string]string{}
	for _, r := range []struct{ name, attributes string }{
		{"user", ""}, {"other", ""}, {"stranger", ""}, {"team", ""}, {"free", "BYPASSRLS"}, {"member", ""}, {"maker", "CREATEROLE"}, {"founder", "CREATEDB"}, {"super", "SUPERUSER"},
	} {
		names[r.name] = db.Role(t, r.attributes)
	}
	sql := `
		GRANT {user}, {other}, {free}, {member}, {maker}, {founder}, {super} TO {login};
		GRANT {team} TO {user};
		GRANT {founder} TO {member};
		ALTER ROLE {user} SET default_transaction_isolation = 'Serializable';
		ALTER ROLE {user} SET statement_timeout = '5s';
		ALTER ROLE {user} SET search_path = 'a', 'b c';
		ALTER ROLE {user} SET log_min_duration_statement = 7;
		ALTER ROLE {user} SET custom.thing = 'x';
		ALTER ROLE {team} SET work_mem = '7MB';
		ALTER ROLE {stranger} SET work_mem = '8MB';
		ALTER ROLE {login} SET work_mem = '9MB';`
	sql = strings.ReplaceAll(sql, "{login}", login)
	for name, r := range names {
		sql = strings.ReplaceAll(sql, "{"+name+"}", r)
	}
	db.Exec(t, sql)
	want := map[string]schema.RoleSettings{
		login: {Elevated: true}, // by what it may become
		names["user"]: {Isolation: schema.Serializable, Settings: []schema.Setting{
			{Name: "statement_timeout", Value: "5s"}, {Name: "search_path", Value: `a, "b c"`},
		}},
		names["other"]:   {},
		names["team"]:    {Settings: []schema.Setting{{Name: "work_mem", Value: "7MB"}}},
		names["free"]:    {Elevated: true}, // from policies
		names["member"]:  {Elevated: true},
		names["maker"]:   {Elevated: true},
		names["founder"]: {Elevated: true},
		names["super"]:   {Elevated: true},
	}
	conn := db.ConnAs(t, login)
	c := loadOn(t, conn)
	if diff := cmp.Diff(want, c.Roles, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("roles (-want +got):\n%s", diff)
	}

	db.Exec(t, "ALTER DATABASE "+db.Name+" OWNER TO "+names["other"])
	t.Cleanup(func() { db.Exec(t, "ALTER DATABASE "+db.Name+" OWNER TO CURRENT_USER") })
	want[names["other"]] = schema.RoleSettings{Elevated: true}
	want["pg_database_owner"] = schema.RoleSettings{Elevated: true} // which the owner is a member of
	if c.ServerVersion >= since15 {
		db.Exec(t, "GRANT SET ON PARAMETER log_min_duration_statement TO "+login)
		t.Cleanup(func() { db.Exec(t, "REVOKE SET ON PARAMETER log_min_duration_statement FROM "+login) })
		user := want[names["user"]]
		user.Settings = append(user.Settings, schema.Setting{Name: "log_min_duration_statement", Value: "7"})
		want[names["user"]] = user
	}
	if _, err := conn.Exec(context.Background(), "SET ROLE "+names["user"]); err != nil { // as somebody may have left it
		t.Fatal(err)
	}
	roles, err := LoadRoles(context.Background(), conn)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, roles, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("roles then (-want +got):\n%s", diff)
	}
}
