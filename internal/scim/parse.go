package scim

import (
	"encoding/json"
	"strings"
	"unicode/utf8"

	"github.com/tarn-data/tarn/internal/fault"
)

const (
	maxText  = 16 << 10 // bytes of a filter
	maxDepth = 64       // of what stands within another
)

// ParseFilter reads a filter. Texts may also stand in single quotes, as some clients write them.
func ParseFilter(text string) (Filter, error) {
	p, err := newParser(text, "invalidFilter")
	if err != nil {
		return nil, err
	}
	f, err := p.either(0)
	if err != nil {
		return nil, err
	}
	if p.lexeme.kind != end {
		return nil, p.unexpected()
	}
	return f, nil
}

// Path is what a change changes: an attribute, possibly only the values that meet a condition, and possibly only an
// attribute of theirs.
type Path struct {
	Attr   Attr
	Filter Filter // nil for all values
}

// ParsePath reads the path of a change.
func ParsePath(text string) (Path, error) {
	p, err := newParser(text, "invalidPath")
	if err != nil {
		return Path{}, err
	}
	if p.lexeme.kind != word {
		return Path{}, p.unexpected()
	}
	path := Path{Attr: p.attr()}
	if err := p.next(); err != nil {
		return path, err
	}
	if p.lexeme.kind == open && p.lexeme.text == "[" {
		if path.Filter, err = p.within(0); err != nil {
			return path, err
		}
		if p.lexeme.kind == word && strings.HasPrefix(p.lexeme.text, ".") && path.Attr.Sub == "" {
			path.Attr.Sub = strings.ToLower(p.lexeme.text[1:])
			if err := p.next(); err != nil {
				return path, err
			}
		}
	}
	if p.lexeme.kind != end {
		return path, p.unexpected()
	}
	return path, nil
}

// kind is the kind of a lexeme.
type kind uint8

const (
	end kind = iota
	word
	text
	open  // ( or [
	shut  // ) or ]
	other // nothing that may stand there
)

type lexeme struct {
	kind kind
	text string
}

type parser struct {
	rest   string
	code   string // of faults
	lexeme lexeme // the one to look at
}

func newParser(text, code string) (*parser, error) {
	p := &parser{rest: text, code: code}
	if len(text) > maxText || !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
		return nil, fault.New(fault.Invalid, code, "It is longer than may be, or not text.")
	}
	return p, p.next()
}

// next reads a lexeme.
func (p *parser) next() error {
	p.rest = strings.TrimLeft(p.rest, " \t\r\n")
	if p.rest == "" {
		p.lexeme = lexeme{}
		return nil
	}
	switch c := p.rest[0]; {
	case c == '(' || c == '[':
		p.take(open, 1)
	case c == ')' || c == ']':
		p.take(shut, 1)
	case c == '"' || c == '\'':
		return p.quoted(c)
	default:
		n := strings.IndexAny(p.rest, " \t\r\n()[]\"'")
		if n < 0 {
			n = len(p.rest)
		}
		p.take(word, n)
	}
	return nil
}

func (p *parser) take(k kind, n int) {
	p.lexeme, p.rest = lexeme{k, p.rest[:n]}, p.rest[n:]
}

// quoted reads a text, which is written as in JSON.
func (p *parser) quoted(quote byte) error {
	for i := 1; i < len(p.rest); i++ {
		switch p.rest[i] {
		case '\\':
			i++
		case quote:
			inner := p.rest[1:i]
			if quote == '\'' {
				inner = strings.ReplaceAll(strings.ReplaceAll(inner, `\'`, `'`), `"`, `\"`)
			}
			var value string
			if json.Unmarshal([]byte(`"`+inner+`"`), &value) != nil || strings.ContainsRune(value, 0) {
				return p.fault("A text is not written as in JSON.")
			}
			p.lexeme, p.rest = lexeme{text, value}, p.rest[i+1:]
			return nil
		}
	}
	return p.fault("A text has no closing quote.")
}

