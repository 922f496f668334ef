package config_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tarn-data/tarn/internal/config"
)

// write makes a file in a new directory.
func write(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "api.conf")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// line returns the line of a dump that sets a name.
func line(c *config.DataAPI, name string) string {
	for l := range strings.Lines(c.Dump()) {
		if strings.HasPrefix(l, name+" = ") {
			return strings.TrimSuffix(l, "\n")
		}
	}
	return ""
}

const defaults = `admin-server-host = "!4"
admin-server-port = ""
admin-server-unix-socket = ""
admin-server-unix-socket-mode = "660"
client-error-verbosity = "verbose"
db-aggregates-enabled = false
db-anon-role = ""
db-channel = "pgrst"
db-channel-enabled = true
db-config = true
db-extra-search-path = "public"
db-hoisted-tx-settings = "statement_timeout,plan_filter.statement_cost_limit,default_transaction_isolation"
db-max-rows = ""
db-plan-enabled = false
db-pool = 10
db-pool-acquisition-timeout = 10
db-pool-automatic-recovery = true
db-pool-max-idletime = 30
db-pool-max-lifetime = 1800
db-pre-config = ""
db-pre-request = ""
db-prepared-statements = true
db-root-spec = ""
db-schemas = "public"
db-tx-end = "commit"
db-uri = "postgresql://"
jwt-aud = ""
jwt-cache-max-entries = 1000
jwt-role-claim-key = "$$.role"
jwt-secret = ""
jwt-secret-is-base64 = false
log-level = "error"
log-query = false
max-body = 64
max-upload = ""
openapi-mode = "follow-privileges"
openapi-security-active = false
openapi-server-proxy-uri = ""
pool-reserve = 2
pool-shared = 2
replica-max-lag = 10
replicas = ""
server-cors-allowed-origins = ""
server-host = "!4"
server-port = 3000
server-reuseport = false
server-timing-enabled = false
server-trace-header = ""
server-unix-socket = ""
server-unix-socket-mode = "660"
url-use-legacy-target-names = true
`

