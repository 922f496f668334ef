package plan

import (
	"github.com/tarn-data/tarn/internal/dataapi/media"
	"github.com/tarn-data/tarn/internal/dataapi/request"
	"github.com/tarn-data/tarn/internal/dataapi/rowtext"
	"github.com/tarn-data/tarn/internal/dataapi/schema"
)

// rowsSuffice tells whether an answer can be made of the rows alone, outside of the database.
func (p *planner) rowsSuffice(tree *Node, h schema.ResolvedHandler) bool {
	if h.Media.Kind == media.Plan || tree.Aggregated() {
		return false
	}
	few := p.req.FewRows || p.opt.MaxRows > 0 && p.opt.MaxRows <= request.Few
	if few && p.req.Prefer.Count != request.NoCount { // which one statement can do as well as the rows
		return false
	}
	for _, c := range tree.Children {
		if c.Spread != NoSpread {
			return false
		}
	}
	if len(tree.Select) == 0 { // the rows have columns that the answer leaves out
		for _, e := range tree.Embeds {
			if !e.Empty {
				return h.Handler.Kind == schema.HandleJSON || h.Handler.Kind == schema.HandleNDJSON || h.Handler.Kind == schema.HandleCSV
			}
		}
		return false
	}
	switch h.Handler.Kind {
	case schema.HandleCSV: // which is the values' own text, whatever their type
		return true
	case schema.HandleJSON, schema.HandleNDJSON:
		return p.typesKnown(tree)
	case schema.NoHandler, schema.HandleJSONStripped, schema.HandleSingle, schema.HandleSingleStripped,
		schema.HandleGeoJSON, schema.HandleCustom:
	}
	return false
}

func (p *planner) typesKnown(tree *Node) bool {
	rel, ok := p.cache.Relations[tree.Relation]
	if !ok {
		return false
	}
	for _, f := range tree.Select {
		switch {
		case f.Field.Transform != "" || f.Cast != "":
			return false
		case len(f.Field.Path) > 0: // json, jsonb or text
		case f.Field.Name == "*":
			for i := range rel.Columns {
				if !rowtext.KnownName(rel.Columns[i].Type) {
					return false
				}
			}
		case !rowtext.KnownName(f.Field.BaseType):
			return false
		}
	}
	return true
}

// copyable tells whether a COPY of text makes the same rows as an INSERT of what json_to_recordset makes of a payload.
func (p *planner) copyable(rel *schema.Relation, columns []Field) bool {
	if !rel.Copyable || len(columns) == 0 {
		return false
	}
	for _, f := range columns {
		c, ok := rel.Column(f.Name)
		if !ok || c.IdentityAlways || f.Transform != "" || len(c.Enum) == 0 && !rowtext.KnownName(c.Type) {
			return false
		}
	}
	for _, t := range p.req.Accept {
		if k := t.Kind; k == media.Singular || k == media.SingularStripped || k == media.Plan {
			return false // which look at the rows, or at the statement
		}
	}
	return true
}
