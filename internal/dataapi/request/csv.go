package request

import (
	"bytes"
	"slices"
	"strconv"
	"unicode/utf8"
)

// csvNull is what stands for null in CSV.
const csvNull = "NULL"

// csvContent turns CSV with a header into a JSON array of objects.
func csvContent(body []byte) (content, error) {
	if !utf8.Valid(body) {
		return content{}, invalidBody("The CSV is not valid UTF-8")
	}
	r := csvReader{rest: body}
	header, err := r.header()
	if err != nil {
		return content{}, err
	}
	out := append(make([]byte, 0, 2*len(body)), '[')
	for more := true; more; {
		var record [][]byte
		if record, more, err = r.record(); err != nil {
			return content{}, err
		}
		switch {
		case len(record) == 1 && len(record[0]) == 0: // an empty line
			continue
		case len(record) < len(header):
			return content{}, invalidBody("All lines must have same number of fields")
		case len(out) > 1:
			out = append(out, ',')
		}
		out = appendRow(out, header, record)
	}
	if len(out) == 1 {
		return noRows(), nil
	}
	columns := make([]string, len(header))
	for i, name := range header {
		columns[i] = string(name)
	}
	slices.Sort(columns)
	return content{JSONPayload{Raw: append(out, ']')}, slices.Compact(columns)}, nil
}

// appendRow writes a record as an object. Fields beyond the header are left out.
func appendRow(b []byte, header, record [][]byte) []byte {
	b = append(b, '{')
	for i, name := range header {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendJSONString(b, string(name))
		b = append(b, ':')
		if string(record[i]) == csvNull {
			b = append(b, "null"...)
		} else {
			b = appendJSONString(b, string(record[i]))
		}
	}
	return append(b, '}')
}

// csvReader reads CSV as RFC 4180 has it, with lines that may end in a line feed alone.
type csvReader struct {
	rest   []byte
	fields [][]byte // of the record that is read, to be used again
}

// header reads the first line, which must end.
func (r *csvReader) header() ([][]byte, error) {
	header, more, err := r.record()
	if err == nil && !more {
		err = r.invalid("not enough input")
	}
	return slices.Clone(header), err
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
	end := bytes.IndexAny(r.rest, "\",\r\n")
	if end < 0 {
		end = len(r.rest)
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

// invalid is the fault of CSV that can't be read on, with a piece of what is left.
func (r *csvReader) invalid(reason string) error {
	left := string(r.rest)
	if len(left) > 100 {
		left = strconv.Quote(left[:100]) + " (truncated)"
	} else {
		left = strconv.Quote(left)
	}
	return invalidBody("parse error (" + reason + ") at " + left)
}
