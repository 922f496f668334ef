package request

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// failure is what a parser has found wanting at the furthest place that it looked at. Its texts are part of what
// clients see and match on, so the rules by which failures are merged are those of the Parsec library, which
// PostgREST reads its parameters with: what was wanted at one place adds up in the order of the attempts, a place
// further on wins, and what comes before text that was accepted is forgotten.
//
// A failure isn't modified once it is made; nil is none.
type failure struct {
	pos      int
	met      string   // what was met instead, quoted
	refused  string   // what was met though it must not be, quoted; it hides what was met elsewise
	expected []string // in order, without repetition
}

// merge returns what is known after a later failure.
func (f *failure) merge(later *failure) *failure {
	switch {
	case later == nil:
		return f
	case f == nil, later.pos > f.pos:
		return later
	case later.pos < f.pos:
		return f
	}
	sum := &failure{
		pos:      f.pos,
		met:      cmp.Or(f.met, later.met),
		refused:  cmp.Or(f.refused, later.refused),
		expected: slices.Clone(f.expected),
	}
	for _, e := range later.expected {
		if !slices.Contains(sum.expected, e) {
			sum.expected = append(sum.expected, e)
		}
	}
	return sum
}

// String renders the failure.
func (f *failure) String() string {
	var parts []string
	if met := cmp.Or(f.refused, f.met); met != "" {
		parts = append(parts, "unexpected "+met)
	}
	if n := len(f.expected); n == 1 {
		parts = append(parts, "expecting "+f.expected[0])
	} else if n > 1 {
		parts = append(parts, "expecting "+strings.Join(f.expected[:n-1], ", ")+" or "+f.expected[n-1])
	}
	return strings.Join(parts, " ")
}

const endOfInput = "end of input"

// place is where an offset of a text is for a reader.
func place(text string, offset int) string {
	line, column := 1, 1
	for _, r := range text[:offset] {
		switch r {
		case '\n':
			line, column = line+1, 1
		case '\t':
			column += 8 - (column-1)%8
		default:
			column++
		}
	}
	return "(line " + strconv.Itoa(line) + ", column " + strconv.Itoa(column) + ")"
}

// quoteText quotes a literal that was expected.
func quoteText(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// quoteMet quotes a character that was met, between the quotes given.
func quoteMet(r rune, quote byte) string {
	q := string(quote)
	if r == rune(quote) || r == '\\' {
		return q + `\` + string(r) + q
	}
	return q + spell(r) + q
}

// spell writes a character such that it can be read on any terminal.
func spell(r rune) string {
	const control = "NUL SOH STX ETX EOT ENQ ACK a b t n v f r SO SI DLE DC1 DC2 DC3 DC4 NAK SYN ETB CAN EM SUB ESC FS GS RS US"
	switch {
	case r < ' ':
		return `\` + strings.Fields(control)[r]
	case r == '\x7f':
		return `\DEL`
	case r >= utf8.RuneSelf:
		return `\` + strconv.Itoa(int(r))
	}
	return string(r)
}
