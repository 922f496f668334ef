package token

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
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

// FuzzDecodeFlat holds that what is decoded the short way means the same the long way.
func FuzzDecodeFlat(f *testing.F) {
	for _, s := range []string{
		`{}`, ` { "a" : "b" , "n":0,"t":true ,"f":false,"z":null,"n":12345678901234567 } `, `{"a":"é","b":" "}`, `{"a":1,}`, `{"a":01}`,
		`{"a":-1}`, `{"a":1.5}`, `{"a":truex}`, `{"a":"b`, `{"a":"\u0061"}`, `{"a":{}}`, `{"a":[1]}`, `{"a":1}{}`, `{"a":1234567890123456789}`,
		`{"a"}`, `{"a":}`, `{,}`, "{\"a\":\"\t\"}", `null`, `{"a":1e5}`, `{"":""}`, "\v{}",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if !utf8.ValidString(text) {
			return
		}
		short, ok := decodeFlat(text)
		if !ok {
			return
		}
		long, ok := decodeAny([]byte(text))
		if !ok || !reflect.DeepEqual(short, long) {
			t.Errorf("%q: %v, want %v, %v", text, short, long, ok)
		}
	})
}

// TestFlatIsShort holds that the claims of an ordinary token are decoded the short way.
func TestFlatIsShort(t *testing.T) {
	if _, ok := decodeFlat(`{"role": "web", "sub":"a@b.c","exp":1900000000, "admin":true,"aud":null}`); !ok {
		t.Error("they aren't")
	}
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