func (p *parser) either(depth int) (Filter, error) {
	left, err := p.both(depth)
	for err == nil && p.keyword("or") {
		var right Filter
		if err = p.next(); err == nil {
			right, err = p.both(depth)
			left = &Either{left, right}
		}
	}
	return left, err
}

func (p *parser) both(depth int) (Filter, error) {
	left, err := p.one(depth)
	for err == nil && p.keyword("and") {
		var right Filter
		if err = p.next(); err == nil {
			right, err = p.one(depth)
			left = &Both{left, right}
		}
	}
	return left, err
}

func (p *parser) one(depth int) (Filter, error) {
	if depth > maxDepth {
		return nil, p.fault("It is nested more deeply than may be.")
	}
	switch {
	case p.lexeme == lexeme{open, "("}:
		return p.inside(")", depth)
	case p.keyword("not"):
		if err := p.next(); err != nil {
			return nil, err
		}
		if (p.lexeme != lexeme{open, "("}) {
			return nil, p.unexpected()
		}
		f, err := p.inside(")", depth)
		return &Not{f}, err
	case p.lexeme.kind == word:
		return p.compare(depth)
	}
	return nil, p.unexpected()
}

// inside reads what stands in parentheses or brackets, of which the first is the lexeme.
func (p *parser) inside(closing string, depth int) (Filter, error) {
	if err := p.next(); err != nil {
		return nil, err
	}
	f, err := p.either(depth + 1)
	if err != nil {
		return nil, err
	}
	if (p.lexeme != lexeme{shut, closing}) {
		return nil, p.unexpected()
	}
	return f, p.next()
}

func (p *parser) within(depth int) (Filter, error) { return p.inside("]", depth) }

func (p *parser) compare(depth int) (Filter, error) {
	a := p.attr()
	if a.Name == "" {
		return nil, p.unexpected()
	}
	if err := p.next(); err != nil {
		return nil, err
	}
	if (p.lexeme == lexeme{open, "["}) {
		f, err := p.within(depth)
		return &Within{a, f}, err
	}
	if p.lexeme.kind != word {
		return nil, p.unexpected()
	}
	op := Op(strings.ToLower(p.lexeme.text))
	switch op {
	case Pr:
		return &Compare{Attr: a, Op: Pr}, p.next()
	case Eq, Ne, Co, Sw, Ew, Gt, Ge, Lt, Le:
	default:
		return nil, p.unexpected()
	}
	if err := p.next(); err != nil {
		return nil, err
	}
	value, err := p.value()
	if err != nil {
		return nil, err
	}
	return &Compare{a, op, value}, p.next()
}

func (p *parser) value() (any, error) {
	if p.lexeme.kind == text {
		return p.lexeme.text, nil
	}
	if p.lexeme.kind == word {
		switch strings.ToLower(p.lexeme.text) {
		case "true":
			return true, nil
		case "false":
			return false, nil
		case "null":
			return nil, nil
		}
		var n json.Number
		if json.Unmarshal([]byte(p.lexeme.text), &n) == nil {
			return n, nil
		}
	}
	return nil, p.unexpected()
}

// attr reads the lexeme as the name of an attribute, which the URN of a schema may stand before.
func (p *parser) attr() Attr {
	name := strings.ToLower(p.lexeme.text)
	if i := strings.LastIndexByte(name, ':'); i >= 0 {
		name = name[i+1:]
	}
	name, sub, _ := strings.Cut(name, ".")
	return Attr{name, sub}
}

func (p *parser) keyword(name string) bool {
	return p.lexeme.kind == word && strings.EqualFold(p.lexeme.text, name)
}

func (p *parser) unexpected() error {
	if p.lexeme.kind == end {
		return p.fault("It ends too early.")
	}
	const shown = 40
	found := []rune(p.lexeme.text)
	return p.fault("'" + string(found[:min(len(found), shown)]) + "' can't stand where it does.")
}

func (p *parser) fault(why string) error {
	what := "The filter"
	if p.code == "invalidPath" {
		what = "The path"
	}
	return fault.New(fault.Invalid, p.code, what+" can't be read. "+why)
}
