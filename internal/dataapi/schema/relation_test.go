package schema

import (
	"fmt"
	"testing"
)

func TestFindRelation(t *testing.T) {
	c := build(Parts{Relations: []Relation{{Ident: id("projects")}, {Ident: id("clients")}, {Ident: hidden("secrets")}}})
	r, err := c.FindRelation(id("clients"))
	if err != nil || r.Ident != id("clients") {
		t.Errorf("found %v, %v", r, err)
	}
	tests := []struct{ name, hint string }{
		{"projekts", "Perhaps you meant the table 'api.projects'"},
		{"Projects", "Perhaps you meant the table 'api.projects'"},
		{"secrets", ""},
		{"proj", ""},
	}
	for _, tt := range tests {
		_, err := c.FindRelation(id(tt.name))
		checkFault(t, err, fmt.Sprintf(`{"Kind": 404, "Code": "PGRST205", "Details": null, "Hint": %q,
			"Message": "Could not find the table 'api.%s' in the schema cache"}`, tt.hint, tt.name))
	}
}

// TestFindRelationOfMany: names are not compared in large schemas, and small ones are not the worse for it.
func TestFindRelationOfMany(t *testing.T) {
	p := Parts{Schemas: []string{"few", "many"}}
	for i := range tooMany {
		p.Relations = append(p.Relations, Relation{Ident: Ident{"many", fmt.Sprintf("table_%d", i)}})
	}
	for i := range tooMany - 1 {
		p.Relations = append(p.Relations, Relation{Ident: Ident{"few", fmt.Sprintf("table_%d", i)}})
	}
	c := Build(p)
	for schemaName, hinted := range map[string]bool{"few": true, "many": false} {
		_, ok := c.hints.relation(Ident{schemaName, "table_7x"})
		if ok != hinted {
			t.Errorf("hint in schema %s: %v, want %v", schemaName, ok, hinted)
		}
	}
}

// TestFindWithoutHints: a snapshot that was not built can be searched as well.
func TestFindWithoutHints(t *testing.T) {
	var c Cache
	if _, err := c.FindRelation(id("a")); codeOf(err) != "PGRST205" {
		t.Errorf("relation: %v", err)
	}
	if _, err := c.FindRelationship("api", "a", "b", ""); codeOf(err) != "PGRST200" {
		t.Errorf("relationship: %v", err)
	}
	if _, err := c.FindRoutine(id("a"), nil, jsonBody, true); codeOf(err) != "PGRST202" {
		t.Errorf("routine: %v", err)
	}
}
