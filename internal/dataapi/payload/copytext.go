package payload

import (
	"io"

	"github.com/tarn-data/tarn/internal/dataapi/rowtext"
)

// Column is a column to fill.
type Column struct {
	Name string
	JSON bool // of type json or jsonb, which take a value's JSON as it is
}

// chunk is how much text is made at a time.
const chunk = 64 << 10

// Text is the text that COPY reads of rows, as json_to_recordset would make rows of them.
type Text struct {
	rows    *Rows
	columns []Column
	objects bool
	err     error
	out     []byte
	rest    []byte // of out, not read yet
	scratch []byte
	quoted  []byte
}

// NewText makes the text of rows for these columns, which are the rows' own, in their order.
func NewText(rows *Rows, columns []Column) *Text { return &Text{rows: rows, columns: columns} }

// NewObjects makes the text of rows for one column that takes each of them as a JSON object.
func NewObjects(rows *Rows) *Text { return &Text{rows: rows, objects: true} }

// Read implements io.Reader.
func (t *Text) Read(p []byte) (int, error) {
	if len(t.rest) == 0 {
		if t.fill(); len(t.rest) == 0 {
			if t.err != nil {
				return 0, t.err
			}
			return 0, io.EOF
		}
	}
	n := copy(p, t.rest)
	t.rest = t.rest[n:]
	return n, nil
}

// Err is why the text ended before the rows did, once reading has ended.
func (t *Text) Err() error { return t.err }

// fill writes rows until there is enough of them.
func (t *Text) fill() {
	t.out = t.out[:0]
	for len(t.out) < chunk && t.err == nil {
		if !t.rows.Next() {
			t.err = t.rows.Err()
			break
		}
		t.row()
	}
	t.rest = t.out
	if t.err != nil { // then the rows before it are of no use
		t.rest = nil
	}
}

func (t *Text) row() {
	row := t.rows.source
	switch {
	case t.objects:
		t.scratch = row.object(t.scratch[:0])
		t.out = appendEscaped(t.out, t.scratch)
	case row.nul():
		t.err = &UnfitError{Text: append(row.object([]byte{'['}), ']')}
		return
	default:
		for i, c := range t.columns {
			if i > 0 {
				t.out = append(t.out, '\t')
			}
			text, k := row.value(i)
			t.value(text, k, c.JSON)
		}
	}
	t.out = append(t.out, '\n')
}

func (t *Text) value(text []byte, k kind, json bool) {
	switch k {
	case null:
		t.out = append(t.out, '\\', 'N')
		return
	case quoted:
		t.scratch = appendUnquoted(t.scratch[:0], text)
		text = t.scratch
	case plain, raw:
	}
	if json && k != raw { // PostgreSQL reads a string and writes it anew
		t.quoted = rowtext.AppendString(t.quoted[:0], text)
		text = t.quoted
	}
	t.out = appendEscaped(t.out, text)
}

// appendEscaped writes text with what has a meaning to COPY escaped.
func appendEscaped(dst, text []byte) []byte {
	start := 0
	for i, c := range text {
		if c >= ' ' && c != '\\' {
			continue
		}
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
