package plan

import (
	"slices"

	"github.com/tarn-data/tarn/internal/dataapi/media"
	"github.com/tarn-data/tarn/internal/dataapi/payload"
	"github.com/tarn-data/tarn/internal/dataapi/request"
	"github.com/tarn-data/tarn/internal/dataapi/schema"
	"github.com/tarn-data/tarn/internal/fault"
)

func (p *planner) mutate(a request.MutateRelation) (Plan, error) {
	rel, err := p.cache.FindRelation(p.ident(a.Name))
	if err != nil {
		return nil, err
	}
	tree, err := p.readTree(rel.Ident, true)
	if err != nil {
		return nil, err
	}
	w, err := p.write(a.Mutation, rel, tree)
	if err != nil {
		return nil, err
	}
	if err := p.checkPreferences(); err != nil {
		return nil, err
	}
	h, err := p.negotiate(rel.Ident, tree)
	if err != nil {
		return nil, err
	}
	if _, streamed := p.req.Payload.(request.RowsPayload); streamed && h.Media.Kind == media.Plan {
		return nil, payload.ErrWhole
	}
	if p.req.Prefer.Return != request.Representation {
		h.Handler = schema.Handler{}
	}
	return &Mutate{Tree: tree, Write: w, Selective: p.selectiveWrite(w), Mutation: a.Mutation, Handler: h.Handler, Media: h.Media, Target: rel.Ident}, nil
}

func (p *planner) write(m request.Mutation, rel *schema.Relation, tree *Node) (Write, error) {
	var (
		returning []string
		where     = p.rootFilters(rel.Ident)
		defaults  = p.req.Prefer.Missing == request.MissingDefault
		body      []byte
		rows      *payload.Rows
	)
	if r := p.req.Prefer.Return; r == request.Representation || r == request.HeadersOnly {
		returning = neededColumns(tree, rel.PrimaryKey)
	}
	if m == request.Delete {
		return &Delete{From: rel.Ident, Where: where, Returning: returning}, nil
	}
	if m == request.Upsert && !p.putFiltersAreKey(rel) {
		return nil, fault.New(fault.MethodNotAllowed, "PGRST105",
			"Filters must include all and only primary key columns with 'eq' operators")
	}
	columns := make([]Field, len(p.req.Columns))
	for i, name := range p.req.Columns {
		f, err := p.payloadField(rel, name)
		if err != nil {
			return nil, err
		}
		columns[i] = f
	}
	switch given := p.req.Payload.(type) {
	case request.JSONPayload:
		body = given.Raw
	case request.RowsPayload:
		rows = given.Rows
	case request.FormPayload, request.RawPayload: // of routines
	}
	switch m {
	case request.Insert:
		on := rel.PrimaryKey
		if p.req.Query.OnConflict != nil {
			on = p.req.Query.OnConflict
		}
		return &Insert{
			Into: rel.Ident, Columns: columns, Body: body, Rows: rows, Resolution: p.req.Prefer.Resolution, ConflictOn: on,
			Returning: returning, PrimaryKey: rel.PrimaryKey, ApplyDefaults: defaults,
			Copyable: returning == nil && !defaults && p.req.Prefer.Resolution == request.NoResolution && p.copyable(rel, columns),
		}, nil
	case request.Upsert:
		return &Insert{
			Into: rel.Ident, Columns: columns, Body: body, Resolution: request.MergeDuplicates, ConflictOn: rel.PrimaryKey,
			Where: where, Returning: returning,
		}, nil
	case request.Update:
		return &Update{
			Relation: rel.Ident, Columns: columns, Body: body, Where: where, Returning: returning, ApplyDefaults: defaults,
		}, nil
	case request.Delete:
	}
	return nil, fault.New(fault.Internal, "PGRSTX00", "unknown mutation")
}

// rootFilters are the filters that choose the rows to write.
func (p *planner) rootFilters(rel schema.Ident) []Logic {
	var out []Logic
	for _, f := range p.req.Query.Filters {
		if len(f.Path) == 0 {
			out = append(out, p.filter(rel, f.Filter))
		}
	}
	for _, l := range p.req.Query.Logic {
		out = append(out, p.logic(rel, l.Logic))
	}
	return out
}

// putFiltersAreKey tells whether the filters are equalities on all primary key columns and nothing else.
func (p *planner) putFiltersAreKey(rel *schema.Relation) bool {
	key := slices.Sorted(slices.Values(rel.PrimaryKey))
	if len(p.req.Query.Logic) > 0 || len(key) == 0 || !slices.Equal(key, p.req.Query.FilterKeys) {
		return false
	}
	for _, f := range p.req.Query.Filters {
		c, ok := f.Filter.Operation.(request.Compare)
		if !ok || f.Filter.Negated || c.Operator != request.Equal || c.Quantor != request.NoQuantor {
			return false
		}
	}
	return true
}

// neededColumns are the columns that the first part of a statement must hand on, so that the read of its rows and the
// joins of its embeds succeed: those selected or ordered by, the ends of relationships, and the primary key for a Location.
func neededColumns(n *Node, key []string) []string {
	set := map[string]struct{}{}
	for _, f := range n.Select {
		if f.Field.Name == "*" {
			return []string{"*"}
		}
		set[f.Field.Name] = struct{}{}
	}
	for _, t := range n.Order {
		if t.Of == "" {
			set[t.Field.Name] = struct{}{}
		}
	}
	for _, c := range n.Children {
		switch c.Relationship.Cardinality {
		case schema.Computed: // its function may look at any column
			return []string{"*"}
		case schema.ManyToMany:
			for _, pair := range c.Relationship.Junction.SourceColumns {
				set[pair.Local] = struct{}{}
			}
		case schema.OneToMany, schema.ManyToOne, schema.OneToOne:
			for _, pair := range c.Relationship.Columns {
				set[pair.Local] = struct{}{}
			}
		}
	}
	for _, k := range key {
		set[k] = struct{}{}
	}
	return sortedKeys(set)
}

func sortedKeys(set map[string]struct{}) []string {
	out := make([]string, 0, len(set))
	for k := range set {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}
