package schema

import (
	"cmp"
	"slices"
)

// fromForeignKeys makes the relationships from the tables that have foreign keys.
func fromForeignKeys(keys []ForeignKey) []Relationship {
	out := make([]Relationship, len(keys))
	for i, k := range keys {
		r := Relationship{
			Relation: k.Table, Foreign: k.Foreign, IsSelf: k.Table == k.Foreign,
			Cardinality: ManyToOne, Constraint: k.Constraint, Columns: k.Columns,
		}
		if k.Unique {
			r.Cardinality = OneToOne
		}
		out[i] = r
	}
	return out
}

// keySide finds the views that show one side of a foreign key.
type keySide struct {
	table      Ident
	constraint string
	kind       KeyKind
}

// throughViews makes the relationships that views have by the foreign keys behind them: from view to table, from table
// to view and from view to view. A view that shows a column more than once has a relationship for each.
func throughViews(rels []Relationship, keys []ViewKey) []Relationship {
	bySide := map[keySide][]ViewKey{}
	for _, k := range keys {
		side := keySide{k.Table, k.Constraint, k.Kind}
		bySide[side] = append(bySide[side], k)
	}
	var out []Relationship
	for i := range rels {
		r := &rels[i]
		referring := endsAt(bySide[keySide{r.Relation, r.Constraint, ReferringKey}])
		referenced := endsAt(bySide[keySide{r.Relation, r.Constraint, ReferencedKey}])
		for _, from := range referring {
			out = append(out, between(r, from, foreignEnd(r)))
		}
		for _, to := range referenced {
			out = append(out, between(r, localEnd(r), to))
		}
		for _, from := range referring {
			for _, to := range referenced {
				out = append(out, between(r, from, to))
			}
		}
	}
	return out
}

// end is where a relationship begins or ends.
type end struct {
	relation Ident
	columns  []string
	isView   bool
}

func localEnd(r *Relationship) end {
	e := end{relation: r.Relation, columns: make([]string, len(r.Columns))}
	for i, c := range r.Columns {
		e.columns[i] = c.Local
	}
	return e
}

func foreignEnd(r *Relationship) end {
	e := end{relation: r.Foreign, columns: make([]string, len(r.Columns))}
	for i, c := range r.Columns {
		e.columns[i] = c.Foreign
	}
	return e
}

func endsAt(keys []ViewKey) []end {
	var out []end
	for _, k := range keys {
		for _, columns := range combinations(k.Columns) {
			out = append(out, end{relation: k.View, columns: columns, isView: true})
		}
	}
	return out
}

// combinations chooses one of each.
func combinations(choices [][]string) [][]string {
	out := [][]string{nil}
	for _, choice := range choices {
		longer := make([][]string, 0, len(out)*len(choice))
		for _, begun := range out {
			for _, c := range choice {
				longer = append(longer, append(slices.Clip(begun), c))
			}
		}
		out = longer
	}
	return out
}

// between is the relationship r with other ends, one of them a view at least.
func between(r *Relationship, from, to end) Relationship {
	out := *r
	out.Relation, out.RelationIsView = from.relation, from.isView
	out.Foreign, out.ForeignIsView = to.relation, to.isView
	out.IsSelf = from.relation == to.relation
	out.Columns = make([]ColumnPair, len(r.Columns))
	for i := range out.Columns {
		out.Columns[i] = ColumnPair{Local: from.columns[i], Foreign: to.columns[i]}
	}
	return out
}

// throughJunctions makes the many-to-many relationships: two of the relationships of a junction joined, where the
// columns of both are part of its primary key.
func throughJunctions(rels []Relationship, relations map[Ident]*Relation) []Relationship {
	byRelation := map[Ident][]*Relationship{}
	for i := range rels {
		if r := &rels[i]; r.Cardinality == ManyToOne && relations[r.Relation] != nil {
			byRelation[r.Relation] = append(byRelation[r.Relation], r)
		}
	}
	var out []Relationship
	for i := range rels {
		source := &rels[i]
		if source.Cardinality != ManyToOne {
			continue
		}
		for _, target := range byRelation[source.Relation] {
			key := relations[source.Relation].PrimaryKey
			if source.Constraint != target.Constraint && within(source.Columns, key) && within(target.Columns, key) {
				out = append(out, joined(source, target))
			}
		}
	}
	return out
}

func within(columns []ColumnPair, key []string) bool {
	return !slices.ContainsFunc(columns, func(c ColumnPair) bool { return !slices.Contains(key, c.Local) })
}

func joined(source, target *Relationship) Relationship {
	return Relationship{
		Relation: source.Foreign, RelationIsView: source.ForeignIsView,
		Foreign: target.Foreign, ForeignIsView: target.ForeignIsView,
		IsSelf:      source.Foreign == target.Foreign,
		Cardinality: ManyToMany,
		Junction: &Junction{
			Relation:      source.Relation,
			Constraint1:   source.Constraint,
			Constraint2:   target.Constraint,
			SourceColumns: swapped(source.Columns),
			TargetColumns: swapped(target.Columns),
		},
	}
}

