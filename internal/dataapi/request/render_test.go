package request

import (
	"fmt"
	"strings"
)

// The renderers write parsed values as a client could have. What is read again must be the same.

func quoteName(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

func join[T any](items []T, render func(T) string) string {
	var parts []string
	for _, item := range items {
		parts = append(parts, render(item))
	}
	return strings.Join(parts, ",")
}

func renderField(f Field) string {
	s := quoteName(f.Name)
	for _, step := range f.Path {
		s += "->"
		if step.Text {
			s += ">"
		}
		if step.Index {
			s += strings.TrimPrefix(step.Key, "+")
		} else {
			s += quoteName(step.Key)
		}
	}
	return s
}

func renderSelect(items []SelectItem) string {
	return join(items, func(item SelectItem) string {
		switch item := item.(type) {
		case SelectField:
			return renderSelectField(item)
		case SelectRelation:
			return renderRelation(item)
		}
		panic(fmt.Sprintf("no item: %v", item))
	})
}

func renderSelectField(f SelectField) string {
	var s string
	if f.Alias != "" {
		s = quoteName(f.Alias) + ":"
	}
	s += renderField(f.Field) + renderCast(f.Cast)
	if f.Aggregate != NoAggregate {
		s += "." + f.Aggregate.String() + "()"
	}
	return s + renderCast(f.AggregateCast)
}

func renderCast(to string) string {
	if to == "" {
		return ""
	}
	return "::" + to
}

func renderRelation(r SelectRelation) string {
	var s string
	switch {
	case r.Spread:
		s = "..."
	case r.Alias != "":
		s = quoteName(r.Alias) + ":"
	}
	s += quoteName(r.Relation)
	if r.Hint != "" {
		s += "!" + quoteName(r.Hint)
	}
	switch r.Join {
	case InnerJoin:
		s += "!inner"
	case LeftJoin:
		s += "!left"
	case DefaultJoin:
	}
	return s + "(" + renderSelect(r.Items) + ")"
}

func renderCondition(c condition, value func(string) string) string {
	s := ""
	if c.negated {
		s = "not."
	}
	switch o := c.operation.(type) {
	case Compare:
		s += o.Operator.String()
		if o.Quantor != NoQuantor {
			s += "(" + o.Quantor.String() + ")"
		}
		return s + "." + value(o.Value)
	case In:
		return s + "in.(" + join(o.Values, quoteName) + ")"
	case Is:
		return s + "is." + o.Value.String()
	case IsDistinct:
		return s + "isdistinct." + value(o.Value)
	case FullText:
		s += o.Operator.String()
		if o.Language != "" {
			s += "(" + o.Language + ")"
		}
		return s + "." + value(o.Value)
	}
	panic(fmt.Sprintf("no operation: %v", c.operation))
}

func renderLogic(l Logic) string {
	switch l := l.(type) {
	case LogicFilter:
		return renderField(l.Filter.Field) + "." +
			renderCondition(condition{l.Filter.Negated, l.Filter.Operation}, quoteName)
	case LogicGroup:
		s := "and"
		if l.Or {
			s = "or"
		}
		if l.Negated {
			s = "not." + s
		}
		return s + "(" + join(l.Items, renderLogic) + ")"
	}
	panic(fmt.Sprintf("no logic: %v", l))
}

func renderOrder(terms []OrderTerm) string {
	return join(terms, func(t OrderTerm) string {
		s := renderField(t.Field)
		if t.Relation != "" {
			s = quoteName(t.Relation) + "(" + s + ")"
		}
		s += map[Direction]string{DefaultDirection: "", Ascending: ".asc", Descending: ".desc"}[t.Direction]
		return s + map[Nulls]string{DefaultNulls: "", NullsFirst: ".nullsfirst", NullsLast: ".nullslast"}[t.Nulls]
	})
}
