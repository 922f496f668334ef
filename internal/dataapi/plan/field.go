package plan

import (
	"strings"

	"github.com/tarn-data/tarn/internal/dataapi/request"
	"github.com/tarn-data/tarn/internal/dataapi/schema"
	"github.com/tarn-data/tarn/internal/fault"
)

// outputType is the type that a domain representation makes for the answer.
const outputType = "json"

func columnField(c *schema.Column) Field {
	return Field{Name: c.Name, Type: c.NominalType, BaseType: c.Type, Default: c.Default}
}

// field resolves a field of a relation. A name that is no column is left unknown: it may be a computed field, and the
// database tells if it is not.
func (p *planner) field(rel schema.Ident, f request.Field) Field {
	out := Field{Name: f.Name}
	if r, ok := p.cache.Relations[rel]; ok {
		if c, ok := r.Column(f.Name); ok {
			out = columnField(c)
		}
	}
	out.Path = f.Path
	// json and jsonb take arrows as they are; converting them would keep indexes from being used.
	out.ToJSON = out.Type != "json" && out.Type != "jsonb"
	return out
}

// transformed installs the domain representation that leads from one type to another, if there is one.
func (p *planner) transformed(f Field, source, target string) Field {
	if fn, ok := p.cache.Representations[schema.Cast{Source: source, Target: target}]; ok {
		f.Type, f.Transform = source, fn
	}
	return f
}

func (p *planner) outputField(rel schema.Ident, f request.Field) Field {
	r := p.field(rel, f)
	return p.transformed(r, r.Type, outputType)
}

func (p *planner) filterField(rel schema.Ident, f request.Filter) Field {
	r := p.field(rel, f.Field)
	// What is searched must be a tsvector; a computed field, whose type isn't known, has to be one already.
	if q, ok := f.Operation.(request.FullText); ok && r.BaseType != "" && r.BaseType != "tsvector" {
		r.TSVector = &TSQuery{Language: q.Language}
	}
	return p.transformed(r, "text", r.Type)
}

// payloadField resolves a column that a payload writes; there it must exist.
func (p *planner) payloadField(rel *schema.Relation, name string) (Field, error) {
	c, ok := rel.Column(name)
	if !ok {
		return Field{}, fault.New(fault.Invalid, "PGRST204",
			"Could not find the '"+name+"' column of '"+rel.Name+"' in the schema cache")
	}
	f := columnField(c)
	return p.transformed(f, outputType, f.Type), nil
}

func (p *planner) logic(rel schema.Ident, l request.Logic) Logic {
	switch l := l.(type) {
	case request.LogicGroup:
		g := Group{Negated: l.Negated, Or: l.Or, Items: make([]Logic, len(l.Items))}
		for i, item := range l.Items {
			g.Items[i] = p.logic(rel, item)
		}
		return g
	case request.LogicFilter:
		return p.filter(rel, l.Filter)
	}
	return nil
}

func (p *planner) filter(rel schema.Ident, f request.Filter) Logic {
	return Filter{Field: p.filterField(rel, f), Negated: f.Negated, Operation: f.Operation}
}

func (p *planner) order(rel schema.Ident, terms []request.OrderTerm) []OrderTerm {
	out := make([]OrderTerm, len(terms))
	for i, t := range terms {
		out[i] = OrderTerm{Of: t.Relation, Direction: t.Direction, Nulls: t.Nulls}
		if t.Relation == "" {
			out[i].Field = p.field(rel, t.Field)
		} else {
			out[i].Field = Field{Name: t.Field.Name, Path: t.Field.Path}
		}
	}
	return out
}

func join(s []string) string { return strings.Join(s, ", ") }
