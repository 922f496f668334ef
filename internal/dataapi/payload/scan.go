package payload

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"
)

// maxDepth bounds how deep a payload may be nested.
const maxDepth = 10_000

// scanner validates JSON without building anything of it. Its methods accept what they are named for and answer
// whether it is there. The document is known to be UTF-8, or is looked at for that by others.
type scanner struct {
	doc   []byte
	pos   int
	short bool // whether the end of the document was met, so that more of it might be valid
	nul   bool // whether a string has the character that no text of PostgreSQL has
}

// span is a part of the document. The zero span is of none.
type span struct{ from, to int }

// next is the next byte; 0, which is never valid, at the end.
func (s *scanner) next() byte {
	if s.pos < len(s.doc) {
		return s.doc[s.pos]
	}
	s.short = true
	return 0
}

func (s *scanner) space() {
	for s.pos < len(s.doc) {
		c := s.doc[s.pos]
		if c > ' ' || c != ' ' && c != '\n' && c != '\r' && c != '\t' {
			return
		}
		s.pos++
	}
}

// char accepts a character with space around it.
func (s *scanner) char(c byte) bool {
	if s.pos >= len(s.doc) || s.doc[s.pos] <= ' ' {
		s.space()
	}
	if s.next() != c {
		return false
	}
	s.pos++
	s.space()
	return true
}

func (s *scanner) value(depth int) bool {
	switch c := s.next(); c {
	case '{':
		return s.object(depth, nil)
	case '[':
		return s.array(depth)
	case '"':
		_, ok := s.quoted()
		return ok
	case 't':
		return s.word("true")
	case 'f':
		return s.word("false")
	case 'n':
		return s.word("null")
	}
	return s.number()
}

// object hands the keys, as they are written between their quotes, and the places of their values to field, unless it is
// nil.
func (s *scanner) object(depth int, field func(key []byte, value span)) bool {
	if depth >= maxDepth || !s.char('{') {
		return false
	}
	if s.char('}') {
		return true
	}
	for {
		key, ok := s.quoted()
		if !ok || !s.char(':') {
			return false
		}
		from := s.pos
		if !s.value(depth + 1) {
			return false
		}
		if field != nil {
			field(key, span{from, s.pos})
		}
		if !s.char(',') {
			return s.char('}')
		}
	}
}

func (s *scanner) array(depth int) bool {
	if depth >= maxDepth || !s.char('[') {
		return false
	}
	if s.char(']') {
		return true
	}
	for {
		if !s.value(depth + 1) {
			return false
		}
		if !s.char(',') {
			return s.char(']')
		}
	}
}

func (s *scanner) word(w string) bool {
	rest := s.doc[s.pos:]
	if len(rest) < len(w) {
		s.short = string(rest) == w[:len(rest)]
		return false
	}
	s.pos += len(w)
	return string(rest[:len(w)]) == w
}

func (s *scanner) number() bool {
	if s.next() == '-' {
		s.pos++
	}
	if s.next() == '0' {
		s.pos++
	} else if !s.digits() {
		return false
	}
	if s.next() == '.' {
		s.pos++
		if !s.digits() {
			return false
		}
	}
	if c := s.next(); c != 'e' && c != 'E' {
		return true
	}
	s.pos++
	if c := s.next(); c == '+' || c == '-' {
		s.pos++
	}
	return s.digits()
}

func (s *scanner) digits() bool {
	start := s.pos
	for c := s.next(); c >= '0' && c <= '9'; c = s.next() {
		s.pos++
	}
	return s.pos > start
}

// quoted accepts a string and returns what is between its quotes.
func (s *scanner) quoted() ([]byte, bool) {
	if s.next() != '"' {
		return nil, false
	}
	rest := s.doc[s.pos+1:]
	for i := 0; i < len(rest); i++ {
		c := rest[i]
		if c > '"' && c != '\\' || c == ' ' || c == '!' {
			continue
		}
		if c == '"' {
			s.pos += i + 2
			return rest[:i], true
		}
		if c != '\\' {
			return nil, false
		}
		r, n := unescape(rest[i:])
		if n == 0 {
			s.short = len(rest)-i < longestEscape
			return nil, false
		}
		s.nul = s.nul || r == 0
		i += n - 1
	}
	s.short = true
	return nil, false
}

// longestEscape is how long an escape can be: two of them that are one character.
const longestEscape = 12

// unescape reads the escape that b starts with, and how long it is: 0 for one that isn't valid.
func unescape(b []byte) (rune, int) {
	if len(b) < 2 {
		return 0, 0
	}
	switch b[1] {
	case '"', '\\', '/':
		return rune(b[1]), 2
	case 'b':
		return '\b', 2
	case 'f':
		return '\f', 2
	case 'n':
		return '\n', 2
	case 'r':
		return '\r', 2
	case 't':
		return '\t', 2
	case 'u':
		return unescapeUnicode(b)
	}
	return 0, 0
}

// unescapeUnicode reads an escape like \u00e9, or two of them that are one character.
func unescapeUnicode(b []byte) (rune, int) {
	r := codeUnit(b)
	if r < 0 || !utf16.IsSurrogate(r) {
		return max(r, 0), escapeLength(r >= 0, 6)
	}
	r = utf16.DecodeRune(r, codeUnit(b[6:]))
	return r, escapeLength(r != utf8.RuneError, 12)
}

func escapeLength(valid bool, n int) int {
	if valid {
		return n
	}
	return 0
}

// codeUnit reads an escape of four hexadecimal digits; -1 if there is none.
func codeUnit(b []byte) rune {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return -1
	}
	var r rune
	for _, c := range b[2:6] {
		r <<= 4
		switch {
		case c >= '0' && c <= '9':
			r |= rune(c - '0')
		case c >= 'a' && c <= 'f':
			r |= rune(c-'a') + 10
		case c >= 'A' && c <= 'F':
			r |= rune(c-'A') + 10
		default:
			return -1
		}
	}
	return r
}

// unquote is the text of a valid string.
func unquote(raw []byte) string { return string(appendUnquoted(nil, raw)) }

// appendUnquoted writes the text of a valid string.
func appendUnquoted(dst, raw []byte) []byte {
	for {
		i := bytes.IndexByte(raw, '\\')
		if i < 0 {
			return append(dst, raw...)
		}
		r, n := unescape(raw[i:])
		dst = utf8.AppendRune(append(dst, raw[:i]...), r)
		raw = raw[i+n:]
	}
}

// AppendString writes a string as JSON.
func AppendString(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c < ' ':
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}
