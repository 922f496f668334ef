package jsonpath

import (
	"fmt"
	"regexp"
	"strconv"
	"unicode"
	"unicode/utf8"
)

const (
	maxDepth   = 10        // of filters and parentheses inside of each other
	maxInteger = 1<<53 - 1 // that every JSON implementation can tell from the next
)

// Parse reads a JSON path.
func Parse(text string) (*Path, error) {
	if !utf8.ValidString(text) {
		return nil, fmt.Errorf("not UTF-8")
	}
	p := &parser{text: text}
	if !p.take("$") {
		return nil, p.unexpected()
	}
	path, err := p.path(false)
	if err != nil {
		return nil, err
	}
	if p.at < len(text) {
		return nil, p.unexpected()
	}
	return &path, nil
}

// parser reads text from position at on. Its methods read what they are named for.
type parser struct {
	text  string
	at    int
	depth int
}

func (p *parser) unexpected() error {
	if p.at >= len(p.text) {
		return fmt.Errorf("unexpected end at %d", p.at+1)
	}
	r, _ := utf8.DecodeRuneInString(p.text[p.at:])
	return fmt.Errorf("unexpected %q at %d", r, p.at+1)
}

// peek returns the next byte, or 0 at the end.
func (p *parser) peek() byte {
	if p.at < len(p.text) {
		return p.text[p.at]
	}
	return 0
}

func (p *parser) take(symbol string) bool {
	if len(p.text)-p.at >= len(symbol) && p.text[p.at:p.at+len(symbol)] == symbol {
		p.at += len(symbol)
		return true
	}
	return false
}

func (p *parser) expect(symbol string) error {
	if !p.take(symbol) {
		return p.unexpected()
	}
	return nil
}

func (p *parser) skipSpace() {
	for p.at < len(p.text) && isSpace(p.text[p.at]) {
		p.at++
	}
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

// path reads the segments after $ or @. Space before a segment is part of it; space after the last one is not.
func (p *parser) path(relative bool) (Path, error) {
	path := Path{relative: relative}
	for {
		before := p.at
		p.skipSpace()
		if c := p.peek(); c != '.' && c != '[' {
			p.at = before
			return path, nil
		}
		s, err := p.segment()
		if err != nil {
			return Path{}, err
		}
		path.segments = append(path.segments, s)
	}
}

func (p *parser) segment() (segment, error) {
	s := segment{descend: p.take("..")}
	if p.peek() == '[' {
		selectors, err := p.brackets()
		s.selectors = selectors
		return s, err
	}
	if !s.descend {
		p.at++ // the dot
	}
	s.dotted = true
	if p.take("*") {
		s.selectors = []selector{wildcard{}}
		return s, nil
	}
	n, err := p.member()
	s.selectors = []selector{n}
	return s, err
}

// member reads a name without quotes.
func (p *parser) member() (name, error) {
	start := p.at
	for p.at < len(p.text) {
		r, size := utf8.DecodeRuneInString(p.text[p.at:])
		if r != '_' && r < utf8.RuneSelf && !unicode.IsLetter(r) && (p.at == start || !unicode.IsDigit(r)) {
			break
		}
		p.at += size
	}
	if p.at == start {
		return "", p.unexpected()
	}
	return name(p.text[start:p.at]), nil
}

func (p *parser) brackets() ([]selector, error) {
	p.at++ // the bracket
	var selectors []selector
	for {
		p.skipSpace()
		sel, err := p.selector()
		if err != nil {
			return nil, err
		}
		selectors = append(selectors, sel)
		p.skipSpace()
		if !p.take(",") {
			return selectors, p.expect("]")
		}
	}
}

func (p *parser) selector() (selector, error) {
	switch c := p.peek(); {
	case c == '\'' || c == '"':
		s, err := p.quoted()
		return name(s), err
	case c == '*':
		p.at++
		return wildcard{}, nil
	case c == '?':
		p.at++
		p.skipSpace()
		cond, err := p.or()
		return filter{cond}, err
	default:
		return p.indexOrSlice()
	}
}

func (p *parser) indexOrSlice() (selector, error) {
	var s slice
	if p.peek() != ':' {
		i, err := p.integer()
		if err != nil {
			return nil, err
		}
		before := p.at
		p.skipSpace()
		if p.peek() != ':' {
			p.at = before
			return index(i), nil
		}
		s.start = &i
	}
	p.at++ // the colon
	s.step = 1
	end, err := p.optionalInteger()
	if err != nil {
		return nil, err
	}
	s.end = end
	if !p.take(":") {
		return s, nil
	}
	step, err := p.optionalInteger()
	if step != nil {
		s.step = *step
	}
	return s, err
}

// optionalInteger reads an integer if there is one, and the space around it.
func (p *parser) optionalInteger() (*int, error) {
	p.skipSpace()
	if c := p.peek(); c != '-' && (c < '0' || c > '9') {
		return nil, nil
	}
	i, err := p.integer()
	p.skipSpace()
	return &i, err
}

func (p *parser) integer() (int, error) {
	start := p.at
	p.take("-")
	digits := p.at
	p.digits()
	if p.at == digits {
		return 0, p.unexpected()
	}
	text := p.text[start:p.at]
	if p.text[digits] == '0' && text != "0" {
		p.at = start
		return 0, p.unexpected()
	}
	i, err := strconv.ParseInt(text, 10, 64)
	if err != nil || i > maxInteger || i < -maxInteger {
		return 0, fmt.Errorf("integer out of range at %d", start+1)
	}
	return int(i), nil
}

func (p *parser) digits() {
	for p.at < len(p.text) && p.text[p.at] >= '0' && p.text[p.at] <= '9' {
		p.at++
	}
}

func (p *parser) or() (or, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, fmt.Errorf("nested too deeply at %d", p.at+1)
	}
	defer func() { p.depth-- }()
	var all or
	for {
		a, err := p.and()
		if err != nil {
			return nil, err
		}
		all = append(all, a)
		if !p.takeAfterSpace("||") {
			return all, nil
		}
		p.skipSpace()
	}
}

