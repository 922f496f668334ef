package plan

import (
	"slices"
	"strconv"

	"github.com/tarn-data/tarn/internal/dataapi/request"
	"github.com/tarn-data/tarn/internal/dataapi/schema"
	"github.com/tarn-data/tarn/internal/fault"
)

// readTree builds the tree of a read in passes. From a mutation or a call (fromSource), the root reads the rows that
// the statement's first part left.
func (p *planner) readTree(root schema.Ident, fromSource bool) (*Node, error) {
	b := treeBuilder{planner: p, fromSource: fromSource}
	b.root = b.selectTree(root)
	for _, pass := range []func() error{
		b.checkPaths,
		b.addRelationships,
		b.resolveSelects,
		b.addFilters,
		b.addOrders,
		b.addRanges,
		b.expandStars,
		b.addAliases,
		b.addRelatedOrders,
		b.addEmbedFilters,
		b.addEmbedSelects,
		b.checkAggregates,
		b.hoistAggregates,
		b.orderSpreads,
		b.restrictRanges,
	} {
		if err := pass(); err != nil {
			return nil, err
		}
	}
	return b.root, nil
}

// treeBuilder is the tree under construction.
type treeBuilder struct {
	*planner
	root       *Node
	fromSource bool
}

// selectTree makes the nodes of the select parameter; fields are resolved once it is known what the nodes are.
func (b *treeBuilder) selectTree(root schema.Ident) *Node {
	n := &Node{Relation: root, From: root, Name: root.Name, item: request.SelectRelation{Items: b.req.Query.Select}}
	if b.fromSource {
		n.From, n.Alias = schema.Ident{Name: SourceName}, root.Name
	}
	b.addChildren(n)
	return n
}

func (b *treeBuilder) addChildren(n *Node) {
	for _, item := range n.item.Items {
		rel, ok := item.(request.SelectRelation)
		if !ok {
			continue
		}
		child := &Node{Name: rel.Relation, As: rel.Alias, Join: rel.Join, depth: n.depth + 1, item: rel}
		if rel.Spread {
			child.Spread = ToOneSpread
		}
		n.Children = append(n.Children, child)
		b.addChildren(child)
	}
}

// checkPaths finds the node of every parameter that names an embed, before anything else can fail.
func (b *treeBuilder) checkPaths() error {
	q := &b.req.Query
	for _, v := range slices.Backward(q.Filters) {
		if _, err := b.find(v.Path); err != nil {
			return err
		}
	}
	for _, v := range slices.Backward(q.Orders) {
		if _, err := b.find(v.Path); err != nil {
			return err
		}
	}
	if !b.mutation() {
		for i := range q.Ranges {
			if _, err := b.find(q.Ranges[i].Path); err != nil {
				return err
			}
		}
	}
	for _, v := range slices.Backward(q.Logic) {
		if _, err := b.find(v.Path); err != nil {
			return err
		}
	}
	return nil
}

// find follows a path of embeds from the root.
func (b *treeBuilder) find(path request.Path) (*Node, error) {
	n := b.root
	for _, name := range path {
		child := findChild(n, name, b.opt.LegacyTargetNames)
		if child == nil {
			return nil, b.notEmbedded(n, name)
		}
		if child.As != "" && child.As != name && child.Name == name {
			child.LegacyMatch = true
		}
		n = child
	}
	return n, nil
}

func findChild(n *Node, name string, legacy bool) *Node {
	for _, c := range n.Children {
		if c.Key() == name || legacy && c.Name == name {
			return c
		}
	}
	return nil
}

func (b *treeBuilder) notEmbedded(n *Node, name string) error {
	f := notEmbedded(name)
	if c := findChild(n, name, true); c != nil && !b.opt.LegacyTargetNames {
		return f.WithDetails("Target names are not allowed in filters if they have an alias").
			WithHint("Change '" + c.Name + "' to '" + c.As + "' in filters, orders or limits.")
	}
	return f
}

func notEmbedded(name string) *fault.Error {
	return fault.New(fault.Invalid, "PGRST108", "'"+name+"' is not an embedded resource in this request").
		WithHint("Verify that '" + name + "' is included in the 'select' query parameter.")
}

// addRelationships finds how each embed relates to its parent, and names what is joined.
func (b *treeBuilder) addRelationships() error {
	b.root.RoleBound = b.roleBound(b.root.Relation)
	return b.relate(b.root)
}

func (b *treeBuilder) roleBound(id schema.Ident) bool {
	rel, ok := b.cache.Relations[id]
	return ok && (rel.RowSecurity || rel.IsView)
}

