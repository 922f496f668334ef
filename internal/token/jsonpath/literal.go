package jsonpath

import (
	"encoding/json"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// operand reads a literal or a path.
func (p *parser) operand() (operand, error) {
	switch c := p.peek(); {
	case c == '$' || c == '@':
		p.at++
		path, err := p.path(c == '@')
		return operand{path: &path}, err
	case c == '\'' || c == '"':
		s, err := p.quoted()
		return operand{literal: s}, err
	case c == '-' || c >= '0' && c <= '9':
		n, err := p.number()
		return operand{literal: n}, err
	case p.take("true"):
		return operand{literal: true}, nil
	case p.take("false"):
		return operand{literal: false}, nil
	case p.take("null"):
		return operand{}, nil
	}
	return operand{}, p.unexpected()
}

func (p *parser) number() (json.Number, error) {
	start := p.at
	p.take("-")
	whole := p.at
	p.digits()
	if p.at == whole || p.text[whole] == '0' && p.at > whole+1 {
		p.at = start
		return "", p.unexpected()
	}
	if p.take(".") {
		fraction := p.at
		if p.digits(); p.at == fraction {
			return "", p.unexpected()
		}
	}
	if p.take("e") || p.take("E") {
		if !p.take("-") {
			p.take("+")
		}
		exponent := p.at
		if p.digits(); p.at == exponent {
			return "", p.unexpected()
		}
	}
	return json.Number(p.text[start:p.at]), nil
}

// quoted reads a string in single or double quotes.
func (p *parser) quoted() (string, error) {
	quote := p.text[p.at]
	p.at++
	var b strings.Builder
	for p.at < len(p.text) {
		switch c := p.text[p.at]; {
		case c == quote:
			p.at++
			return b.String(), nil
		case c < ' ':
			return "", p.unexpected()
		case c == '\\':
			p.at++
			r, err := p.escape(quote)
			if err != nil {
				return "", err
			}
			b.WriteRune(r)
		default:
			b.WriteByte(c)
			p.at++
		}
	}
	return "", p.unexpected()
}

// escape reads what comes after a backslash.
func (p *parser) escape(quote byte) (rune, error) {
	c := p.peek()
	if c == 'u' {
		return p.unicode()
	}
	const letters, meanings = `bfnrt/\`, "\b\f\n\r\t/\\"
	if c == quote && c != 0 {
		p.at++
		return rune(c), nil
	}
	if i := strings.IndexByte(letters, c); i >= 0 {
		p.at++
		return rune(meanings[i]), nil
	}
	return 0, p.unexpected()
}

func (p *parser) unicode() (rune, error) {
	start := p.at
	r := p.hex()
	if utf16.IsSurrogate(r) {
		low := rune(utf8.RuneError)
		if p.take(`\`) {
			low = p.hex()
		}
		r = utf16.DecodeRune(r, low)
		if r == utf8.RuneError {
			r = -1
		}
	}
	if r < 0 {
		p.at = start
		return 0, p.unexpected()
	}
	return r, nil
}

// hex reads u and four hexadecimal digits; -1 if they are not there.
func (p *parser) hex() rune {
	if !p.take("u") || p.at+4 > len(p.text) {
		return -1
	}
	n, err := strconv.ParseUint(p.text[p.at:p.at+4], 16, 16)
	if err != nil {
		return -1
	}
	p.at += 4
	return rune(n)
}