func TestDefaults(t *testing.T) {
	c, err := config.LoadDataAPI(config.Source{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(defaults, c.Dump()); diff != "" {
		t.Error(diff)
	}
}

// TestValues takes each value from the environment, and looks at the line of the dump.
func TestValues(t *testing.T) {
	for _, c := range []struct{ env, want string }{
		{`CLIENT_ERROR_VERBOSITY=minimal`, `client-error-verbosity = "minimal"`},
		{`DB_AGGREGATES_ENABLED=true`, `db-aggregates-enabled = true`},
		{`DB_AGGREGATES_ENABLED=TRUE`, `db-aggregates-enabled = true`},
		{`DB_AGGREGATES_ENABLED="true"`, `db-aggregates-enabled = true`},
		{`DB_AGGREGATES_ENABLED=2`, `db-aggregates-enabled = true`},
		{`DB_AGGREGATES_ENABLED=yes`, `db-aggregates-enabled = false`}, // not one, so that it doesn't count
		{`DB_CHANNEL_ENABLED=0`, `db-channel-enabled = false`},
		{`DB_CHANNEL_ENABLED=-1`, `db-channel-enabled = false`},
		{`DB_CHANNEL_ENABLED=`, `db-channel-enabled = true`},
		{`DB_ANON_ROLE=anon`, `db-anon-role = "anon"`},
		{`DB_ANON_ROLE=say "x"`, `db-anon-role = "say \"x\""`},
		{`DB_CHANNEL=`, `db-channel = "pgrst"`},
		{`DB_EXTRA_SEARCH_PATH=`, `db-extra-search-path = ""`},
		{`DB_EXTRA_SEARCH_PATH=a , b`, `db-extra-search-path = "a,b"`},
		{`DB_HOISTED_TX_SETTINGS=work_mem`, `db-hoisted-tx-settings = "work_mem"`},
		{`DB_MAX_ROWS=1000`, `db-max-rows = 1000`},
		{`DB_MAX_ROWS= 1000 `, `db-max-rows = 1000`},
		{`DB_MAX_ROWS=many`, `db-max-rows = ""`},
		{`MAX_ROWS=5`, `db-max-rows = 5`},
		{`DB_POOL=3`, `db-pool = 3`},
		{`DB_POOL=3.5`, `db-pool = 10`},
		{`DB_POOL_ACQUISITION_TIMEOUT=30`, `db-pool-acquisition-timeout = 30`},
		{`DB_POOL_TIMEOUT=5`, `db-pool-max-idletime = 5`},
		{`DB_POOL_MAX_IDLETIME=6`, `db-pool-max-idletime = 6`},
		{`PRE_REQUEST=f`, `db-pre-request = "f"`},
		{`ROOT_SPEC=f`, `db-root-spec = "f"`},
		{`DB_SCHEMA=one`, `db-schemas = "one"`},
		{`DB_SCHEMAS=one,  two`, `db-schemas = "one,two"`},
		{`DB_TX_END=commit-allow-override`, `db-tx-end = "commit-allow-override"`},
		{`DB_TX_END=rollback`, `db-tx-end = "rollback"`},
		{`DB_TX_END=rollback-allow-override`, `db-tx-end = "rollback-allow-override"`},
		{`DB_URI=postgres://h/db`, `db-uri = "postgres://h/db"`},
		{`JWT_AUD=https://example.org`, `jwt-aud = "https://example.org"`},
		{`JWT_AUD=spec tests`, `jwt-aud = "spec tests"`},
		{`JWT_AUD=urn:a:b`, `jwt-aud = "urn:a:b"`},
		{`JWT_ROLE_CLAIM_KEY=$.user[0]["real role"]`, `jwt-role-claim-key = "$$.user[0]['real role']"`},
		{`JWT_ROLE_CLAIM_KEY=.roles[?(@ ==^ "x")]`, `jwt-role-claim-key = ".\"roles\"[?(@ ==^ \"x\")]"`},
		{`ROLE_CLAIM_KEY=$.x`, `jwt-role-claim-key = "$$.x"`},
		{`JWT_SECRET=at least thirty-two $characters\n`, `jwt-secret = "at least thirty-two $$characters\\n"`},
		{`JWT_CACHE_MAX_ENTRIES=0`, `jwt-cache-max-entries = 0`},
		{`SECRET_IS_BASE64=true`, `jwt-secret-is-base64 = true`},
		{`LOG_LEVEL=debug`, `log-level = "debug"`},
		{`OPENAPI_MODE=disabled`, `openapi-mode = "disabled"`},
		{`OPENAPI_SERVER_PROXY_URI=https://postgrest.com/openapi.json`, `openapi-server-proxy-uri = "https://postgrest.com/openapi.json"`},
		{`OPENAPI_SERVER_PROXY_URI=http://[::1]:80`, `openapi-server-proxy-uri = "http://[::1]:80"`},
		{`SERVER_CORS_ALLOWED_ORIGINS=http://a, http://b`, `server-cors-allowed-origins = "http://a,http://b"`},
		{`SERVER_HOST=0.0.0.0`, `admin-server-host = "0.0.0.0"`},
		{`SERVER_PORT=80`, `server-port = 80`},
		{`SERVER_UNIX_SOCKET_MODE=777`, `server-unix-socket-mode = "777"`},
		{`ADMIN_SERVER_PORT=3001`, `admin-server-port = 3001`},
		{`APP_SETTINGS_x=1`, `app.settings.x = "1"`},
	} {
		got, err := config.LoadDataAPI(config.Source{Environ: []string{"PGRST_" + c.env}})
		if err != nil {
			t.Errorf("%s: %v", c.env, err)
			continue
		}
		name, _, _ := strings.Cut(c.want, " = ")
		if l := line(got, name); l != c.want {
			t.Errorf("%s: got %s, want %s", c.env, l, c.want)
		}
	}
}

func TestRefusals(t *testing.T) {
	for _, c := range []struct{ env, want string }{
		{`CLIENT_ERROR_VERBOSITY=some`, `Invalid client-error-verbosity. Check your configuration.`},
		{`DB_SCHEMAS=public, pg_catalog`, `db-schemas does not allow schema: 'pg_catalog'`},
		{`DB_SCHEMA=information_schema`, `db-schemas does not allow schema: 'information_schema'`},
		{`DB_TX_END=random`, `Invalid transaction termination. Check your configuration.`},
		{`JWT_AUD=foo://%%$$^^.com`, `jwt-aud should be a string or a valid URI`},
		{`JWT_AUD=http://%%localhorst.invalid`, `jwt-aud should be a string or a valid URI`},
		{`JWT_AUD=1a:b`, `jwt-aud should be a string or a valid URI`},
		{`JWT_ROLE_CLAIM_KEY=role.other`, `failed to parse role-claim-key value (role.other)`},
		{`JWT_ROLE_CLAIM_KEY=.role[?(@ =)]`, `failed to parse role-claim-key value (.role[?(@ =)])`},
		{`JWT_SECRET=short_secret`, `The JWT secret must be at least 32 characters long.`},
		{`JWT_SECRET={"kty":"RSA","n":"AQAB"}`, `not a valid JSON Web Key`},
		{`JWT_SECRET={"some":"object"}`, `no key in the JWT secret can verify tokens`},
		{`LOG_LEVEL=never`, `Invalid logging level. Check your configuration.`},
		{`OPENAPI_MODE=follow-`, `Invalid openapi-mode. Check your configuration.`},
		{`OPENAPI_SERVER_PROXY_URI=htp:/@@localhorst.invalid`, `Malformed proxy uri, a correct example: https://example.com:8443/basePath`},
		{`OPENAPI_SERVER_PROXY_URI=https://u@example.com`, `Malformed proxy uri`},
		{`OPENAPI_SERVER_PROXY_URI=https://example.com?x`, `Malformed proxy uri`},
		{`OPENAPI_SERVER_PROXY_URI=https://example.com:99999`, `Malformed proxy uri`},
		{`OPENAPI_SERVER_PROXY_URI=https://example.com:`, `Malformed proxy uri`},
		{`OPENAPI_SERVER_PROXY_URI=https:///path`, `Malformed proxy uri`},
		{`OPENAPI_SERVER_PROXY_URI=https://example.com/#f`, `Malformed proxy uri`},
		{`SERVER_UNIX_SOCKET_MODE=800`, `Invalid server-unix-socket-mode: not an octal`},
		{`SERVER_UNIX_SOCKET_MODE=599`, `Invalid server-unix-socket-mode: needs to be between 600 and 777`},
		{`ADMIN_SERVER_UNIX_SOCKET_MODE=7777`, `Invalid admin-server-unix-socket-mode: needs to be between 600 and 777`},
		{`ADMIN_SERVER_PORT=3000`, `admin-server-port cannot be the same as server-port`},
		{`DB_URI=@/no/such/file`, `no such file`},
	} {
		got, err := config.LoadDataAPI(config.Source{Environ: []string{"PGRST_" + c.env}})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v and error %v, want %s", c.env, got, err, c.want)
		}
	}
}

func TestPrecedence(t *testing.T) {
	src := config.Source{File: write(t, `
		db-anon-role = "file"
		db-schemas = "file"
		db-channel = "file"
		server-port = 1
		db-pool = 2
		app.settings.a = "file"
		app.settings.b = "file"
		app.settings.deep.er = "file"
	`)}
	src.Environ = []string{
		"PGRST_DB_ANON_ROLE=env", "PGRST_DB_SCHEMAS=env", "PGRST_DB_CHANNEL=env", "PGRST_APP_SETTINGS_b=env",
		"PGRST_DB_POOL=unclear", "PGRST_DB_SCHEMA=alias", "OTHER=x", "broken",
	}
	src.InDatabase = []config.Setting{
		{Name: "db_schemas", Value: "database"}, {Name: "pgrst.db_channel", Value: "not heard"},
		{Name: "pgrst.jwt_aud", Value: "database"}, {Name: "max_rows", Value: "5"},
	}
	c, err := config.LoadDataAPI(src)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`db-anon-role = "env"`, `db-schemas = "database"`, `db-channel = "env"`, `server-port = 1`,
		`db-pool = 10`, // what is set is not one, and what is below it is not looked at
		`jwt-aud = "database"`, `db-max-rows = ""`, `app.settings.a = "file"`, `app.settings.b = "env"`,
	} {
		name, _, _ := strings.Cut(want, " = ")
		if l := line(c, name); l != want {
			t.Errorf("got %q, want %s", l, want)
		}
	}
	want := []config.Setting{{Name: "app.settings.a", Value: "file"}, {Name: "app.settings.b", Value: "env"}}
	if diff := cmp.Diff(want, c.AppSettings); diff != "" {
		t.Error(diff)
	}
}

