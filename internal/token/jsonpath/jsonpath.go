// Package jsonpath provides JSON paths (RFC 9535) over values that encoding/json decoded with numbers as json.Number.
// Of the functions that filters may call it has only search. It knows nothing of what the values mean.
package jsonpath

import "regexp"

// Path is a parsed JSON path. It is safe for concurrent use. The zero value is the root itself.
type Path struct {
	relative bool // begins at the current value of a filter, @, not at the root, $
	segments []segment
}

// segment leads from values to some inside of them.
type segment struct {
	descend   bool // from the values and all that is inside of them
	dotted    bool // written without brackets; matters for String only
	selectors []selector
}

// selector is one of name, index, slice, wildcard and filter.
type selector interface{ isSelector() }

type (
	name     string
	index    int
	wildcard struct{}
	filter   struct{ cond or }
	slice    struct {
		start, end *int
		step       int
	}
)

func (name) isSelector()     {}
func (index) isSelector()    {}
func (wildcard) isSelector() {}
func (filter) isSelector()   {}
func (slice) isSelector()    {}

// or and and are conditions of which one, or all, must hold.
type (
	or  []and
	and []cond
)

// cond is one of group, exists, comparison and search.
type cond interface{ isCond() }

type (
	group struct { // in parentheses
		negated bool
		cond    or
	}
	exists struct {
		negated bool
		path    Path
	}
	comparison struct {
		left, right operand
		op          string
	}
	search struct {
		negated       bool
		text, pattern operand
		compiled      *regexp.Regexp // of a pattern that is a literal
	}
)

func (group) isCond()      {}
func (exists) isCond()     {}
func (comparison) isCond() {}
func (search) isCond()     {}

// operand is a literal, or what a path leads to.
type operand struct {
	path    *Path // nil for a literal
	literal any
}
