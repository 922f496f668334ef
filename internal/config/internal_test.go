package config

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

func FuzzParseSyntax(f *testing.F) {
	f.Add("# c\na.b = \"x\\u00e9$(y) $$\" # d\ng { h = [1, on, \"l\"] }\n#; i = 1.5e-3\nimport \"j\"")
	f.Add(Example())
	f.Fuzz(func(t *testing.T, content string) {
		directives, err := parseSyntax(content)
		if err != nil {
			return
		}
		l := &fileLoader{
			readFile: func(string) ([]byte, error) { return nil, os.ErrNotExist },
			env:      map[string]string{"y": "z"}, values: map[string]value{},
		}
		if l.apply(directives, "f", "") != nil {
			return
		}
		// What was read can be written and read again.
		var b strings.Builder
		for k, v := range l.values {
			if v.kind == text {
				fmt.Fprintf(&b, "%s = %s\n", k, quote(v.text))
			}
		}
		again, err := parseSyntax(b.String())
		if err != nil {
			t.Fatalf("%q: %v", b.String(), err)
		}
		for _, d := range again {
			s, err := l.interpolate("", d.value.text)
			if err != nil || s != l.values[d.key].text {
				t.Fatalf("%s: %q became %q (%v)", d.key, l.values[d.key].text, s, err)
			}
		}
	})
}

func FuzzParseURI(f *testing.F) {
	f.Add("https://u@[::1]:8443/base%20path?q=1#f")
	f.Fuzz(func(t *testing.T, s string) {
		u, ok := parseURI(s)
		if ok && u.proxy() && !strings.Contains(strings.ToLower(s), u.scheme+"://"+strings.ToLower(u.host+u.port)) {
			t.Fatalf("%q: %+v", s, u)
		}
	})
}

// update makes TestReference write what it should find.
var update = flag.Bool("update", false, "update the reference of settings in docs/configuration.md")

const reference = "../../docs/configuration.md"

// TestReference holds that the documentation lists all settings as they are.
func TestReference(t *testing.T) {
	const begin, end = "<!-- settings -->\n", "<!-- end of settings -->\n"
	page, err := os.ReadFile(reference)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(page), begin)
	found, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatal("the marks around the settings are missing")
	}
	want := referenceTable()
	if *update {
		err = os.WriteFile(reference, []byte(before+begin+want+end+after), 0o644)
		if err != nil {
			t.Fatal(err)
		}
		return
	}
	if found != want {
		t.Error("the settings have changed; run go test ./internal/config -run Reference -update")
	}
}

func referenceTable() string {
	var b strings.Builder
	b.WriteString("| setting | type | default | in the database | what it is |\n|---|---|---|---|---|\n")
	for _, r := range rows() {
		name := "`" + r.name + "`"
		for _, also := range append(r.before, r.after...) {
			if also != "server-host" { // a setting of its own
				name += " (also `" + also + "`)"
			}
		}
		initial, database := "", ""
		if r.initial != "" {
			initial = "`" + r.initial + "`"
		}
		if r.inDatabase {
			database = "`" + databasePrefix + databaseName(r.name) + "`"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", name, r.typ, initial, database, r.doc)
	}
	return b.String()
}
