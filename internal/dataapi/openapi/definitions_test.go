package openapi

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tarn-data/tarn/internal/dataapi/schema"
)

func TestProperty(t *testing.T) {
	for name, tc := range map[string]struct {
		column schema.Column
		want   map[string]any
	}{
		"boolean":            {schema.Column{Type: "boolean"}, map[string]any{"type": "boolean", "format": "boolean"}},
		"smallint":           {schema.Column{Type: "smallint"}, map[string]any{"type": "integer", "format": "int32"}},
		"integer":            {schema.Column{Type: "integer"}, map[string]any{"type": "integer", "format": "int32"}},
		"bigint":             {schema.Column{Type: "bigint"}, map[string]any{"type": "integer", "format": "int64"}},
		"numeric":            {schema.Column{Type: "numeric"}, map[string]any{"type": "number", "format": "numeric"}},
		"real":               {schema.Column{Type: "real"}, map[string]any{"type": "number", "format": "real"}},
		"double precision":   {schema.Column{Type: "double precision"}, map[string]any{"type": "number", "format": "double precision"}},
		"text":               {schema.Column{Type: "text"}, map[string]any{"type": "string", "format": "text"}},
		"character":          {schema.Column{Type: "character", MaxLength: 3}, map[string]any{"type": "string", "format": "character", "maxLength": 3.0}},
		"of another schema":  {schema.Column{Type: "s.money"}, map[string]any{"type": "string", "format": "s.money"}},
		"json":               {schema.Column{Type: "json"}, map[string]any{"format": "json"}},
		"jsonb":              {schema.Column{Type: "jsonb"}, map[string]any{"format": "jsonb"}},
		"array":              {schema.Column{Type: "integer[]"}, map[string]any{"type": "array", "format": "integer[]", "items": map[string]any{"type": "integer"}}},
		"array of anything":  {schema.Column{Type: "jsonb[]"}, map[string]any{"type": "array", "format": "jsonb[]", "items": map[string]any{}}},
		"enum":               {schema.Column{Type: "s.e", Enum: []string{"a", "b"}}, map[string]any{"type": "string", "format": "s.e", "enum": []any{"a", "b"}}},
		"commented":          {schema.Column{Type: "text", Description: "x"}, map[string]any{"type": "string", "format": "text", "description": "x"}},
		"with default":       {schema.Column{Type: "boolean", Default: "false"}, map[string]any{"type": "boolean", "format": "boolean", "default": false}},
		"default by routine": {schema.Column{Type: "integer", Default: "nextval('s'::regclass)"}, map[string]any{"type": "integer", "format": "int32"}},
	} {
		t.Run(name, func(t *testing.T) {
			tc.column.Name = "c"
			r := &schema.Relation{Ident: schema.Ident{Name: "r"}, Columns: []schema.Column{tc.column}}
			doc := decode(t, Build(Input{Relations: []*schema.Relation{r}}))
			got, _ := lookup(doc, "definitions", "r", "properties", "c")
			if diff := cmp.Diff(any(tc.want), got); diff != "" {
				t.Errorf("property (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDefault(t *testing.T) {
	for _, tc := range []struct{ pgType, expression, want string }{
		{"text", "", ""},
		{"text", "'plain'::text", `"plain"`},
		{"text", "''::text", `""`},
		{"text", "now()", `"now()"`},
		{"text", `'say "no"'::text`, ""},
		{"text", "'two\nlines'::text", ""},
		{"date", "'1900-01-01'::date", `"1900-01-01"`},
		{"timestamp with time zone", "now()", `"now()"`},
		{"character varying", "'x'::character varying", `"x"`},
		{"integer", "42", "42"},
		{"integer", "'-1'::integer", ""},
		{"numeric", "42.20", "42.20"},
		{"boolean", "true", "true"},
		{"jsonb", "'{}'::jsonb", ""},
		{"text[]", "'{}'::text[]", ""},
	} {
		if got := string(defaultOf(tc.pgType, tc.expression)); got != tc.want {
			t.Errorf("defaultOf(%s, %s) = %s, want %s", tc.pgType, tc.expression, got, tc.want)
		}
	}
}

func TestRequiredAreThoseThatCannotBeNull(t *testing.T) {
	r := &schema.Relation{Ident: schema.Ident{Name: "r"}, Columns: []schema.Column{
		{Name: "z", Type: "text"}, {Name: "m", Type: "text", Nullable: true}, {Name: "a", Type: "text", Default: "''::text"},
	}}
	doc := decode(t, Build(Input{Relations: []*schema.Relation{r}}))
	got, _ := lookup(doc, "definitions", "r", "required")
	if diff := cmp.Diff(any([]any{"z", "a"}), got); diff != "" {
		t.Errorf("required (-want +got):\n%s", diff)
	}
}

func TestKeyNotes(t *testing.T) {
	const pk = "This is a Primary Key.<pk/>"
	note := func(table, column string) string {
		return "This is a Foreign Key to `" + table + "." + column + "`.<fk table='" + table + "' column='" + column + "'/>"
	}
	to := func(name string, c schema.Cardinality, pairs ...schema.ColumnPair) schema.Relationship {
		return schema.Relationship{Foreign: schema.Ident{Schema: "s", Name: name}, Cardinality: c, Columns: pairs}
	}
	pair := schema.ColumnPair{Local: "c", Foreign: "id"}
	view := to("view", schema.ManyToOne, pair)
	view.ForeignIsView = true
	parent := to("child", schema.OneToOne, pair)
	parent.IsParent = true

	for name, tc := range map[string]struct {
		comment string
		pk      bool
		rels    []schema.Relationship
		want    string
	}{
		"nothing":           {},
		"comment":           {comment: "text", want: "text"},
		"primary key":       {pk: true, want: "Note:\n" + pk},
		"with comment":      {comment: "text", pk: true, want: "text\n\nNote:\n" + pk},
		"many to one":       {rels: []schema.Relationship{to("t", schema.ManyToOne, pair)}, want: "Note:\n" + note("t", "id")},
		"both keys":         {pk: true, rels: []schema.Relationship{to("t", schema.ManyToOne, pair)}, want: "Note:\n" + pk + "\n" + note("t", "id")},
		"one to one, child": {rels: []schema.Relationship{to("t", schema.OneToOne, pair)}, want: "Note:\n" + note("t", "id")},
		"the parent's end":  {rels: []schema.Relationship{parent}},
		"one to many":       {rels: []schema.Relationship{to("t", schema.OneToMany, pair)}},
		"many to many":      {rels: []schema.Relationship{to("t", schema.ManyToMany)}},
		"computed":          {rels: []schema.Relationship{to("t", schema.Computed)}},
		"of two columns":    {rels: []schema.Relationship{to("t", schema.ManyToOne, pair, schema.ColumnPair{Local: "d", Foreign: "e"})}},
		"of another column": {rels: []schema.Relationship{to("t", schema.ManyToOne, schema.ColumnPair{Local: "d", Foreign: "e"})}},
		"table before view": {rels: []schema.Relationship{view, to("t", schema.ManyToOne, pair)}, want: "Note:\n" + note("t", "id")},
		"view alone":        {rels: []schema.Relationship{view}, want: "Note:\n" + note("view", "id")},
	} {
		t.Run(name, func(t *testing.T) {
			id := schema.Ident{Schema: "s", Name: "r"}
			r := &schema.Relation{Ident: id, Columns: []schema.Column{{Name: "c", Type: "text", Description: tc.comment}}}
			if tc.pk {
				r.PrimaryKey = []string{"c"}
			}
			doc := decode(t, Build(Input{
				Schema:    "s",
				Relations: []*schema.Relation{r},
				Cache: &schema.Cache{Relationships: map[schema.RelationshipKey][]schema.Relationship{
					{From: id, Schema: "s"}:     tc.rels,
					{From: id, Schema: "other"}: {to("elsewhere", schema.ManyToOne, pair)},
				}},
			}))
			got, _ := lookup(doc, "definitions", "r", "properties", "c", "description")
			if got == nil {
				got = ""
			}
			if got != tc.want {
				t.Errorf("description = %q, want %q", got, tc.want)
			}
		})
	}
}
