package schema

import (
	"strings"

	"github.com/tarn-data/tarn/internal/fault"
)

// FindRelationship returns the relationship from origin to what target names, both in one schema: a relation, or the
// constraint or column by which the relation is reached. The hint, if any, chooses among several.
func (c *Cache) FindRelationship(schemaName, origin, target, hint string) (*Relationship, error) {
	from := RelationshipKey{From: Ident{schemaName, origin}, Schema: schemaName}
	rels := c.Relationships[from]
	var found *Relationship
	for i := range rels {
		if !rels[i].answersTo(target, hint) {
			continue
		}
		if found != nil {
			return nil, ambiguous(rels, origin, target, hint)
		}
		found = &rels[i]
	}
	if found == nil {
		return nil, c.unrelated(schemaName, origin, target, hint)
	}
	return found, nil
}

func (r *Relationship) answersTo(target, hint string) bool {
	switch {
	case r.Cardinality == Computed:
		return target == r.Function.Name
	case r.IsSelf:
		return r.selfAnswersTo(target, hint)
	case hint != "":
		return target == r.Foreign.Name && r.matchesHint(hint)
	default:
		return target == r.Foreign.Name ||
			!r.ForeignIsView && (r.hasConstraint(target) || r.hasLocalColumn(target))
	}
}

// selfAnswersTo goes by a convention, since both directions of a self-relationship lead to the same relation: its name
// means the many, the column's name the one.
func (r *Relationship) selfAnswersTo(target, hint string) bool {
	switch r.Cardinality {
	case OneToMany:
		return target == r.Foreign.Name && (hint == "" || r.hasForeignColumn(hint))
	case ManyToOne:
		return hint == "" && r.hasLocalColumn(target)
	case OneToOne, ManyToMany, Computed:
		return false
	}
	return false
}

func (r *Relationship) matchesHint(hint string) bool {
	return r.hasConstraint(hint) || r.hasLocalColumn(hint) || r.hasForeignColumn(hint) ||
		r.Junction != nil && hint == r.Junction.Relation.Name
}

func (r *Relationship) hasConstraint(name string) bool {
	return r.Junction == nil && name == r.Constraint
}

func (r *Relationship) hasLocalColumn(name string) bool {
	return len(r.Columns) == 1 && name == r.Columns[0].Local
}

func (r *Relationship) hasForeignColumn(name string) bool {
	return len(r.Columns) == 1 && name == r.Columns[0].Foreign
}

func (c *Cache) unrelated(schemaName, origin, target, hint string) error {
	var using string
	if hint != "" {
		using = "' using the hint '" + hint
	}
	f := fault.New(fault.Invalid, "PGRST200",
		"Could not find a relationship between '"+origin+"' and '"+target+"' in the schema cache").
		WithDetails("Searched for a foreign key relationship between '" + origin + "' and '" + target + using +
			"' in the schema '" + schemaName + "', but no matches were found.")
	if wrong, near, ok := c.hints.relationship(schemaName, origin, target); ok {
		return f.WithHint("Perhaps you meant '" + near + "' instead of '" + wrong + "'.")
	}
	return f
}

// candidate describes one of the relationships that an ambiguous request may mean.
type candidate struct {
	Cardinality  string `json:"cardinality"`
	Embedding    string `json:"embedding"`
	Relationship string `json:"relationship"`
}

func ambiguous(rels []Relationship, origin, target, hint string) error {
	var (
		candidates []candidate
		choices    []string
	)
	for i := range rels {
		r := &rels[i]
		if !r.answersTo(target, hint) || r.Cardinality == Computed {
			continue
		}
		candidates = append(candidates, r.describe())
		by := r.Constraint
		if r.Junction != nil {
			by = r.Junction.Relation.Name
		}
		choices = append(choices, "'"+r.Foreign.Name+"!"+by+"'")
	}
	return fault.New(fault.Ambiguous, "PGRST201",
		"Could not embed because more than one relationship was found for '"+origin+"' and '"+target+"'").
		WithDetails(candidates).
		WithHint("Try changing '" + target + "' to one of the following: " + strings.Join(choices, ", ") +
			". Find the desired relationship in the 'details' key.")
}

func (r *Relationship) describe() candidate {
	d := candidate{Embedding: r.Relation.Name + " with " + r.Foreign.Name}
	local, foreign := columnLists(r.Columns)
	d.Relationship = r.Constraint + " using " + r.Relation.Name + local + " and " + r.Foreign.Name + foreign
	switch r.Cardinality {
	case OneToMany:
		d.Cardinality = "one-to-many"
	case ManyToOne:
		d.Cardinality = "many-to-one"
	case OneToOne:
		d.Cardinality = "one-to-one"
	case ManyToMany:
		d.Cardinality = "many-to-many"
		_, first := columnLists(r.Junction.SourceColumns)
		_, second := columnLists(r.Junction.TargetColumns)
		d.Relationship = r.Junction.Relation.Name + " using " + r.Junction.Constraint1 + first +
			" and " + r.Junction.Constraint2 + second
	case Computed:
		d.Cardinality = "computed"
	}
	return d
}

// columnLists writes the columns of either side.
func columnLists(pairs []ColumnPair) (local, foreign string) {
	var l, f []string
	for _, p := range pairs {
		l, f = append(l, p.Local), append(f, p.Foreign)
	}
	return "(" + strings.Join(l, ", ") + ")", "(" + strings.Join(f, ", ") + ")"
}
