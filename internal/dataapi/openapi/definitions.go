package openapi

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/tarn-data/tarn/internal/dataapi/schema"
)

// value describes a value: an object, a property of one, or the items of an array.
type value struct {
	Ref         string          `json:"$ref,omitempty"`
	Description string          `json:"description,omitempty"`
	Type        string          `json:"type,omitempty"`
	Format      string          `json:"format,omitempty"`
	MaxLength   int             `json:"maxLength,omitempty"`
	Default     json.RawMessage `json:"default,omitempty"`
	Enum        []string        `json:"enum,omitempty"`
	Items       *value          `json:"items,omitempty"`
	Properties  ordered[value]  `json:"properties,omitzero"`
	Required    []string        `json:"required,omitempty"`
}

func definitionRef(relation string) *value { return &value{Ref: "#/definitions/" + relation} }

// definitions describes the rows of every relation.
func definitions(in Input) ordered[value] {
	var out ordered[value]
	for _, r := range in.Relations {
		out.set(r.Name, row(in, r))
	}
	return out
}

func row(in Input, r *schema.Relation) value {
	v := value{Type: objectType, Description: r.Description}
	foreign := relationships(in, r)
	for i := range r.Columns {
		c := &r.Columns[i]
		v.Properties.set(c.Name, value{
			Description: describeColumn(r, c, foreign),
			Type:        typeOf(c.Type),
			Format:      formatOf(c.Type),
			MaxLength:   c.MaxLength,
			Default:     defaultOf(c.Type, c.Default),
			Enum:        c.Enum,
			Items:       itemsOf(c.Type),
		})
		if !c.Nullable {
			v.Required = append(v.Required, c.Name)
		}
	}
	return v
}

// describeColumn appends to the comment of a column notes on the keys that it is part of, in a form that programs
// recognize.
func describeColumn(r *schema.Relation, c *schema.Column, foreign []schema.Relationship) string {
	var notes []string
	if slices.Contains(r.PrimaryKey, c.Name) {
		notes = append(notes, "This is a Primary Key.<pk/>")
	}
	if table, column, ok := target(c.Name, foreign); ok {
		notes = append(notes, "This is a Foreign Key to `"+table+"."+column+"`.<fk table='"+table+"' column='"+column+"'/>")
	}
	if len(notes) == 0 {
		return c.Description
	}
	text := "Note:\n" + strings.Join(notes, "\n")
	if c.Description == "" {
		return text
	}
	return c.Description + "\n\n" + text
}

// relationships are those that a column may be the key of, to tables before those to views.
func relationships(in Input, r *schema.Relation) []schema.Relationship {
	if in.Cache == nil {
		return nil
	}
	var tables, views []schema.Relationship
	for _, rel := range in.Cache.Relationships[schema.RelationshipKey{From: r.Ident, Schema: in.Schema}] {
		switch {
		case !referencesOneColumn(&rel):
		case rel.ForeignIsView:
			views = append(views, rel)
		default:
			tables = append(tables, rel)
		}
	}
	return append(tables, views...)
}

func referencesOneColumn(rel *schema.Relationship) bool {
	switch rel.Cardinality {
	case schema.ManyToOne:
		return len(rel.Columns) == 1
	case schema.OneToOne:
		return len(rel.Columns) == 1 && !rel.IsParent
	case schema.OneToMany, schema.ManyToMany, schema.Computed:
	}
	return false
}

// target is what a column references.
func target(column string, foreign []schema.Relationship) (table, foreignColumn string, ok bool) {
	for i := range foreign {
		if pair := foreign[i].Columns[0]; pair.Local == column {
			return foreign[i].Foreign.Name, pair.Foreign, true
		}
	}
	return "", "", false
}
