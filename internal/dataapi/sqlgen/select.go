package sqlgen

import (
	"strconv"
	"strings"

	"github.com/tarn-data/tarn/internal/dataapi/plan"
	"github.com/tarn-data/tarn/internal/dataapi/request"
	"github.com/tarn-data/tarn/internal/dataapi/schema"
)

// read writes the SELECT of a node and, as lateral joins, of all below it.
func (w *writer) read(n *plan.Node) {
	of := n.Qualifier()
	w.raw("SELECT ")
	w.selectList(n, of)
	w.from(n)
	for _, e := range n.Embeds {
		w.embed(e)
	}
	if len(n.Where) > 0 || len(n.On) > 0 {
		w.raw(" WHERE ")
		w.conditions(of, n.Where)
		if len(n.Where) > 0 && len(n.On) > 0 {
			w.raw(" AND ")
		}
		list(w, " AND ", n.On, w.joinCondition)
		if w.table { // views have no such column
			w.raw(" AND ")
			w.column(of, "tableoid")
			w.raw(" IS NOT NULL")
		}
	}
	w.groupBy(n, of)
	w.orderBy(of, n.Order)
	w.window(n.Range)
}

func (w *writer) selectList(n *plan.Node, of schema.Ident) {
	first := true
	next := func() {
		if !first {
			w.raw(", ")
		}
		first = false
	}
	if len(n.Select) == 0 && len(n.Children) == 0 {
		next() // nothing is selected, but rows are: the aggregation leaves their columns out
		w.column(of, "*")
	}
	for _, f := range n.Select {
		next()
		w.selectField(of, f)
	}
	for _, x := range n.SpreadExtra {
		next()
		if x.Of != "" {
			w.selectField(schema.Ident{Name: x.Of}, x.Field)
		} else {
			w.selectField(of, x.Field)
		}
	}
	for _, e := range n.Embeds {
		if e.Child.Spread != plan.NoSpread {
			for _, f := range e.Fields {
				next()
				w.spreadField(e.Child.AggAlias, f)
			}
			continue
		}
		if e.Empty {
			continue
		}
		next()
		w.embedValue(e.Child)
	}
	if first { // only empty embeds
		w.raw("NULL")
	}
}

// embedValue selects a joined child as one JSON value.
func (w *writer) embedValue(c *plan.Node) {
	if c.Relationship.IsToOne() {
		w.raw("row_to_json(")
		w.ident(c.AggAlias)
		w.raw(".*)")
	} else {
		w.raw("COALESCE(")
		w.ident(c.AggAlias)
		w.raw(".")
		w.ident(c.AggAlias)
		w.raw(", '[]')")
	}
	if w.jsonb {
		w.raw("::jsonb")
	}
	w.as(c.Key())
}

func (w *writer) selectField(of schema.Ident, f plan.SelectField) {
	w.aggregate(f.Aggregate, f.AggregateCast, func() {
		w.cast(f.Cast, func() {
			if f.Field.Transform == "" {
				w.field(of, f.Field)
				return
			}
			w.raw(f.Field.Transform, "(")
			w.field(of, f.Field)
			w.raw(")")
		})
	})
	w.as(f.Alias)
}

func (w *writer) spreadField(aggAlias string, f plan.SpreadField) {
	w.aggregate(f.Aggregate, f.AggregateCast, func() { w.column(schema.Ident{Name: aggAlias}, f.Name) })
	w.as(f.Alias)
}

func (w *writer) aggregate(a request.Aggregate, cast string, operand func()) {
	if a == request.NoAggregate {
		operand()
		return
	}
	w.cast(cast, func() {
		w.raw(strings.ToUpper(a.String()), "(")
		operand()
		w.raw(")")
	})
}

// cast writes a cast to a type that the client names.
func (w *writer) cast(to string, operand func()) {
	if to == "" {
		operand()
		return
	}
	w.raw("CAST(")
	operand()
	w.raw(" AS ", typeName(to), ")")
}

// from writes the FROM clause with the implicit join of a junction.
func (w *writer) from(n *plan.Node) {
	w.raw(" FROM ")
	r := n.Relationship
	if r != nil && r.Cardinality == schema.Computed {
		// The argument is cast to its row type, since a common table expression's rows are of none.
		w.qualified(r.Function)
		w.raw("(")
		if n.ParentAlias != "" {
			w.ident(n.ParentAlias)
		} else {
			w.ident(r.Relation.Name)
		}
		w.raw("::")
		w.qualified(r.Relation)
		w.raw(")")
	} else {
		w.qualified(n.From)
	}
	w.as(n.Alias)
	if r != nil && r.Cardinality == schema.ManyToMany {
		w.raw(", ")
		w.qualified(r.Junction.Relation)
	}
}

// embed joins a child as a lateral subquery.
func (w *writer) embed(e plan.EmbedSelect) {
	c := e.Child
	inner := c.Join == request.InnerJoin
	if inner {
		w.raw(" INNER JOIN LATERAL (")
	} else {
		w.raw(" LEFT JOIN LATERAL (")
	}
	many := !c.Relationship.IsToOne()
	if many {
		w.aggregated(e)
	} else {
		w.read(c)
	}
	w.raw(") AS ")
	w.ident(c.AggAlias)
	if many && inner {
		w.raw(" ON ")
		w.ident(c.AggAlias)
		w.raw(" IS NOT NULL")
	} else {
		w.raw(" ON TRUE")
	}
}

