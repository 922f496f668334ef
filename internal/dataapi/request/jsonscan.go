package request

import (
	"unicode/utf16"
	"unicode/utf8"
)

// maxJSONDepth bounds how deep a payload may be nested.
const maxJSONDepth = 10_000

// jsonScanner validates JSON without building anything of it. Its methods accept what they are named for and answer
// whether it is there. The document is known to be UTF-8.
type jsonScanner struct {
	doc []byte
	pos int
}

// next is the next byte; 0, which is never valid, at the end.
func (s *jsonScanner) next() byte {
	if s.pos < len(s.doc) {
		return s.doc[s.pos]
	}
	return 0
}

func (s *jsonScanner) space() {
	for s.pos < len(s.doc) {
		switch s.doc[s.pos] {
		case ' ', '\n', '\r', '\t':
			s.pos++
		default:
			return
		}
	}
}

// char accepts a character with space around it.
func (s *jsonScanner) char(c byte) bool {
	s.space()
	if s.next() != c {
		return false
	}
	s.pos++
	s.space()
	return true
}

func (s *jsonScanner) value(depth int) bool {
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

// object hands the keys, as they are written between their quotes, to key unless it is nil.
func (s *jsonScanner) object(depth int, key func(raw []byte)) bool {
	if depth >= maxJSONDepth || !s.char('{') {
		return false
	}
	if s.char('}') {
		return true
	}
	for {
		raw, ok := s.quoted()
		if !ok || !s.char(':') || !s.value(depth+1) {
			return false
		}
		if key != nil {
			key(raw)
		}
		if !s.char(',') {
			return s.char('}')
		}
	}
}

func (s *jsonScanner) array(depth int) bool {
	if depth >= maxJSONDepth || !s.char('[') {
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

func (s *jsonScanner) word(w string) bool {
	if len(s.doc)-s.pos < len(w) || string(s.doc[s.pos:s.pos+len(w)]) != w {
		return false
	}
	s.pos += len(w)
	return true
}

func (s *jsonScanner) number() bool {
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

func (s *jsonScanner) digits() bool {
	start := s.pos
	for c := s.next(); c >= '0' && c <= '9'; c = s.next() {
		s.pos++
	}
	return s.pos > start
}

// quoted accepts a string and returns what is between its quotes.
func (s *jsonScanner) quoted() ([]byte, bool) {
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
		_, n := unescape(rest[i:])
		if n == 0 {
			return nil, false
		}
		i += n - 1
	}
	return nil, false
}

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
	for _, c := range b[2:6] {
		if !isHex(c) {
			return -1
		}
	}
	return rune(unhex(b[2]))<<12 | rune(unhex(b[3]))<<8 | rune(unhex(b[4]))<<4 | rune(unhex(b[5]))
}

// unquote is the text of a valid string.
func unquote(raw []byte) string {
	var b []byte
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' {
			if b != nil {
				b = append(b, raw[i])
			}
			continue
		}
		if b == nil {
			b = append(make([]byte, 0, len(raw)), raw[:i]...)
		}
		r, n := unescape(raw[i:])
		b = utf8.AppendRune(b, r)
		i += n - 1
	}
	if b == nil {
		return string(raw)
	}
	return string(b)
}

// appendJSONString writes a string as JSON.
func appendJSONString(b []byte, s string) []byte {
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
