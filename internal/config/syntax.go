package config

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// directive is a line of a configuration file: key = value, key { directives }, or import "file".
type directive struct {
	key   string
	value value       // of a key
	group []directive // in braces
	file  string      // to import
	kind  directiveKind
}

type directiveKind uint8

const (
	bind directiveKind = iota
	group
	include
)

const maxNesting = 100 // of groups and lists

// parseSyntax reads the text of a configuration file: lines of key = value, where a value is a string in double quotes, a
// number, true, false, on, off or a list in brackets; groups of them in braces; imports; and comments after #.
func parseSyntax(text string) ([]directive, error) {
	if !utf8.ValidString(text) {
		return nil, fmt.Errorf("not UTF-8")
	}
	p := &scanner{text: strings.TrimPrefix(text, "\ufeff")}
	p.skipLines()
	found, err := p.directives()
	if err == nil && p.at < len(p.text) {
		err = p.unexpected("a setting or the end")
	}
	return found, err
}

// scanner reads text from position at on. Its methods read what they are named for.
type scanner struct {
	text  string
	at    int
	depth int
}

func (p *scanner) unexpected(wanted string) error {
	before := p.text[:p.at]
	line := strings.Count(before, "\n") + 1
	column := utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:]) + 1
	return fmt.Errorf("line %d, column %d: expected %s", line, column, wanted)
}

func (p *scanner) peek() byte {
	if p.at < len(p.text) {
		return p.text[p.at]
	}
	return 0
}

func (p *scanner) take(symbol string) bool {
	if strings.HasPrefix(p.text[p.at:], symbol) {
		p.at += len(symbol)
		return true
	}
	return false
}

// skipLines skips white space, the ends of lines and comments.
func (p *scanner) skipLines() {
	for p.at < len(p.text) {
		r, size := utf8.DecodeRuneInString(p.text[p.at:])
		switch {
		case r == '#' && !strings.HasPrefix(p.text[p.at:], "#;"):
			p.skipComment()
		case unicode.IsSpace(r):
			p.at += size
		default:
			return
		}
	}
}

// skipBlanks skips white space and a comment up to the end of the line.
func (p *scanner) skipBlanks() {
	for p.peek() == ' ' || p.peek() == '\t' {
		p.at++
	}
	if p.peek() == '#' {
		p.skipComment()
	}
}

func (p *scanner) skipComment() {
	for p.at < len(p.text) && p.text[p.at] != '\n' && p.text[p.at] != '\r' {
		p.at++
	}
}

// directives reads until something is no directive.
func (p *scanner) directives() ([]directive, error) {
	if p.depth++; p.depth > maxNesting {
		return nil, p.unexpected("less nesting")
	}
	defer func() { p.depth-- }()
	var all []directive
	for p.at < len(p.text) && p.peek() != '}' {
		disabled := p.take("#;") // a directive that is commented out, but has to be well-formed
		if disabled {
			p.skipBlanks()
		}
		d, err := p.directive()
		if err != nil {
			return nil, err
		}
		if !disabled {
			all = append(all, d)
		}
		p.skipBlanks()
		if !p.take("\r\n") && !p.take("\n") {
			break
		}
		p.skipLines()
	}
	p.skipLines()
	return all, nil
}

func (p *scanner) directive() (directive, error) {
	key, err := p.key()
	if err != nil {
		return directive{}, err
	}
	p.skipLines()
	switch {
	case key == "import" && p.peek() == '"':
		file, err := p.quoted()
		return directive{kind: include, file: file}, err
	case p.take("="):
		p.skipLines()
		v, err := p.value()
		return directive{kind: bind, key: key, value: v}, err
	case p.take("{"):
		p.skipLines()
		inner, err := p.directives()
		if err == nil && !p.take("}") {
			err = p.unexpected("a setting or }")
		}
		return directive{kind: group, key: key, group: inner}, err
	}
	return directive{}, p.unexpected("= or {")
}

// key reads words with dots between them.
func (p *scanner) key() (string, error) {
	start := p.at
	for {
		r, size := utf8.DecodeRuneInString(p.text[p.at:])
		if !unicode.IsLetter(r) {
			return "", p.unexpected("a name")
		}
		for unicode.IsLetter(r) || unicode.IsNumber(r) || r == '_' || r == '-' {
			p.at += size
			r, size = utf8.DecodeRuneInString(p.text[p.at:])
		}
		if !p.take(".") {
			return p.text[start:p.at], nil
		}
	}
}

func (p *scanner) value() (value, error) {
	switch c := p.peek(); {
	case p.take("on"), p.take("true"):
		return value{kind: boolean, truth: true}, nil
	case p.take("off"), p.take("false"):
		return value{kind: boolean}, nil
	case c == '"':
		s, err := p.quoted()
		return value{kind: text, text: s}, err
	case c >= '0' && c <= '9':
		return p.number()
	case c == '[':
		return p.list()
	}
	return value{}, p.unexpected("a string, a number, true, false or a list")
}

func (p *scanner) number() (value, error) {
	start := p.at
	digits := func() bool {
		first := p.at
		for p.peek() >= '0' && p.peek() <= '9' {
			p.at++
		}
		return p.at > first
	}
	ok := digits()
	if ok && p.take(".") {
		ok = digits()
	}
	if ok && (p.take("e") || p.take("E")) {
		if !p.take("-") {
			p.take("+")
		}
		ok = digits()
	}
	if !ok {
		return value{}, p.unexpected("a digit")
	}
	return value{kind: number, text: p.text[start:p.at]}, nil
}

func (p *scanner) list() (value, error) {
	if p.depth++; p.depth > maxNesting {
		return value{}, p.unexpected("less nesting")
	}
	defer func() { p.depth-- }()
	p.at++ // the bracket
	p.skipLines()
	for p.peek() != ']' {
		// No setting is a list, so that what is in it doesn't matter.
		if _, err := p.value(); err != nil {
			return value{}, err
		}
		p.skipLines()
		if !p.take(",") {
			break
		}
		p.skipLines()
	}
	if !p.take("]") {
		return value{}, p.unexpected(", or ]")
	}
	return value{kind: list}, nil
}

func (p *scanner) quoted() (string, error) {
	p.at++ // the quote
	var b strings.Builder
	for p.at < len(p.text) {
		switch c := p.text[p.at]; c {
		case '"':
			p.at++
			return b.String(), nil
		case '\\':
			p.at++
			r, err := p.escape()
			if err != nil {
				return "", err
			}
			b.WriteRune(r)
		default:
			b.WriteByte(c)
			p.at++
		}
	}
	return "", p.unexpected(`"`)
}

func (p *scanner) escape() (rune, error) {
	const letters, meanings = `ntr"\`, "\n\t\r\"\\"
	c := p.peek()
	if i := strings.IndexByte(letters, c); i >= 0 {
		p.at++
		return rune(meanings[i]), nil
	}
	r, ok := p.hex()
	if ok && utf16.IsSurrogate(r) {
		var low rune
		if ok = p.take(`\`); ok {
			low, ok = p.hex()
			r = utf16.DecodeRune(r, low)
			ok = ok && r != utf8.RuneError
		}
	}
	if !ok {
		return 0, p.unexpected(`n, t, r, ", \ or u and four hexadecimal digits`)
	}
	return r, nil
}

// hex reads u and four hexadecimal digits.
func (p *scanner) hex() (rune, bool) {
	rest := p.text[p.at:]
	if len(rest) < 5 || rest[0] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(rest[1:5], 16, 16)
	if err != nil {
		return 0, false
	}
	p.at += 5
	return rune(n), true
}
