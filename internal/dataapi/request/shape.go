package request

import (
	"encoding/binary"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tarn-data/tarn/internal/dataapi/media"
)

// Shape is what requests have in common that differ in their values only: those of filters, of a routine's arguments, of
// the root's window, and the payload. What is made of one of them, with placeholders in the place of its values, does
// for all. It can be used again for another request.
//
// A shape never judges: what it can't tell for sure from the text, and what is wrong, is for Parse.
type Shape struct {
	key     []byte
	pairs   []pair
	values  []shapeValue
	window  Range
	content content
	head    head
}

// shapeValue is a value and where it stands in the pairs. What goes before it there, as an operator, is of the shape.
type shapeValue struct {
	pair, from int
	list       bool // in parentheses
}

// maxShaped is how large a payload may be: of one that takes longer to read than to plan, little would be gained.
const maxShaped = 64 << 10

// Read reads the shape of a request, if it can be told.
func (s *Shape) Read(in Input, opt Options) bool {
	*s = Shape{key: s.key[:0], pairs: s.pairs[:0], values: s.values[:0]}
	var err error
	if s.head, err = readHead(in, opt); err != nil {
		return false
	}
	s.add(in.Method)
	s.add(in.Path)
	s.add(s.head.schema)
	s.flag(s.head.negotiated)
	for _, name := range [...]string{"Accept", "Prefer", "Content-Type"} {
		s.flag(false)
		for _, v := range in.Header[name] {
			s.flag(true)
			s.add(v)
		}
	}
	return s.addPairs(in) && s.addWindow(in) && s.addContent(in)
}

// Key is the same for all requests of one shape, and for no others.
func (s *Shape) Key() []byte { return s.key }

// Values is how many values there are.
func (s *Shape) Values() int { return len(s.values) }

// Value is a value that is one text.
func (s *Shape) Value(i int) string {
	v := s.values[i]
	return s.pairs[v.pair].value[v.from:]
}

// List is a value that is a list; not ok if it can't be read as one.
func (s *Shape) List(i int) ([]string, bool) {
	return newLexer(s.Value(i), false).list()
}

// Window is the root's window.
func (s *Shape) Window() Range { return s.window }

// Body is the payload.
func (s *Shape) Body() []byte {
	if p, ok := s.content.payload.(JSONPayload); ok {
		return p.Raw
	}
	return nil
}

// add appends a text to the key so that it can't be taken for another.
func (s *Shape) add(text string) {
	s.key = binary.AppendUvarint(s.key, uint64(len(text)))
	s.key = append(s.key, text...)
}

func (s *Shape) flag(set bool) {
	b := byte(0)
	if set {
		b = 1
	}
	s.key = append(s.key, b)
}

func (s *Shape) addPairs(in Input) bool {
	s.pairs = appendPairs(s.pairs, strings.TrimPrefix(in.Query, "?"))
	s.key = binary.AppendUvarint(s.key, uint64(len(s.pairs)))
	call, isCall := s.head.action.(CallRoutine)
	arguments := isCall && call.Invoke != InvokePost
	for i, p := range s.pairs {
		if !utf8.ValidString(p.name) || !utf8.ValidString(p.value) || HasPlaceholder(p.name) {
			return false
		}
		fixed := p.value // the part that is of the shape
		switch {
		case !p.hasValue:
		case p.name == "limit", p.name == "offset":
			fixed = ""
		case roleOf(p.name) == filterRole:
			from, list, ok := valueStart(p.value, arguments)
			if !ok {
				return false
			}
			if from >= 0 {
				fixed = p.value[:from]
				s.values = append(s.values, shapeValue{i, from, list})
			}
		}
		if HasPlaceholder(fixed) {
			return false
		}
		s.add(p.name)
		s.flag(p.hasValue)
		s.add(fixed)
		s.flag(len(s.values) > 0 && s.values[len(s.values)-1].pair == i)
	}
	return true
}

// valueStart finds where the value of a filter begins, after the operator; -1 if there is nothing but the operator. The
// whole text is a value if it is a routine's argument.
func valueStart(text string, argument bool) (from int, list, ok bool) {
	rest := strings.TrimPrefix(text, "not.")
	end := strings.IndexAny(rest, ".(")
	if end < 0 {
		return 0, false, argument && !strings.HasPrefix(text, "not.")
	}
	word, quantor := rest[:end], ""
	if rest[end] == '(' {
		closing := strings.Index(rest, ").")
		if closing < 0 {
			return 0, false, argument && operatorKind(word) == notOperator && word != "not"
		}
		quantor, end = rest[end+1:closing], closing+1
	}
	from = len(text) - len(rest) + end + 1
	switch operatorKind(word) {
	case notOperator:
		return 0, false, argument && len(rest) == len(text) && word != "not"
	case listOperator:
		return from, true, quantor == ""
	case isOperator:
		return -1, false, quantor == ""
	case plainOperator:
		return from, false, quantor == ""
	case quantifiedOperator:
		return from, false, quantor == "" || quantor == "any" || quantor == "all"
	case searchOperator:
		return from, false, strings.Trim(quantor, "abcdefghijklmnopqrstuvwxyz") == ""
	}
	return 0, false, false
}

