package payload

import (
	"bytes"
	"slices"
	"unicode/utf8"
)

// Shape is what a JSON document is as a payload.
type Shape uint8

// The shapes.
const (
	Invalid Shape = iota
	Objects       // an object, or an array of objects with the same keys
	Nothing       // an empty array, or a value that isn't made of rows
	Mixed         // an array of anything else
)

// Keys validates a JSON document and finds the keys of its rows, sorted, without building it.
func Keys(doc []byte) ([]string, Shape) {
	if !utf8.Valid(doc) {
		return nil, Invalid
	}
	s := scanner{doc: doc}
	s.space()
	var k keySet
	shape := k.scan(&s)
	s.space()
	switch {
	case s.pos < len(doc):
		return nil, Invalid
	case shape != Objects:
		return nil, shape
	}
	return k.sorted(), shape
}

// keySet is the keys of the first of several rows, and which of them the row that is being read has.
type keySet struct {
	first [][]byte // as the first row has them, in its order
	at    int      // how many keys of the row are the first row's, in its order

	// Rows whose keys are in another order are compared by a set, which is made for the first of them.
	id      map[string]int // by key, the number of a key
	lastRow []int          // by the number of a key, the row that had it last
	row     int
	found   int  // how many keys of the first row the row has
	unequal bool // whether it has another one
	bySet   bool // whether the row is compared by the set
}

func (k *keySet) scan(s *scanner) Shape {
	ok, shape := false, Nothing
	switch s.next() {
	case '{':
		ok, shape = s.object(0, k.addFirst), Objects
	case '[':
		ok, shape = k.scanArray(s)
	default:
		ok = s.value(0)
	}
	if !ok {
		return Invalid
	}
	return shape
}

// scanArray goes on to the end of an array that turns out to be mixed, since it may also be invalid.
func (k *keySet) scanArray(s *scanner) (bool, Shape) {
	s.char('[')
	if s.char(']') {
		return true, Nothing
	}
	shape := Objects
	add := k.addFirst
	for {
		switch {
		case shape == Mixed || s.next() != '{':
			shape = Mixed
			if !s.value(1) {
				return false, shape
			}
		case !s.object(1, add):
			return false, shape
		case k.row > 0 && !k.complete():
			shape = Mixed
		}
		if !s.char(',') {
			return s.char(']'), shape
		}
		k.startRow()
		if k.row == 1 {
			add = k.add
		}
	}
}

func (k *keySet) addFirst(raw []byte, _ span) { k.first = append(k.first, raw) }

func (k *keySet) startRow() {
	k.row++
	k.at, k.found, k.unequal, k.bySet = 0, 0, false, false
}

// add takes in a key of a later row.
func (k *keySet) add(raw []byte, _ span) {
	if !k.bySet {
		if k.at < len(k.first) && bytes.Equal(k.first[k.at], raw) {
			k.at++
			return
		}
		k.compareBySet()
	}
	k.find(raw)
}

// complete tells whether the row has the keys of the first and no others.
func (k *keySet) complete() bool {
	if !k.bySet {
		if k.at == len(k.first) {
			return true
		}
		k.compareBySet()
	}
	return !k.unequal && k.found == len(k.id)
}

// compareBySet goes over from the order of the keys to the set of them.
func (k *keySet) compareBySet() {
	if k.id == nil {
		k.id = make(map[string]int, len(k.first))
		for _, raw := range k.first {
			if name := unquote(raw); !has(k.id, name) {
				k.id[name] = len(k.id)
			}
		}
		k.lastRow = make([]int, len(k.id))
	}
	k.bySet = true
	for _, raw := range k.first[:k.at] {
		k.find(raw)
	}
}

func has(m map[string]int, key string) bool {
	_, ok := m[key]
	return ok
}

func (k *keySet) find(raw []byte) {
	id, ok := k.id[unquote(raw)]
	switch {
	case !ok:
		k.unequal = true
	case k.lastRow[id] != k.row:
		k.lastRow[id] = k.row
		k.found++
	}
}

func (k *keySet) sorted() []string {
	names := make([]string, len(k.first))
	for i, raw := range k.first {
		names[i] = unquote(raw)
	}
	slices.Sort(names)
	return slices.Compact(names)
}
