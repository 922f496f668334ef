package plan_test

import (
	"fmt"
	"strings"

	"github.com/tarn-data/tarn/internal/dataapi/plan"
	"github.com/tarn-data/tarn/internal/dataapi/request"
	"github.com/tarn-data/tarn/internal/dataapi/schema"
)

// show renders a tree: a line for each node, indented by its depth, with all of it that isn't empty.
func show(n *plan.Node) string {
	var b strings.Builder
	node(&b, n, "")
	return strings.TrimSuffix(b.String(), "\n")
}

func node(b *strings.Builder, n *plan.Node, indent string) {
	b.WriteString(indent + ident(n.From))
	part := func(name, text string) {
		if text != "" {
			b.WriteString(" " + name + "(" + text + ")")
		}
	}
	if n.Alias != "" {
		b.WriteString(" " + n.Alias)
	}
	if n.Relationship != nil {
		part("key", n.Key())
		part("as", n.AggAlias)
	}
	part("spread", map[plan.Spread]string{plan.ToOneSpread: "to-one", plan.ToManySpread: "to-many"}[n.Spread])
	part("join", map[request.Join]string{request.InnerJoin: "inner", request.LeftJoin: "left"}[n.Join])
	part("on", each(n.On, func(c plan.JoinCondition) string {
		return ident(c.Left) + "." + c.LeftColumn + "=" + ident(c.Right) + "." + c.RightColumn
	}))
	part("select", each(n.Select, selected))
	part("where", each(n.Where, logic))
	part("order", each(n.Order, ordered))
	part("extra", each(n.SpreadExtra, func(e plan.SpreadExtra) string { return dotted(e.Of, selected(e.Field)) }))
	part("spread order", each(n.SpreadOrder, ordered))
	if n.Range != (request.Range{}) {
		part("range", fmt.Sprintf("%d,%d,%v", n.Range.Offset, n.Range.Limit, n.Range.Limited))
	}
	part("embeds", each(n.Embeds, embedded))
	if n.LegacyMatch {
		b.WriteString(" legacy")
	}
	if n.RoleBound {
		b.WriteString(" role-bound")
	}
	b.WriteByte('\n')
	for _, c := range n.Children {
		node(b, c, indent+"  ")
	}
}

func ident(i schema.Ident) string { return strings.TrimPrefix(dotted(i.Schema, i.Name), "api.") }

func dotted(before, after string) string {
	if before == "" {
		return after
	}
	return before + "." + after
}

func each[T any](items []T, show func(T) string) string {
	parts := make([]string, len(items))
	for i, item := range items {
		parts[i] = show(item)
	}
	return strings.Join(parts, ", ")
}

func field(f plan.Field) string {
	s := f.Name
	for _, step := range f.Path {
		arrow := "->"
		if step.Text {
			arrow = "->>"
		}
		s += arrow + step.Key
	}
	if len(f.Path) > 0 && f.ToJSON {
		s = "to_jsonb " + s
	}
	if f.FullRow {
		s = "row " + s
	}
	if f.TSVector != nil {
		s = "tsvector<" + f.TSVector.Language + "> " + s
	}
	if f.Transform != "" {
		s = f.Transform + "[" + f.Type + "] " + s
	}
	return s
}

func selected(f plan.SelectField) string {
	s := field(f.Field)
	if f.Cast != "" {
		s += "::" + f.Cast
	}
	s = aggregated(s, f.Aggregate, f.AggregateCast)
	if f.Alias != "" {
		s += " as " + f.Alias
	}
	return s
}

func aggregated(s string, a request.Aggregate, cast string) string {
	if a == request.NoAggregate {
		return s
	}
	s = a.String() + "<" + s + ">"
	if cast != "" {
		s += "::" + cast
	}
	return s
}

func ordered(t plan.OrderTerm) string {
	s := dotted(t.Of, field(t.Field))
	return s + map[request.Direction]string{request.Ascending: " asc", request.Descending: " desc"}[t.Direction] +
		map[request.Nulls]string{request.NullsFirst: " nulls first", request.NullsLast: " nulls last"}[t.Nulls]
}

func logic(l plan.Logic) string {
	not := func(negated bool) string {
		if negated {
			return "not "
		}
		return ""
	}
	switch l := l.(type) {
	case plan.Group:
		op := "and"
		if l.Or {
			op = "or"
		}
		return not(l.Negated) + op + "<" + each(l.Items, logic) + ">"
	case plan.Filter:
		return not(l.Negated) + field(l.Field) + " " + operation(l.Operation)
	case plan.EmbedExists:
		return not(l.Negated) + "exists is-null " + l.AggAlias
	}
	return "?"
}

func operation(o request.Operation) string {
	switch o := o.(type) {
	case request.Compare:
		return fmt.Sprintf("%v%s %s", o.Operator, map[request.Quantor]string{request.AnyOf: "(any)", request.AllOf: "(all)"}[o.Quantor], o.Value)
	case request.In:
		return "in " + strings.Join(o.Values, "|")
	case request.Is:
		return "is " + o.Value.String()
	case request.IsDistinct:
		return "isdistinct " + o.Value
	case request.FullText:
		return o.Operator.String() + " " + o.Value
	}
	return "?"
}

func embedded(e plan.EmbedSelect) string {
	switch {
	case e.Empty:
		return e.Child.AggAlias + ": nothing"
	case e.Fields == nil && e.Child.Spread == plan.NoSpread:
		return e.Child.AggAlias
	}
	return e.Child.AggAlias + ": " + each(e.Fields, func(f plan.SpreadField) string {
		s := aggregated(f.Name, f.Aggregate, f.AggregateCast)
		if f.Alias != "" {
			s += " as " + f.Alias
		}
		return s
	})
}