type shapeOperator uint8

const (
	notOperator shapeOperator = iota
	listOperator
	isOperator
	plainOperator
	quantifiedOperator
	searchOperator
)

func operatorKind(word string) shapeOperator {
	switch word {
	case "in":
		return listOperator
	case "is":
		return isOperator
	case "isdistinct", "neq", "cs", "cd", "ov", "sl", "sr", "nxr", "nxl", "adj":
		return plainOperator
	case "eq", "gte", "gt", "lte", "lt", "like", "ilike", "match", "imatch":
		return quantifiedOperator
	case "fts", "plfts", "phfts", "wfts":
		return searchOperator
	}
	return notOperator
}

// addWindow reads the root's window. Its numbers are values; whether there are any is of the shape.
func (s *Shape) addWindow(in Input) bool {
	root := interval{}
	if slices.ContainsFunc(s.pairs, func(p pair) bool { return p.hasValue && (p.name == "limit" || p.name == "offset") }) {
		root = readWindows(s.pairs).root()
	}
	var err error
	s.window, err = topRange(in.Method, in.Header["Range"], root)
	s.flag(s.window == Range{})
	s.flag(s.window.Limited)
	s.flag(s.window.few())
	return err == nil
}

// addContent reads the payload, of which its columns are of the shape, and whether it is an object.
func (s *Shape) addContent(in Input) bool {
	switch a := s.head.action.(type) {
	case ReadRelation:
		return true
	case MutateRelation:
		if a.Mutation == Delete {
			return true
		}
	case CallRoutine:
		if a.Invoke != InvokePost {
			return true
		}
	case ReadSchema, RelationInfo, RoutineInfo, SchemaInfo:
		return false
	}
	if len(in.Body) > maxShaped || contentType(in.Header["Content-Type"]).Kind != media.JSON {
		return false
	}
	columns, err := columnsParameter(s.pairs)
	if err != nil {
		return false
	}
	if s.content, err = readContent(in.Body, media.Of(media.JSON), s.head.action, columns); err != nil {
		return false
	}
	s.flag(s.object())
	for _, c := range s.content.columns {
		s.flag(true)
		s.add(c)
	}
	return true
}

func (s *Shape) object() bool {
	return strings.HasPrefix(strings.TrimLeft(string(s.Body()[:min(len(s.Body()), 64)]), " \t\r\n"), "{")
}

// What stands for values. A request that has the mark anywhere else has no shape. Numbers of rows are never negative.
const (
	placeholderMark = '\x01'

	PlaceholderLimit  int64 = math.MinInt64 + 1
	PlaceholderOffset int64 = math.MinInt64 + 2
)

// Placeholder stands for a value. It has a wildcard, since what filters make of it tells what they make of a value.
func Placeholder(i int) string { return "\x01" + strconv.Itoa(i) + "*" }

// HasPlaceholder tells whether there is one in a text.
func HasPlaceholder(text string) bool { return strings.IndexByte(text, placeholderMark) >= 0 }

// PlaceholderBody stands for a payload, an object or an array.
func PlaceholderBody(object bool) []byte {
	if object {
		return []byte("{\x01}")
	}
	return []byte("[\x01]")
}

// Template parses the request with placeholders in the place of its values.
func (s *Shape) Template(in Input, opt Options) (*Request, error) {
	pairs := slices.Clone(s.pairs)
	for i, v := range s.values {
		p := &pairs[v.pair]
		if p.value = p.value[:v.from] + Placeholder(i); v.list {
			p.value = p.value[:v.from] + "(" + Placeholder(i) + ")"
		}
	}
	r := newRequest(in, s.head, opt)
	if err := r.readPairs(in, pairs); err != nil {
		return nil, err
	}
	r.FewRows = s.window.few()
	if r.Range = s.window; r.Range != (Range{}) {
		r.Range.Offset = PlaceholderOffset
		if r.Range.Limited {
			r.Range.Limit = PlaceholderLimit
		}
	}
	r.Columns = s.content.columns
	if s.content.payload != nil {
		r.Payload = JSONPayload{Raw: PlaceholderBody(s.object())}
	}
	return r, nil
}

// Fill makes the request of the template of its shape.
func (s *Shape) Fill(template *Request, in Input) *Request {
	r := *template
	r.URI, r.Range, r.Payload = in.URI, s.window, s.content.payload
	if _, ok := r.Action.(ReadRelation); ok {
		r.Query.Canonical = canonical(s.pairs)
	}
	return &r
}
