package media

import (
	"slices"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for s, want := range map[string]Type{
		"*/*":                                              Of(Any),
		"application/json":                                 Of(JSON),
		"application/json; charset=utf-8":                  Of(JSON),
		"APPLICATION/Json":                                 Of(JSON),
		"application/geo+json":                             Of(GeoJSON),
		"text/csv":                                         Of(CSV),
		"text/plain;x=y":                                   Of(Text),
		"Text/XML":                                         Of(XML),
		"application/openapi+json":                         Of(OpenAPI),
		"application/x-www-form-urlencoded":                Of(URLEncoded),
		"application/octet-stream":                         Of(OctetStream),
		"application/vnd.pgrst.object":                     Of(Singular),
		"ApplicatIon/vnd.PgRsT.object+json":                Of(Singular),
		"application/vnd.pgrst.array":                      Of(JSON),
		"application/vnd.pgrst.array+json":                 Of(JSON),
		"application/vnd.pgrst.object+json;nulls=stripped": Of(SingularStripped),
		"application/vnd.pgrst.object ; NULLS = \"stripped\" ;x":        Of(SingularStripped),
		"application/vnd.pgrst.object+json;nulls=Stripped":              Of(Singular),
		"application/vnd.pgrst.object;nulls=kept;nulls=stripped":        Of(SingularStripped),
		"application/vnd.pgrst.object;nulls=stripped;nulls=kept":        Of(Singular),
		"application/vnd.pgrst.object;?;nulls=stripped":                 Of(Singular),
		"application/vnd.pgrst.array+json;nulls=stripped":               Of(ArrayStripped),
		"application/vnd.pgrst.plan":                                    {Kind: Plan, For: JSON},
		"application/vnd.pgrst.plan;":                                   {Kind: Plan, For: JSON},
		"application/vnd.pgrst.plan+text":                               {Kind: Plan, For: JSON},
		"application/vnd.pgrst.Plan+JSON":                               {Kind: Plan, For: JSON, Format: PlanJSON},
		`application/vnd.pgrst.plan;for="application/json"`:             {Kind: Plan, For: JSON},
		`application/vnd.pgrst.plan+json;for="text/csv"`:                {Kind: Plan, For: CSV, Format: PlanJSON},
		`application/vnd.pgrst.plan ; for="text/xml" ; options=analyze`: {Kind: Plan, For: XML, Options: Analyze},
		`application/vnd.pgrst.plan+text; for="text/xml"; options=wal|analyze|verbose|settings|buffers|x`: {
			Kind: Plan, For: XML, Options: Analyze | Verbose | Settings | Buffers | WAL,
		},
		`application/vnd.pgrst.plan;for="application/vnd.pgrst.object+json;nulls=stripped"`: {Kind: Plan, For: SingularStripped},
		`application/vnd.pgrst.plan;for="application/vnd.twkb"`:                             {Kind: Plan, For: Other, ForName: "application/vnd.twkb"},
		`application/vnd.pgrst.plan;wat="application/json;text/csv";options=wal`:            {Kind: Plan, For: JSON, Options: WAL},
		`application/vnd.pgrst.plan;for="text/csv`:                                          {Kind: Plan, For: JSON},

		"application/vnd.twkb": {Kind: Other, Name: "application/vnd.twkb"},
		"Image/PNG; q":         {Kind: Other, Name: "Image/PNG; q"},
		"text/*":               {Kind: Other, Name: "text/*"},
		"text":                 {Kind: Other, Name: "text"},
		"text/":                {Kind: Other, Name: "text/"},
		"/json":                {Kind: Other, Name: "/json"},
		" text/csv":            {Kind: Other, Name: " text/csv"},
		"":                     {Kind: Other},
		"x-a/b":                {Kind: Other, Name: "x-a/b"},
	} {
		if got := Parse(s); got != want {
			t.Errorf("%q: got %+v, want %+v", s, got, want)
		}
	}
}

