// Package rowtext renders rows that PostgreSQL sends as text: as JSON, byte for byte as row_to_json does, and as CSV, as
// a row's own text is. It knows only the types that are on its list, and says so of others.
package rowtext

// Field is a column of a result.
type Field struct {
	Name string
	OID  uint32
}

// Encoder renders rows one after the other.
type Encoder interface {
	// Begin appends what goes before the first row; there is one, if any is true.
	Begin(dst []byte, any bool) []byte
	// Row appends a row. The first has no separator before it.
	Row(dst []byte, values [][]byte, first bool) []byte
	// End appends what goes after the last row.
	End(dst []byte) []byte
}
