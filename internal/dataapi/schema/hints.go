package schema

import (
	"slices"
	"strings"
	"sync"
)

const (
	// likely is how similar a name must be to be suggested.
	likely = 0.75
	// possible is the same for what gives less away.
	possible = 0.33
	// tooMany relations of a schema make looking for similar names too dear.
	tooMany = 500
)

// hints finds what a client may have meant by a name that is not there. What it searches is built when it is first
// needed.
type hints struct {
	relations func() map[string]*fuzzySet // by schema
	related   func() map[string]*fuzzySet // relations that have relationships to those of the schema
	routines  func() map[string]*fuzzySet
	rels      map[RelationshipKey][]Relationship
}

func newHints(c *Cache) *hints {
	relations, rels, routines := c.Relations, c.Relationships, c.Routines
	return &hints{
		rels: rels,
		relations: sync.OnceValue(func() map[string]*fuzzySet {
			names := map[string][]string{}
			for id := range relations {
				names[id.Schema] = append(names[id.Schema], id.Name)
			}
			for s, of := range names {
				if len(of) >= tooMany {
					delete(names, s)
				}
			}
			return fuzzySets(names)
		}),
		related: sync.OnceValue(func() map[string]*fuzzySet {
			names := map[string][]string{}
			for key := range rels {
				names[key.Schema] = append(names[key.Schema], key.From.Name)
			}
			return fuzzySets(names)
		}),
		routines: sync.OnceValue(func() map[string]*fuzzySet {
			names := map[string][]string{}
			for id := range routines {
				names[id.Schema] = append(names[id.Schema], id.Name)
			}
			return fuzzySets(names)
		}),
	}
}

func fuzzySets(names map[string][]string) map[string]*fuzzySet {
	out := make(map[string]*fuzzySet, len(names))
	for s, of := range names {
		slices.Sort(of)
		out[s] = newFuzzySet(of)
	}
	return out
}

func (h *hints) relation(id Ident) (string, bool) {
	if h == nil {
		return "", false
	}
	return h.relations()[id.Schema].closest(id.Name, likely)
}

// relationship suggests another name for the origin if that has no relationships, else for the target unless that is
// one of its relations: then the hint of the request is wrong.
func (h *hints) relationship(schemaName, origin, target string) (wrong, near string, ok bool) {
	if h == nil {
		return "", "", false
	}
	rels, known := h.rels[RelationshipKey{From: Ident{schemaName, origin}, Schema: schemaName}]
	if !known {
		near, ok = h.related()[schemaName].closest(origin, possible)
		return origin, near, ok
	}
	names := make([]string, len(rels))
	for i := range rels {
		names[i] = rels[i].Foreign.Name
	}
	set := newFuzzySet(names)
	if set.has(target) {
		return "", "", false
	}
	near, ok = set.closest(target, possible)
	return target, near, ok
}

// routine suggests another name, or for one that is there other parameters.
func (h *hints) routine(id Ident, keys []string, overloads []*Routine) (string, bool) {
	if h == nil {
		return "", false
	}
	if len(overloads) == 0 {
		return h.routines()[id.Schema].closest(id.Name, likely)
	}
	var lists []string
	for _, r := range slices.Backward(overloads) {
		names := make([]string, len(r.Params))
		for i, p := range r.Params {
			names[i] = p.Name
		}
		slices.Sort(names)
		lists = append(lists, parameterList(names))
	}
	near, ok := newFuzzySet(lists).closest(parameterList(keys), possible)
	return id.Name + near, ok
}

func parameterList(names []string) string { return "(" + strings.Join(names, ", ") + ")" }
