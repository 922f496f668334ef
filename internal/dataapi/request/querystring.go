package request

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/tarn-data/tarn/internal/fault"
)

// pair is a parameter of a query string or a form.
type pair struct {
	name, value string
	hasValue    bool // whether there was an equals sign
}

// decodePairs splits and decodes a query string or a form.
func decodePairs(s string) []pair {
	if s = strings.TrimPrefix(s, "?"); s == "" {
		return nil
	}
	return appendPairs(make([]pair, 0, 1+strings.Count(s, "&")), s)
}

// appendPairs is decodePairs of what has no question mark before it.
func appendPairs(pairs []pair, s string) []pair {
	for s != "" {
		item := s
		if i := strings.IndexAny(s, "&;"); i >= 0 {
			item, s = s[:i], s[i+1:]
		} else {
			s = ""
		}
		name, value, ok := strings.Cut(item, "=")
		pairs = append(pairs, pair{decode(name), decode(value), ok})
	}
	return pairs
}

// decode replaces + by a space and percent-encoded bytes by what they stand for. What isn't encoded well stays.
func decode(s string) string {
	if strings.IndexByte(s, '%') < 0 && strings.IndexByte(s, '+') < 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '+':
			c = ' '
		case c == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]):
			c = unhex(s[i+1])<<4 | unhex(s[i+2])
			i += 2
		}
		b = append(b, c)
	}
	return string(b)
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

func unhex(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c&^0x20 - 'A' + 10
}

// canonical writes parameters in the order of their names. The values of one name are joined by commas.
func canonical(pairs []pair) string {
	if len(pairs) == 0 {
		return ""
	}
	sorted := slices.Clone(pairs)
	slices.SortStableFunc(sorted, func(a, b pair) int { return strings.Compare(a.name, b.name) })
	var b []byte
	for i, p := range sorted {
		switch {
		case i > 0 && p.name == sorted[i-1].name:
			b = append(b, ',')
		case i > 0:
			b = append(b, '&')
			fallthrough
		default:
			b = appendEncoded(b, p.name)
			b = append(b, '=')
		}
		b = appendEncoded(b, p.value)
	}
	return string(b)
}

// appendEncoded escapes all but the unreserved characters of RFC 3986.
func appendEncoded(b []byte, s string) []byte {
	const hex = "0123456789ABCDEF"
	for i := range len(s) {
		c := s[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_', c == '.', c == '~':
			b = append(b, c)
		default:
			b = append(b, '%', hex[c>>4], hex[c&15])
		}
	}
	return b
}

// checkUTF8 refuses a query string that isn't text.
func checkUTF8(pairs []pair) error {
	for _, p := range pairs {
		if !utf8.ValidString(p.name) || !utf8.ValidString(p.value) {
			return fault.New(fault.Invalid, "PGRST100", "The query string is not valid UTF-8").
				WithDetails("parameter " + strings.ToValidUTF8(p.name, "\uFFFD"))
		}
	}
	return nil
}
