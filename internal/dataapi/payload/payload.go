// Package payload provides the rows that a body holds, as JSON, JSON lines or CSV: of a whole body, or one by one while it
// arrives. It writes rows as the text that COPY reads. It doesn't know what the rows are for, nor where a body comes from.
package payload

import (
	"errors"

	"github.com/tarn-data/tarn/internal/fault"
)

// ErrWhole says that a body can't be read row by row: it has to be held as a whole, or is too broken to begin with.
var ErrWhole = errors.New("the body has to be held as a whole")

// UnfitError says that there is no going on, and that the database knows why: Text is a small payload of which it says
// the same.
type UnfitError struct{ Text []byte }

func (*UnfitError) Error() string { return "the payload doesn't fit" }

// Rows are the rows of a body, read one after the other as they arrive.
type Rows struct {
	Columns []string // sorted
	source  source
	err     error
	done    bool
}

// source reads rows. What it hands out is valid until it reads the next one.
type source interface {
	// next goes to the next row, and tells whether there is one.
	next() (bool, error)
	// object appends the row as a JSON object.
	object(dst []byte) []byte
	// value is what the row has in a column.
	value(column int) ([]byte, kind)
	// nul tells whether the row has a character that no text of PostgreSQL has.
	nul() bool
}

// kind is what a value's text is.
type kind uint8

const (
	null   kind = iota
	raw         // JSON other than a string
	quoted      // what is between the quotes of a JSON string
	plain       // a string as it is
)

// Next goes to the next row.
func (r *Rows) Next() bool {
	if r.done {
		return false
	}
	more, err := r.source.next()
	r.done, r.err = !more, err
	return more
}

// Err is why there was no next row, unless it was that the rows are at their end.
func (r *Rows) Err() error { return r.err }

func invalid(message string) error { return fault.New(fault.Invalid, "PGRST102", message) }

func invalidJSON() error { return invalid("Empty or invalid json") }
