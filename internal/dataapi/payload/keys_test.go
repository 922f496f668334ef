package payload

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestKeys(t *testing.T) {
	deep := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	for _, c := range []struct {
		doc   string
		keys  []string
		shape Shape
	}{
		{`{}`, []string{}, Objects},
		{` {"b":1, "a":{"c":[1,{}]}} `, []string{"a", "b"}, Objects},
		{`[{"a":1},{"a":2}]`, []string{"a"}, Objects},
		{`[{"a":1,"b":2},{"b":1,"a":2},{"a":1,"b":2}]`, []string{"a", "b"}, Objects},
		{`[{"\u0061":1},{"a":2}]`, []string{"a"}, Objects},
		{`[{"a":1,"a":2},{"a":1}]`, []string{"a"}, Objects},
		{`[{"a":1},{"a":1,"a":2}]`, []string{"a"}, Objects},
		{`[{},{}]`, []string{}, Objects},
		{`{"é\n\ud83d\ude00\/":1}`, []string{"é\n😀/"}, Objects},
		{`{"":1}`, []string{""}, Objects},

		{`[]`, nil, Nothing},
		{` [ ] `, nil, Nothing},
		{`null`, nil, Nothing},
		{`"x"`, nil, Nothing},
		{`-1.5e+3`, nil, Nothing},
		{`true`, nil, Nothing},
		{`false`, nil, Nothing},

		{`[1]`, nil, Mixed},
		{`[[]]`, nil, Mixed},
		{`[{"a":1},1]`, nil, Mixed},
		{`[1,{"a":1}]`, nil, Mixed},
		{`[{"a":1},{"b":1}]`, nil, Mixed},
		{`[{"a":1},{}]`, nil, Mixed},
		{`[{},{"a":1}]`, nil, Mixed},
		{`[{"a":1},{"a":1,"b":2}]`, nil, Mixed},
		{`[{"a":1,"b":2},{"a":1}]`, nil, Mixed},
		{`[{"a":1,"b":2},{"a":1,"c":2},{"a":1,"b":2}]`, nil, Mixed},
		{`[{"a":1,"b":2},{"b":1,"b":2}]`, nil, Mixed},

		{``, nil, Invalid},
		{` `, nil, Invalid},
		{`}{ x = 2`, nil, Invalid},
		{`{"a":1`, nil, Invalid},
		{`{"a":1,}`, nil, Invalid},
		{`{"a" 1}`, nil, Invalid},
		{`{a:1}`, nil, Invalid},
		{`[1,]`, nil, Invalid},
		{`[1,{"a":}]`, nil, Invalid},
		{`[{"a":1},1`, nil, Invalid},
		{`{} {}`, nil, Invalid},
		{`01`, nil, Invalid},
		{`1.`, nil, Invalid},
		{`.5`, nil, Invalid},
		{`1e`, nil, Invalid},
		{`-`, nil, Invalid},
		{`+1`, nil, Invalid},
		{`nul`, nil, Invalid},
		{`"a`, nil, Invalid},
		{`"\x"`, nil, Invalid},
		{`"\`, nil, Invalid},
		{`"\u12g4"`, nil, Invalid},
		{`"\ud83d"`, nil, Invalid},
		{`"\ude00\ud83d"`, nil, Invalid},
		{"\"\n\"", nil, Invalid},
		{"\"\xff\"", nil, Invalid},
		{"{}\x00", nil, Invalid},
		{deep(maxDepth), nil, Mixed},
		{deep(maxDepth + 1), nil, Invalid},
		{deep(3_000_000), nil, Invalid},
	} {
		keys, shape := Keys([]byte(c.doc))
		if shape != c.shape || !cmp.Equal(keys, c.keys) {
			t.Errorf("%.60q: got %q, %d, want %q, %d", c.doc, keys, shape, c.keys, c.shape)
		}
	}
}

// naiveKeys is Keys by way of a whole document.
func naiveKeys(doc []byte) ([]string, Shape) {
	d := json.NewDecoder(bytes.NewReader(doc))
	d.UseNumber()
	var v any
	if !json.Valid(doc) || d.Decode(&v) != nil {
		return nil, Invalid
	}
	rows, ok := v.([]any)
	if !ok {
		rows = []any{v}
		if _, ok := v.(map[string]any); !ok {
			return nil, Nothing
		}
	}
	var keys []string
	for i, row := range rows {
		object, ok := row.(map[string]any)
		if !ok {
			return nil, Mixed
		}
		has := slices.AppendSeq([]string{}, maps.Keys(object))
		slices.Sort(has)
		if i > 0 && !slices.Equal(keys, has) {
			return nil, Mixed
		}
		keys = has
	}
	if len(rows) == 0 {
		return nil, Nothing
	}
	return keys, Objects
}

func FuzzKeys(f *testing.F) {
	for _, s := range []string{`[{"a":1,"b":[true,null]},{"b":"\u0061\"","a":{}}]`, `[{"\u0061":-1.5e3},{"a":2}]`, `[{"a":1,"a":2},{"a":1}]`, `[1,{}]`, `{"a":"é"}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		keys, shape := Keys(body)
		wantKeys, wantShape := naiveKeys(body)
		lenient := shape == Invalid // encoding/json lets some characters through that are none
		if !lenient && (shape != wantShape || !slices.Equal(keys, wantKeys)) {
			t.Errorf("%q: got %q, %d, want %q, %d", body, keys, shape, wantKeys, wantShape)
		}
		if lenient && wantShape != Invalid && !strings.ContainsAny(string(body), "\\\ufffd") && json.Valid(body) &&
			bytes.Equal(body, bytes.ToValidUTF8(body, nil)) {
			t.Errorf("%q is valid", body)
		}
	})
}

func BenchmarkKeys(b *testing.B) {
	doc := []byte("[" + strings.Repeat(`{"id": 17, "name": "Ada Lovelace", "tags": ["a", "b"], "note": "plain \"quoted\" text"},`, 9999) +
		`{"id": 17, "name": "Ada Lovelace", "tags": [], "note": null}]`)
	b.SetBytes(int64(len(doc)))
	b.ReportAllocs()
	for b.Loop() {
		if _, shape := Keys(doc); shape != Objects {
			b.Fatal(shape)
		}
	}
}
