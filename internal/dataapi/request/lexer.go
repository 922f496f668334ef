package request

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tarn-data/tarn/internal/fault"
)

const (
	// maxDepth bounds how deep embeds and trees of filters may be nested.
	maxDepth = 100
	// maxExplained is the length of a text up to which a client is told why it can't be read, and maxShown how much
	// is shown of one that is longer.
	maxExplained = 64 << 10
	maxShown     = 100
)

// lexer is a place in the text of a parameter. Its methods, here and in the files named for what they read, accept
// some text and move on, or answer false. One that fails where it started leaves room for an alternative; one that
// fails after it moved has decided what the text is, and so the whole parse fails. Methods that look further ahead
// than a character before they decide start with a mark and go back to it.
//
// Failures are recorded only when trace is set: a parse that fails is done again to learn why, so that one that
// succeeds, as nearly all do, pays nothing for it.
type lexer struct {
	text    string
	pos     int
	depth   int
	tooDeep bool
	trace   bool
	failure *failure // what has been found wanting since text was last accepted

	lastParen, lastColon int // where the last ones of the text are
}

func newLexer(text string, trace bool) *lexer {
	return &lexer{
		text: text, trace: trace,
		lastParen: strings.LastIndexByte(text, '('), lastColon: strings.LastIndexByte(text, ':'),
	}
}

// parse reads a text by a rule. What the text is completes the error "failed to parse …".
func parse[T any](what, text string, rule func(*lexer) (T, bool)) (T, error) {
	return parseAs(what, text, text, rule)
}

// parseAs is parse of a text that is shown to the client as another.
func parseAs[T any](what, shown, text string, rule func(*lexer) (T, bool)) (T, error) {
	l := newLexer(text, false)
	value, ok := rule(l)
	if ok {
		return value, nil
	}
	if len(text) > maxExplained {
		return value, l.fault(what, strings.ToValidUTF8(shown[:maxShown], "")+"…", l.pos, "what is wrong with so long a text isn't looked into")
	}
	l = newLexer(text, true)
	_, _ = rule(l)
	switch {
	case l.tooDeep:
		return value, l.fault(what, shown, l.pos, "nested in more than "+strconv.Itoa(maxDepth)+" levels")
	case l.failure == nil:
		return value, l.fault(what, shown, l.pos, "unknown parse error")
	}
	return value, l.fault(what, shown, l.failure.pos, l.failure.String())
}

func (l *lexer) fault(what, shown string, pos int, details string) error {
	message := `"failed to parse ` + what + " (" + shown + `)" ` + place(l.text, pos)
	return fault.New(fault.Invalid, "PGRST100", message).WithDetails(details)
}

// mark is a place to come back to and what was found wanting up to it.
type mark struct {
	pos     int
	failure *failure
}

// mark starts to record failures anew, for what follows to be renamed or taken back.
func (l *lexer) mark() mark {
	m := mark{l.pos, l.failure}
	l.failure = nil
	return m
}

// back returns to a mark after a failure, so that an alternative can be tried. It answers false.
func (l *lexer) back(m mark) bool {
	l.pos = m.pos
	l.failure = m.failure.merge(l.failure)
	return false
}

// keep ends what a mark started with nothing renamed or taken back.
func (l *lexer) keep(m mark, ok bool) bool {
	if l.pos == m.pos {
		l.failure = m.failure.merge(l.failure)
	}
	return ok
}

// named ends what a mark started. Unless text was accepted, what it expected is called by one name.
func (l *lexer) named(m mark, ok bool, name string) bool {
	if l.trace && l.pos == m.pos && (l.failure != nil || !ok) {
		renamed := failure{pos: l.pos}
		if l.failure != nil {
			renamed = *l.failure
		}
		renamed.expected = []string{name}
		l.failure = &renamed
	}
	return l.keep(m, ok)
}

// ahead ends a look ahead that a mark started.
func (l *lexer) ahead(m mark, ok bool) bool {
	if !ok {
		return l.back(m)
	}
	l.pos, l.failure = m.pos, m.failure
	return true
}

// miss records that the next character isn't one of those expected. It answers false.
func (l *lexer) miss(expected ...string) bool {
	if l.trace {
		l.record(&failure{pos: l.pos, met: l.met(l.pos, '"'), expected: slices.Clone(expected)})
	}
	return false
}

// missText records that not all of a text follows, but n bytes of it. It answers false.
func (l *lexer) missText(text string, n int) bool {
	if l.trace {
		l.record(&failure{pos: l.pos, met: l.met(l.pos+n, '"'), expected: []string{quoteText(text)}})
	}
	return false
}

// missChar is missText of a character.
func (l *lexer) missChar(c byte) bool {
	if l.trace {
		return l.missText(string(c), 0)
	}
	return false
}

// refuse records that the next character must not be here, so that place isn't reached. It answers false.
func (l *lexer) refuse(place int, expected ...string) bool {
	if l.trace {
		l.record(&failure{pos: place, refused: l.met(l.pos, '\''), expected: slices.Clone(expected)})
	}
	return false
}

func (l *lexer) record(f *failure) { l.failure = l.failure.merge(f) }

// met names the character at pos.
func (l *lexer) met(pos int, quote byte) string {
	if pos >= len(l.text) {
		return endOfInput
	}
	r, _ := utf8.DecodeRuneInString(l.text[pos:])
	return quoteMet(r, quote)
}

// accept moves on over n bytes.
func (l *lexer) accept(n int) bool {
	l.pos += n
	l.failure = nil
	return true
}

// noParen tells that no parenthesis follows anywhere, so that there is no need to try what has one, unless all that
// fails is to be recorded. So with noColon.
func (l *lexer) noParen() bool { return !l.trace && l.pos > l.lastParen }

func (l *lexer) noColon() bool { return !l.trace && l.pos > l.lastColon }

// enter goes down a level of nesting, unless there are too many; leave goes up.
func (l *lexer) enter() bool {
	l.depth++
	l.tooDeep = l.tooDeep || l.depth > maxDepth
	return !l.tooDeep
}

func (l *lexer) leave() { l.depth-- }
