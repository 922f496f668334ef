package request

// logic reads a filter or a group of them: field.operator.value, and(…), not.or(…).
func (l *lexer) logic() (Logic, bool) {
	m := l.mark()
	if f, ok := l.logicFilter(); ok {
		return LogicFilter{Filter: f}, true
	}
	l.back(m)
	return l.logicGroup()
}

func (l *lexer) logicFilter() (Filter, bool) {
	f, ok := l.field()
	if !ok || !l.delimiter() {
		return Filter{}, false
	}
	c, ok := l.conditionOn((*lexer).logicValue)
	return Filter{Field: f, Negated: c.negated, Operation: c.operation}, ok
}

func (l *lexer) logicGroup() (Logic, bool) {
	m := l.mark()
	negated := l.tryDelimited("not")
	l.named(m, true, "negation operator (not)")
	or, ok := l.logicOperator()
	if !ok || !l.token('(') || !l.enter() {
		return nil, false
	}
	defer l.leave()
	items, ok := separated(l, (*lexer).logic, (*lexer).comma)
	return LogicGroup{Negated: negated, Or: or, Items: items}, ok && l.token(')')
}

// logicOperator reads and or or; it tells whether it is or.
func (l *lexer) logicOperator() (or, ok bool) {
	m := l.mark()
	if l.tryWord("and") {
		return false, true
	}
	ok = l.word("or")
	return true, l.named(m, ok, "logic operator (and, or)")
}

// logicValue reads a value that another filter may follow: quoted, an array, or up to what closes it.
func (l *lexer) logicValue() string {
	if s, ok := l.closedQuoted(); ok {
		return s
	}
	if s, ok := l.array(); ok {
		return s
	}
	return l.until(",)")
}

// array reads an array literal, or nothing. It has no arrays in it.
func (l *lexer) array() (string, bool) {
	m := l.mark()
	if l.word("{") {
		if items := l.until("{}"); l.word("}") {
			return "{" + items + "}", true
		}
	}
	return "", l.back(m)
}
