package payload

import (
	"bytes"
	"io"
	"slices"
	"unicode/utf8"
)

// excerpt is how much of what isn't JSON the database gets to see.
const excerpt = 4 << 10

// jsonRows reads the objects of an array.
type jsonRows struct {
	window
	chosen bool // whether the client chose the columns: other keys are left out, and none has to be there
	keys   keySet
	places []place // of the keys of the first row
	index  map[string]int
	count  int

	// Of the row that is read.
	doc    []byte
	row    span
	values []span // by column
	at     int    // how many keys were read
	hasNul bool
	field  func(key []byte, v span)
	key    []byte // to unquote one
}

// place is a key and its column; -1 for none.
type place struct {
	key    []byte
	column int
}

// OpenJSON begins to read the rows of a JSON array of objects, of which none may be larger than maxRow. They have the
// columns that the client chose; if these are nil, those of the first row, which the others must have, too.
func OpenJSON(in io.Reader, columns []string, maxRow int) (*Rows, error) {
	j := &jsonRows{window: window{in: in, max: maxRow}, chosen: columns != nil}
	if err := j.first(); err != nil {
		return nil, err
	}
	if !j.chosen {
		columns = j.keys.sorted()
	}
	j.index = make(map[string]int, len(columns))
	for i, name := range columns {
		j.index[name] = i
	}
	for i := range j.places {
		j.places[i].column = j.column(j.places[i].key)
	}
	j.values = make([]span, len(columns))
	j.field = j.take
	return &Rows{Columns: columns, source: j}, nil
}

// first looks at the first row, and doesn't go past it.
func (j *jsonRows) first() error {
	for {
		s := scanner{doc: j.rest()}
		j.keys.first = nil
		if s.char('[') && s.next() == '{' && s.object(1, j.keys.addFirst) {
			break
		}
		if !s.short || !j.more() {
			if err := j.failed(); err != nil {
				return err
			}
			return ErrWhole
		}
	}
	for i, key := range j.keys.first { // they are of a buffer that moves
		j.keys.first[i] = slices.Clone(key)
		j.places = append(j.places, place{key: j.keys.first[i]})
	}
	return nil
}

// column is the column of a key; -1 for none.
func (j *jsonRows) column(key []byte) int {
	if bytes.IndexByte(key, '\\') >= 0 {
		j.key = appendUnquoted(j.key[:0], key)
		key = j.key
	}
	if i, ok := j.index[string(key)]; ok {
		return i
	}
	return -1
}

// take takes in a key of a row and its value. Of several of one name the last counts.
func (j *jsonRows) take(key []byte, v span) {
	var column int
	if j.at < len(j.places) && bytes.Equal(j.places[j.at].key, key) {
		column = j.places[j.at].column
	} else {
		column = j.column(key)
	}
	j.at++
	if column >= 0 {
		j.values[column] = v
	}
	if !j.chosen {
		j.keys.add(key, v)
	}
}

// found is what was found where a row may be.
type found uint8

const (
	broken found = iota
	aRow
	anotherValue // that is no object, or has other keys
	theEnd
)

func (j *jsonRows) next() (bool, error) {
	for {
		s := scanner{doc: j.rest()}
		what := j.scan(&s)
		if what == broken && s.short && j.more() {
			continue
		}
		if err := j.failed(); err != nil && what == broken {
			return false, err
		}
		switch {
		case what == theEnd:
			return false, nil
		case what == broken, !utf8.Valid(s.doc[:s.pos]):
			rest := j.rest() // which has moved if there was an attempt to read on
			return false, j.broken(rest[:min(s.pos+excerpt, len(rest))])
		case what == anotherValue && j.chosen:
			return false, j.broken(append(slices.Clone(s.doc[:s.pos]), ']'))
		case what == anotherValue:
			return false, invalid("All object keys must match")
		}
		j.doc, j.hasNul = s.doc, s.nul
		j.window.at += s.pos
		j.count++
		return true, nil
	}
}

// scan looks at what comes next. It may be called again when there is more to look at.
func (j *jsonRows) scan(s *scanner) found {
	switch {
	case j.count == 0:
		s.char('[') // which first has seen
	case s.char(']'):
		return j.end(s)
	case !s.char(','):
		return broken
	}
	j.row.from = s.pos
	if s.next() != '{' {
		if !s.value(1) {
			return broken
		}
		return anotherValue
	}
	clear(j.values)
	j.at = 0
	j.keys.startRow()
	if !s.object(1, j.field) {
		return broken
	}
	j.row.to = s.pos
	if !j.chosen && !j.keys.complete() {
		return anotherValue
	}
	return aRow
}

// end reads what is after the array, which is white space.
func (j *jsonRows) end(s *scanner) found {
	for {
		if s.space(); s.pos < len(s.doc) {
			s.short = false // more would be as wrong
			return broken
		}
		j.window.at = len(j.buf)
		if !j.more() {
			if j.failed() != nil {
				return broken
			}
			return theEnd
		}
		*s = scanner{doc: j.rest()}
	}
}

// broken is the fault of what is no row. Where the client chose the columns, nobody has looked at the JSON but the
// database, which says what is wrong.
func (j *jsonRows) broken(text []byte) error {
	if !j.chosen {
		return invalidJSON()
	}
	if j.count > 0 {
		text = append([]byte("[{}"), text...)
	}
	return &UnfitError{Text: slices.Clone(text)}
}

func (j *jsonRows) object(dst []byte) []byte {
	return append(dst, trimmed(j.doc[j.row.from:j.row.to])...)
}

func (j *jsonRows) nul() bool { return j.hasNul }

func (j *jsonRows) value(column int) ([]byte, kind) {
	v := j.values[column]
	text := trimmed(j.doc[v.from:v.to])
	switch {
	case len(text) == 0 || text[0] == 'n':
		return nil, null
	case text[0] == '"':
		return text[1 : len(text)-1], quoted
	}
	return text, raw
}

// trimmed is a value without the space after it, which the scanner takes for a part of it.
func trimmed(text []byte) []byte {
	end := len(text)
	for end > 0 && text[end-1] <= ' ' {
		end--
	}
	return text[:end]
}
