package plan

import (
	"strconv"

	"github.com/tarn-data/tarn/internal/dataapi/request"
	"github.com/tarn-data/tarn/internal/fault"
)

// addEmbedSelects tells each parent what to select of its children.
func (b *treeBuilder) addEmbedSelects() error {
	b.embedSelects(b.root)
	return nil
}

func (b *treeBuilder) embedSelects(n *Node) {
	for _, c := range n.Children {
		b.embedSelects(c)
		e := EmbedSelect{Child: c}
		if c.Spread == NoSpread {
			e.Empty = selectsNothing(c)
		} else {
			e.Fields = spreadFields(c)
		}
		n.Embeds = append(n.Embeds, e)
	}
}

func selectsNothing(n *Node) bool {
	if len(n.Select) > 0 {
		return false
	}
	for _, c := range n.Children {
		if !selectsNothing(c) {
			return false
		}
	}
	return true
}

// spreadFields are the columns of a spread child, its own spread children's among them.
func spreadFields(n *Node) []SpreadField {
	out := make([]SpreadField, 0, len(n.Select))
	for _, f := range n.Select {
		name := f.Alias
		if name == "" {
			name = f.Field.Name
		}
		out = append(out, SpreadField{Name: name})
	}
	for _, e := range n.Embeds {
		if e.Child.Spread == NoSpread {
			out = append(out, SpreadField{Name: e.Child.Key()})
		} else {
			out = append(out, e.Fields...)
		}
	}
	return out
}

func (b *treeBuilder) checkAggregates() error {
	if b.opt.Aggregates {
		return nil
	}
	var err error
	b.root.walk(func(n *Node) {
		if hasAggregate(n.Select) {
			err = fault.New(fault.Invalid, "PGRST123", "Use of aggregate functions is not allowed")
		}
	})
	return err
}

// hoisted is an aggregate on its way from a to-one spread to the level where it groups.
type hoisted struct {
	from  string // the lateral subquery that has the field
	field string
	SpreadField
}

// hoistAggregates moves the aggregates of to-one spreads up to the node that their columns end in: aggregating in the
// joined row would be of no effect.
func (b *treeBuilder) hoistAggregates() error {
	hoist(b.root)
	return nil
}

func hoist(n *Node) []hoisted {
	var fromChildren []hoisted
	for _, c := range n.Children {
		fromChildren = append(fromChildren, hoist(c)...)
	}
	if n.Relationship == nil || n.Spread != ToOneSpread {
		for i := range n.Embeds {
			placeHoisted(&n.Embeds[i], fromChildren)
		}
		return nil
	}
	out := takeAggregates(n)
	for _, h := range fromChildren {
		h.from = n.AggAlias
		out = append(out, h)
	}
	return out
}

func takeAggregates(n *Node) []hoisted {
	var out []hoisted
	for i := range n.Select {
		f := &n.Select[i]
		if f.Aggregate == request.NoAggregate {
			continue
		}
		name := f.Alias
		if name == "" {
			name = f.Field.Name
		}
		out = append(out, hoisted{n.AggAlias, name, SpreadField{name, f.Aggregate, f.AggregateCast, f.Alias}})
		f.Aggregate, f.AggregateCast = request.NoAggregate, ""
	}
	return out
}

func placeHoisted(e *EmbedSelect, from []hoisted) {
	for i := range e.Fields {
		for _, h := range from {
			if h.from == e.Child.AggAlias && h.field == e.Fields[i].Name {
				e.Fields[i] = h.SpreadField
				break
			}
		}
	}
}

// orderSpreads moves the order of a to-many spread into its aggregation, where alone it has an effect. What it orders
// by is selected under a name of its own.
func (b *treeBuilder) orderSpreads() error {
	var err error
	b.root.walk(func(n *Node) {
		if n.Spread != ToManySpread || err != nil {
			return
		}
		if aggregates(n) {
			err = fault.New(fault.Invalid, "PGRST127", "Feature not implemented").
				WithDetails("Aggregates are not implemented for one-to-many or many-to-many spreads.")
			return
		}
		for i, t := range n.Order {
			alias := n.AggAlias + "_" + t.Field.Name + "_" + strconv.Itoa(i+1)
			n.SpreadExtra = append(n.SpreadExtra, SpreadExtra{Of: t.Of, Field: SelectField{Field: t.Field, Alias: alias}})
			n.SpreadOrder = append(n.SpreadOrder, OrderTerm{Field: Field{Name: alias}, Direction: t.Direction, Nulls: t.Nulls})
		}
		n.Order = nil
	})
	return err
}

func aggregates(n *Node) bool {
	if hasAggregate(n.Select) {
		return true
	}
	for _, e := range n.Embeds {
		for _, f := range e.Fields {
			if f.Aggregate != request.NoAggregate {
				return true
			}
		}
	}
	return false
}
