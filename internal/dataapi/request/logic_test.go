package request

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLogic(t *testing.T) {
	leaf := func(name string, o Operation) Logic {
		return LogicFilter{Filter: Filter{Field: Field{Name: name}, Operation: o}}
	}
	equal := func(name, value string) Logic { return leaf(name, Compare{Value: value}) }
	for text, want := range map[string]Logic{
		`and(a.eq.1)`:           LogicGroup{Items: []Logic{equal("a", "1")}},
		`or(a.eq.1,b.eq.2)`:     LogicGroup{Or: true, Items: []Logic{equal("a", "1"), equal("b", "2")}},
		`not.or(a.eq.1)`:        LogicGroup{Or: true, Negated: true, Items: []Logic{equal("a", "1")}},
		` a.eq.1`:               equal("a", "1"),
		`and( a.eq.1 , b.eq.2)`: LogicGroup{Items: []Logic{equal("a", "1 "), equal("b", "2")}},
		`and(a.eq.1,not.or(b.eq.2,c.eq.3),d.eq.4)`: LogicGroup{Items: []Logic{
			equal("a", "1"),
			LogicGroup{Or: true, Negated: true, Items: []Logic{equal("b", "2"), equal("c", "3")}},
			equal("d", "4"),
		}},
		`or(a.not.eq.1,b.not.is.null)`: LogicGroup{Or: true, Items: []Logic{
			LogicFilter{Filter: Filter{Field: Field{Name: "a"}, Negated: true, Operation: Compare{Value: "1"}}},
			LogicFilter{Filter: Filter{Field: Field{Name: "b"}, Negated: true, Operation: Is{Value: IsNull}}},
		}},
		`and(a.in.(1,"2,3"),b.eq."x,y)")`: LogicGroup{Items: []Logic{
			leaf("a", In{Values: []string{"1", "2,3"}}), equal("b", "x,y)"),
		}},
		`or(a.cs.{1,2},b.ov.[1)`:     LogicGroup{Or: true, Items: []Logic{leaf("a", Compare{Operator: Contains, Value: "{1,2}"}), leaf("b", Compare{Operator: Overlap, Value: "[1"})}},
		`or(a.eq.{1,b.eq.2)`:         LogicGroup{Or: true, Items: []Logic{equal("a", "{1"), equal("b", "2")}},
		`or(a.eq."b"c,d.eq.)`:        LogicGroup{Or: true, Items: []Logic{equal("a", `"b"c`), equal("d", "")}},
		`or(and.eq.1)`:               LogicGroup{Or: true, Items: []Logic{equal("and", "1")}},
		`or(d->>k.eq.1)`:             LogicGroup{Or: true, Items: []Logic{LogicFilter{Filter: Filter{Field: Field{Name: "d", Path: []JSONStep{{Text: true, Key: "k"}}}, Operation: Compare{Value: "1"}}}}},
		`and(a.fts(german).b,c.eq.)`: LogicGroup{Items: []Logic{leaf("a", FullText{Language: "german", Value: "b"}), equal("c", "")}},
	} {
		if diff := cmp.Diff(want, read(t, (*lexer).logic, text)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
}

func TestLogicTarget(t *testing.T) {
	for text, want := range map[string]logicTarget{
		`and`:            {operator: "and"},
		`not.or`:         {operator: "not.or"},
		`a.b.or`:         {path: Path{"a", "b"}, operator: "or"},
		`a.not.b.and`:    {path: Path{"a", "b"}, operator: "not.and"},
		`not.clients.or`: {path: Path{"clients"}, operator: "not.or"},
	} {
		if diff := cmp.Diff(want, read(t, (*lexer).logicTarget, text), cmp.AllowUnexported(logicTarget{})); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
}

func TestLogicDepth(t *testing.T) {
	nested := func(n int) string { return strings.Repeat("not.or(", n) + "a.eq.1" + strings.Repeat(")", n) }
	read(t, (*lexer).logic, nested(maxDepth))
	if got := complaint(t, (*lexer).logic, nested(5_000)); !strings.HasSuffix(got, ": nested in more than 100 levels") {
		t.Errorf("got %s", got)
	}
}

func FuzzLogic(f *testing.F) {
	for _, s := range []string{
		`and(a.eq.1)`, `or(a.not.in.(1,"2"),not.and(b.cs.{1,2},"c d".is.null))`, `or(a.eq."b"c,d.eq.)`, `or(d->>k.fts(x).1)`, `or(a.eq.{1,b.eq.2)`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) { roundTrip(t, text, (*lexer).logic, renderLogic) })
}
