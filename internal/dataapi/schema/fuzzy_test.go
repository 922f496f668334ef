package schema

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFuzzySetClosest(t *testing.T) {
	states := strings.Split("Alabama,Alaska,American Samoa,Arizona,Arkansas,California,Colorado,Connecticut,Delaware,"+
		"District of Columbia,Florida,Georgia,Guam,Hawaii,Idaho,Illinois,Indiana,Iowa,Kansas,Kentucky,Louisiana,Maine,"+
		"Maryland,Massachusetts,Michigan,Minnesota,Mississippi,Missouri,Montana,Nebraska,Nevada,New Hampshire,New Jersey,"+
		"New Mexico,New York,North Carolina,North Dakota,Northern Marianas Islands,Ohio,Oklahoma,Oregon,Pennsylvania,"+
		"Puerto Rico,Rhode Island,South Carolina,South Dakota,Tennessee,Texas,Utah,Vermont,Virginia,Virgin Islands,"+
		"Washington,West Virginia,Wisconsin,Wyoming", ",")
	tests := []struct {
		words    []string
		word     string
		minScore float64
		want     string
	}{
		// What the algorithm's other implementations find.
		{states, "Burger Islands", possible, "Virgin Islands"},
		{states, "Why-oh-me-ing", possible, "Wyoming"},
		{states, "Connect a cat", possible, "Connecticut"},
		{states, "Transylvania", possible, "Pennsylvania"},
		{states, "CanOfSauce", possible, "Kansas"},
		{states, "Alaskanbraskansas", possible, "Arkansas"},
		{[]string{"Jurassic Park", "Terminator", "The Matrix"}, "percolator", possible, "Terminator"},

		{states, "alaska", likely, "Alaska"},
		{states, "Transylvania", likely, "Pennsylvania"}, // just enough
		{states, "Burger Islands", likely, ""},
		{[]string{"projects"}, "projecxx", likely, "projects"},
		{[]string{"projects"}, "projxxxx", likely, ""},
		{[]string{"ab_c"}, "abc", likely, "ab_c"}, // by letters in common, but underscores count for the distance
		{[]string{"no"}, "on", possible, ""},
		{[]string{"straße"}, "strasse", possible, "straße"},
		{[]string{"aab", "aac"}, "aad", possible, "aab"},             // the first of equals
		{[]string{"axcdxf", "abcxxx"}, "abcdef", possible, "abcxxx"}, // pieces of three letters come before the distance
		{nil, "a", possible, ""},
		{[]string{"a"}, "", possible, ""},
	}
	for _, tt := range tests {
		got, ok := newFuzzySet(tt.words).closest(tt.word, tt.minScore)
		if got != tt.want || ok != (tt.want != "") {
			t.Errorf("closest to %q is %q, %v; want %q", tt.word, got, ok, tt.want)
		}
	}
	var none *fuzzySet
	if got, ok := none.closest("a", 0); ok {
		t.Errorf("closest of none is %q", got)
	}
}

func TestGramCount(t *testing.T) {
	counts, norm := (&gramIndex{size: 2}).count("a,_a, a!")
	want := map[string]int{"-a": 1, "a,": 2, ",a": 1, ", ": 1, " a": 1, "a-": 1}
	if diff := cmp.Diff(want, counts); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
	if norm != 3 {
		t.Errorf("norm is %v, want 3", norm)
	}
}

func TestDistance(t *testing.T) {
	tests := []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"a", "", 1}, {"", "abc", 3}, {"kitten", "sitting", 3}, {"flaw", "lawn", 2}, {"abc", "abc", 0}, {"größe", "grösse", 2},
	}
	for _, tt := range tests {
		if got := distance([]rune(tt.a), []rune(tt.b)); got != tt.want {
			t.Errorf("distance of %q and %q is %d, want %d", tt.a, tt.b, got, tt.want)
		}
		if got := distance([]rune(tt.b), []rune(tt.a)); got != tt.want {
			t.Errorf("distance of %q and %q is %d, want %d", tt.b, tt.a, got, tt.want)
		}
	}
}

func FuzzFuzzySet(f *testing.F) {
	f.Add("projects,clients,tasks", "projekts")
	f.Add("_,__", "___")
	f.Add("İ,ß,\xff", "i\xfe")
	f.Fuzz(func(t *testing.T, list, word string) {
		words := strings.Split(list, ",")
		set := newFuzzySet(words)
		for _, w := range words {
			if got, ok := set.closest(w, 1); !ok || !strings.EqualFold(got, w) {
				t.Errorf("closest to %q itself is %q, %v", w, got, ok)
			}
		}
		got, ok := set.closest(word, possible)
		if !ok || set.has(word) {
			return
		}
		if s := similarity([]rune(strings.ToLower(word)), []rune(strings.ToLower(got))); s < possible {
			t.Errorf("closest to %q is %q, which is only %v like it", word, got, s)
		}
	})
}