func TestSecretFiles(t *testing.T) {
	const secret = "reallyreallyreallyreallyverysafe"
	for _, c := range []struct{ file, base64, want string }{
		{secret, "false", secret},
		{secret + "\n", "false", secret},
		{secret + "\n\n", "false", secret + "\n"},
		{"cmVhbGx5cmVhbGx5cmVhbGx5cmVhbGx5dmVyeXNhZmU=\n", "true", secret},
		{"cmVhbGx5cmVhbGx5cmVhbGx5cmVhbGx5dmVyeXNhZmU", "true", secret},
		{"cmVhbGx5cmVhbGx5cmVhbGx5cmVhbGx5dmVyeXNhZmU.", "true", secret},
		{"_-8" + strings.Repeat("A", 41), "true", "\xff\xef" + strings.Repeat("\x00", 31)},
	} {
		got, err := config.LoadDataAPI(config.Source{Environ: []string{
			"PGRST_JWT_SECRET=@" + write(t, c.file), "PGRST_JWT_SECRET_IS_BASE64=" + c.base64,
			"PGRST_DB_URI=@" + write(t, " postgresql://u:p@h/d \n"),
		}})
		if err != nil {
			t.Errorf("%q: %v", c.file, err)
			continue
		}
		if string(got.JWTSecret) != c.want || got.DBURI != "postgresql://u:p@h/d" {
			t.Errorf("%q: got %q and %q", c.file, got.JWTSecret, got.DBURI)
		}
	}
}

