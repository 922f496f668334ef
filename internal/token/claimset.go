package token

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// skew is how far clocks may be apart, in seconds.
const skew = 30

// claimSet is the claims of a token.
type claimSet struct {
	all           map[string]any // nil once it is known who bears the token
	exp, nbf, iat moment
	aud           []string // empty for any
	badAud        bool     // neither a string nor an array of strings
}

// moment is a claim that holds a time.
type moment struct {
	set bool
	bad bool // set, but not a number
	at  int64
}

func parseClaims(payload []byte) (*claimSet, bool) {
	all, ok := decodeObject(payload)
	if !ok {
		return nil, false
	}
	c := &claimSet{all: all, exp: momentOf(all["exp"]), nbf: momentOf(all["nbf"]), iat: momentOf(all["iat"])}
	switch aud := all["aud"].(type) {
	case nil:
	case string:
		c.aud = []string{aud}
	default:
		var ok bool
		c.aud, ok = textsOf(aud)
		c.badAud = !ok
	}
	return c, true
}

// decodeObject decodes a JSON object, and nothing else.
func decodeObject(text []byte) (map[string]any, bool) {
	if !utf8.Valid(text) {
		return nil, false
	}
	if all, ok := decodeFlat(string(text)); ok {
		return all, true
	}
	return decodeAny(text)
}

func decodeAny(text []byte) (map[string]any, bool) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var all map[string]any
	if err := d.Decode(&all); err != nil || all == nil {
		return nil, false
	}
	_, err := d.Token()
	return all, err == io.EOF
}

func momentOf(v any) moment {
	switch v := v.(type) {
	case nil:
		return moment{}
	case json.Number:
		if i, err := v.Int64(); err == nil {
			return moment{set: true, at: i}
		}
		f, _ := v.Float64() // what is out of range is infinite
		return moment{set: true, at: clamp(f)}
	}
	return moment{set: true, bad: true}
}

// clamp rounds down to an integer. The bounds leave room to add the skew.
func clamp(f float64) int64 {
	return int64(math.Floor(max(min(f, math.MaxInt64/2), math.MinInt64/2)))
}

func textsOf(v any) ([]string, bool) {
	array, ok := v.([]any)
	if !ok {
		return nil, false
	}
	texts := make([]string, len(array))
	for i, v := range array {
		if texts[i], ok = v.(string); !ok {
			return nil, false
		}
	}
	return texts, true
}

// check tells whether the claims hold now, for an audience; empty for any. Its errors are faults.
func (c *claimSet) check(now time.Time, audience string) error {
	t := now.Unix()
	switch {
	case c.exp.bad:
		return notNumber("exp")
	case c.exp.set && c.exp.at < t-skew:
		return badClaims("JWT expired")
	case c.nbf.bad:
		return notNumber("nbf")
	case c.nbf.set && c.nbf.at > t+skew:
		return badClaims("JWT not yet valid")
	case c.iat.bad:
		return notNumber("iat")
	case c.iat.set && c.iat.at > t+skew:
		return badClaims("JWT issued at future")
	case c.badAud:
		return badClaims("The JWT 'aud' claim must be a string or an array of strings")
	case !c.meantFor(audience):
		return badClaims("JWT not in audience")
	}
	return nil
}

func (c *claimSet) meantFor(audience string) bool {
	return audience == "" || len(c.aud) == 0 || slices.Contains(c.aud, audience)
}

func (c *claimSet) text(name string) string {
	s, _ := c.all[name].(string)
	return s
}

// scopes returns what the token is limited to, in either of the usual claims for it.
func (c *claimSet) scopes() []string {
	for _, name := range [...]string{"scope", "scp"} {
		if s, ok := c.all[name].(string); ok {
			return strings.Fields(s)
		}
		if texts, ok := textsOf(c.all[name]); ok {
			return texts
		}
	}
	return nil
}

// withRole renders the claims as JSON, with the role among them.
func (c *claimSet) withRole(role string) string {
	all := c.all
	if all["role"] != any(role) {
		all = maps.Clone(all)
		all["role"] = role
	}
	return encode(all)
}

// encode renders a decoded value as JSON.
func encode(v any) string { return string(appendJSON(make([]byte, 0, 256), v)) }

// appendJSON does what an encoder of encoding/json does that doesn't escape HTML, and makes less garbage.
func appendJSON(b []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return append(b, "null"...)
	case bool:
		return strconv.AppendBool(b, v)
	case json.Number:
		return append(b, v...)
	case string:
		return appendString(b, v)
	case []any:
		b = append(b, '[')
		for i, item := range v {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendJSON(b, item)
		}
		return append(b, ']')
	case map[string]any:
		b = append(b, '{')
		for i, name := range slices.Sorted(maps.Keys(v)) {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendJSON(append(appendString(b, name), ':'), v[name])
		}
		return append(b, '}')
	}
	return append(b, "null"...) // nothing else is decoded
}

// appendString appends a string, by encoding/json if there is anything in it to escape.
func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			var escaped bytes.Buffer
			e := json.NewEncoder(&escaped)
			e.SetEscapeHTML(false)
			if err := e.Encode(s); err != nil { // any string can be encoded
				return append(b, `""`...)
			}
			return append(b, bytes.TrimSuffix(escaped.Bytes(), []byte("\n"))...)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}
