package request

// selectItems reads the select parameter, or what is between the parentheses of an embed. There may be nothing. What
// follows the items is left.
func (l *lexer) selectItems() ([]SelectItem, bool) {
	start := l.pos
	items, ok := separated(l, (*lexer).selectItem, (*lexer).comma)
	if !ok && l.pos == start {
		return nil, true
	}
	return items, ok
}

func (l *lexer) selectItem() (SelectItem, bool) {
	if l.noParen() {
		return l.selectField()
	}
	for _, head := range [...]func(*lexer) (SelectRelation, bool){(*lexer).spreadHead, (*lexer).relationHead} {
		m := l.mark()
		rel, ok := head(l)
		if !ok {
			l.back(m)
			continue
		}
		rel.Items, ok = l.embedded()
		return rel, ok
	}
	return l.selectField()
}

// embedded reads the items of an embed.
func (l *lexer) embedded() ([]SelectItem, bool) {
	if !l.char('(') || !l.enter() {
		return nil, false
	}
	defer l.leave()
	items, ok := l.selectItems()
	return items, ok && l.char(')')
}

// spreadHead reads ...relation!hint!inner up to the parenthesis.
func (l *lexer) spreadHead() (SelectRelation, bool) {
	l.space()
	if !l.word("...") {
		return SelectRelation{}, false
	}
	name, ok := l.name()
	if !ok {
		return SelectRelation{}, false
	}
	rel := SelectRelation{Relation: name, Spread: true}
	ok = l.embedParams(&rel) && l.sees("(")
	return rel, ok
}

// relationHead reads alias:relation!hint!inner up to the parenthesis.
func (l *lexer) relationHead() (SelectRelation, bool) {
	l.space()
	alias := l.alias()
	name, ok := l.name()
	if !ok || name == "count" { // count() is an aggregate
		return SelectRelation{}, false
	}
	rel := SelectRelation{Relation: name, Alias: alias}
	ok = l.embedParams(&rel) && l.sees("(")
	return rel, ok
}

// alias reads a name and the colon after it, if they are there.
func (l *lexer) alias() string {
	if l.noColon() {
		return ""
	}
	m := l.mark()
	if name, ok := l.name(); ok && l.char(':') && l.lacks(':') {
		return name
	}
	l.back(m)
	return ""
}

// embedParams reads the hint and the kind of join, in any order.
func (l *lexer) embedParams(rel *SelectRelation) bool {
	for range 2 {
		start := l.pos
		if !l.char('!') {
			return l.pos == start
		}
		if !l.embedParam(rel) {
			return false
		}
	}
	return true
}

// embedParam reads one of them; of two of a kind the first counts.
func (l *lexer) embedParam(rel *SelectRelation) bool {
	if l.tryWord("left") {
		first(&rel.Join, LeftJoin)
		return true
	}
	if l.tryWord("inner") {
		first(&rel.Join, InnerJoin)
		return true
	}
	m := l.mark()
	hint, ok := l.name()
	if !ok {
		return l.back(m)
	}
	first(&rel.Hint, hint)
	return true
}

func (l *lexer) selectField() (SelectItem, bool) {
	l.space()
	m := l.mark()
	if l.word("*") && l.selectEnd() {
		return SelectField{Field: Field{Name: "*"}}, true
	}
	l.back(m)
	if !l.noParen() {
		m = l.mark()
		if f, ok := l.countAll(); ok {
			return f, true
		}
		l.back(m)
	}
	f := SelectField{Alias: l.alias()}
	var ok bool
	if f.Field, ok = l.field(); !ok {
		return nil, false
	}
	if f.Cast, ok = l.cast(); !ok {
		return nil, false
	}
	f.Aggregate = l.aggregate()
	if f.AggregateCast, ok = l.cast(); !ok {
		return nil, false
	}
	return f, l.selectEnd()
}

// countAll reads alias:count()::cast.
func (l *lexer) countAll() (SelectField, bool) {
	f := SelectField{Field: Field{Name: "*"}, Aggregate: Count, Alias: l.alias()}
	if !l.word("count()") {
		return f, false
	}
	var ok bool
	f.AggregateCast, ok = l.cast()
	return f, ok && l.selectEnd()
}

// cast reads a type, if colons lead to one.
func (l *lexer) cast() (string, bool) {
	start := l.pos
	if !l.word("::") {
		return "", l.pos == start
	}
	return l.identifier()
}

// aggregate reads the call of an aggregate function, if there is one.
func (l *lexer) aggregate() Aggregate {
	m := l.mark()
	if l.char('.') {
		if a := l.aggregateName(); a != NoAggregate && l.word("()") {
			return a
		}
	}
	l.back(m)
	return NoAggregate
}

func (l *lexer) aggregateName() Aggregate {
	start := l.pos
	for _, a := range [...]Aggregate{Sum, Avg, Count} {
		if l.word(a.String()) {
			return a
		}
		if l.pos > start {
			return NoAggregate
		}
	}
	for _, a := range [...]Aggregate{Max, Min} {
		if l.tryWord(a.String()) {
			return a
		}
	}
	return NoAggregate
}

// selectEnd tells whether an item is over.
func (l *lexer) selectEnd() bool {
	return l.sees(")") || l.sees(",") || l.end()
}
