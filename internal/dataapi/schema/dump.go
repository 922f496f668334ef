package schema

import (
	"cmp"
	"slices"
)

// Dump is a snapshot in a form that can be encoded: lists in a fixed order in place of maps.
type Dump struct {
	Relations       []*Relation
	Relationships   []Relationship
	Routines        []*Routine
	Representations []Representation
	Handlers        []HandlerEntry
}

// Representation is the function of an implicit cast between a domain and what it looks like.
type Representation struct {
	Cast
	Function string
}

// HandlerEntry is a handler and what it is found by.
type HandlerEntry struct {
	HandlerKey
	ResolvedHandler
}

// Dump lists what the snapshot holds.
func (c *Cache) Dump() Dump {
	var d Dump
	for _, r := range c.Relations {
		d.Relations = append(d.Relations, r)
	}
	slices.SortFunc(d.Relations, func(a, b *Relation) int { return compareIdents(a.Ident, b.Ident) })
	for _, rels := range c.Relationships {
		d.Relationships = append(d.Relationships, rels...)
	}
	slices.SortStableFunc(d.Relationships, func(a, b Relationship) int {
		return cmp.Or(compareIdents(a.Relation, b.Relation), compareIdents(a.Foreign, b.Foreign), cmp.Compare(a.Constraint, b.Constraint))
	})
	for _, overloads := range c.Routines {
		d.Routines = append(d.Routines, overloads...)
	}
	slices.SortStableFunc(d.Routines, func(a, b *Routine) int { return compareIdents(a.Ident, b.Ident) })
	for cast, function := range c.Representations {
		d.Representations = append(d.Representations, Representation{cast, function})
	}
	slices.SortFunc(d.Representations, func(a, b Representation) int {
		return cmp.Or(cmp.Compare(a.Source, b.Source), cmp.Compare(a.Target, b.Target))
	})
	for key, h := range c.Handlers {
		d.Handlers = append(d.Handlers, HandlerEntry{key, h})
	}
	slices.SortFunc(d.Handlers, func(a, b HandlerEntry) int {
		return cmp.Or(compareIdents(a.Target, b.Target), cmp.Compare(a.HandlerKey.Media.String(), b.HandlerKey.Media.String()))
	})
	return d
}
