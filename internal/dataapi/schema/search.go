package schema

import (
	"github.com/tarn-data/tarn/internal/dataapi/media"
	"github.com/tarn-data/tarn/internal/fault"
)

type hints struct{}

// FindRelation returns the relation of that name.
func (c *Cache) FindRelation(id Ident) (*Relation, error) {
	if r, ok := c.Relations[id]; ok {
		return r, nil
	}
	return nil, fault.New(fault.NotFound, "PGRST205", "Could not find the table '"+id.Schema+"."+id.Name+"' in the schema cache")
}

// FindRelationship returns the relationship from a relation to what target names, which may be a relation, a
// constraint or a column. The hint chooses among several; it is empty for none.
func (c *Cache) FindRelationship(schemaName, origin, target, hint string) (*Relationship, error) {
	return nil, fault.New(fault.Invalid, "PGRST200", "")
}

// FindRoutine returns the overload of a routine that accepts arguments of these names, which are sorted and unique.
// A POST may also be answered by a routine with a single unnamed parameter that fits the body's media type.
func (c *Cache) FindRoutine(id Ident, keys []string, content media.Type, isPost bool) (*Routine, error) {
	return nil, fault.New(fault.NotFound, "PGRST202", "")
}

// Summary counts what the snapshot holds.
func (c *Cache) Summary() string { return "" }