func (b *treeBuilder) relate(parent *Node) error {
	origin := parent.Relation.Name
	for _, n := range parent.Children {
		r, err := b.cache.FindRelationship(b.req.Schema, origin, n.Name, n.item.Hint)
		if err != nil {
			return err
		}
		n.RoleBound = b.roleBound(r.Foreign) || r.Junction != nil && b.roleBound(r.Junction.Relation)
		depth := strconv.Itoa(n.depth)
		n.Relation, n.From, n.Relationship = r.Foreign, r.Foreign, r
		n.AggAlias = r.Relation.Name + "_" + n.Key() + "_" + depth
		if n.Spread != NoSpread && !r.IsToOne() {
			n.Spread = ToManySpread
		}
		if r.Cardinality != schema.ManyToMany { // a junction is joined implicitly, by its own names
			n.Alias = r.Foreign.Name + "_" + depth
		}
		n.ParentAlias = parent.Alias
		n.On = joinConditions(r, n.Alias, parent.Alias)
		if err := b.relate(n); err != nil {
			return err
		}
	}
	return nil
}

func joinConditions(r *schema.Relationship, alias, parentAlias string) []JoinCondition {
	parent, foreign := r.Relation, schema.Ident{Schema: r.Relation.Schema, Name: r.Foreign.Name}
	if parentAlias != "" {
		parent = schema.Ident{Name: parentAlias}
	}
	switch r.Cardinality {
	case schema.Computed:
		return nil
	case schema.ManyToMany:
		var on []JoinCondition
		junction := r.Junction.Relation
		for _, c := range r.Junction.TargetColumns {
			on = append(on, JoinCondition{Left: junction, LeftColumn: c.Foreign, Right: r.Foreign, RightColumn: c.Local})
		}
		for _, c := range r.Junction.SourceColumns {
			on = append(on, JoinCondition{Left: junction, LeftColumn: c.Foreign, Right: parent, RightColumn: c.Local})
		}
		return on
	case schema.OneToMany, schema.ManyToOne, schema.OneToOne:
		if alias != "" {
			foreign = schema.Ident{Name: alias}
		}
		on := make([]JoinCondition, len(r.Columns))
		for i, c := range r.Columns {
			on[i] = JoinCondition{Left: foreign, LeftColumn: c.Foreign, Right: parent, RightColumn: c.Local}
		}
		return on
	}
	return nil
}

func (b *treeBuilder) resolveSelects() error {
	b.root.walk(func(n *Node) {
		for _, item := range n.item.Items {
			f, ok := item.(request.SelectField)
			if !ok {
				continue
			}
			n.Select = append(n.Select, SelectField{
				Field:         b.outputField(n.Relation, f.Field),
				Aggregate:     f.Aggregate,
				AggregateCast: f.AggregateCast,
				Cast:          f.Cast,
				Alias:         f.Alias,
			})
		}
	})
	return nil
}

func (b *treeBuilder) mutation() bool {
	_, ok := b.req.Action.(request.MutateRelation)
	return ok
}

// addFilters puts filters and trees of filters on their nodes. Those of a mutation's root choose the rows that are
// written, and are no part of the read.
func (b *treeBuilder) addFilters() error {
	skipRoot := b.mutation()
	for _, l := range b.req.Query.Logic {
		if n, err := b.find(l.Path); err != nil {
			return err
		} else if n != b.root || !skipRoot {
			n.Where = append(n.Where, b.logic(n.Relation, l.Logic))
		}
	}
	for _, f := range b.req.Query.Filters {
		if n, err := b.find(f.Path); err != nil {
			return err
		} else if n != b.root || !skipRoot {
			n.Where = append(n.Where, b.filter(n.Relation, f.Filter))
		}
	}
	return nil
}

// addOrders puts orders on their nodes; of several for one node the first counts.
func (b *treeBuilder) addOrders() error {
	for _, o := range slices.Backward(b.req.Query.Orders) {

		n, err := b.find(o.Path)
		if err != nil {
			return err
		}
		n.Order = b.planner.order(n.Relation, o.Terms)
	}
	return nil
}

func (b *treeBuilder) addRanges() error {
	if b.mutation() {
		return nil
	}
	b.root.Range = b.req.Range
	for _, r := range b.req.Query.Ranges {
		n, err := b.find(r.Path)
		if err != nil {
			return err
		}
		n.Range = r.Range
	}
	return nil
}

func (b *treeBuilder) restrictRanges() error {
	if b.mutation() || b.opt.MaxRows <= 0 {
		return nil
	}
	b.root.walk(func(n *Node) { n.Range = n.Range.Restrict(b.opt.MaxRows) })
	return nil
}

