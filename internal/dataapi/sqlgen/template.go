package sqlgen

import (
	"strconv"
	"strings"

	"github.com/tarn-data/tarn/internal/dataapi/request"
)

// Template is a query that was made of a request with placeholders, and serves all requests of its shape.
type Template struct {
	query   Query
	maxRows int64
	main    []origin // of Main's parameters
	total   []origin // of Total's
	count   []origin // of Count's
}

// origin says where a parameter comes from.
type origin struct {
	kind  originKind
	value int // number of the value
}

type originKind uint8

const (
	fixedOrigin   originKind = iota // the same for all requests of the shape
	valueOrigin                     // a value
	patternOrigin                   // a value with the wildcards of clients
	listOrigin                      // a list of values, as an array
	bodyOrigin
	limitOrigin
	offsetOrigin
)

// NewTemplate finds the placeholders among a query's parameters. It can't where one became part of something else.
func NewTemplate(q *Query, values int, opt Options) (*Template, bool) {
	t := &Template{query: *q, maxRows: opt.MaxRows}
	var ok bool
	if q.Load != nil || request.HasPlaceholder(q.Main.SQL) {
		return nil, false
	}
	if t.main, ok = origins(q.Main.Args, values); !ok {
		return nil, false
	}
	if q.Total != nil {
		if t.total, ok = origins(q.Total.Args, values); !ok || request.HasPlaceholder(q.Total.SQL) {
			return nil, false
		}
	}
	if q.Count != nil {
		if t.count, ok = origins(q.Count.Args, values); !ok || request.HasPlaceholder(q.Count.SQL) {
			return nil, false
		}
	}
	return t, true
}

func origins(args []Arg, values int) ([]origin, bool) {
	out := make([]origin, len(args))
	for i, a := range args {
		var ok bool
		if out[i], ok = originOf(string(a.Value), values); !ok {
			return nil, false
		}
	}
	return out, true
}

func originOf(arg string, values int) (origin, bool) {
	switch arg {
	case strconv.FormatInt(request.PlaceholderLimit, 10):
		return origin{kind: limitOrigin}, true
	case strconv.FormatInt(request.PlaceholderOffset, 10):
		return origin{kind: offsetOrigin}, true
	case string(request.PlaceholderBody(true)), string(request.PlaceholderBody(false)):
		return origin{kind: bodyOrigin}, true
	}
	for i := range values {
		switch p := request.Placeholder(i); arg {
		case p:
			return origin{valueOrigin, i}, true
		case pattern(p):
			return origin{patternOrigin, i}, true
		case arrayLiteral([]string{p}):
			return origin{listOrigin, i}, true
		}
	}
	return origin{}, !request.HasPlaceholder(arg)
}

// Fill makes the query of a request. It can't where a value isn't what it should be.
func (t *Template) Fill(s *request.Shape) (*Query, bool) {
	q := t.query
	var ok bool
	if q.Main.Args, ok = t.fill(q.Main.Args, t.main, s); !ok {
		return nil, false
	}
	if q.Total != nil {
		total := *q.Total
		if total.Args, ok = t.fill(total.Args, t.total, s); !ok {
			return nil, false
		}
		q.Total = &total
	}
	if q.Count != nil {
		count := *q.Count
		if count.Args, ok = t.fill(count.Args, t.count, s); !ok {
			return nil, false
		}
		q.Count = &count
	}
	return &q, true
}

func (t *Template) fill(args []Arg, from []origin, s *request.Shape) ([]Arg, bool) {
	if len(args) == 0 {
		return nil, true
	}
	out := make([]Arg, len(args))
	for i, a := range args {
		switch o := from[i]; o.kind {
		case fixedOrigin:
		case valueOrigin:
			a.Value = []byte(cutNul(s.Value(o.value)))
		case patternOrigin:
			a.Value = []byte(cutNul(pattern(s.Value(o.value))))
		case listOrigin:
			values, ok := s.List(o.value)
			if !ok {
				return nil, false
			}
			a.Value = []byte(listLiteral(values))
		case bodyOrigin:
			a.Value = s.Body()
		case limitOrigin:
			w := s.Window()
			if t.maxRows > 0 {
				w = w.Restrict(t.maxRows)
			}
			a.Value = strconv.AppendInt(nil, w.Limit, 10)
		case offsetOrigin:
			a.Value = strconv.AppendInt(nil, s.Window().Offset, 10)
		}
		out[i] = a
	}
	return out, true
}

// pattern is a value of LIKE: clients may write * for %.
func pattern(value string) string { return strings.ReplaceAll(value, "*", "%") }

// listLiteral is an array of the values in parentheses. Of no text at all there are none.
func listLiteral(values []string) string {
	if len(values) == 1 && values[0] == "" {
		values = nil
	}
	return arrayLiteral(values)
}
