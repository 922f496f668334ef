package schema

import "github.com/tarn-data/tarn/internal/fault"

// FindRelation returns the relation of that name.
func (c *Cache) FindRelation(id Ident) (*Relation, error) {
	if r, ok := c.Relations[id]; ok {
		return r, nil
	}
	f := fault.New(fault.NotFound, "PGRST205", "Could not find the table '"+id.Schema+"."+id.Name+"' in the schema cache")
	if near, ok := c.hints.relation(id); ok {
		f = f.WithHint("Perhaps you meant the table '" + id.Schema + "." + near + "'")
	}
	return nil, f
}