// TestErrorsTellNoSecret gives secrets with mistakes in them.
func TestErrorsTellNoSecret(t *testing.T) {
	for _, env := range [][]string{
		{"PGRST_JWT_SECRET=hunter2"},
		{"PGRST_JWT_SECRET=@hunter2"},
		{"PGRST_JWT_SECRET=hunter2!", "PGRST_JWT_SECRET_IS_BASE64=true"},
		{`PGRST_JWT_SECRET={"kty":"oct","k":"hunter2!"}`},
		{`PGRST_JWT_SECRET={"kty":"EC","crv":"P-256","x":"hunter2","y":"hunter2","d":"hunter2"}`},
		{`PGRST_JWT_SECRET={"keys":"hunter2"}`},
	} {
		_, err := config.LoadDataAPI(config.Source{Environ: env})
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", env, err)
		}
	}
}

func TestLogFormsTellNoSecret(t *testing.T) {
	c, err := config.LoadDataAPI(config.Source{Environ: []string{
		"PGRST_JWT_SECRET=hunter2hunter2hunter2hunter2hunter2", "PGRST_DB_URI=postgresql://u:hunter2@h/d",
		"PGRST_APP_SETTINGS_KEY=hunter2", "PGRST_DB_ANON_ROLE=anon",
	}})
	if err != nil {
		t.Fatal(err)
	}
	if strings.Count(c.Dump(), "hunter2") != 7 {
		t.Error("the dump lacks secrets:", c.Dump())
	}
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "config", c, "value", *c, "inside", []any{c})
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "config", c, "value", *c, "inside", []any{c})
	encoded, err := json.Marshal(map[string]any{"c": c, "v": *c})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{
		fmt.Sprint(c), fmt.Sprint(*c), fmt.Sprintf("%v %+v %#v %s %q", c, c, c, c, c), fmt.Sprintf("%+v %#v", *c, *c),
		fmt.Sprintf("%+v", struct{ C *config.DataAPI }{c}.C), log.String(), string(encoded),
	} {
		if strings.Contains(s, "hunter2") || !strings.Contains(s, "anon") {
			t.Error(s)
		}
	}
}

