package exec

import "encoding/binary"

// The messages of a pipeline that are sent for each request. The driver has them, too, but takes parameters in slices
// that would have to be made first.

const (
	executeMessage = "E\x00\x00\x00\x09\x00\x00\x00\x00\x00" // all rows of the portal without a name
	syncMessage    = "S\x00\x00\x00\x04"
)

// begin appends the head of a message; end fills in its length.
func begin(b []byte, kind byte) (out []byte, at int) {
	return append(b, kind, 0, 0, 0, 0), len(b) + 1
}

func end(b []byte, at int) []byte {
	binary.BigEndian.PutUint32(b[at:], uint32(len(b)-at)) //nolint:gosec // no request is that long
	return b
}

// appendShort appends a number of parameters or columns, or a format.
func appendShort(b []byte, n int) []byte {
	return binary.BigEndian.AppendUint16(b, uint16(n)) //nolint:gosec // the link refuses more
}

// appendValue appends a parameter.
func appendValue[T string | []byte](b []byte, v T) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(v))), v...) //nolint:gosec // no request is that long
}

func appendText(b []byte, s string) []byte { return append(append(b, s...), 0) }

// appendStep appends what runs a step by its statement, and prepares that if it isn't known.
func appendStep(b []byte, s *step, st *prepared, known bool) []byte {
	if !known {
		b = appendParse(b, st.name, s)
	}
	return append(appendBind(b, st.name, s), executeMessage...)
}

// appendParse appends Parse and Describe, so that the answer has the statement's columns.
func appendParse(b []byte, name string, s *step) []byte {
	b, at := begin(b, 'P')
	b = appendText(appendText(b, name), s.statement.SQL)
	b = appendShort(b, s.parameters())
	for range s.texts {
		b = binary.BigEndian.AppendUint32(b, oidText)
	}
	for _, a := range s.statement.Args {
		b = binary.BigEndian.AppendUint32(b, a.OID)
	}
	b, at = begin(end(b, at), 'D')
	return end(appendText(append(b, 'S'), name), at)
}

// appendBind appends Bind with the step's parameters.
func appendBind(b []byte, name string, s *step) []byte {
	b, at := begin(b, 'B')
	b = appendText(append(b, 0), name)
	b = appendFormats(b, s)
	b = appendShort(b, s.parameters())
	for _, v := range s.texts {
		b = appendValue(b, v)
	}
	for i := range s.statement.Args {
		v := s.statement.Args[i].Value
		if v == nil {
			b = append(b, "\xff\xff\xff\xff"...)
			continue
		}
		b = appendValue(b, v)
	}
	b = appendShort(b, len(s.formats))
	for _, f := range s.formats {
		b = appendShort(b, int(f))
	}
	return end(b, at)
}

// appendFormats says which parameters are binary; none is the usual case.
func appendFormats(b []byte, s *step) []byte {
	binaries := false
	for i := range s.statement.Args {
		binaries = binaries || s.statement.Args[i].Binary
	}
	if !binaries {
		return append(b, 0, 0)
	}
	b = appendShort(b, s.parameters())
	for range s.texts {
		b = append(b, 0, 0)
	}
	for i := range s.statement.Args {
		format := byte(0)
		if s.statement.Args[i].Binary {
			format = 1
		}
		b = append(b, 0, format)
	}
	return b
}

// appendClose appends the end of a prepared statement.
func appendClose(b []byte, name string) []byte {
	b, at := begin(b, 'C')
	return end(appendText(append(b, 'S'), name), at)
}
