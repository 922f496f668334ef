// Package copytext turns a JSON array of objects into the text that COPY reads, a row for each object, as
// json_to_recordset would make rows of it. It knows nothing of where the text goes.
package copytext

import (
	"bytes"
	"errors"
	"io"
	"unicode/utf8"

	"github.com/tarn-data/tarn/internal/dataapi/rowtext"
)

// Column is a column to fill.
type Column struct {
	Name string
	JSON bool // of type json or jsonb, which take a value's JSON as it is
}

// ErrUnfit says that a payload can't be turned into rows here. The database may say why.
var ErrUnfit = errors.New("the payload doesn't fit")

// chunk is how much text is made at a time.
const chunk = 64 << 10

// Reader reads the text of a payload's rows.
type Reader struct {
	scan    scanner
	columns []Column
	index   map[string]int
	values  []span
	begun   bool
	done    bool
	err     error
	out     []byte
	rest    []byte // of out, not read yet
	scratch []byte
	quoted  []byte
}

// span is a value in the payload. The zero span is of none.
type span struct{ from, to int }

// NewReader makes a reader of a payload, which must be an array of objects in valid JSON.
func NewReader(payload []byte, columns []Column) *Reader {
	r := &Reader{scan: scanner{in: payload}, columns: columns, index: make(map[string]int, len(columns)), values: make([]span, len(columns))}
	for i, c := range columns {
		r.index[c.Name] = i
	}
	if !utf8.Valid(payload) {
		r.err = ErrUnfit
	}
	return r
}

// Read implements io.Reader.
func (r *Reader) Read(p []byte) (int, error) {
	if len(r.rest) == 0 {
		if r.done || r.err != nil {
			return 0, r.end()
		}
		r.fill()
		if len(r.rest) == 0 {
			return 0, r.end()
		}
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// Err tells whether the payload was unfit, once reading has ended.
func (r *Reader) Err() error { return r.err }

func (r *Reader) end() error {
	if r.err != nil {
		return r.err
	}
	return io.EOF
}

// fill makes rows until there is enough of them.
func (r *Reader) fill() {
	r.out = r.out[:0]
	for len(r.out) < chunk && !r.done {
		if !r.row() {
			r.err = ErrUnfit
			return // what was made of the row is not handed out
		}
	}
	r.rest = r.out
}

// row makes the text of the next object, or finds the array's end.
func (r *Reader) row() bool {
	s := &r.scan
	c := s.next()
	switch {
	case !r.begun && c == '[':
		r.begun = true
		if c = s.next(); c == ']' {
			r.done = true
			return s.next() == 0
		}
	case r.begun && c == ',':
		c = s.next()
	case r.begun && c == ']':
		r.done = true
		return s.next() == 0
	default:
		return false
	}
	if c != '{' || !r.object() {
		return false
	}
	for i := range r.columns {
		if i > 0 {
			r.out = append(r.out, '\t')
		}
		if !r.value(r.values[i], r.columns[i].JSON) {
			return false
		}
	}
	r.out = append(r.out, '\n')
	return true
}

// object finds the columns' values in an object. Of several with one name the last counts.
func (r *Reader) object() bool {
	s := &r.scan
	clear(r.values)
	c := s.next()
	if c == '}' {
		return true
	}
	for {
		if c != '"' {
			return false
		}
		key := s.string()
		if key.to == 0 || s.next() != ':' {
			return false
		}
		v := s.value()
		if v.to == 0 {
			return false
		}
		name, ok := r.unquoted(key)
		if !ok {
			return false
		}
		if i, wanted := r.index[string(name)]; wanted {
			r.values[i] = v
		}
		switch s.next() {
		case '}':
			return true
		case ',':
			c = s.next()
		default:
			return false
		}
	}
}

// value writes a value as COPY's text.
func (r *Reader) value(v span, json bool) bool {
	text := r.scan.in[v.from:v.to]
	if len(text) == 0 || bytes.Equal(text, []byte("null")) {
		r.out = append(r.out, '\\', 'N')
		return true
	}
	if text[0] == '"' {
		var ok bool
		if text, ok = r.unquoted(v); !ok {
			return false
		}
		if json { // PostgreSQL reads the string and writes it anew
			r.quoted = rowtext.AppendString(r.quoted[:0], text)
			text = r.quoted
		}
	} else if bytes.Contains(text, []byte(`\u0000`)) {
		return false // which jsonb refuses in its own words
	}
	r.out = appendEscaped(r.out, text)
	return true
}

// unquoted returns what a JSON string stands for.
func (r *Reader) unquoted(v span) ([]byte, bool) {
	text := r.scan.in[v.from+1 : v.to-1]
	if bytes.IndexByte(text, '\\') < 0 {
		return text, true
	}
	var ok bool
	r.scratch, ok = appendUnquoted(r.scratch[:0], text)
	return r.scratch, ok
}

// appendEscaped writes text with what has a meaning to COPY escaped.
func appendEscaped(dst, text []byte) []byte {
	start := 0
	for i, c := range text {
		var e byte
		switch c {
		case '\\':
			e = '\\'
		case '\n':
			e = 'n'
		case '\r':
			e = 'r'
		case '\t':
			e = 't'
		default:
			continue
		}
		dst = append(append(dst, text[start:i]...), '\\', e)
		start = i + 1
	}
	return append(dst, text[start:]...)
}
