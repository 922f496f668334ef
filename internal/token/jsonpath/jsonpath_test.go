package jsonpath_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tarn-data/tarn/internal/token/jsonpath"
)

const claims = `{
	"role": "author",
	"none": null,
	"n": 12,
	"https://www.example.com/roles": [{"value": "first"}, {"value": "second"}],
	"quote's": "q",
	"realm_access": {"roles": ["other", "test_author", "last"]},
	"users": [{"name": "a", "level": 1}, {"name": "b", "level": 2.50}, {"name": "c"}],
	"wanted": "test_author",
	"ünïcode": "u",
	"b": {"x": "bx"}, "a": {"x": "ax"}
}`

func decode(t testing.TB, text string) any {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestFirst(t *testing.T) {
	root := decode(t, claims)
	for _, c := range []struct{ path, want string }{ // want is JSON; empty for nothing
		{`$.role`, `"author"`},
		{`$["role"]`, `"author"`},
		{`$[ 'role' ]`, `"author"`},
		{`$ .role`, `"author"`},
		{`$['\u0072ole']`, `"author"`},
		{`$['https://www.example.com/roles'][0].value`, `"first"`},
		{`$["https://www.example.com/roles"][-1].value`, `"second"`},
		{`$['quote\'s']`, `"q"`},
		{`$["quote's"]`, `"q"`},
		{`$.ünïcode`, `"u"`},
		{`$.none`, `null`},
		{`$.n`, `12`},
		{`$.missing`, ``},
		{`$.role.inside`, ``},
		{`$.role[0]`, ``},
		{`$.realm_access.roles[1]`, `"test_author"`},
		{`$.realm_access.roles[3]`, ``},
		{`$.realm_access.roles[-3]`, `"other"`},
		{`$.realm_access.roles[-4]`, ``},
		{`$.realm_access.roles[1:]`, `"test_author"`},
		{`$.realm_access.roles[::-1]`, `"last"`},
		{`$.realm_access.roles[:0]`, ``},
		{`$.realm_access.roles[::0]`, ``},
		{`$.realm_access.roles[5:9007199254740991:9007199254740991]`, ``},
		{`$.realm_access.roles[0:3:9007199254740991]`, `"other"`},
		{`$.realm_access.roles[2:0:-9007199254740991]`, `"last"`},
		{`$.realm_access.roles[-2:-1 : 1]`, `"test_author"`},
		{`$.realm_access.roles[7,2,1]`, `"last"`},
		{`$.realm_access.*[0]`, `"other"`},
		{`$.realm_access.roles[?(@ == "test_author")]`, `"test_author"`},
		{`$.realm_access.roles[?@ != 'other']`, `"test_author"`},
		{`$.realm_access.roles[?@ == $.wanted]`, `"test_author"`},
		{`$.realm_access.roles[?search(@, '^test')]`, `"test_author"`},
		{`$.realm_access.roles[?!search(@, 'o')]`, `"last"`},
		{`$.realm_access.roles[?search($.wanted, @)]`, `"test_author"`},
		{`$.realm_access.roles[? @ > 'm' && @ < 'u' ]`, `"other"`},
		{`$.realm_access.roles[?@ == 'none' || @ == 'last']`, `"last"`},
		{`$.realm_access.roles[?!(@ == 'other' || @ == 'last')]`, `"test_author"`},
		{`$.users[?@.level].name`, `"a"`},
		{`$.users[?!@.level].name`, `"c"`},
		{`$.users[?@.level > 1].name`, `"b"`},
		{`$.users[?@.level >= 1].name`, `"a"`},
		{`$.users[?@.level == 2.5].name`, `"b"`},
		{`$.users[?@.level == 25e-1].name`, `"b"`},
		{`$.users[?@.level < -1 || @.level <= 1e0].name`, `"a"`},
		{`$.users[?@.missing == @.absent].name`, `"a"`},
		{`$.users[?@.level != 1].name`, `"b"`},
		{`$.users[?@ == $.users[1]].name`, `"b"`},
		{`$[?@.x].x`, `"ax"`}, // members go by name
		{`$..x`, `"ax"`},
		{`$..[0].name`, `"a"`},
		{`$..*`, `{"x":"ax"}`},
		{`$.none[?@ == null]`, ``},
		{`$[?@ == null]`, `null`},
		{`$[?@ == true || @ == false]`, ``},
	} {
		p, err := jsonpath.Parse(c.path)
		if err != nil {
			t.Errorf("%s: %v", c.path, err)
			continue
		}
		check := func(p *jsonpath.Path, how string) {
			v, ok := p.First(root)
			got := ""
			if ok {
				out, err := json.Marshal(v)
				if err != nil {
					t.Fatal(err)
				}
				got = string(out)
			}
			if got != c.want {
				t.Errorf("%s%s: got %q, want %q", c.path, how, got, c.want)
			}
		}
		check(p, "")
		again, err := jsonpath.Parse(p.String())
		if err != nil {
			t.Errorf("%s: reading %s: %v", c.path, p, err)
			continue
		}
		check(again, " rendered as "+p.String())
	}
}

func TestString(t *testing.T) {
	for _, c := range []struct{ path, want string }{
		{`$`, `$`},
		{`$.store`, `$.store`},
		{`$["store"]`, `$['store']`},
		{`$["it's\n"]`, `$['it\'s\u000a']`},
		{`$.a[0,2]`, `$.a[0,2]`},
		{`$[1:3]`, `$[1:3:1]`},
		{`$[5:]`, `$[5::1]`},
		{`$[::-1]`, `$[::-1]`},
		{`$.*`, `$.*`},
		{`$[ * ]`, `$[*]`},
		{`$..*`, `$..*`},
		{`$..[*]`, `$..[*]`},
		{`$..a`, `$..a`},
		{`$.b[?@.x]`, `$.b[?@.x]`},
		{`$.b[?@.x<20&&!(@.y==null||@.z=="s")]`, `$.b[?@.x < 20 && !(@.y == null || @.z == 's')]`},
		{`$.b[?search(@.author,'A|B')]`, `$.b[?search(@.author, 'A|B')]`},
	} {
		p, err := jsonpath.Parse(c.path)
		if err != nil {
			t.Errorf("%s: %v", c.path, err)
			continue
		}
		if diff := cmp.Diff(c.want, p.String()); diff != "" {
			t.Errorf("%s: %s", c.path, diff)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, path := range []string{
		``, `role`, `.role`, `@.role`, `$role`, `$.`, `$.1a`, `$. role`, `$.role `, `$.my_role;;domain`, `@@.role.other`,
		`$[`, `$[]`, `$[0`, `$[01]`, `$[-0]`, `$[-]`, `$[9007199254740992]`, `$[99999999999999999999]`, `$[1,]`, `$['a]`, `$['\x']`,
		`$['\ud800']`, `$['\ud800\u0041']`, `$['\u12']`, "$['\n']", `$["\'"]`, `$[?]`, `$[?'a']`, `$[?@ ==]`, `$[?@ = 1]`,
		`$[?@.* == 1]`, `$[?1 == @..a]`, `$[?!@.a == 1]`, `$[?(@.a]`, `$[?search(@)]`, `$[?search(@, '(')]`, `$[?search(@.*, 'a')]`, `$[?length(@) > 1]`,
		`$[?@ == 01]`, `$[?@ == 1.]`, `$[?@ == 1e]`, "$.\xff", `$[?` + strings.Repeat("(", 100) + `@` + strings.Repeat(")", 100) + `]`,
	} {
		if p, err := jsonpath.Parse(path); err == nil {
			t.Errorf("%q: read as %s", path, p)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		`$.a['b'][0,1:2:3,*,?@.x == 'y' && !(search(@, "z") || @.n < -1.5e3)]..c`, `$..*`, `$['\ud83d\ude00']`,
	} {
		f.Add(seed)
	}
	root := decode(f, claims)
	f.Fuzz(func(t *testing.T, text string) {
		p, err := jsonpath.Parse(text)
		if err != nil {
			return
		}
		if strings.Count(text, "..")+strings.Count(text, "*")+strings.Count(text, "?") < 5 { // others may lead to very many values
			p.First(root)
		}
		rendered := p.String()
		again, err := jsonpath.Parse(rendered)
		if err != nil {
			t.Fatalf("%q rendered as %q: %v", text, rendered, err)
		}
		if again.String() != rendered {
			t.Fatalf("%q rendered as %q, then as %q", text, rendered, again.String())
		}
	})
}
