package scim_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/tarn-data/tarn/internal/fault"
	"github.com/tarn-data/tarn/internal/scim"
)

// render writes a filter with all its parentheses.
func render(f scim.Filter) string {
	switch f := f.(type) {
	case *scim.Compare:
		if f.Op == scim.Pr {
			return f.Attr.String() + " pr"
		}
		text, err := json.Marshal(f.Value)
		if err != nil {
			return err.Error()
		}
		return fmt.Sprintf("%s %s %s", f.Attr, f.Op, text)
	case *scim.Both:
		return "(" + render(f.Left) + " and " + render(f.Right) + ")"
	case *scim.Either:
		return "(" + render(f.Left) + " or " + render(f.Right) + ")"
	case *scim.Not:
		return "not (" + render(f.Filter) + ")"
	case *scim.Within:
		return f.Attr.String() + "[" + render(f.Filter) + "]"
	}
	return "?"
}

func TestParseFilter(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ text, want string }{
		{`userName eq "ann@example.com"`, `username eq "ann@example.com"`},
		{`displayName sw 'go-sdk-'`, `displayname sw "go-sdk-"`},
		{`a eq 'it\'s "so"'`, `a eq "it's \"so\""`},
		{`urn:ietf:params:scim:schemas:core:2.0:User:userName sw "J"`, `username sw "J"`},
		{`title pr and userType eq "Employee" or active eq true`, `((title pr and usertype eq "Employee") or active eq true)`},
		{`title pr and (userType eq "a" OR n gt 5)`, `(title pr and (usertype eq "a" or n gt 5))`},
		{`not (name.familyName co "O'Malley") and x ne null`, `(not (name.familyname co "O'Malley") and x ne null)`},
		{`emails[type eq "work" and value co "@example.com"] or ims pr`, `(emails[(type eq "work" and value co "@example.com")] or ims pr)`},
		{`meta.lastModified ge "2011-05-13T04:42:34Z"`, `meta.lastmodified ge "2011-05-13T04:42:34Z"`},
		{`a eq "\u00e9\"\\"`, `a eq "é\"\\"`},
	} {
		f, err := scim.ParseFilter(c.text)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		if got := render(f); got != c.want {
			t.Errorf("%s\n got %s\nwant %s", c.text, got, c.want)
		}
	}
}

func TestParseFilterRefuses(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		``, ` `, `userName`, `userName eq`, `userName eq "x`, `userName is "x"`, `eq "x"`, `(a pr`, `a pr)`, `a pr b pr`, `not a pr`, `emails[type eq "x"`,
		`a eq "x" and`, `a eq x`, `a eq "x"; DROP TABLE principals`, `a eq "\q"`, "a eq \"\x00\"", `a eq "\u0000"`, "a eq \"\xff\"", `[a pr]`,
		strings.Repeat("(", 10_000) + "a pr" + strings.Repeat(")", 10_000), strings.Repeat("a pr and ", 10_000) + "a pr", `.x pr`,
	} {
		_, err := scim.ParseFilter(text)
		if f := fault.From(err); err == nil || f.Kind != fault.Invalid || f.Code != "invalidFilter" {
			t.Errorf("%.60q: %v", text, err)
		}
	}
}

func FuzzParseFilter(f *testing.F) {
	for _, text := range []string{`a eq "b" and not (c.d pr or e[f gt 1])`, `x sw 'it\'s'`, `((a pr))`, `a ne null`} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		first, err := scim.ParseFilter(text)
		if err != nil {
			if fault.From(err).Kind != fault.Invalid {
				t.Fatal(err)
			}
			return
		}
		// What it means is what its long form means.
		again, err := scim.ParseFilter(render(first))
		if err != nil {
			if len(render(first)) > 1000 { // which may be nested too deeply
				return
			}
			t.Fatalf("%q is not read again: %v", render(first), err)
		}
		if render(again) != render(first) {
			t.Errorf("%q became %q", render(first), render(again))
		}
		scim.Matches(first, map[string]any{"a": "b"})
	})
}