// aggregated writes a to-many child as one row: an array of its rows, and for a spread an array of each column.
func (w *writer) aggregated(e plan.EmbedSelect) {
	c := e.Child
	w.raw("SELECT json_agg(")
	w.ident(c.AggAlias)
	w.raw(") AS ")
	w.ident(c.AggAlias)
	for _, f := range e.Fields {
		w.raw(", COALESCE(json_agg(")
		w.column(schema.Ident{Name: c.AggAlias}, f.Name)
		w.orderBy(schema.Ident{Name: c.AggAlias}, c.SpreadOrder)
		w.raw("), '[]')::jsonb AS ")
		if f.Alias != "" {
			w.ident(f.Alias)
		} else {
			w.ident(f.Name)
		}
	}
	w.raw(" FROM (")
	w.read(c)
	w.raw(") AS ")
	w.ident(c.AggAlias)
}

func (w *writer) joinCondition(c plan.JoinCondition) {
	w.column(c.Left, c.LeftColumn)
	w.raw(" = ")
	w.column(c.Right, c.RightColumn)
}

// groups tells whether a node has an aggregate next to something to group by.
func groups(n *plan.Node) bool {
	aggregated := false
	terms := 0
	for _, f := range n.Select {
		if f.Aggregate != request.NoAggregate {
			aggregated = true
		} else {
			terms++
		}
	}
	for _, e := range n.Embeds {
		if e.Child.Spread == plan.NoSpread {
			terms++
		}
		for _, f := range e.Fields {
			if f.Aggregate != request.NoAggregate {
				aggregated = true
			} else {
				terms++
			}
		}
	}
	return aggregated && terms > 0
}

func (w *writer) groupBy(n *plan.Node, of schema.Ident) {
	if !groups(n) {
		return
	}
	w.raw(" GROUP BY ")
	first := true
	next := func() {
		if !first {
			w.raw(", ")
		}
		first = false
	}
	for _, f := range n.Select {
		switch {
		case f.Aggregate != request.NoAggregate:
		case f.Alias != "":
			next()
			w.ident(f.Alias)
		default:
			next()
			w.field(of, f.Field)
		}
	}
	for _, e := range n.Embeds {
		if e.Child.Spread == plan.NoSpread {
			if !e.Empty {
				next()
				w.ident(e.Child.Key())
			}
			continue
		}
		for _, f := range e.Fields {
			if f.Aggregate != request.NoAggregate {
				continue
			}
			next()
			name := f.Name
			if f.Alias != "" {
				name = f.Alias
			}
			w.column(schema.Ident{Name: e.Child.AggAlias}, name)
		}
	}
}

func (w *writer) orderBy(of schema.Ident, terms []plan.OrderTerm) {
	if len(terms) == 0 {
		return
	}
	w.raw(" ORDER BY ")
	list(w, ", ", terms, func(t plan.OrderTerm) {
		if t.Of != "" {
			w.field(schema.Ident{Name: t.Of}, t.Field)
		} else {
			w.field(of, t.Field)
		}
		switch t.Direction {
		case request.Ascending:
			w.raw(" ASC")
		case request.Descending:
			w.raw(" DESC")
		case request.DefaultDirection:
		}
		switch t.Nulls {
		case request.NullsFirst:
			w.raw(" NULLS FIRST")
		case request.NullsLast:
			w.raw(" NULLS LAST")
		case request.DefaultNulls:
		}
	})
}

func (w *writer) window(r request.Range) {
	if r == (request.Range{}) {
		return
	}
	w.raw(" LIMIT ")
	if r.Limited {
		w.value(strconv.FormatInt(r.Limit, 10))
	} else {
		w.raw("ALL")
	}
	w.raw(" OFFSET ")
	w.value(strconv.FormatInt(r.Offset, 10))
}

// count writes a SELECT of one constant for each row of a node, without its window. Inner joins become conditions.
func (w *writer) count(n *plan.Node) {
	of := n.Qualifier()
	w.raw("SELECT 1")
	w.from(n)
	first := true
	next := func() {
		if first {
			w.raw(" WHERE ")
		} else {
			w.raw(" AND ")
		}
		first = false
	}
	for _, l := range n.Where {
		next()
		w.countLogic(n, of, l)
	}
	for _, c := range n.On {
		next()
		w.joinCondition(c)
	}
	for _, c := range n.Children {
		if c.Join == request.InnerJoin {
			next()
			w.raw("EXISTS (")
			w.count(c)
			w.raw(")")
		}
	}
}

func (w *writer) countLogic(n *plan.Node, of schema.Ident, l plan.Logic) {
	switch l := l.(type) {
	case plan.Group:
		w.group(l, func(item plan.Logic) { w.countLogic(n, of, item) })
	case plan.Filter:
		w.filter(of, l)
	case plan.EmbedExists:
		for _, c := range n.Children {
			if c.AggAlias != l.AggAlias {
				continue
			}
			if !l.Negated {
				w.raw("NOT ")
			}
			w.raw("EXISTS (")
			w.count(c)
			w.raw(")")
			return
		}
		w.raw("TRUE")
	}
}
