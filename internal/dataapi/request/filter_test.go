package request

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCondition(t *testing.T) {
	compare := func(o Operator, value string) condition {
		return condition{operation: Compare{Operator: o, Value: value}}
	}
	for text, want := range map[string]condition{
		`eq.1`:             compare(Equal, "1"),
		`eq.`:              compare(Equal, ""),
		`eq."a,b"`:         compare(Equal, `"a,b"`),
		`neq.a.b`:          compare(NotEqual, "a.b"),
		`gt.1`:             compare(Greater, "1"),
		`gte.1`:            compare(GreaterEqual, "1"),
		`lt.1`:             compare(Less, "1"),
		`lte.1`:            compare(LessEqual, "1"),
		`like.*a*`:         compare(Like, "*a*"),
		`ilike.a`:          compare(ILike, "a"),
		`match.^a`:         compare(Match, "^a"),
		`imatch.^a`:        compare(IMatch, "^a"),
		`cs.{1,2}`:         compare(Contains, "{1,2}"),
		`cd.{1}`:           compare(Contained, "{1}"),
		`ov.[1,2]`:         compare(Overlap, "[1,2]"),
		`sl.(1,2)`:         compare(StrictlyLeft, "(1,2)"),
		`sr.(1,2)`:         compare(StrictlyRight, "(1,2)"),
		`nxr.(1,2)`:        compare(NotExtendsRight, "(1,2)"),
		`nxl.(1,2)`:        compare(NotExtendsLeft, "(1,2)"),
		`adj.(1,2)`:        compare(Adjacent, "(1,2)"),
		"eq.a\x00b":        compare(Equal, "a\x00b"),
		`eq(any).{1,2}`:    {operation: Compare{Operator: Equal, Quantor: AnyOf, Value: "{1,2}"}},
		`not.eq(all).{1}`:  {negated: true, operation: Compare{Operator: Equal, Quantor: AllOf, Value: "{1}"}},
		`not.lt.5`:         {negated: true, operation: Compare{Operator: Less, Value: "5"}},
		`in.(1,2)`:         {operation: In{Values: []string{"1", "2"}}},
		`in.()`:            {operation: In{Values: []string{""}}},
		`in.("a,b",c)`:     {operation: In{Values: []string{"a,b", "c"}}},
		`in.("a"b,c d)`:    {operation: In{Values: []string{`"a"b`, "c d"}}},
		`in.("a\"b\\")`:    {operation: In{Values: []string{`a"b\`}}},
		`in. ( 1 ,2) rest`: {operation: In{Values: []string{"1 ", "2"}}},
		`not.in.(1)`:       {negated: true, operation: In{Values: []string{"1"}}},
		`is.null`:          {operation: Is{Value: IsNull}},
		`is.NULL`:          {operation: Is{Value: IsNull}},
		`is.Not_Null`:      {operation: Is{Value: IsNotNull}},
		`is.true`:          {operation: Is{Value: IsTrue}},
		`is.false`:         {operation: Is{Value: IsFalse}},
		`is.unknown`:       {operation: Is{Value: IsUnknown}},
		`not.is.null`:      {negated: true, operation: Is{Value: IsNull}},
		`isdistinct.5`:     {operation: IsDistinct{Value: "5"}},
		`fts.cat`:          {operation: FullText{Operator: FTS, Value: "cat"}},
		`fts(english).cat`: {operation: FullText{Operator: FTS, Language: "english", Value: "cat"}},
		`plfts.cat`:        {operation: FullText{Operator: PlainFTS, Value: "cat"}},
		`phfts.cat`:        {operation: FullText{Operator: PhraseFTS, Value: "cat"}},
		`not.wfts(a).cat`:  {negated: true, operation: FullText{Operator: WebFTS, Language: "a", Value: "cat"}},
	} {
		if diff := cmp.Diff(want, read(t, (*lexer).condition, text), cmp.AllowUnexported(condition{})); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
}

func TestTarget(t *testing.T) {
	for text, want := range map[string]target{
		`id`:          {field: Field{Name: "id"}},
		`a.b.id`:      {path: Path{"a", "b"}, field: Field{Name: "id"}},
		`"a.b".id`:    {path: Path{"a.b"}, field: Field{Name: "id"}},
		`data->>a`:    {field: Field{Name: "data", Path: []JSONStep{{Text: true, Key: "a"}}}},
		`a.data->0`:   {path: Path{"a"}, field: Field{Name: "data", Path: []JSONStep{{Index: true, Key: "+0"}}}},
		`id!what`:     {field: Field{Name: "id"}},
		`ünï-cödé.id`: {path: Path{"ünï-cödé"}, field: Field{Name: "id"}},
	} {
		if diff := cmp.Diff(want, read(t, (*lexer).target, text), cmp.AllowUnexported(target{})); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
}

func FuzzFilter(f *testing.F) {
	for _, s := range []string{
		`eq.1`, `not.eq(any).{1,2}`, `in.("a,b",c)`, `in.("a"b)`, `is.NULL`, `isdistinct.x`, `fts(a b).c`, `like(all).{a*}`, `not.`, `in.(`,
	} {
		f.Add(s)
	}
	render := func(c condition) string { return renderCondition(c, func(s string) string { return s }) }
	f.Fuzz(func(t *testing.T, text string) { roundTrip(t, text, (*lexer).condition, render) })
}
