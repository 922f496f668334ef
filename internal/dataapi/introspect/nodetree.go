package introspect

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// target is an entry of a query's target list: the number of the column, and where it comes from.
type target struct {
	number int
	origin origin
}

// parseTargets reads the target list of a rule's first query. A node tree is written in braces, with the node's type and
// then its fields, each a label that begins with a colon and a value: {QUERY :commandType 1 :rtable (…) …}. What a field
// holds doesn't matter here, only where it ends.
func parseTargets(tree string) ([]target, error) {
	n := &nodeReader{text: tree}
	if err := n.expect("(", "{", "QUERY"); err != nil {
		return nil, err
	}
	var targets []target
	err := n.fields(func(label string) error {
		if label != ":targetList" {
			return n.skip(n.next())
		}
		var err error
		targets, err = n.targets()
		return err
	})
	return targets, err
}

// nodeReader reads a node tree token by token.
type nodeReader struct {
	text string
	pos  int
}

var errUnfinished = errors.New("node tree ends early")

// next returns the next token, empty at the end: a parenthesis, a brace, or what stands up to the next of them or a
// space. In a token such characters are escaped by a backslash, which is left there.
func (n *nodeReader) next() string {
	for n.pos < len(n.text) && isSpace(n.text[n.pos]) {
		n.pos++
	}
	start := n.pos
	for n.pos < len(n.text) {
		c := n.text[n.pos]
		if isSpace(c) {
			break
		}
		if isBracket(c) {
			if n.pos == start {
				n.pos++
			}
			break
		}
		if c == '\\' {
			n.pos++
		}
		n.pos++
	}
	n.pos = min(n.pos, len(n.text))
	return n.text[start:n.pos]
}

func isSpace(c byte) bool   { return c == ' ' || c == '\n' || c == '\t' }
func isBracket(c byte) bool { return c == '(' || c == ')' || c == '{' || c == '}' }

func (n *nodeReader) expect(tokens ...string) error {
	for _, want := range tokens {
		if got := n.next(); got != want {
			return fmt.Errorf("node tree has %q in the place of %q", got, want)
		}
	}
	return nil
}

// skip goes past the value that begins with the token.
func (n *nodeReader) skip(token string) error {
	depth := 0
	for {
		switch token {
		case "":
			return errUnfinished
		case "(", "{":
			depth++
		case ")", "}":
			depth--
		}
		if depth < 0 {
			return errors.New("node tree has a field without a value")
		}
		if depth == 0 {
			return nil
		}
		token = n.next()
	}
}

// fields calls field for each label of a node, which must read the value, and goes past the end of the node. A value
// may begin with a colon, so labels can't be told by that alone. Values of several tokens are constants, whose bytes are
// numbers in square brackets.
func (n *nodeReader) fields(field func(label string) error) error {
	for {
		token := n.next()
		var err error
		switch {
		case token == "}":
			return nil
		case strings.HasPrefix(token, ":"):
			err = field(token)
		default:
			err = n.skip(token)
		}
		if err != nil {
			return err
		}
	}
}

func (n *nodeReader) targets() ([]target, error) {
	token := n.next()
	if token != "(" { // there is none
		return nil, n.skip(token)
	}
	var out []target
	for {
		switch token := n.next(); token {
		case ")":
			return out, nil
		case "{":
			t, err := n.target()
			if err != nil {
				return nil, err
			}
			out = append(out, t)
		default:
			return nil, fmt.Errorf("node tree has %q in a target list", token)
		}
	}
}

// target reads the entry whose brace is open.
func (n *nodeReader) target() (target, error) {
	var t target
	if err := n.expect("TARGETENTRY"); err != nil {
		return t, err
	}
	err := n.fields(func(label string) error {
		token := n.next()
		var (
			value uint64
			err   error
		)
		switch label {
		case ":resno":
			value, err = strconv.ParseUint(token, 10, 15)
			t.number = int(value)
		case ":resorigtbl":
			value, err = strconv.ParseUint(token, 10, 32)
			t.origin.relation = uint32(value)
		case ":resorigcol":
			var column int64
			column, err = strconv.ParseInt(token, 10, 16)
			t.origin.column = int16(column)
		default:
			err = n.skip(token)
		}
		return err
	})
	return t, err
}
