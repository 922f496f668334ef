package request

// condition is a filter but for its field.
type condition struct {
	negated   bool
	operation Operation
}

// condition reads not.operator.value, with the value to the end of the text.
func (l *lexer) condition() (condition, bool) {
	return l.conditionOn((*lexer).wholeValue)
}

func (l *lexer) wholeValue() string { return l.rest() }

// conditionOn reads a condition whose value is read by the rule given.
func (l *lexer) conditionOn(value func(*lexer) string) (condition, bool) {
	negated := l.tryDelimited("not")
	m := l.mark()
	operation, ok := l.operation(value)
	return condition{negated, operation}, l.named(m, ok, "operator (eq, gt, ...)")
}

func (l *lexer) operation(value func(*lexer) string) (Operation, bool) {
	switch {
	case l.tryDelimited("in"):
		values, ok := l.list()
		return In{Values: values}, ok
	case l.tryDelimited("is"):
		is, ok := l.isValue()
		return Is{Value: is}, ok
	case l.tryDelimited("isdistinct"):
		return IsDistinct{Value: value(l)}, true
	}
	for _, read := range [...]func(*lexer, func(*lexer) string) (Operation, bool){
		(*lexer).fullText, (*lexer).simple, (*lexer).quantified,
	} {
		m := l.mark()
		if operation, ok := read(l, value); ok {
			return operation, true
		}
		l.back(m)
	}
	return nil, false
}

// list reads values in parentheses.
func (l *lexer) list() ([]string, bool) {
	if !l.token('(') {
		return nil, false
	}
	values, ok := separated(l, (*lexer).listElement, func(l *lexer) bool { return l.char(',') })
	return values, ok && l.token(')')
}

func (l *lexer) listElement() (string, bool) {
	if s, ok := l.closedQuoted(); ok {
		return s, true
	}
	return l.until(",)"), true
}

// isNames are what can follow is., in any case. None starts with another.
var isNames = [...]struct {
	name  string
	value IsValue
}{
	{"null", IsNull}, {"not_null", IsNotNull}, {"true", IsTrue}, {"false", IsFalse}, {"unknown", IsUnknown},
}

// isValue reads what can follow is.
func (l *lexer) isValue() (IsValue, bool) {
	m := l.mark()
	for _, is := range isNames {
		before := l.mark()
		if l.wordFold(is.name) {
			return is.value, true
		}
		l.back(before)
	}
	return IsNull, l.named(m, false, "isVal: (null, not_null, true, false, unknown)")
}

var fullTextNames = [...]struct {
	name     string
	operator FullTextOperator
}{
	{"fts", FTS}, {"plfts", PlainFTS}, {"phfts", PhraseFTS}, {"wfts", WebFTS},
}

func (l *lexer) fullText(value func(*lexer) string) (Operation, bool) {
	for _, f := range fullTextNames {
		if l.tryWord(f.name) {
			language := l.language()
			if !l.delimiter() {
				return nil, false
			}
			return FullText{Operator: f.operator, Language: language, Value: value(l)}, true
		}
	}
	return nil, false
}

// language reads a text search configuration in parentheses, if there is one.
func (l *lexer) language() string {
	m := l.mark()
	if l.char('(') {
		if name, ok := l.identifier(); ok && l.char(')') {
			return name
		}
	}
	l.back(m)
	return ""
}

var simpleNames = [...]struct {
	name     string
	operator Operator
}{
	{"neq", NotEqual}, {"cs", Contains}, {"cd", Contained}, {"ov", Overlap}, {"sl", StrictlyLeft},
	{"sr", StrictlyRight}, {"nxr", NotExtendsRight}, {"nxl", NotExtendsLeft}, {"adj", Adjacent},
}

func (l *lexer) simple(value func(*lexer) string) (Operation, bool) {
	for _, o := range simpleNames {
		if l.tryWord(o.name) {
			if !l.delimiter() {
				return nil, false
			}
			return Compare{Operator: o.operator, Value: value(l)}, true
		}
	}
	return nil, false
}

// quantifiedNames has the longer of two that start alike first.
var quantifiedNames = [...]struct {
	name     string
	operator Operator
}{
	{"eq", Equal}, {"gte", GreaterEqual}, {"gt", Greater}, {"lte", LessEqual}, {"lt", Less},
	{"like", Like}, {"ilike", ILike}, {"match", Match}, {"imatch", IMatch},
}

func (l *lexer) quantified(value func(*lexer) string) (Operation, bool) {
	for _, o := range quantifiedNames {
		if l.tryWord(o.name) {
			quantor := l.quantor()
			if !l.delimiter() {
				return nil, false
			}
			return Compare{Operator: o.operator, Quantor: quantor, Value: value(l)}, true
		}
	}
	return nil, false
}

// quantor reads (any) or (all), if there is one.
func (l *lexer) quantor() Quantor {
	m := l.mark()
	quantor := NoQuantor
	if l.char('(') {
		switch {
		case l.tryWord("any"):
			quantor = AnyOf
		case l.word("all"):
			quantor = AllOf
		}
		if quantor != NoQuantor && l.char(')') {
			return quantor
		}
	}
	l.back(m)
	return NoQuantor
}

// argument reads a condition or else, when it doesn't start like one, nothing: the text is a routine's argument then.
func (l *lexer) argument() (condition, bool) {
	c, ok := l.condition()
	if !ok && l.pos == 0 {
		return condition{}, true
	}
	return c, ok
}
