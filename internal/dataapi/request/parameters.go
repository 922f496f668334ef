package request

import (
	"slices"
	"strings"
)

// role is what a parameter of the query string is for, which its name tells.
type role uint8

const (
	filterRole role = iota // or the argument of a routine
	selectRole
	columnsRole
	conflictRole
	orderRole
	limitRole
	offsetRole
	logicRole
)

func roleOf(name string) role {
	switch name {
	case "select":
		return selectRole
	case "columns":
		return columnsRole
	case "on_conflict":
		return conflictRole
	}
	switch name[strings.LastIndexByte(name, '.')+1:] {
	case "order":
		return orderRole
	case "limit":
		return limitRole
	case "offset":
		return offsetRole
	case "and", "or":
		return logicRole
	}
	return filterRole
}

// parseQuery reads the parameters. Of a routine that is read, those without an operator are arguments. What is found
// wrong first is what is reported: orders before trees of filters, columns, select, filters and conflict columns.
func parseQuery(pairs []pair, arguments bool) (Query, error) {
	q := Query{Canonical: canonical(pairs)}
	for _, pass := range [...]func(*Query, []pair) error{
		(*Query).addOrders,
		(*Query).addLogic,
		(*Query).addColumns,
		(*Query).addSelect,
		func(q *Query, pairs []pair) error { return q.addFilters(pairs, arguments) },
		(*Query).addOnConflict,
	} {
		if err := pass(&q, pairs); err != nil {
			return Query{}, err
		}
	}
	return q, nil
}

// lookup finds the first parameter of a role that has but one name.
func lookup(pairs []pair, r role) (string, bool) {
	for _, p := range pairs {
		if roleOf(p.name) == r {
			return p.value, p.hasValue
		}
	}
	return "", false
}

func (q *Query) addOrders(pairs []pair) error {
	for _, p := range pairs {
		if !p.hasValue || roleOf(p.name) != orderRole {
			continue
		}
		t, err := parseTarget(p.name)
		if err != nil {
			return err
		}
		terms, err := parse("order", p.value, (*lexer).orderTerms)
		if err != nil {
			return err
		}
		q.Orders = append(q.Orders, EmbedOrder{Path: t.path, Terms: terms})
	}
	return nil
}

func parseTarget(name string) (target, error) {
	return parse("tree path", name, (*lexer).target)
}

func (q *Query) addLogic(pairs []pair) error {
	for _, p := range pairs {
		if !p.hasValue || roleOf(p.name) != logicRole {
			continue
		}
		t, err := parse("logic path", p.name, (*lexer).logicTarget)
		if err != nil {
			return err
		}
		tree, err := parseAs("logic tree", p.value, t.operator+p.value, (*lexer).logic)
		if err != nil {
			return err
		}
		q.Logic = append(q.Logic, EmbedLogic{Path: t.path, Logic: tree})
	}
	return nil
}

func (q *Query) addColumns(pairs []pair) (err error) {
	q.Columns, err = columnsParameter(pairs)
	return err
}

func columnsParameter(pairs []pair) ([]string, error) {
	value, ok := lookup(pairs, columnsRole)
	if !ok {
		return nil, nil
	}
	names, err := parse("columns parameter", value, (*lexer).names)
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

func (q *Query) addSelect(pairs []pair) error {
	value, ok := lookup(pairs, selectRole)
	if !ok {
		q.Select = []SelectItem{SelectField{Field: Field{Name: "*"}}}
		return nil
	}
	var err error
	q.Select, err = parse("select parameter", value, (*lexer).selectItems)
	return err
}

func (q *Query) addFilters(pairs []pair, arguments bool) error {
	rule := (*lexer).condition
	if arguments {
		rule = (*lexer).argument
	}
	for _, p := range pairs {
		if !p.hasValue || roleOf(p.name) != filterRole {
			continue
		}
		t, err := parseTarget(p.name)
		if err != nil {
			return err
		}
		c, err := parse("filter", p.value, rule)
		if err != nil {
			return err
		}
		q.FilterKeys = append(q.FilterKeys, p.name)
		if c.operation == nil {
			q.Params = append(q.Params, Param{Name: t.field.Name, Value: p.value})
			continue
		}
		f := Filter{Field: t.field, Negated: c.negated, Operation: c.operation}
		q.Filters = append(q.Filters, EmbedFilter{Path: t.path, Filter: f})
	}
	slices.Sort(q.FilterKeys)
	q.FilterKeys = slices.Compact(q.FilterKeys)
	return nil
}

func (q *Query) addOnConflict(pairs []pair) error {
	value, ok := lookup(pairs, conflictRole)
	if !ok {
		return nil
	}
	var err error
	q.OnConflict, err = parse("on_conflict parameter", value, (*lexer).names)
	return err
}
