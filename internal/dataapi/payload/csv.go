package payload

import (
	"bytes"
	"io"
	"slices"
	"strconv"
	"unicode/utf8"
)

// csvNull is what stands for null in CSV.
const csvNull = "NULL"

// csvRows reads the records of CSV with a header.
type csvRows struct {
	window
	reader csvReader
	header [][]byte
	order  []int // of columns, the place in a record
	record [][]byte
	last   bool // whether the record that was read is the last one
}

// OpenCSV begins to read the rows of CSV with a header, of which none may be larger than maxRow.
func OpenCSV(in io.Reader, maxRow int) (*Rows, error) {
	return openCSV(window{in: in, max: maxRow})
}

func openCSV(w window) (*Rows, error) {
	c := &csvRows{window: w}
	if err := c.read(); err != nil {
		return nil, err
	}
	if c.last {
		return nil, c.reader.invalid("not enough input")
	}
	place := map[string]int{}
	var columns []string
	for i, name := range c.record {
		c.header = append(c.header, slices.Clone(name))
		columns = append(columns, string(name))
		place[string(name)] = i
	}
	slices.Sort(columns)
	columns = slices.Compact(columns)
	for _, name := range columns {
		c.order = append(c.order, place[name])
	}
	return &Rows{Columns: columns, source: c}, nil
}

func (c *csvRows) next() (bool, error) {
	for !c.last {
		if err := c.read(); err != nil {
			return false, err
		}
		switch {
		case len(c.record) == 1 && len(c.record[0]) == 0: // an empty line
			continue
		case len(c.record) < len(c.header):
			return false, invalid("All lines must have same number of fields")
		}
		return true, nil
	}
	return false, nil
}

// read reads a record.
func (c *csvRows) read() error {
	for {
		c.reader.rest, c.reader.short, c.reader.eof = c.rest(), false, c.eof()
		record, more, err := c.reader.record()
		if c.reader.short {
			if c.more(); c.failed() != nil {
				return c.failed()
			}
			continue
		}
		if err != nil {
			return err
		}
		end := len(c.buf) - len(c.reader.rest)
		if !utf8.Valid(c.buf[c.at:end]) {
			return invalid("The CSV is not valid UTF-8")
		}
		c.at, c.record, c.last = end, record, !more
		return nil
	}
}

// object writes the record as an object. Fields beyond the header are left out.
func (c *csvRows) object(b []byte) []byte {
	b = append(b, '{')
	for i, name := range c.header {
		if i > 0 {
			b = append(b, ',')
		}
		b = AppendString(b, string(name))
		b = append(b, ':')
		if string(c.record[i]) == csvNull {
			b = append(b, "null"...)
		} else {
			b = AppendString(b, string(c.record[i]))
		}
	}
	return append(b, '}')
}

func (c *csvRows) value(column int) ([]byte, kind) {
	text := c.record[c.order[column]]
	if string(text) == csvNull {
		return nil, null
	}
	return text, plain
}

func (c *csvRows) nul() bool {
	return slices.ContainsFunc(c.record, func(field []byte) bool { return bytes.IndexByte(field, 0) >= 0 })
}

// FromCSV turns CSV with a header into a JSON array of objects with these columns, sorted.
func FromCSV(body []byte) (objects []byte, columns []string, err error) {
	if !utf8.Valid(body) {
		return nil, nil, invalid("The CSV is not valid UTF-8")
	}
	rows, err := openCSV(window{buf: body, err: io.EOF})
	if err != nil {
		return nil, nil, err
	}
	out := append(make([]byte, 0, 2*len(body)), '[')
	for rows.Next() {
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = rows.source.object(out)
	}
	if err := rows.Err(); err != nil {
		return nil, nil, err
	}
	if len(out) == 1 {
		return []byte("[]"), nil, nil
	}
	return append(out, ']'), rows.Columns, nil
}

// csvReader reads CSV as RFC 4180 has it, with lines that may end in a line feed alone.
type csvReader struct {
	rest   []byte
	eof    bool     // whether the rest is all that there is
	short  bool     // whether the rest has to be longer to tell
	fields [][]byte // of the record that is read, to be used again
}

// record reads a line, and tells whether there is another. It is valid until the next is read.
func (r *csvReader) record() (record [][]byte, more bool, err error) {
	r.fields = r.fields[:0]
	for {
		field, err := r.field()
		if err != nil {
			return nil, false, err
		}
		r.fields = append(r.fields, field)
		switch {
		case len(r.rest) == 0:
			r.short = !r.eof
			return r.fields, false, nil
		case r.skip(","):
		case r.skip("\n"), r.skip("\r\n"):
			return r.fields, true, nil
		default:
			return nil, false, r.invalid("endOfInput")
		}
	}
}

func (r *csvReader) skip(s string) bool {
	if bytes.HasPrefix(r.rest, []byte(s)) {
		r.rest = r.rest[len(s):]
		return true
	}
	return false
}

func (r *csvReader) field() ([]byte, error) {
	if r.skip(`"`) {
		return r.quotedField()
	}
	end := 0
	for end < len(r.rest) {
		if c := r.rest[end]; c == ',' || c == '\n' || c == '\r' || c == '"' {
			break
		}
		end++
	}
	field := r.rest[:end]
	r.rest = r.rest[end:]
	return field, nil
}

// quotedField reads up to the closing quote; two quotes are one that is meant.
func (r *csvReader) quotedField() ([]byte, error) {
	var field []byte
	for {
		end := bytes.IndexByte(r.rest, '"')
		if end < 0 {
			r.rest = nil
			return nil, r.invalid("not enough input")
		}
		part := r.rest[:end]
		r.rest = r.rest[end+1:]
		if !r.skip(`"`) {
			if field == nil {
				return part, nil
			}
			return append(field, part...), nil
		}
		field = append(append(field, part...), '"')
	}
}

// shown is how much of what is left of CSV a fault shows.
const shown = 100

// invalid is the fault of CSV that can't be read on, with a piece of what is left.
func (r *csvReader) invalid(reason string) error {
	r.short = !r.eof && len(r.rest) <= shown
	left := string(r.rest)
	if len(left) > shown {
		left = strconv.Quote(left[:shown]) + " (truncated)"
	} else {
		left = strconv.Quote(left)
	}
	return invalid("parse error (" + reason + ") at " + left)
}
