package openapi

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tarn-data/tarn/internal/dataapi/schema"
)

func TestQueryArgument(t *testing.T) {
	for name, tc := range map[string]struct {
		param schema.Param
		want  map[string]any
	}{
		"required": {
			schema.Param{Type: "integer", Required: true},
			map[string]any{"type": "integer", "format": "int32", "required": true},
		},
		"optional": {
			schema.Param{Type: "text"},
			map[string]any{"type": "string", "format": "text", "required": false},
		},
		"array, as one literal": {
			schema.Param{Type: "bigint[]", Required: true},
			map[string]any{"type": "string", "format": "bigint[]", "required": true},
		},
		"json": {
			schema.Param{Type: "json"},
			map[string]any{"type": "string", "format": "json", "required": false},
		},
		"variadic": {
			schema.Param{Type: "bigint[]", Variadic: true},
			map[string]any{
				"type": "array", "required": false, "collectionFormat": "multi",
				"items": map[string]any{"type": "integer", "format": "int64"},
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			tc.param.Name = "p"
			tc.want["name"], tc.want["in"] = "p", "query"
			r := &schema.Routine{
				Ident: schema.Ident{Name: "f"}, Volatility: schema.Immutable, Params: []schema.Param{tc.param},
			}
			doc := decode(t, Build(Input{Routines: []*schema.Routine{r}}))
			got, _ := lookup(doc, "paths", "/rpc/f", "get", "parameters")
			if diff := cmp.Diff(any([]any{tc.want}), got); diff != "" {
				t.Errorf("parameters (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRoutineWithoutParametersTakesAnEmptyObject(t *testing.T) {
	r := &schema.Routine{Ident: schema.Ident{Name: "f"}}
	doc := decode(t, Build(Input{Routines: []*schema.Routine{r}}))
	got, _ := lookup(doc, "paths", "/rpc/f", "post", "parameters")
	want := []any{
		map[string]any{"name": "args", "in": "body", "required": true, "schema": map[string]any{"type": "object"}},
		map[string]any{"$ref": "#/parameters/preferParams"},
	}
	if diff := cmp.Diff(any(want), got); diff != "" {
		t.Errorf("parameters (-want +got):\n%s", diff)
	}
}

func TestRoutineTypesAreNamedBySearchPath(t *testing.T) {
	for _, tc := range []struct {
		path        []string
		given, want string
	}{
		{nil, "api.mood", "api.mood"},
		{[]string{"api", "public"}, "api.mood", "mood"},
		{[]string{"api", "public"}, "public.citext[]", "citext[]"},
		{[]string{"api"}, "public.citext", "public.citext"},
		{[]string{"api"}, "apis.mood", "apis.mood"},
		{[]string{`My "API"`}, `"My ""API""".mood`, "mood"},
		{[]string{"api"}, "integer[]", "integer[]"},
	} {
		r := &schema.Routine{
			Ident: schema.Ident{Name: "f"}, Volatility: schema.Stable, Params: []schema.Param{{Name: "p", Type: tc.given, Required: true}},
		}
		doc := decode(t, Build(Input{Routines: []*schema.Routine{r}, SearchPath: tc.path}))
		post, _ := lookup(doc, "paths", "/rpc/f", "post", "parameters")
		get, _ := lookup(doc, "paths", "/rpc/f", "get", "parameters")
		for method, format := range map[string]any{
			"post": post.([]any)[0].(map[string]any)["schema"].(map[string]any)["properties"].(map[string]any)["p"].(map[string]any)["format"],
			"get":  get.([]any)[0].(map[string]any)["format"],
		} {
			if format != tc.want {
				t.Errorf("%s with path %q: %s is written %v, want %s", method, tc.path, tc.given, format, tc.want)
			}
		}
		if r.Params[0].Type != tc.given {
			t.Error("the routine of the cache was changed")
		}
	}
}
