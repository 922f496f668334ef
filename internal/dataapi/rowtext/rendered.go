package rowtext

// Rendered joins rows that are JSON already, each in one value.
type Rendered struct {
	Lines bool // whether they become lines, and not an array
}

// Begin implements Encoder.
func (e Rendered) Begin(dst []byte, _ bool) []byte {
	if e.Lines {
		return dst
	}
	return append(dst, '[')
}

// Row implements Encoder.
func (e Rendered) Row(dst []byte, values [][]byte, first bool) []byte {
	if e.Lines {
		return append(append(dst, values[0]...), '\n')
	}
	if !first {
		dst = append(dst, ", \n "...)
	}
	return append(dst, values[0]...)
}

// End implements Encoder.
func (e Rendered) End(dst []byte) []byte {
	if e.Lines {
		return dst
	}
	return append(dst, ']')
}