func TestString(t *testing.T) {
	for _, c := range []struct {
		typ                 Type
		name, contentSuffix string
	}{
		{Of(Any), "*/*", "; charset=utf-8"},
		{Of(JSON), "application/json", "; charset=utf-8"},
		{Of(GeoJSON), "application/geo+json", "; charset=utf-8"},
		{Of(CSV), "text/csv", "; charset=utf-8"},
		{Of(Text), "text/plain", "; charset=utf-8"},
		{Of(XML), "text/xml", "; charset=utf-8"},
		{Of(OpenAPI), "application/openapi+json", "; charset=utf-8"},
		{Of(URLEncoded), "application/x-www-form-urlencoded", "; charset=utf-8"},
		{Of(OctetStream), "application/octet-stream", ""},
		{Of(ArrayStripped), "application/vnd.pgrst.array+json;nulls=stripped", "; charset=utf-8"},
		{Of(Singular), "application/vnd.pgrst.object+json", "; charset=utf-8"},
		{Of(SingularStripped), "application/vnd.pgrst.object+json;nulls=stripped", "; charset=utf-8"},
		{Type{Kind: Other, Name: "image/png"}, "image/png", ""},
		{Type{Kind: Plan, For: JSON}, `application/vnd.pgrst.plan+text; for="application/json"`, "; charset=utf-8"},
		{
			Type{Kind: Plan, For: Other, ForName: "a/b", Format: PlanJSON, Options: Analyze | WAL},
			`application/vnd.pgrst.plan+json; for="a/b"; options=analyze|wal`, "; charset=utf-8",
		},
	} {
		if got := c.typ.String(); got != c.name {
			t.Errorf("%+v is %q, want %q", c.typ, got, c.name)
		}
		if got := c.typ.ContentType(); got != c.name+c.contentSuffix {
			t.Errorf("content type of %+v is %q", c.typ, got)
		}
		if got := Parse(c.name); got != c.typ {
			t.Errorf("%q is read as %+v, want %+v", c.name, got, c.typ)
		}
	}
}

func TestParseAccept(t *testing.T) {
	for _, c := range []struct {
		values []string
		want   string
	}{
		{nil, "*/*"},
		{[]string{""}, "*/*"},
		{[]string{" , "}, "*/*"},
		{[]string{"text/csv"}, "text/csv"},
		{[]string{"text/csv, application/json"}, "text/csv application/json"},
		{[]string{"text/csv;q=0.5, application/json"}, "application/json text/csv"},
		{[]string{"text/csv ; q=0.5", "application/json;q=0.8"}, "application/json text/csv"},
		{[]string{"*/*, text/*, text/csv"}, "text/csv text/* */*"},
		{[]string{"text/csv, application/vnd.pgrst.object;nulls=stripped"}, "application/vnd.pgrst.object+json;nulls=stripped text/csv"},
		{[]string{"text/csv;q=x, application/json;q=0.9"}, "text/csv application/json"},
		{[]string{"text/csv;q=0, application/json;q=.9"}, "application/json text/csv"},
		{[]string{"text/csv;q=0.50;x=y, application/json;q=0.51"}, "application/json text/csv"},
		{[]string{"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}, "text/html application/xhtml+xml application/xml */*"},
	} {
		var got []string
		for _, typ := range ParseAccept(c.values) {
			got = append(got, typ.String())
		}
		if !slices.Equal(got, strings.Split(c.want, " ")) {
			t.Errorf("%q: got %q, want %s", c.values, got, c.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("application/json")
	f.Add(`application/vnd.pgrst.plan+json; for="text/csv"; options=analyze|wal`)
	f.Add("application/vnd.pgrst.object ; nulls=stripped;")
	f.Add("text/csv;q=0.5, */*")
	f.Fuzz(func(t *testing.T, s string) {
		typ := Parse(s)
		if again := Parse(typ.String()); again != typ && typ.For != Plan {
			t.Errorf("%q is %+v, but %q is %+v", s, typ, typ, again)
		}
		if len(ParseAccept([]string{s})) == 0 {
			t.Errorf("%q accepts nothing", s)
		}
	})
}