// TestDumpIsStable loads a dump, and dumps what it holds.
func TestDumpIsStable(t *testing.T) {
	c, err := config.LoadDataAPI(config.Source{Environ: []string{
		"PGRST_JWT_SECRET=with $(dollars) and \\ \"quotes\"\n and lines", "PGRST_APP_SETTINGS_KEY=$$\r\n\t\\n",
		"PGRST_DB_MAX_ROWS=7", "PGRST_ADMIN_SERVER_PORT=9", "PGRST_DB_TX_END=rollback",
		`PGRST_JWT_ROLE_CLAIM_KEY=$.a[?@.b == "it's"]`, "PGRST_DB_EXTRA_SEARCH_PATH=",
	}})
	if err != nil {
		t.Fatal(err)
	}
	again, err := config.LoadDataAPI(config.Source{File: write(t, c.Dump())})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(c.Dump(), again.Dump()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(c.AppSettings, again.AppSettings); diff != "" || string(c.JWTSecret) != string(again.JWTSecret) {
		t.Error(diff, string(again.JWTSecret))
	}
}

func TestExampleChangesNothing(t *testing.T) {
	c, err := config.LoadDataAPI(config.Source{File: write(t, config.Example())})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(defaults, c.Dump()); diff != "" {
		t.Error(diff)
	}
	// What is commented out is right as well.
	active := strings.ReplaceAll(config.Example(), "\n# ", "\n")
	if c, err = config.LoadDataAPI(config.Source{File: write(t, active)}); err != nil {
		t.Fatal(err)
	}
	for l := range strings.Lines(c.Dump()) {
		if strings.HasSuffix(l, " = \"\"\n") {
			t.Error("the example lacks a value of", l)
		}
	}
}

func TestInDatabase(t *testing.T) {
	names := strings.Join(config.InDatabase(), " ") + " "
	for name, want := range map[string]bool{
		"pgrst.db_schemas": true, "pgrst.jwt_secret": true, "pgrst.db_tx_end": true, "pgrst.jwt_cache_max_entries": true,
		"pgrst.app_settings": true,
		"pgrst.db_uri":       false, "pgrst.server_port": false, "pgrst.db_config": false, "pgrst.log_level": false,
		"pgrst.db_pool": false,
	} {
		if strings.Contains(names, name+" ") != want {
			t.Errorf("%s: want %v", name, want)
		}
	}
}

// TestPoolIsChosen sizes the pool by the cores, and what is kept for fast requests by the pool.
func TestPoolIsChosen(t *testing.T) {
	for _, c := range []struct {
		cores int
		env   []string
		want  string
	}{
		{0, nil, "10 2 2"},
		{2, nil, "10 2 2"},
		{4, nil, "16 4 4"},
		{64, nil, "32 8 16"},
		{64, []string{"PGRST_DB_POOL=10"}, "10 2 5"},
		{4, []string{"PGRST_DB_POOL=0"}, "16 4 4"},
		{4, []string{"PGRST_DB_POOL=1"}, "1 0 0"},
		{4, []string{"PGRST_DB_POOL=8", "TARN_POOL_RESERVE=0"}, "8 0 4"},
		{4, []string{"PGRST_DB_POOL=8", "TARN_POOL_RESERVE=5"}, "8 5 4"},
		{4, []string{"PGRST_DB_POOL=8", "PGRST_POOL_RESERVE=5"}, "8 2 4"},
		{4, []string{"PGRST_DB_POOL=8", "TARN_POOL_RESERVE=9"}, "8 7 4"},
		{4, []string{"TARN_POOL_SHARED=0"}, "16 4 0"},
		{4, []string{"TARN_POOL_SHARED=3"}, "16 4 3"},
	} {
		cfg, err := config.LoadDataAPI(config.Source{Environ: c.env, Cores: c.cores})
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(cfg.PoolSize, cfg.PoolReserve, cfg.PoolShared); got != c.want {
			t.Errorf("%d cores, %v: %s, want %s", c.cores, c.env, got, c.want)
		}
	}
}
