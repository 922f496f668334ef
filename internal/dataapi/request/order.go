package request

// orderTerms reads the order parameter.
func (l *lexer) orderTerms() ([]OrderTerm, bool) {
	return separated(l, (*lexer).orderTerm, func(l *lexer) bool { return l.char(',') })
}

// orderTerm reads relation(field) or field, with direction and place of nulls.
func (l *lexer) orderTerm() (OrderTerm, bool) {
	l.space()
	if !l.noParen() {
		m := l.mark()
		if t, ok := l.relatedTerm(); ok {
			return t, true
		}
		l.back(m)
	}
	return l.ownTerm()
}

func (l *lexer) relatedTerm() (OrderTerm, bool) {
	name, ok := l.name()
	if !ok || !l.char('(') {
		return OrderTerm{}, false
	}
	f, ok := l.field()
	if !ok || !l.char(')') {
		return OrderTerm{}, false
	}
	t := OrderTerm{Relation: name, Field: f}
	ok = l.orderModifiers(&t)
	return t, ok
}

func (l *lexer) ownTerm() (OrderTerm, bool) {
	f, ok := l.field()
	if !ok {
		return OrderTerm{}, false
	}
	t := OrderTerm{Field: f}
	ok = l.orderModifiers(&t)
	return t, ok
}

// orderModifiers reads .asc or .desc, and .nullsfirst or .nullslast, up to the end of the term.
func (l *lexer) orderModifiers(t *OrderTerm) bool {
	switch {
	case l.tryModifier("asc"):
		t.Direction = Ascending
	case l.tryModifier("desc"):
		t.Direction = Descending
	}
	switch {
	case l.tryModifier("nullsfirst"):
		t.Nulls = NullsFirst
	case l.tryModifier("nullslast"):
		t.Nulls = NullsLast
	}
	return l.sees(",") || l.end()
}

// tryModifier reads a dot and a word, or nothing.
func (l *lexer) tryModifier(w string) bool {
	m := l.mark()
	return l.delimiter() && l.word(w) || l.back(m)
}
