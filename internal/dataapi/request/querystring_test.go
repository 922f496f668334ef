package request

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDecodePairs(t *testing.T) {
	for query, want := range map[string][]pair{
		"":               nil,
		"?":              nil,
		"a=1&b=2":        {{"a", "1", true}, {"b", "2", true}},
		"a=1;b=2":        {{"a", "1", true}, {"b", "2", true}},
		"a&b=":           {{"a", "", false}, {"b", "", true}},
		"a=b=c":          {{"a", "b=c", true}},
		"a=1&":           {{"a", "1", true}},
		"&a=1":           {{"", "", false}, {"a", "1", true}},
		"a+b=c+d%2B":     {{"a b", "c d+", true}},
		"%41%3d=%26%3B":  {{"A=", "&;", true}},
		"a=%&b=%4&c=%4g": {{"a", "%", true}, {"b", "%4", true}, {"c", "%4g", true}},
		"a=%c3%A9%00":    {{"a", "é\x00", true}},
	} {
		if diff := cmp.Diff(want, decodePairs(query), cmp.AllowUnexported(pair{})); diff != "" {
			t.Errorf("%q (-want +got):\n%s", query, diff)
		}
	}
}

func TestCanonical(t *testing.T) {
	for query, want := range map[string]string{
		"":                         "",
		"a=1&c=3&b=2&d":            "a=1&b=2&c=3&d=",
		"id=gt.1&select=*&id=lt.5": "id=gt.1,lt.5&select=%2A",
		"b=2&a=é%20-_.~":           "a=%C3%A9%20-_.~&b=2",
		"a%26=1":                   "a%26=1",
	} {
		if got := canonical(decodePairs(query)); got != want {
			t.Errorf("%q: got %q, want %q", query, got, want)
		}
	}
}

func FuzzCanonical(f *testing.F) {
	f.Add("a=1&c=3&b=2&d")
	f.Add("id=gt.1&select=*&id=lt.5;%zz+=%41")
	f.Fuzz(func(t *testing.T, query string) {
		once := canonical(decodePairs(query))
		if twice := canonical(decodePairs(once)); twice != once && !hasRepetition(query) {
			t.Errorf("%q: %q isn't canonical, but %q", query, once, twice)
		}
	})
}

// hasRepetition tells whether a name is repeated, so that its values are joined by a comma that is then encoded.
func hasRepetition(query string) bool {
	seen := map[string]bool{}
	for _, p := range decodePairs(query) {
		if seen[p.name] {
			return true
		}
		seen[p.name] = true
	}
	return false
}