// expandStars replaces * by the relation's columns where a column has a domain representation, where an aggregate
// makes grouping necessary, and in to-many spreads.
func (b *treeBuilder) expandStars() error {
	b.expand(b.root, false)
	return nil
}

func (b *treeBuilder) expand(n *Node, aggregated bool) {
	aggregated = aggregated || n.Spread == ToManySpread || hasAggregate(n.Select)
	if aggregated || b.hasRepresentation(n.Relation) {
		n.Select = b.expandSelect(n)
	}
	for _, c := range n.Children {
		b.expand(c, aggregated)
	}
}

func (b *treeBuilder) expandSelect(n *Node) []SelectField {
	rel, known := b.cache.Relations[n.Relation]
	var out []SelectField
	for _, f := range n.Select {
		star := f.Field.Name == "*" && len(f.Field.Path) == 0
		switch {
		case star && f.Aggregate == request.NoAggregate:
			if !known {
				continue
			}
			for i := range rel.Columns {
				col := columnField(&rel.Columns[i])
				e := f
				e.Field = b.transformed(col, col.Type, outputType)
				out = append(out, e)
			}
		case star && f.Aggregate == request.Count && n.Spread != NoSpread:
			f.Field.FullRow = true
			out = append(out, f)
		default:
			out = append(out, f)
		}
	}
	return out
}

func (b *treeBuilder) hasRepresentation(id schema.Ident) bool {
	rel, ok := b.cache.Relations[id]
	if !ok || len(b.cache.Representations) == 0 {
		return false
	}
	for i := range rel.Columns {
		if _, ok := b.cache.Representations[schema.Cast{Source: rel.Columns[i].NominalType, Target: outputType}]; ok {
			return true
		}
	}
	return false
}

func hasAggregate(fields []SelectField) bool {
	for _, f := range fields {
		if f.Aggregate != request.NoAggregate {
			return true
		}
	}
	return false
}

// addAliases names the fields whose expression does not name itself.
func (b *treeBuilder) addAliases() error {
	b.root.walk(func(n *Node) {
		for i := range n.Select {
			f := &n.Select[i]
			switch {
			case f.Alias != "":
			case f.Aggregate != request.NoAggregate:
				// A spread's parent selects the aggregate by the name that PostgreSQL would give it.
				if n.Spread != NoSpread {
					f.Alias = f.Aggregate.String()
				}
			case len(f.Field.Path) > 0:
				f.Alias = pathAlias(f.Field)
			case f.Field.Transform != "":
				f.Alias = f.Field.Name
			}
		}
	})
	return nil
}

// pathAlias is the last key of a JSON path, or the column's name where there is none.
func pathAlias(f Field) string {
	for _, v := range slices.Backward(f.Path) {
		if !v.Index {
			return v.Key
		}
	}
	return f.Name
}

// addRelatedOrders makes orders by a to-one embed's field refer to the embed's subquery.
func (b *treeBuilder) addRelatedOrders() error {
	var err error
	b.root.walk(func(n *Node) {
		for i := range n.Order {
			t := &n.Order[i]
			if t.Of == "" || err != nil {
				continue
			}
			c := findChild(n, t.Of, false)
			switch {
			case c == nil:
				err = notEmbedded(t.Of)
			case !c.Relationship.IsToOne():
				err = fault.New(fault.Invalid, "PGRST118", "A related order on '"+c.Key()+"' is not possible").
					WithDetails("'" + n.From.Name + "' and '" + c.Key() + "' do not form a many-to-one or one-to-one relationship")
			default:
				t.Of = c.AggAlias
			}
		}
	})
	return err
}

// addEmbedFilters makes is.null on an embed's name a condition on whether the embed has rows.
func (b *treeBuilder) addEmbedFilters() error {
	b.root.walk(func(n *Node) {
		if len(n.Children) == 0 {
			return
		}
		for i, l := range n.Where {
			n.Where[i] = embedFilters(n, l)
		}
	})
	return nil
}

func embedFilters(n *Node, l Logic) Logic {
	switch l := l.(type) {
	case Group:
		for i, item := range l.Items {
			l.Items[i] = embedFilters(n, item)
		}
		return l
	case Filter:
		is, ok := l.Operation.(request.Is)
		if !ok || is.Value != request.IsNull || len(l.Field.Path) > 0 {
			return l
		}
		if c := findChild(n, l.Field.Name, false); c != nil {
			return EmbedExists{Negated: l.Negated, AggAlias: c.AggAlias}
		}
		return l
	case EmbedExists:
		return l
	}
	return l
}
