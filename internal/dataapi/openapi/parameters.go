package openapi

import (
	"encoding/json"

	"github.com/tarn-data/tarn/internal/dataapi/schema"
)

// argument is a parameter of an operation: parameter, or reference to one of the document's.
//
//sumtype:decl
type argument interface{ argument() }

type parameter struct {
	Name             string          `json:"name"`
	In               string          `json:"in"`
	Description      string          `json:"description,omitempty"`
	Required         bool            `json:"required"`
	Type             string          `json:"type,omitempty"`
	Format           string          `json:"format,omitempty"`
	Items            *value          `json:"items,omitempty"`
	CollectionFormat string          `json:"collectionFormat,omitempty"`
	Default          json.RawMessage `json:"default,omitempty"`
	Enum             []string        `json:"enum,omitempty"`
	Schema           *value          `json:"schema,omitempty"` // of a body
}

type reference struct {
	Ref string `json:"$ref"`
}

func (parameter) argument() {}
func (reference) argument() {}

// Where a parameter is.
const (
	inBody   = "body"
	inHeader = "header"
	inQuery  = "query"
)

// refs are references to parameters of the document.
func refs(names ...string) []argument {
	out := make([]argument, len(names))
	for i, n := range names {
		out[i] = reference{"#/parameters/" + n}
	}
	return out
}

// parameters are those that operations refer to: the ones of all relations, then each relation's own.
func parameters(relations []*schema.Relation) ordered[parameter] {
	out := commonParameters()
	for _, r := range relations {
		out.set(bodyName(r), parameter{Name: r.Name, In: inBody, Description: r.Name, Schema: definitionRef(r.Name)})
		for i := range r.Columns {
			c := &r.Columns[i]
			out.set(filterName(r, c), parameter{Name: c.Name, In: inQuery, Description: c.Description, Type: stringType})
		}
	}
	return out
}

func bodyName(r *schema.Relation) string { return "body." + r.Name }

func filterName(r *schema.Relation, c *schema.Column) string {
	return "rowFilter." + r.Name + "." + c.Name
}

func commonParameters() ordered[parameter] {
	returns := []string{"return=representation", "return=minimal", "return=none"}
	resolutions := []string{"resolution=ignore-duplicates", "resolution=merge-duplicates"}
	rangeUnit := text("Range-Unit", inHeader, "Limiting and Pagination")
	rangeUnit.Default = json.RawMessage(`"items"`)

	var out ordered[parameter]
	out.set("preferParams", prefer())
	out.set("preferReturn", prefer(returns...))
	out.set("preferCount", prefer("count=none"))
	out.set("preferPost", prefer(append(returns, resolutions...)...))
	out.set("select", text("select", inQuery, "Filtering Columns"))
	out.set("on_conflict", text("on_conflict", inQuery, "On Conflict"))
	out.set("order", text("order", inQuery, "Ordering"))
	out.set("range", text("Range", inHeader, "Limiting and Pagination"))
	out.set("rangeUnit", rangeUnit)
	out.set("offset", text("offset", inQuery, "Limiting and Pagination"))
	out.set("limit", text("limit", inQuery, "Limiting and Pagination"))
	return out
}

func text(name, in, description string) parameter {
	return parameter{Name: name, In: in, Description: description, Type: stringType}
}

func prefer(preferences ...string) parameter {
	p := text("Prefer", inHeader, "Preference")
	p.Enum = preferences
	return p
}
