package jsonpath

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// String renders the path in its normal form.
func (p *Path) String() string {
	var b strings.Builder
	p.render(&b)
	return b.String()
}

func (p *Path) render(b *strings.Builder) {
	if p.relative {
		b.WriteByte('@')
	} else {
		b.WriteByte('$')
	}
	for _, s := range p.segments {
		s.render(b)
	}
}

func (s *segment) render(b *strings.Builder) {
	switch {
	case s.descend:
		b.WriteString("..")
	case s.dotted:
		b.WriteByte('.')
	}
	if s.dotted {
		if n, ok := s.selectors[0].(name); ok {
			b.WriteString(string(n))
		} else {
			b.WriteByte('*')
		}
		return
	}
	b.WriteByte('[')
	for i, sel := range s.selectors {
		if i > 0 {
			b.WriteByte(',')
		}
		renderSelector(b, sel)
	}
	b.WriteByte(']')
}

func renderSelector(b *strings.Builder, sel selector) {
	switch sel := sel.(type) {
	case name:
		renderString(b, string(sel))
	case index:
		b.WriteString(strconv.Itoa(int(sel)))
	case wildcard:
		b.WriteByte('*')
	case slice:
		sel.render(b)
	case filter:
		b.WriteByte('?')
		sel.cond.render(b)
	}
}

func (s slice) render(b *strings.Builder) {
	if s.start != nil {
		b.WriteString(strconv.Itoa(*s.start))
	}
	b.WriteByte(':')
	if s.end != nil {
		b.WriteString(strconv.Itoa(*s.end))
	}
	b.WriteByte(':')
	b.WriteString(strconv.Itoa(s.step))
}

func (o or) render(b *strings.Builder) {
	for i, a := range o {
		if i > 0 {
			b.WriteString(" || ")
		}
		for j, c := range a {
			if j > 0 {
				b.WriteString(" && ")
			}
			renderCond(b, c)
		}
	}
}

func renderCond(b *strings.Builder, c cond) {
	not := func(negated bool) {
		if negated {
			b.WriteByte('!')
		}
	}
	switch c := c.(type) {
	case group:
		not(c.negated)
		b.WriteByte('(')
		c.cond.render(b)
		b.WriteByte(')')
	case exists:
		not(c.negated)
		c.path.render(b)
	case comparison:
		c.left.render(b)
		b.WriteString(" " + c.op + " ")
		c.right.render(b)
	case search:
		not(c.negated)
		b.WriteString("search(")
		c.text.render(b)
		b.WriteString(", ")
		c.pattern.render(b)
		b.WriteByte(')')
	}
}

func (o operand) render(b *strings.Builder) {
	if o.path != nil {
		o.path.render(b)
		return
	}
	switch v := o.literal.(type) {
	case string:
		renderString(b, v)
	case json.Number:
		b.WriteString(v.String())
	case bool:
		b.WriteString(strconv.FormatBool(v))
	default:
		b.WriteString("null")
	}
}

func renderString(b *strings.Builder, s string) {
	b.WriteByte('\'')
	for _, r := range s {
		switch {
		case r == '\'' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < ' ':
			fmt.Fprintf(b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('\'')
}
