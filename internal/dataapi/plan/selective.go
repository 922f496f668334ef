package plan

import (
	"slices"

	"github.com/tarn-data/tarn/internal/dataapi/request"
	"github.com/tarn-data/tarn/internal/dataapi/schema"
)

// selective tells whether how rows are best found may depend on the values of the filters. It doesn't where they name a
// row by its primary key.
func (p *planner) selective(tree *Node) bool {
	found := false
	tree.walk(func(n *Node) {
		found = found || len(n.Where) > 0 && (n.Relationship != nil || !p.findsOne(n.Relation, n.Where))
	})
	return found
}

// selectiveWrite is likewise of what is written to.
func (p *planner) selectiveWrite(w Write) bool {
	switch w := w.(type) {
	case *Update:
		return len(w.Where) > 0 && !p.findsOne(w.Relation, w.Where)
	case *Delete:
		return len(w.Where) > 0 && !p.findsOne(w.From, w.Where)
	case *Insert:
	}
	return false
}

// findsOne tells whether conditions find one row at most, by its primary key.
func (p *planner) findsOne(id schema.Ident, where []Logic) bool {
	rel, ok := p.cache.Relations[id]
	if !ok || len(rel.PrimaryKey) == 0 {
		return false
	}
	for _, column := range rel.PrimaryKey {
		if !slices.ContainsFunc(where, func(l Logic) bool { return equates(l, column) }) {
			return false
		}
	}
	return true
}

func equates(l Logic, column string) bool {
	f, ok := l.(Filter)
	if !ok || f.Negated || f.Field.Name != column || len(f.Field.Path) > 0 {
		return false
	}
	c, ok := f.Operation.(request.Compare)
	return ok && c.Operator == request.Equal && c.Quantor == request.NoQuantor
}
