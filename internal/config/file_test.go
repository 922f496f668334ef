package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tarn-data/tarn/internal/config"
)

func TestFile(t *testing.T) {
	path := write(t, "\ufeff# Commènt\r\n"+`
	db-anon-role="a\tb\"\\\n\r\u00e9\ud83d\ude00" # after a value
	#; db-channel = "disabled"
	db-channel-enabled = off
	db-config=on
	db-plan-enabled = true
	db-pool
	  =
	  # between
	  7
	db-max-rows = 1.5e3
	db-schemas = 12.5
	db-hoisted-tx-settings = false
	not-existing = [ "lists", [1, true], ] # that matter to nobody
	host = "h"
	number = 20
	db {
	  host = "inner"
	  uri { x = "$(host) $(number) $$ $(name) $(FROM_ENV)" }
	  name = "n"
	}
	app.settings.text = "$(FROM_ENV)"
	app { settings { dollars = "$$(x)"
	  nested = "$(host)" } }
	app.settings.flag = false
	app.settings.number = 13
	app.settings.small = 0.05
	app.settings.great = 1e7
	`)
	_, err := config.LoadDataAPI(config.Source{File: path, Environ: []string{"FROM_ENV=e"}})
	if err == nil || !strings.Contains(err.Error(), "db.uri.x: no such variable: 'name'") {
		t.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	fixed := strings.Replace(string(content), "$(name)", "", 1)
	if err := os.WriteFile(path, []byte(fixed), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.LoadDataAPI(config.Source{File: path, Environ: []string{"FROM_ENV=e"}})
	if err != nil {
		t.Fatal(err)
	}
	if want := "a\tb\"\\\n\ré😀"; c.AnonRole != want {
		t.Errorf("got %q, want %q", c.AnonRole, want)
	}
	if c.Channel != "pgrst" || c.ChannelEnabled || !c.DBConfig || !c.PlanEnabled || c.PoolSize != 7 || c.MaxRows != 1500 {
		t.Error(c)
	}
	if c.Schemas[0] != "Number 12.5" || c.HoistedTxSettings[0] != "Bool False" {
		t.Error(c)
	}
	want := []config.Setting{
		{Name: "app.settings.dollars", Value: "$(x)"},
		{Name: "app.settings.flag", Value: "Bool False"},
		{Name: "app.settings.great", Value: "Number 1.0e7"},
		{Name: "app.settings.nested", Value: "h"},
		{Name: "app.settings.number", Value: "Number 13.0"},
		{Name: "app.settings.small", Value: "Number 5.0e-2"},
		{Name: "app.settings.text", Value: "e"},
	}
	if diff := cmp.Diff(want, c.AppSettings); diff != "" {
		t.Error(diff)
	}
}

func TestImport(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{
		"main.conf":       "import \"sub/a.conf\"\ndb-channel = \"main\"\nimport \"" + dir + "/b.conf\"\ng { import \"b.conf\" }",
		"sub/a.conf":      "import \"c.conf\"\ndb-channel = \"a\"\ndb-pool = 3",
		"sub/c.conf":      "db-pool = 2\ndb-max-rows = 9",
		"b.conf":          "db-anon-role = \"$(db-channel)\"",
		"cycle.conf":      "import \"cycle.conf\"",
		"missing.conf":    "import \"nowhere.conf\"",
		"import-key.conf": "import.key = 1\nimport-key = 1",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, err := config.LoadDataAPI(config.Source{File: filepath.Join(dir, "main.conf")})
	if err != nil {
		t.Fatal(err)
	}
	if c.Channel != "main" || c.PoolSize != 3 || c.MaxRows != 9 || c.AnonRole != "main" {
		t.Error(c)
	}
	for name, want := range map[string]string{"cycle.conf": "too many imports", "missing.conf": "no such file", "import-key.conf": ""} {
		_, err := config.LoadDataAPI(config.Source{File: filepath.Join(dir, name)})
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestFileRefusals(t *testing.T) {
	for _, c := range []struct{ content, want string }{
		{"yaml:\n  is: not", "line 1, column 5: expected = or {"},
		{"a = 1 b = 2", "line 1, column 7: expected a setting or the end"},
		{"\n\té = 'x'", "line 2, column 6: expected a string"},
		{"1a = 1", "expected a name"},
		{"a. = 1", "expected a name"},
		{"a", "expected ="},
		{"a = ", "expected a string"},
		{"a = -1", "expected a string"},
		{"a = 1.", "expected a digit"},
		{"a = 1e", "expected a digit"},
		{"a = True", "expected a string"},
		{`a = "x`, `expected "`},
		{`a = "\x"`, `expected n, t, r`},
		{`a = "\ud800"`, `expected n, t, r`},
		{`a = "\ud800\u0041"`, `expected n, t, r`},
		{`a = "\u12"`, `expected n, t, r`},
		{`a = "$x"`, "after $ comes neither"},
		{`a = "$(x"`, "after $ comes neither"},
		{`a = "$()"`, "after $ comes neither"},
		{"l = [1]\na = \"$(l)\"", "variable 'l' is not a string or number"},
		{"a = [1 2]", "expected , or ]"},
		{"a { b = 1", "expected a setting or }"},
		{"}", "expected a setting or the end"},
		{"#; a = ", "expected a string"},
		{"import 5", "expected = or {"},
		{"a = \"\xff\"", "not UTF-8"},
		{"a = " + strings.Repeat("[", 200), "expected less nesting"},
		{strings.Repeat("a { ", 200), "expected less nesting"},
	} {
		_, err := config.LoadDataAPI(config.Source{File: write(t, c.content)})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: got %v, want %s", c.content, err, c.want)
		}
	}
	if _, err := config.LoadDataAPI(config.Source{File: "/no/such/file"}); err == nil {
		t.Error("a missing file is no error")
	}
}
