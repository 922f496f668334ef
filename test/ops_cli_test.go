package test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestMisuse holds by which status a script knows that it gave arguments which no command takes, and that one failed.
func TestMisuse(t *testing.T) {
	t.Parallel()
	none := t.TempDir()
	for code, each := range map[int][][]string{
		0: {{"--help"}, {"token", "--help"}, {"version"}},
		1: {{"token", "create", "--user", "x", "--data-dir", none}, {"psql", "--data-dir", none}, {"serve", "--login-create", "--data-dir", none}},
		2: {
			{}, {"nonsense"}, {"token"}, {"--nonsense"}, {"token", "create", "--lifetime", "long"}, {"serve", "--log-level", "loud"},
			{"user", "create"}, {"token", "create", "one", "two"}, {"serve", "--login-link", "always"},
		},
	} {
		for _, args := range each {
			if out, errs, got := command(t, "", nil, args...); got != code || code == 2 && !strings.Contains(errs, "tarn: error: ") || code != 0 && strings.Contains(errs, "panic") {
				t.Errorf("tarn %s: status %d\n%s%s", strings.Join(args, " "), got, out, errs)
			}
		}
	}
}

// TestStopped has commands that need a lakebase's PostgreSQL say so.
func TestStopped(t *testing.T) {
	t.Parallel()
	s := serve(t, dataDir(t))
	s.stop(t)
	for _, args := range [][]string{{"token", "create", "--user", "ann"}, {"token", "create", "--admin"}, {"psql", "--", "-c", "SELECT 1"}} {
		_, errs, code := command(t, "", []string{"TARN_DATA_DIR=" + s.dir}, args...)
		if code != 1 || !strings.Contains(errs, "does not run") || !strings.Contains(errs, "hint: Start it: tarn serve --data-dir "+s.dir) {
			t.Errorf("tarn %s: status %d\n%s", strings.Join(args, " "), code, errs)
		}
	}
}

func TestDataAPICommand(t *testing.T) {
	dir := t.TempDir()
	bad := filepath.Join(dir, "bad.conf")
	if err := os.WriteFile(bad, []byte("db-uri: nonsense\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	nobody := "PGRST_DB_URI=postgresql://someone:" + opsPassword + "@127.0.0.1:1/none"
	for _, c := range []struct {
		name           string
		args, environ  []string
		stdout, stderr string // regular expressions
		code           int
	}{
		{"help", []string{"--help"}, nil, `(?s)^Usage: tarn data-api.*--dump-config.*--dump-schema.*-e, --example.*--ready.*-v, --version`, `^$`, 0},
		{"version", []string{"--version"}, nil, `^tarn \S+\n$`, `^$`, 0},
		{"version, in short", []string{"-v"}, nil, `^tarn \S+\n$`, `^$`, 0},
		{"example", []string{"--example"}, nil, `(?s)db-uri.*server-unix-socket-mode`, `^$`, 0},
		{"example, in short", []string{"-e"}, nil, `(?s)db-uri.*server-unix-socket-mode`, `^$`, 0},
		{"settings without a database", []string{"--dump-config"}, []string{nobody, "PGRST_DB_SCHEMAS=one,two"},
			`(?s)db-schemas = "one,two".*db-uri = "postgresql://someone:` + opsPassword, `settings in the database are not read.*connection refused`, 0},
		{"settings without asking a database", []string{"--dump-config"}, []string{nobody, "PGRST_DB_CONFIG=false"}, `db-config = false`, `^$`, 0},
		{"schema without a database", []string{"--dump-schema"}, []string{nobody}, `^$`, `(?s)tarn: failed to connect to .*connection refused`, 1},
		{"no such file", []string{filepath.Join(dir, "nowhere.conf")}, nil, `^$`, `^tarn: error in config: open .*/nowhere\.conf: no such file or directory\n$`, 1},
		{"no such file, to be shown", []string{"--dump-config", filepath.Join(dir, "nowhere.conf")}, nil, `^$`, `nowhere\.conf: no such file`, 1},
		{"file with a mistake", []string{bad}, nil, `^$`, `^tarn: error in config: .*bad\.conf`, 1},
		{"file that is none", []string{dir}, nil, `^$`, `^tarn: error in config: .*directory`, 1},
		{"setting with a mistake", []string{"--dump-config"}, []string{"PGRST_LOG_LEVEL=never"}, `^$`, `^tarn: error in config: Invalid logging level`, 1},
		{"short secret", []string{"--dump-config"}, []string{"PGRST_JWT_SECRET=hush"}, `^$`, `at least 32 characters`, 1},
		{"same ports", []string{"--dump-config"}, []string{"PGRST_SERVER_PORT=3000", "PGRST_ADMIN_SERVER_PORT=3000"}, `^$`,
			`admin-server-port cannot be the same as server-port`, 1},
		{"two things at once", []string{"--dump-config", "--ready"}, nil, ``, `can't be used together`, 2},
		{"no such flag", []string{"--nonsense"}, nil, ``, `unknown flag --nonsense`, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, errs, code := command(t, "", c.environ, append([]string{"data-api"}, c.args...)...)
			if !regexp.MustCompile(c.stdout).MatchString(out) || !regexp.MustCompile(c.stderr).MatchString(errs) || code != c.code {
				t.Errorf("status %d, standard output\n%s\nstandard error\n%s", code, out, errs)
			}
			if strings.Contains(errs, opsPassword) || strings.Contains(errs, "hush\n") {
				t.Errorf("a secret in %s", errs)
			}
		})
	}
}

func TestDumps(t *testing.T) {
	site := newSite(t)
	site.db.Exec(t, fmt.Sprintf(`ALTER ROLE %q SET pgrst.db_max_rows = 12`, site.login))
	out, errs, code := command(t, "", nil, "data-api", "--dump-config", site.file)
	if code != 0 || errs != "" || !strings.Contains(out, "db-max-rows = 12\n") || !strings.Contains(out, `db-anon-role = "`+site.anon+`"`) {
		t.Fatalf("%d %s\n%s", code, errs, out)
	}
	again := filepath.Join(t.TempDir(), "again.conf")
	if err := os.WriteFile(again, []byte(out), 0o600); err != nil {
		t.Fatal(err)
	}
	if second, errs, code := command(t, "", nil, "data-api", "--dump-config", again); second != out || code != 0 {
		t.Errorf("a dump of a dump: %d %s\n%s", code, errs, second)
	}
	out, errs, code = command(t, "", nil, "data-api", "--dump-schema", site.file)
	if code != 0 || errs != "" {
		t.Errorf("%d %s", code, errs)
	}
	checkSchemaDump(t, out)
}

// TestAddressFromPipe holds that the database's address may come from where it can be read only once.
func TestAddressFromPipe(t *testing.T) {
	site := newSite(t)
	uri := site.settings["db-uri"]
	secret, err := os.Create(filepath.Join(t.TempDir(), "uri"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := secret.WriteString(uri + "\n"); err != nil {
		t.Fatal(err)
	}
	if err := secret.Close(); err != nil {
		t.Fatal(err)
	}
	site.set(t, "db-uri", "@"+secret.Name())
	s := site.serve(t)
	if err := os.Remove(secret.Name()); err != nil {
		t.Fatal(err)
	}
	s.reloadSchema(t)
	site.expect(t, s.url+"/items?select=id&id=eq.1", `[{"id":1}]`)

	site.set(t, "db-uri", "@/dev/stdin")
	out, errs, code := command(t, uri, nil, "data-api", "--dump-schema", site.file)
	if code != 0 {
		t.Fatalf("%d %s", code, errs)
	}
	checkSchemaDump(t, out)
}
