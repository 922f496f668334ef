package plan

import (
	"strings"

	"github.com/tarn-data/tarn/internal/dataapi/rowtext"
	"github.com/tarn-data/tarn/internal/dataapi/schema"
)

// quiet tells whether no code of the database's users runs for a read, so that nothing can set the response's headers or
// status: it reads columns of plain tables, whose types are PostgreSQL's own. So the functions that policies of row-level security
// call get no value whose type would have them call others.
func (p *planner) quiet(tree *Node) bool {
	quiet := true
	tree.walk(func(n *Node) {
		quiet = quiet && p.quietRelation(n.Relation) && p.quietFields(n)
		if r := n.Relationship; r != nil {
			quiet = quiet && r.Cardinality != schema.Computed && (r.Junction == nil || p.quietRelation(r.Junction.Relation))
		}
	})
	return quiet
}

func (p *planner) quietRelation(id schema.Ident) bool {
	rel, ok := p.cache.Relations[id]
	if !ok || !rel.Plain {
		return false
	}
	for i := range rel.Columns {
		if !rowtext.KnownName(withoutModifiers(rel.Columns[i].NominalType)) { // not even a domain of such a type
			return false
		}
	}
	return true
}

// quietFields tells whether all fields that a node names are columns.
func (p *planner) quietFields(n *Node) bool {
	rel := p.cache.Relations[n.Relation]
	column := func(f Field) bool {
		_, ok := rel.Column(f.Name)
		return (ok || f.Name == "*") && f.Transform == ""
	}
	for _, f := range n.Select {
		if !column(f.Field) || f.Cast != "" || f.AggregateCast != "" {
			return false
		}
	}
	for _, t := range n.Order {
		if t.Of != "" || !column(t.Field) {
			return false
		}
	}
	for _, l := range n.Where {
		if !quietLogic(l, column) {
			return false
		}
	}
	return true
}

func quietLogic(l Logic, column func(Field) bool) bool {
	switch l := l.(type) {
	case Group:
		for _, item := range l.Items {
			if !quietLogic(item, column) {
				return false
			}
		}
		return true
	case Filter:
		return column(l.Field)
	case EmbedExists:
		return true
	}
	return false
}

// withoutModifiers is a type's name without what is in parentheses: timestamp(3) with time zone has them within.
func withoutModifiers(name string) string {
	before, rest, ok := strings.Cut(name, "(")
	if !ok {
		return name
	}
	_, after, _ := strings.Cut(rest, ")")
	return before + after
}
