package jsonpath

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
)

// First returns the first value that the path leads to.
func (p *Path) First(root any) (any, bool) {
	return p.first(root, root)
}

func (p *Path) first(root, current any) (found any, ok bool) {
	start := root
	if p.relative {
		start = current
	}
	walk(p.segments, root, start, func(v any) bool {
		found, ok = v, true
		return false
	})
	return found, ok
}

// visit is called with one value after the other until it returns false.
type visit func(v any) bool

// walk visits what the segments lead to from v. It tells whether to go on.
func walk(segments []segment, root, v any, f visit) bool {
	if len(segments) == 0 {
		return f(v)
	}
	s := segments[0]
	next := func(inner any) bool { return walk(segments[1:], root, inner, f) }
	from := func(v any) bool {
		for _, sel := range s.selectors {
			if !selected(sel, root, v, next) {
				return false
			}
		}
		return true
	}
	if s.descend {
		return containers(v, from)
	}
	return from(v)
}

// containers visits v and what is inside of it, as far as it can hold others.
func containers(v any, f visit) bool {
	switch v.(type) {
	case map[string]any, []any:
		if !f(v) {
			return false
		}
		for _, inner := range children(v) {
			if !containers(inner, f) {
				return false
			}
		}
	}
	return true
}

// children returns the members of an object, by name, or the elements of an array.
func children(v any) []any {
	switch v := v.(type) {
	case []any:
		return v
	case map[string]any:
		members := make([]any, 0, len(v))
		for _, k := range slices.Sorted(maps.Keys(v)) {
			members = append(members, v[k])
		}
		return members
	}
	return nil
}

// selected visits what the selector finds in v.
func selected(sel selector, root, v any, f visit) bool {
	switch sel := sel.(type) {
	case name:
		if object, ok := v.(map[string]any); ok {
			if member, ok := object[string(sel)]; ok {
				return f(member)
			}
		}
	case index:
		if array, ok := v.([]any); ok {
			if i := fromEnd(int(sel), len(array)); i >= 0 && i < len(array) {
				return f(array[i])
			}
		}
	case slice:
		if array, ok := v.([]any); ok {
			return sel.of(array, f)
		}
	case wildcard:
		for _, inner := range children(v) {
			if !f(inner) {
				return false
			}
		}
	case filter:
		for _, inner := range children(v) {
			if sel.cond.holds(root, inner) && !f(inner) {
				return false
			}
		}
	}
	return true
}

// fromEnd turns an index that counts from the end into one that counts from the start.
func fromEnd(i, length int) int {
	if i < 0 {
		return i + length
	}
	return i
}

// of visits the elements of an array that the slice names.
func (s slice) of(array []any, f visit) bool {
	n := len(array)
	bound := func(at *int, otherwise, low, high int) int {
		if at == nil {
			return otherwise
		}
		return min(max(fromEnd(*at, n), low), high)
	}
	switch {
	case s.step > 0:
		for i, end := bound(s.start, 0, 0, n), bound(s.end, n, 0, n); i < end; i += min(s.step, n) {
			if !f(array[i]) {
				return false
			}
		}
	case s.step < 0:
		for i, end := bound(s.start, n-1, -1, n-1), bound(s.end, -1, -1, n-1); i > end; i += max(s.step, -n) {
			if !f(array[i]) {
				return false
			}
		}
	}
	return true
}

func (o or) holds(root, current any) bool {
	return slices.ContainsFunc(o, func(a and) bool { return a.holds(root, current) })
}

func (a and) holds(root, current any) bool {
	return !slices.ContainsFunc(a, func(c cond) bool { return !holds(c, root, current) })
}

func holds(c cond, root, current any) bool {
	switch c := c.(type) {
	case group:
		return c.cond.holds(root, current) != c.negated
	case exists:
		_, ok := c.path.first(root, current)
		return ok != c.negated
	case comparison:
		return c.holds(root, current)
	case search:
		return c.matches(root, current) != c.negated
	}
	return false
}

// value returns the literal, or what the path leads to.
func (o operand) value(root, current any) (any, bool) {
	if o.path == nil {
		return o.literal, true
	}
	return o.path.first(root, current)
}

func (c comparison) holds(root, current any) bool {
	l, lok := c.left.value(root, current)
	r, rok := c.right.value(root, current)
	same := func() bool { return lok == rok && (!lok || equal(l, r)) }
	switch c.op {
	case "==":
		return same()
	case "!=":
		return !same()
	case "<":
		return lok && rok && less(l, r)
	case "<=":
		return lok && rok && less(l, r) || same()
	case ">":
		return lok && rok && less(r, l)
	default: // ">="
		return lok && rok && less(r, l) || same()
	}
}

func equal(l, r any) bool {
	switch l := l.(type) {
	case json.Number:
		r, ok := r.(json.Number)
		return ok && compareNumbers(l, r) == 0
	case []any:
		r, ok := r.([]any)
		return ok && slices.EqualFunc(l, r, equal)
	case map[string]any:
		r, ok := r.(map[string]any)
		return ok && maps.EqualFunc(l, r, equal)
	}
	switch r.(type) {
	case []any, map[string]any:
		return false // not comparable in Go
	}
	return l == r
}

func less(l, r any) bool {
	switch l := l.(type) {
	case string:
		r, ok := r.(string)
		return ok && l < r
	case json.Number:
		r, ok := r.(json.Number)
		return ok && compareNumbers(l, r) < 0
	}
	return false
}

// compareNumbers compares integers exactly, and others as far as a float goes.
func compareNumbers(l, r json.Number) int {
	li, lerr := l.Int64()
	ri, rerr := r.Int64()
	if lerr == nil && rerr == nil {
		switch {
		case li < ri:
			return -1
		case li > ri:
			return 1
		}
		return 0
	}
	lf, _ := l.Float64() // what is out of range is infinite
	rf, _ := r.Float64()
	switch {
	case lf < rf:
		return -1
	case lf > rf:
		return 1
	}
	return 0
}

func (s search) matches(root, current any) bool {
	v, _ := s.text.value(root, current)
	text, ok := v.(string)
	if !ok {
		return false
	}
	if s.compiled != nil {
		return s.compiled.MatchString(text)
	}
	v, _ = s.pattern.value(root, current)
	pattern, ok := v.(string)
	if !ok {
		return false
	}
	re, err := regexp.Compile(pattern)
	return err == nil && re.MatchString(text)
}
