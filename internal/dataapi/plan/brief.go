package plan

import "github.com/tarn-data/tarn/internal/dataapi/schema"

// brief tells whether a read is one of a row by its key, of a table and nothing else.
func (p *planner) brief(tree *Node) bool {
	rel, ok := p.cache.Relations[tree.Relation]
	return ok && !rel.IsView && len(tree.Children) == 0 && p.findsOne(tree.Relation, tree.Where) && p.quietFields(tree)
}

// briefCall tells whether a routine computes a value and promises to change nothing. How long that takes shows only when
// it is called.
func briefCall(r *schema.Routine) bool {
	return r.ReturnsScalar() && r.Volatility != schema.Volatile
}
