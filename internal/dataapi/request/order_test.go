package request

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestOrder(t *testing.T) {
	for text, want := range map[string][]OrderTerm{
		`id`:                       {{Field: Field{Name: "id"}}},
		`name.desc.nullsfirst`:     {{Field: Field{Name: "name"}, Direction: Descending, Nulls: NullsFirst}},
		`name.nullslast`:           {{Field: Field{Name: "name"}, Nulls: NullsLast}},
		` a.asc , "b.c".desc `:     nil, // a space before what separates terms is no part of one
		`a.asc, "b.c".desc`:        {{Field: Field{Name: "a"}, Direction: Ascending}, {Field: Field{Name: "b.c"}, Direction: Descending}},
		`j->key.asc.nullslast`:     {{Field: Field{Name: "j", Path: []JSONStep{{Key: "key"}}}, Direction: Ascending, Nulls: NullsLast}},
		`j->0.desc`:                {{Field: Field{Name: "j", Path: []JSONStep{{Index: true, Key: "+0"}}}, Direction: Descending}},
		`clients(j->key).desc`:     {{Relation: "clients", Field: Field{Name: "j", Path: []JSONStep{{Key: "key"}}}, Direction: Descending}},
		`name,clients(name),id`:    {{Field: Field{Name: "name"}}, {Relation: "clients", Field: Field{Name: "name"}}, {Field: Field{Name: "id"}}},
		`asc.desc`:                 {{Field: Field{Name: "asc"}, Direction: Descending}},
		`j->!@#$%^&*_a.nullsfirst`: {{Field: Field{Name: "j", Path: []JSONStep{{Key: "!@#$%^&*_a"}}}, Nulls: NullsFirst}},
	} {
		if want == nil {
			if got := complaint(t, (*lexer).orderTerms, text); got == "" {
				t.Errorf("%q is accepted", text)
			}
			continue
		}
		if diff := cmp.Diff(want, read(t, (*lexer).orderTerms, text)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
}

func FuzzOrder(f *testing.F) {
	for _, s := range []string{`id`, `a.asc.nullslast,b(c->1).desc`, `"x".nullsfirst`, `j->>a-b.desc`, `a.`, `a(`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) { roundTrip(t, text, (*lexer).orderTerms, renderOrder) })
}
