package request

import (
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// read parses what must be accepted.
func read[T any](t *testing.T, rule func(*lexer) (T, bool), text string) T {
	t.Helper()
	value, err := parse("it", text, rule)
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return value
}

func column(name string, path ...JSONStep) SelectField {
	return SelectField{Field: Field{Name: name, Path: path}}
}

func TestSelect(t *testing.T) {
	for text, want := range map[string][]SelectItem{
		``:                 nil,
		`id`:               {column("id")},
		`*`:                {column("*")},
		` id , name `:      {column("id"), column("name")},
		`a b,c-d,é_$1`:     {column("a b"), column("c-d"), column("é_$1")},
		`"a,b","c\"d\\e"`:  {column("a,b"), column(`c"d\e`)},
		`" spaced "`:       {column(" spaced ")},
		`name::text`:       {SelectField{Field: Field{Name: "name"}, Cast: "text"}},
		`alias:name`:       {SelectField{Field: Field{Name: "name"}, Alias: "alias"}},
		`a:b::c`:           {SelectField{Field: Field{Name: "b"}, Alias: "a", Cast: "c"}},
		`data->a`:          {column("data", JSONStep{Key: "a"})},
		`data->>a->1->>-2`: {column("data", JSONStep{Text: true, Key: "a"}, JSONStep{Index: true, Key: "+1"}, JSONStep{Text: true, Index: true, Key: "-2"})},
		`data->1x`:         {column("data", JSONStep{Key: "1x"})},
		`data->a-b`:        {column("data", JSONStep{Key: "a-b"})},
		`data->"a.b"`:      {column("data", JSONStep{Key: "a.b"})},
		`data->!@#$%^&*_a`: {column("data", JSONStep{Key: "!@#$%^&*_a"})},
		`x:data->0::int`:   {SelectField{Field: Field{Name: "data", Path: []JSONStep{{Index: true, Key: "+0"}}}, Alias: "x", Cast: "int"}},

		`count()`:             {SelectField{Field: Field{Name: "*"}, Aggregate: Count}},
		`n:count()::int`:      {SelectField{Field: Field{Name: "*"}, Aggregate: Count, AggregateCast: "int", Alias: "n"}},
		`count`:               {column("count")},
		`price.sum()`:         {SelectField{Field: Field{Name: "price"}, Aggregate: Sum}},
		`p::int.avg()::float`: {SelectField{Field: Field{Name: "p"}, Cast: "int", Aggregate: Avg, AggregateCast: "float"}},
		`a.max(),b.min()`: {
			SelectField{Field: Field{Name: "a"}, Aggregate: Max}, SelectField{Field: Field{Name: "b"}, Aggregate: Min},
		},
		`d->k.count()`: {SelectField{Field: Field{Name: "d", Path: []JSONStep{{Key: "k"}}}, Aggregate: Count}},

		`client(id)`:            {SelectRelation{Relation: "client", Items: []SelectItem{column("id")}}},
		`rel()`:                 {SelectRelation{Relation: "rel"}},
		`alias:rel(*)`:          {SelectRelation{Relation: "rel", Alias: "alias", Items: []SelectItem{column("*")}}},
		`rel!hint(*)`:           {SelectRelation{Relation: "rel", Hint: "hint", Items: []SelectItem{column("*")}}},
		`rel!inner(*)`:          {SelectRelation{Relation: "rel", Join: InnerJoin, Items: []SelectItem{column("*")}}},
		`rel!left(*)`:           {SelectRelation{Relation: "rel", Join: LeftJoin, Items: []SelectItem{column("*")}}},
		`rel!hint!inner(*)`:     {SelectRelation{Relation: "rel", Hint: "hint", Join: InnerJoin, Items: []SelectItem{column("*")}}},
		`rel!inner!"left"(*)`:   {SelectRelation{Relation: "rel", Hint: "left", Join: InnerJoin, Items: []SelectItem{column("*")}}},
		`rel!a!b(*)`:            {SelectRelation{Relation: "rel", Hint: "a", Items: []SelectItem{column("*")}}},
		`...rel!hint!inner(id)`: {SelectRelation{Relation: "rel", Hint: "hint", Join: InnerJoin, Spread: true, Items: []SelectItem{column("id")}}},
		`*,a(*,b(c)),...d(*)`: {
			column("*"),
			SelectRelation{Relation: "a", Items: []SelectItem{
				column("*"), SelectRelation{Relation: "b", Items: []SelectItem{column("c")}},
			}},
			SelectRelation{Relation: "d", Spread: true, Items: []SelectItem{column("*")}},
		},
		`a(b->1,c->1)`: {SelectRelation{Relation: "a", Items: []SelectItem{
			column("b", JSONStep{Index: true, Key: "+1"}), column("c", JSONStep{Key: "1"}),
		}}},
		`id)what follows is left`: {column("id")},
	} {
		if diff := cmp.Diff(want, read(t, (*lexer).selectItems, text)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
}

func TestSelectDepth(t *testing.T) {
	nested := func(n int) string { return strings.Repeat("a(", n) + "b" + strings.Repeat(")", n) }
	read(t, (*lexer).selectItems, nested(maxDepth))
	want := `(line 1, column 203): nested in more than 100 levels`
	if got := complaint(t, (*lexer).selectItems, nested(maxDepth+1)); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	// However deep it is, it is refused where it gets too deep.
	if got := complaint(t, (*lexer).selectItems, nested(20_000)); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func FuzzSelect(f *testing.F) {
	for _, s := range []string{
		``, `*`, `id,a:b::c`, `data->>a->1->>-2`, `"a\"b"`, `count(),p::int.avg()::float`, `...r!h!inner(id),a:b!left(c(*))`,
		`a->"b",x-y-z`, `data->>--34`, "a\tb", "é(é[", `a(b->1)`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) { roundTrip(t, text, (*lexer).selectItems, renderSelect) })
}

// roundTrip holds that what a rule accepts can be written such that it reads the same, that a text that is refused is
// refused for a reason, and that it makes no difference whether reasons are recorded.
func roundTrip[T any](t *testing.T, text string, rule func(*lexer) (T, bool), render func(T) string) {
	value, err := parse("it", text, rule)
	if again, ok := rule(newLexer(text, true)); ok != (err == nil) || ok && !reflect.DeepEqual(value, again) {
		t.Errorf("%q with its failures recorded is %v, %v, without %v, %v", text, again, ok, value, err)
	}
	if err != nil {
		if strings.Contains(err.Error(), "unknown parse error") {
			t.Errorf("%q is refused without a reason: %v", text, err)
		}
		return
	}
	written := render(value)
	again, err := parse("it", written, rule)
	if err != nil {
		t.Fatalf("%q was read, but not as %q: %v", text, written, err)
	}
	if !reflect.DeepEqual(value, again) {
		t.Errorf("%q was read as %#v, but as %q it is %#v", text, value, written, again)
	}
}
