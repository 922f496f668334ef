package token

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// FuzzEncode holds that claims are rendered as encoding/json does.
func FuzzEncode(f *testing.F) {
	for _, s := range []string{
		`{}`, `{"role":"a","exp":1900000000,"n":1.50e+3,"ok":true,"no":null,"list":[1,"b",{},[]],"sub":"a@b.c"}`,
		`{"b":"é\u2028\u0000\"\\\/\t<>&\u007f","a\n":"\ud83d\ude00"}`, `{"role":["x"]}`, `{"":""}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		all, ok := decodeObject(text)
		if !ok {
			return
		}
		var want bytes.Buffer
		e := json.NewEncoder(&want)
		e.SetEscapeHTML(false)
		if err := e.Encode(all); err != nil {
			t.Fatal(err)
		}
		if got := encode(all); got != strings.TrimSuffix(want.String(), "\n") {
			t.Errorf("%s, want %s", got, &want)
		}
	})
}

// TestHeadersAreKept holds that a header which is known means the same as one that isn't, and that junk doesn't fill
// the memory.
func TestHeadersAreKept(t *testing.T) {
	h := &headers{}
	for i := range 3 * maxHeaders {
		for _, text := range []string{
			"eyJhbGciOiJIUzI1NiIsImtpZCI6ImEifQ", // {"alg":"HS256","kid":"a"}
			"eyJhbGciOiJub25lIn0",                // {"alg":"none"}
			"eyJhbGciOiJIUzI1NiIsImNyaXQiOltdfQ", // {"alg":"HS256","crit":[]}
			"eyJhbGciOiJIUzI1NiJ9" + strings.Repeat("!", i),
			"",
		} {
			got, ok := h.get(text)
			if want, understood := readHeader(text); got != want || ok != understood {
				t.Fatalf("%q: %+v %v, want %+v %v", text, got, ok, want, understood)
			}
		}
		h.get(base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, `{"alg":"HS256","kid":"%d"}`, i)))
		if len(h.read) > maxHeaders {
			t.Fatal("too many headers are kept")
		}
	}
}
