package request

import "strings"

// field reads a column with its path into JSON, with spaces around.
func (l *lexer) field() (Field, bool) {
	l.space()
	name, ok := l.name()
	if !ok {
		return Field{}, false
	}
	path, ok := l.jsonPath()
	if !ok {
		return Field{}, false
	}
	l.space()
	return Field{Name: name, Path: path}, true
}

// jsonPath reads the arrows into JSON and what they point at, if there are any.
func (l *lexer) jsonPath() ([]JSONStep, bool) {
	var path []JSONStep
	for {
		text := l.tryWord("->>")
		if !text && !l.tryWord("->") {
			return path, true
		}
		step, ok := l.jsonStep()
		if !ok {
			return nil, false
		}
		step.Text = text
		path = append(path, step)
	}
}

// jsonStep reads an index or key. What is no index can still be a key.
func (l *lexer) jsonStep() (JSONStep, bool) {
	m := l.mark()
	if index, ok := l.jsonIndex(); ok {
		return JSONStep{Index: true, Key: index}, true
	}
	l.back(m)
	m = l.mark()
	if key, ok := l.jsonKey(); ok {
		return JSONStep{Key: key}, true
	}
	return JSONStep{}, l.back(m)
}

// jsonIndex reads a number with a sign, which is + when there is none.
func (l *lexer) jsonIndex() (string, bool) {
	sign := "+"
	if l.char('-') {
		sign = "-"
	}
	start := l.pos
	for l.next() >= '0' && l.next() <= '9' {
		l.accept(1)
	}
	l.miss("digit")
	if l.pos == start {
		return "", false
	}
	digits := l.text[start:l.pos]
	return sign + digits, l.sees("->") || l.sees("::") || l.sees(".") || l.sees(",") || l.end()
}

func (l *lexer) jsonKey() (string, bool) {
	m := l.mark()
	key, ok := l.quoted()
	if !ok && l.pos == m.pos {
		key, ok = l.dashed((*lexer).jsonKeyPart)
	}
	return key, l.named(m, ok, "any non reserved character different from: .,>()")
}

func (l *lexer) jsonKeyPart() (string, bool) {
	start := l.pos
	key := l.until("(-:.,>)")
	return strings.TrimSpace(key), l.pos > start
}

// target is the name of a parameter: the field that it is about, and the level of the select that has the field.
type target struct {
	path  Path
	field Field
}

// target reads embeds and a field, joined by dots. What follows is ignored.
func (l *lexer) target() (target, bool) {
	names, ok := l.dotted()
	if !ok {
		return target{}, false
	}
	path, ok := l.jsonPath()
	last := len(names) - 1
	return target{path: embedPath(names[:last]), field: Field{Name: names[last], Path: path}}, ok
}

// logicTarget is the name of a parameter that is a tree of filters.
type logicTarget struct {
	path     Path
	operator string // and, or, not.and, not.or
}

// logicTarget reads embeds and a logic operator, joined by dots; not is allowed anywhere among them.
func (l *lexer) logicTarget() (logicTarget, bool) {
	names, ok := l.dotted()
	if !ok {
		return logicTarget{}, false
	}
	var t logicTarget
	last := len(names) - 1
	t.operator = names[last]
	negated := t.operator == "not"
	for _, name := range names[:last] {
		if name == "not" {
			negated = true
		} else {
			t.path = append(t.path, name)
		}
	}
	if negated {
		t.operator = "not." + t.operator
	}
	return t, true
}

// dotted reads names joined by dots.
func (l *lexer) dotted() ([]string, bool) {
	return separated(l, (*lexer).name, (*lexer).delimiter)
}

// names reads names joined by commas. What follows is ignored.
func (l *lexer) names() ([]string, bool) {
	return separated(l, (*lexer).name, (*lexer).comma)
}

func (l *lexer) comma() bool { return l.token(',') }

// separated reads at least one item, and more while there are separators.
func separated[T any](l *lexer, item func(*lexer) (T, bool), separator func(*lexer) bool) ([]T, bool) {
	value, ok := item(l)
	if !ok {
		return nil, false
	}
	return more(l, []T{value}, item, separator)
}

// more is separated after the first item.
func more[T any](l *lexer, items []T, item func(*lexer) (T, bool), separator func(*lexer) bool) ([]T, bool) {
	for first := true; ; first = false {
		m := l.mark()
		if !separator(l) {
			if first {
				l.keep(m, true)
			}
			return items, l.pos == m.pos
		}
		value, ok := item(l)
		if !ok {
			return nil, false
		}
		items = append(items, value)
	}
}

// embedPath is nil for the root.
func embedPath(names []string) Path {
	if len(names) == 0 {
		return nil
	}
	return names
}