func (p *parser) and() (and, error) {
	var all and
	for {
		c, err := p.cond()
		if err != nil {
			return nil, err
		}
		all = append(all, c)
		if !p.takeAfterSpace("&&") {
			return all, nil
		}
		p.skipSpace()
	}
}

// takeAfterSpace takes a symbol and the space before it, or nothing.
func (p *parser) takeAfterSpace(symbol string) bool {
	before := p.at
	p.skipSpace()
	if p.take(symbol) {
		return true
	}
	p.at = before
	return false
}

func (p *parser) cond() (cond, error) {
	negated := p.take("!")
	if negated {
		p.skipSpace()
	}
	switch {
	case p.take("("):
		p.skipSpace()
		inner, err := p.or()
		if err != nil {
			return nil, err
		}
		p.skipSpace()
		return group{negated, inner}, p.expect(")")
	case p.take("search("):
		return p.search(negated)
	}
	start := p.at
	left, err := p.operand()
	if err != nil {
		return nil, err
	}
	op, ok := p.operator()
	switch {
	case ok && negated:
		p.at = start
		return nil, p.unexpected()
	case ok:
		return p.comparison(start, left, op)
	case left.path == nil:
		return nil, p.unexpected()
	}
	return exists{negated, *left.path}, nil
}

func (p *parser) operator() (string, bool) {
	for _, op := range [...]string{"==", "!=", "<=", ">=", "<", ">"} {
		if p.takeAfterSpace(op) {
			return op, true
		}
	}
	return "", false
}

func (p *parser) comparison(start int, left operand, op string) (cond, error) {
	p.skipSpace()
	right, err := p.operand()
	if err == nil && !(left.singular() && right.singular()) {
		err = fmt.Errorf("comparison of a path that may lead to many values at %d", start+1)
	}
	return comparison{left: left, right: right, op: op}, err
}

// singular tells whether the operand stands for one value at most.
func (o operand) singular() bool {
	if o.path == nil {
		return true
	}
	for _, s := range o.path.segments {
		if s.descend || len(s.selectors) != 1 {
			return false
		}
		switch s.selectors[0].(type) {
		case name, index:
		default:
			return false
		}
	}
	return true
}

func (p *parser) search(negated bool) (cond, error) {
	s := search{negated: negated}
	p.skipSpace()
	var err error
	if s.text, err = p.operand(); err != nil {
		return nil, err
	}
	p.skipSpace()
	if err := p.expect(","); err != nil {
		return nil, err
	}
	p.skipSpace()
	if s.pattern, err = p.operand(); err != nil {
		return nil, err
	}
	if !s.text.singular() || !s.pattern.singular() {
		return nil, fmt.Errorf("search in a path that may lead to many values at %d", p.at+1)
	}
	if pattern, ok := s.pattern.literal.(string); ok {
		if s.compiled, err = regexp.Compile(pattern); err != nil {
			return nil, err
		}
	}
	p.skipSpace()
	return s, p.expect(")")
}