// inverses makes the relationships the other way; many-to-many ones are there both ways.
func inverses(rels []Relationship) []Relationship {
	var out []Relationship
	for i := range rels {
		r := rels[i]
		switch r.Cardinality {
		case ManyToOne:
			r.Cardinality = OneToMany
		case OneToOne:
			r.IsParent = !r.IsParent
		case OneToMany, ManyToMany, Computed:
			continue
		}
		r.Relation, r.Foreign = r.Foreign, r.Relation
		r.RelationIsView, r.ForeignIsView = r.ForeignIsView, r.RelationIsView
		r.Columns = swapped(r.Columns)
		out = append(out, r)
	}
	return out
}

func swapped(columns []ColumnPair) []ColumnPair {
	out := make([]ColumnPair, len(columns))
	for i, c := range columns {
		out[i] = ColumnPair{Local: c.Foreign, Foreign: c.Local}
	}
	return out
}

// withoutOverridden leaves out what leads from a relation to another if a computed relationship from there goes by the
// other's name.
func withoutOverridden(rels, computed []Relationship) []Relationship {
	type ends struct{ relation, target Ident }
	overridden := make(map[ends]bool, len(computed))
	for i := range computed {
		overridden[ends{computed[i].Relation, computed[i].Function}] = true
	}
	return slices.DeleteFunc(rels, func(r Relationship) bool { return overridden[ends{r.Relation, r.Foreign}] })
}

// relationshipsByKey leaves out what is not exposed, but not the keys: a relation all of whose relationships are
// hidden is still known to have some.
func relationshipsByKey(rels []Relationship, exposed map[string]bool) map[RelationshipKey][]Relationship {
	count := map[RelationshipKey]int{}
	for i := range rels {
		count[rels[i].key()]++
	}
	out := make(map[RelationshipKey][]Relationship, len(count))
	for i := range rels {
		r := &rels[i]
		key := r.key()
		if !exposed[key.From.Schema] || !exposed[key.Schema] {
			continue
		}
		kept, known := out[key]
		if !known {
			kept = make([]Relationship, 0, count[key])
		}
		if exposed[r.Foreign.Schema] && (r.Junction == nil || exposed[r.Junction.Relation.Schema]) {
			kept = append(kept, *r)
		}
		out[key] = kept
	}
	for _, kept := range out {
		slices.SortStableFunc(kept, compareRelationships)
	}
	return out
}

// key is what finds the relationship.
func (r *Relationship) key() RelationshipKey {
	if r.Cardinality == Computed {
		return RelationshipKey{From: r.Relation, Schema: r.Function.Schema}
	}
	return RelationshipKey{From: r.Relation, Schema: r.Foreign.Schema}
}

// compareRelationships gives the order in which an ambiguous request lists what it may mean.
func compareRelationships(a, b Relationship) int {
	if a.Cardinality == Computed && b.Cardinality == Computed {
		return cmp.Or(compareIdents(a.Function, b.Function), compareIdents(a.Relation, b.Relation),
			compareIdents(a.Foreign, b.Foreign))
	}
	if a.Cardinality == Computed || b.Cardinality == Computed { // they come last
		return cmp.Compare(a.Cardinality, b.Cardinality)
	}
	return cmp.Or(
		compareIdents(a.Relation, b.Relation),
		compareIdents(a.Foreign, b.Foreign),
		compareBools(a.IsSelf, b.IsSelf),
		cmp.Compare(a.Cardinality, b.Cardinality),
		cmp.Compare(a.Constraint, b.Constraint),
		comparePairs(a.Columns, b.Columns),
		compareBools(a.IsParent, b.IsParent),
		compareJunctions(a.Junction, b.Junction),
		compareBools(a.RelationIsView, b.RelationIsView),
		compareBools(a.ForeignIsView, b.ForeignIsView),
	)
}

func compareJunctions(a, b *Junction) int {
	if a == nil || b == nil {
		return compareBools(a != nil, b != nil)
	}
	return cmp.Or(
		compareIdents(a.Relation, b.Relation),
		cmp.Compare(a.Constraint1, b.Constraint1),
		cmp.Compare(a.Constraint2, b.Constraint2),
		comparePairs(a.SourceColumns, b.SourceColumns),
		comparePairs(a.TargetColumns, b.TargetColumns),
	)
}

func comparePairs(a, b []ColumnPair) int {
	return slices.CompareFunc(a, b, func(x, y ColumnPair) int {
		return cmp.Or(cmp.Compare(x.Local, y.Local), cmp.Compare(x.Foreign, y.Foreign))
	})
}

func compareIdents(a, b Ident) int {
	return cmp.Or(cmp.Compare(a.Schema, b.Schema), cmp.Compare(a.Name, b.Name))
}

func compareBools(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	default:
		return -1
	}
}
