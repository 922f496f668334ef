package test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jws"

	"github.com/tarn-data/tarn/internal/pgtest"
)

// Each client's tests are scripts in its own language, which do what its documentation shows and compare what comes.
// What they read and write is in clients/schema.sql.

// postgrestJS is @supabase/postgrest-js, tested by Node's own test runner.
var postgrestJS = client{
	name:     "postgrest-js",
	language: "js",
	folder:   "clients/js",
	program:  "node",
	manifest: []string{"package.json", "package-lock.json"},
	install: []string{"npm", "ci", "--engine-strict", "--ignore-scripts", "--no-audit", "--no-fund",
		"--fetch-retries=2", "--fetch-retry-mintimeout=500"},
	modules: "node_modules",
	eval:    []string{"node", "--input-type=module"},
	test:    []string{"node", "--test-reporter=spec", "all.mjs"},
}

// postgrestPy is postgrest-py, tested by Python's own test runner.
var postgrestPy = client{
	name:     "postgrest-py",
	language: "python",
	folder:   "clients/py",
	program:  "python3",
	manifest: []string{"requirements.txt"},
	install: []string{"python3", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--retries=1",
		"--only-binary=:all:", "--requirement=requirements.txt", "--target=site-packages"},
	modules: "site-packages",
	environ: []string{"PYTHONPATH=site-packages", "PYTHONNOUSERSITE=1"},
	eval:    []string{"python3", "-"},
	test:    []string{"python3", "-m", "unittest", "discover", "--pattern=*_test.py"},
}

// TestClients has clients use a Data API in the place of PostgREST.
func TestClients(t *testing.T) {
	clients := installed(t, postgrestJS, postgrestPy)
	environ := serveClients(t)
	for _, c := range clients {
		t.Run(c.name, func(t *testing.T) { c.run(t, environ, "", c.test...) })
	}
}

// TestClientsOfLakebase has the same clients do the same where the Lakebase Data API is.
func TestClientsOfLakebase(t *testing.T) {
	clients := installed(t, postgrestJS, postgrestPy)
	environ := serveLakebaseClients(t)
	for _, c := range clients {
		t.Run(c.name, func(t *testing.T) { c.run(t, environ, "", c.test...) })
	}
}

// clientSettings are those that the tests want in addition to what is there by default.
var clientSettings = map[string]string{
	"db_schemas":            "public,myschema",
	"db_extra_search_path":  "public,extensions",
	"db_aggregates_enabled": "true",
	"db_plan_enabled":       "true",
	"db_tx_end":             "commit-allow-override",
}

// serveClients serves the clients' schema as PostgREST would. It returns what the tests find in their environment.
func serveClients(t *testing.T) []string {
	t.Helper()
	const secret = "a secret of the tests that nobody needs to keep"
	db := pgtest.New(t)
	anon, ann, bob := db.Role(t, "NOLOGIN"), db.Role(t, "NOLOGIN"), db.Role(t, "NOLOGIN")
	login := db.Role(t, "LOGIN NOINHERIT")
	db.Exec(t, clientsFile(t, "schema.sql"))
	db.Exec(t, fmt.Sprintf("GRANT %q, %q, %q TO %q", anon, ann, bob, login))
	environ := []string{"PGRST_JWT_SECRET=" + secret}
	for name, value := range clientSettings {
		environ = append(environ, "PGRST_"+strings.ToUpper(name)+"="+value)
	}
	s := startDataAPI(t, db, login, anon, environ...)
	token := func(role, subject string, lifetime time.Duration) string {
		return signHS256(t, secret, map[string]any{"role": role, "sub": subject, "exp": time.Now().Add(lifetime).Unix()})
	}
	return []string{
		"TARN_URL=" + s.url,
		"TARN_ANONYMOUS=yes",
		"TARN_TOKEN=" + token(ann, "ann@example.com", time.Hour),
		"TARN_OTHER_TOKEN=" + token(bob, "bob@example.com", time.Hour),
		"TARN_EXPIRED_TOKEN=" + token(ann, "ann@example.com", -time.Hour),
	}
}

// serveLakebaseClients serves the clients' schema in a lakebase.
func serveLakebaseClients(t *testing.T) []string {
	t.Helper()
	s := serve(t, dataDir(t), "--sample")
	var settings []string
	for name, value := range clientSettings {
		settings = append(settings, fmt.Sprintf("set_config('pgrst.%s', '%s', true)", name, value))
	}
	s.psql(t, clientsFile(t, "schema.sql")+`
		CREATE OR REPLACE FUNCTION pgrst.pre_config() RETURNS void LANGUAGE sql AS $$ SELECT `+strings.Join(settings, ", ")+` $$;
		SELECT databricks_create_role('ann@example.com', 'USER'), databricks_create_role('bob@example.com', 'USER');
		GRANT "ann@example.com", "bob@example.com" TO authenticator;
		NOTIFY pgrst;`)
	return []string{
		"TARN_URL=" + s.url + restPath,
		"TARN_TOKEN=" + s.token(t, "ann@example.com"),
		"TARN_OTHER_TOKEN=" + s.token(t, "bob@example.com"),
	}
}

func clientsFile(t testing.TB, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("clients", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// signHS256 makes a token as an application would for PostgREST.
func signHS256(t testing.TB, secret string, claims map[string]any) string {
	t.Helper()
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	token, err := jws.Sign(payload, jws.WithKey(jwa.HS256(), []byte(secret)))
	if err != nil {
		t.Fatal(err)
	}
	return string(token)
}

// run runs a command of the client's language in a copy of its folder, beside its modules, and returns what it prints.
func (c client) run(t *testing.T, environ []string, stdin string, command ...string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(c.folder)); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(c.installed, filepath.Join(dir, c.modules)); err != nil {
		t.Fatal(err)
	}
	environ = slices.Concat(c.environ, environ, []string{"NO_PROXY=127.0.0.1", "no_proxy=127.0.0.1"})
	return script(t, dir, environ, stdin, command...)
}

// script runs a command and returns what it prints.
func script(t *testing.T, dir string, environ []string, stdin string, command ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), environ...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(command, " "), err, out)
	}
	return string(out)
}
