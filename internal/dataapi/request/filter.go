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

// isValue reads what can follow is.
func (l *lexer) isValue() (IsValue, bool) {
	m := l.mark()
	for is := IsNull; is <= IsUnknown; is++ { // none starts with another
		before := l.mark()
		if l.wordFold(is.String()) {
			return is, true
		}
		l.back(before)
	}
	return IsNull, l.named(m, false, "isVal: (null, not_null, true, false, unknown)")
}

func (l *lexer) fullText(value func(*lexer) string) (Operation, bool) {
	for operator := FTS; operator <= WebFTS; operator++ {
		if l.tryWord(operator.String()) {
			language := l.language()
			if !l.delimiter() {
				return nil, false
			}
			return FullText{Operator: operator, Language: language, Value: value(l)}, true
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

// simple reads an operator that can't be quantified.
func (l *lexer) simple(value func(*lexer) string) (Operation, bool) {
	for operator := NotEqual; operator <= Adjacent; operator++ {
		if l.tryWord(operator.String()) {
			if !l.delimiter() {
				return nil, false
			}
			return Compare{Operator: operator, Value: value(l)}, true
		}
	}
	return nil, false
}

// quantified reads an operator that can be quantified. Of two that start alike, the longer comes first.
func (l *lexer) quantified(value func(*lexer) string) (Operation, bool) {
	for operator := Equal; operator <= IMatch; operator++ {
		if l.tryWord(operator.String()) {
			quantor := l.quantor()
			if !l.delimiter() {
				return nil, false
			}
			return Compare{Operator: operator, Quantor: quantor, Value: value(l)}, true
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
