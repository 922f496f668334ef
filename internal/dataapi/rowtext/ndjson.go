package rowtext

// NDJSON renders rows as a JSON object a line.
type NDJSON struct{ JSON }

// NewNDJSON makes an encoder for rows with these fields. It can't if a type is not known.
func NewNDJSON(fields []Field) (*NDJSON, bool) {
	e, ok := NewJSON(fields)
	if !ok {
		return nil, false
	}
	return &NDJSON{*e}, true
}

// Begin implements Encoder.
func (e *NDJSON) Begin(dst []byte, _ bool) []byte { return dst }

// End implements Encoder.
func (e *NDJSON) End(dst []byte) []byte { return dst }

// Row implements Encoder. A json value may have line breaks, but only as white space: in strings they are escaped.
func (e *NDJSON) Row(dst []byte, values [][]byte, _ bool) []byte {
	from := len(dst)
	dst = e.JSON.Row(dst, values, true)
	for i, c := range dst[from:] {
		if c == '\n' || c == '\r' {
			dst[from+i] = ' '
		}
	}
	return append(dst, '\n')
}
