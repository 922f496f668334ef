package rowtext

// CSV renders rows as PostgreSQL writes a row's text within its parentheses, under a line of names.
type CSV struct{ fields []Field }

// NewCSV makes an encoder for rows with these fields, of whatever types.
func NewCSV(fields []Field) *CSV { return &CSV{fields} }

// Begin implements Encoder. The names are those of the first row, so there are none without a row.
func (e *CSV) Begin(dst []byte, any bool) []byte {
	if any {
		for i, f := range e.fields {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(dst, f.Name...)
		}
	}
	return append(dst, '\n')
}

// End implements Encoder.
func (e *CSV) End(dst []byte) []byte { return dst }

// Row implements Encoder.
func (e *CSV) Row(dst []byte, values [][]byte, first bool) []byte {
	if !first {
		dst = append(dst, '\n')
	}
	for i, v := range values {
		if i > 0 {
			dst = append(dst, ',')
		}
		if v != nil { // null is nothing at all
			dst = appendCell(dst, v)
		}
	}
	return dst
}

// appendCell quotes what a row's text quotes: the empty string, and what has a character with a meaning in it.
func appendCell(dst, v []byte) []byte {
	if !needsQuotes(v) {
		return append(dst, v...)
	}
	dst = append(dst, '"')
	for _, c := range v {
		if c == '"' || c == '\\' {
			dst = append(dst, c)
		}
		dst = append(dst, c)
	}
	return append(dst, '"')
}

func needsQuotes(v []byte) bool {
	if len(v) == 0 {
		return true
	}
	for _, c := range v {
		switch c {
		case '"', '\\', '(', ')', ',', ' ', '\t', '\n', '\r', '\v', '\f':
			return true
		}
	}
	return false
}
