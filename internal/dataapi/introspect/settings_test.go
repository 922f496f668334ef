package introspect_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tarn-data/tarn/internal/dataapi/introspect"
	"github.com/tarn-data/tarn/internal/dataapi/schema"
	"github.com/tarn-data/tarn/internal/pgtest"
)

func TestLoadSettings(t *testing.T) {
	db := pgtest.New(t)
	login, other := db.Role(t, "LOGIN"), db.Role(t, "LOGIN")
	db.Exec(t, `
		CREATE SCHEMA cfg;
		CREATE FUNCTION cfg.pre_config() RETURNS void LANGUAGE sql AS $$
			SELECT set_config('pgrst.db_schemas', 'function', true), set_config('pgrst.db_max_rows', '7', true),
				set_config('pgrst.jwt_aud', 'function', true), set_config('pgrst.nobody_asks', 'x', true),
				set_config('pgrst.db_root_spec', '', true) $$;
		GRANT USAGE ON SCHEMA cfg TO "`+login+`", "`+other+`";
		ALTER ROLE "`+login+`" SET pgrst.db_schemas = 'role';
		ALTER ROLE "`+login+`" SET pgrst.db_tx_end = 'role';
		ALTER ROLE "`+login+`" IN DATABASE "`+db.Name+`" SET pgrst.db_tx_end = 'role=here';
		ALTER ROLE "`+login+`" IN DATABASE "`+db.Name+`" SET "app.settings.own" = 'x';
		ALTER ROLE "`+login+`" SET work_mem = '1MB';
		ALTER ROLE "`+other+`" SET pgrst.openapi_mode = 'other';`)
	names := []string{
		"pgrst.db_schemas", "pgrst.db_max_rows", "pgrst.jwt_aud", "pgrst.db_tx_end", "pgrst.openapi_mode", "pgrst.db_root_spec",
	}
	cases := []struct {
		name, role, preConfig string
		want                  []schema.Setting
	}{
		{"the role's go before the function's, those for the database before those for all", login, "cfg.pre_config", []schema.Setting{
			{Name: "app.settings.own", Value: "x"},
			{Name: "pgrst.db_max_rows", Value: "7"}, {Name: "pgrst.db_root_spec", Value: ""}, {Name: "pgrst.db_schemas", Value: "role"},
			{Name: "pgrst.db_tx_end", Value: "role=here"}, {Name: "pgrst.jwt_aud", Value: "function"},
		}},
		{"no function", login, "", []schema.Setting{
			{Name: "app.settings.own", Value: "x"}, {Name: "pgrst.db_schemas", Value: "role"}, {Name: "pgrst.db_tx_end", Value: "role=here"},
		}},
		{"another role", other, "cfg.pre_config", []schema.Setting{
			{Name: "pgrst.db_max_rows", Value: "7"}, {Name: "pgrst.db_root_spec", Value: ""}, {Name: "pgrst.db_schemas", Value: "function"},
			{Name: "pgrst.jwt_aud", Value: "function"}, {Name: "pgrst.openapi_mode", Value: "other"},
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := introspect.LoadSettings(t.Context(), db.ConnAs(t, c.role), c.preConfig, names)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
	t.Run("a function that isn't there", func(t *testing.T) {
		if _, err := introspect.LoadSettings(t.Context(), db.ConnAs(t, login), `cfg.x"(); --`, names); err == nil {
			t.Error("no error")
		}
	})
}
