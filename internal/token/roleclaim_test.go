package token_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/tarn-data/tarn/internal/token"
)

func decodeClaims(t testing.TB, text string) map[string]any {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var v map[string]any
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

const roleClaims = `{
	"role": "author", "n": 1.50, "t": true, "nil": null, "o": {"b": "<", "a": [1]},
	"a": {"roles": ["other", "test_author", {"x": "y"}], "$n_1@": "odd"}, "https://x.com/r": [{"value": "v"}], "日本": "ja"
}`

func TestRoleClaims(t *testing.T) {
	claims := decodeClaims(t, roleClaims)
	const nothing = "<nothing>"
	for _, c := range []struct{ expr, want, normal string }{ // normal is empty if it is the expression
		{`$.role`, `author`, ``},
		{`$.n`, `1.50`, ``},
		{`$.t`, `true`, ``},
		{`$.nil`, `null`, ``},
		{`$.o`, `{"a":[1],"b":"<"}`, ``},
		{`$.missing`, nothing, ``},
		{`$.a.roles[?(@ == "test_author")]`, `test_author`, `$.a.roles[?(@ == 'test_author')]`},
		{`$["https://x.com/r"][0].value`, `v`, `$['https://x.com/r'][0].value`},
		{`.role`, `author`, `."role"`},
		{`."role"`, `author`, ``},
		{`.n`, `1.50`, `."n"`},
		{`.nil`, `null`, `."nil"`},
		{`.missing`, nothing, `."missing"`},
		{`.missing.role`, nothing, `."missing"."role"`},
		{`.role.inner`, nothing, `."role"."inner"`},
		{`.role[0]`, nothing, `."role"[0]`},
		{`[0]`, nothing, ``},
		{`.a.$n_1@`, `odd`, `."a"."$n_1@"`},
		{`.日本`, `ja`, `."日本"`},
		{`."https://x.com/r"[0].value`, `v`, `."https://x.com/r"[0]."value"`},
		{`.a.roles[1]`, `test_author`, `."a"."roles"[1]`},
		{`.a.roles[3]`, nothing, `."a"."roles"[3]`},
		{`.a.roles.x`, nothing, `."a"."roles"."x"`},
		{`.a.roles[?(@ == "test_author")]`, `test_author`, `."a"."roles"[?(@ == "test_author")]`},
		{`.a.roles[?(@=="nobody")]`, nothing, `."a"."roles"[?(@ == "nobody")]`},
		{`.a.roles[?(@ != "other")]`, `test_author`, `."a"."roles"[?(@ != "other")]`},
		{`.a.roles[?(@ ^== "test")]`, `test_author`, `."a"."roles"[?(@ ^== "test")]`},
		{`.a.roles[?(@ ==^ "author")]`, `test_author`, `."a"."roles"[?(@ ==^ "author")]`},
		{`.a.roles[?(@ *== "t_a")]`, `test_author`, `."a"."roles"[?(@ *== "t_a")]`},
		{`.a[?(@ == "x")]`, nothing, `."a"[?(@ == "x")]`},
	} {
		r, err := token.ParseRoleClaim(c.expr)
		if err != nil {
			t.Errorf("%s: %v", c.expr, err)
			continue
		}
		role, ok := r.Role(claims)
		if !ok {
			role = nothing
		}
		if role != c.want {
			t.Errorf("%s: got %s, want %s", c.expr, role, c.want)
		}
		if c.normal == "" {
			c.normal = c.expr
		}
		if r.String() != c.normal {
			t.Errorf("%s: got %s, want %s", c.expr, r, c.normal)
		}
		if want := c.expr[0] != '$'; r.Deprecated() != want {
			t.Errorf("%s: deprecated is not %v", c.expr, want)
		}
	}
	if _, ok := (token.RoleClaim{}).Role(claims); ok {
		t.Error("the zero value finds something")
	}
}

func TestRoleClaimRefusals(t *testing.T) {
	for _, expr := range []string{
		``, `role.other`, `.role##`, `.my_role;;domain`, `$.my_role;;domain`, `@@.role.other`, `.#$$%&$%/`, `1234`, `.role[?(@ =)]`,
		`.`, `."x`, `.[0]`, `[x]`, `[]`, `[-1]`, `[99999999999999999999]`, `[0`, `.a[?("x")]`, `.a[?(@ == x)]`, `.a[?(@ == "x"]`,
		`.a[?(@ == "x")].b`, `.a[?(@ <> "x")]`, ".\xff",
	} {
		_, err := token.ParseRoleClaim(expr)
		if err == nil || !strings.HasPrefix(err.Error(), "failed to parse role-claim-key value ("+expr+")") {
			t.Errorf("%s: %v", expr, err)
		}
	}
}

func FuzzParseRoleClaim(f *testing.F) {
	f.Add(`.a."b c"[0].roles[?(@ ^== "web")]`)
	f.Add(`$.a['b c'][0].roles[?search(@, '^web')]`)
	claims := decodeClaims(f, roleClaims)
	f.Fuzz(func(t *testing.T, expr string) {
		r, err := token.ParseRoleClaim(expr)
		if err != nil {
			return
		}
		again, err := token.ParseRoleClaim(r.String())
		if err != nil || again.String() != r.String() {
			t.Fatalf("%q became %q (%v)", expr, r.String(), err)
		}
		if strings.Count(expr, "..")+strings.Count(expr, "*")+strings.Count(expr, "?") > 4 {
			return // may lead to very many values
		}
		one, ok1 := r.Role(claims)
		two, ok2 := again.Role(claims)
		if one != two || ok1 != ok2 {
			t.Fatalf("%q: %q, but %q as %q", expr, one, two, r)
		}
	})
}
