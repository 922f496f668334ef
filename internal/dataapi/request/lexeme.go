package request

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// next is the next byte; 0 at the end, and perhaps elsewhere.
func (l *lexer) next() byte {
	if l.pos < len(l.text) {
		return l.text[l.pos]
	}
	return 0
}

func (l *lexer) done() bool { return l.pos == len(l.text) }

// char accepts a character.
func (l *lexer) char(c byte) bool {
	if !l.done() && l.text[l.pos] == c {
		return l.accept(1)
	}
	return l.missChar(c)
}

// word accepts a text. One that it only starts with is a failure that leaves no alternative but by a mark.
func (l *lexer) word(w string) bool {
	if strings.HasPrefix(l.text[l.pos:], w) {
		return l.accept(len(w))
	}
	n := 0
	for l.pos+n < len(l.text) && l.text[l.pos+n] == w[n] {
		n++
	}
	if n > 0 {
		l.failure = nil
	}
	l.missText(w, n)
	l.pos += n
	return false
}

// tryWord accepts a text, or nothing of it.
func (l *lexer) tryWord(w string) bool {
	m := l.mark()
	return l.word(w) || l.back(m)
}

// delimiter accepts the dot between the parts of a parameter.
func (l *lexer) delimiter() bool {
	if l.next() == '.' {
		return l.accept(1)
	}
	return l.miss("delimiter (.)")
}

// tryDelimited accepts a text and the dot after it, or nothing.
func (l *lexer) tryDelimited(w string) bool {
	m := l.mark()
	return l.word(w) && l.delimiter() || l.back(m)
}

// space skips spaces.
func (l *lexer) space() {
	for l.next() == ' ' || l.next() == '\t' {
		l.accept(1)
	}
	l.miss()
}

// token accepts a character with spaces around it.
func (l *lexer) token(c byte) bool {
	l.space()
	if !l.char(c) {
		return false
	}
	l.space()
	return true
}

// sees tells whether a text follows, without accepting it.
func (l *lexer) sees(w string) bool {
	m := l.mark()
	return l.ahead(m, l.word(w))
}

// end accepts the end of the text.
func (l *lexer) end() bool {
	if l.done() {
		return !l.miss(endOfInput)
	}
	return l.refuse(l.pos, endOfInput)
}

// lacks accepts nothing, if the character doesn't follow.
func (l *lexer) lacks(c byte) bool {
	if l.next() != c {
		return !l.missChar(c)
	}
	return l.refuse(l.pos + 1)
}

// closed accepts nothing, if the text ends or one of the characters that close a value follows.
func (l *lexer) closed() bool {
	if c := l.next(); l.done() || c == ',' || c == ')' {
		return !l.miss()
	}
	_, size := utf8.DecodeRuneInString(l.text[l.pos:])
	return l.refuse(l.pos + size)
}

// until accepts all up to one of the characters given, perhaps nothing.
func (l *lexer) until(stop string) string {
	n := strings.IndexAny(l.text[l.pos:], stop)
	if n < 0 {
		n = len(l.text) - l.pos
	}
	return l.take(n)
}

// rest accepts all there is.
func (l *lexer) rest() string { return l.take(len(l.text) - l.pos) }

func (l *lexer) take(n int) string {
	s := l.text[l.pos : l.pos+n]
	if n > 0 {
		l.accept(n)
	}
	l.miss()
	return s
}

// quoted accepts a value in double quotes, in which a backslash makes the next character literal.
func (l *lexer) quoted() (string, bool) {
	if !l.char('"') {
		return "", false
	}
	start := l.pos
	end := strings.IndexAny(l.text[start:], `"\`)
	if end >= 0 && l.text[start+end] == '"' {
		l.accept(end + 1)
		return l.text[start : start+end], true
	}
	var b strings.Builder
	for !l.done() && l.next() != '"' {
		if l.next() == '\\' {
			l.accept(1)
			if l.done() {
				l.miss()
				return "", false
			}
		}
		_, size := utf8.DecodeRuneInString(l.text[l.pos:])
		b.WriteString(l.text[l.pos : l.pos+size])
		l.accept(size)
	}
	l.missChar('\\')
	return b.String(), l.char('"')
}

// closedQuoted accepts a value in quotes that is all of the value, or nothing.
func (l *lexer) closedQuoted() (string, bool) {
	m := l.mark()
	if s, ok := l.quoted(); ok && l.closed() {
		return s, true
	}
	return "", l.back(m)
}

// identifier accepts letters, digits, spaces, _ and $; spaces around don't count.
func (l *lexer) identifier() (string, bool) {
	start := l.pos
	for !l.done() {
		size := identifierChar(l.text[l.pos:])
		if size == 0 {
			break
		}
		l.pos += size
	}
	if l.pos > start {
		l.failure = nil
	}
	l.miss("letter", "digit")
	return strings.Trim(l.text[start:l.pos], " "), l.pos > start
}

func identifierChar(s string) int {
	c := s[0]
	switch {
	case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '_', c == ' ', c == '$':
		return 1
	case c < utf8.RuneSelf:
		return 0
	}
	r, size := utf8.DecodeRuneInString(s)
	if unicode.IsLetter(r) {
		return size
	}
	return 0
}

// name accepts a name: quoted, or identifiers joined by dashes.
func (l *lexer) name() (string, bool) {
	m := l.mark()
	s, ok := l.quoted()
	if !ok && l.pos == m.pos {
		s, ok = l.dashed((*lexer).identifier)
	}
	return s, l.named(m, ok, "field name (* or [a..z0..9_$])")
}

// dashed accepts parts joined by dashes that don't start an arrow.
func (l *lexer) dashed(part func(*lexer) (string, bool)) (string, bool) {
	first, ok := part(l)
	if !ok || l.next() != '-' && !l.trace {
		return first, ok
	}
	parts, ok := more(l, []string{first}, part, (*lexer).dash)
	return strings.Join(parts, "-"), ok
}

func (l *lexer) dash() bool {
	m := l.mark()
	return l.char('-') && l.lacks('>') || l.back(m)
}

// wordFold accepts a lower-case text in any case, character by character.
func (l *lexer) wordFold(w string) bool {
	for i := range len(w) {
		if !l.charFold(w[i]) {
			return false
		}
	}
	return true
}

func (l *lexer) charFold(c byte) bool {
	upper := c
	if c >= 'a' && c <= 'z' {
		upper -= 'a' - 'A'
	}
	return l.char(c) || l.char(upper)
}
