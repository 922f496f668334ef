package copytext

import (
	"unicode/utf16"
	"unicode/utf8"
)

// scanner walks over JSON that is known to be valid. It finds out where values end, and little more.
type scanner struct {
	in []byte
	at int
}

// next returns the next byte that is no white space, and goes past it; 0 at the end.
func (s *scanner) next() byte {
	for s.at < len(s.in) {
		c := s.in[s.at]
		s.at++
		if c != ' ' && c != '\n' && c != '\t' && c != '\r' {
			return c
		}
	}
	return 0
}

// string goes past a string whose opening quote was just read.
func (s *scanner) string() span {
	from := s.at - 1
	for s.at < len(s.in) {
		switch s.in[s.at] {
		case '\\':
			s.at += 2
			continue
		case '"':
			s.at++
			return span{from, s.at}
		}
		s.at++
	}
	return span{}
}

// value goes past a value.
func (s *scanner) value() span {
	c := s.next()
	from := s.at - 1
	switch c {
	case 0:
		return span{}
	case '"':
		return s.string()
	case '{', '[':
		return s.nested(from)
	}
	for s.at < len(s.in) {
		switch s.in[s.at] {
		case ',', '}', ']', ' ', '\n', '\t', '\r':
			return span{from, s.at}
		}
		s.at++
	}
	return span{from, s.at}
}

// nested goes past an object or array that was just opened.
func (s *scanner) nested(from int) span {
	for depth := 1; s.at < len(s.in); {
		c := s.in[s.at]
		s.at++
		switch c {
		case '"':
			if s.string().to == 0 {
				return span{}
			}
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return span{from, s.at}
			}
		}
	}
	return span{}
}

// appendUnquoted writes what a JSON string's text stands for. It can't with a NUL, which no text of PostgreSQL has, and
// with half of a surrogate pair.
func appendUnquoted(dst, text []byte) ([]byte, bool) {
	for i := 0; i < len(text); i++ {
		c := text[i]
		if c != '\\' {
			dst = append(dst, c)
			continue
		}
		if i++; i == len(text) {
			return dst, false
		}
		switch text[i] {
		case '"', '\\', '/':
			dst = append(dst, text[i])
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'n':
			dst = append(dst, '\n')
		case 'r':
			dst = append(dst, '\r')
		case 't':
			dst = append(dst, '\t')
		case 'u':
			r, size := escapedRune(text[i-1:])
			if r <= 0 {
				return dst, false
			}
			dst = utf8.AppendRune(dst, r)
			i += size - 2
		default:
			return dst, false
		}
	}
	return dst, true
}

// escapedRune reads \uXXXX, or two of them that are one character, and how many bytes that is; -1 if it is neither.
func escapedRune(text []byte) (rune, int) {
	r := hex4(text)
	if !utf16.IsSurrogate(r) {
		return r, 6
	}
	if len(text) < 12 {
		return -1, 0
	}
	if r = utf16.DecodeRune(r, hex4(text[6:])); r == utf8.RuneError {
		return -1, 0
	}
	return r, 12
}

func hex4(text []byte) rune {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return -1
	}
	var r rune
	for _, c := range text[2:6] {
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
