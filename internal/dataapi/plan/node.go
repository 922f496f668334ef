package plan

import (
	"github.com/tarn-data/tarn/internal/dataapi/request"
	"github.com/tarn-data/tarn/internal/dataapi/schema"
)

// SourceName names the common table expression that holds the rows written or returned by a routine.
const SourceName = "pgrst_source"

// Node is one level of a read: the root or an embed.
type Node struct {
	Relation schema.Ident // what is read; of a routine's result the row type
	From     schema.Ident // what stands after FROM: Relation, or the rows of a mutation or call
	Alias    string       // what From is called in the statement; empty for its own name

	Select []SelectField
	Where  []Logic
	Order  []OrderTerm
	Range  request.Range

	// Of embeds.
	Name         string // the target as the client wrote it
	As           string // the client's alias; empty for none
	Join         request.Join
	Relationship *schema.Relationship
	ParentAlias  string // what the parent is called, for a computed relationship's argument
	On           []JoinCondition
	AggAlias     string // what the joined lateral subquery is called
	Spread       Spread
	SpreadExtra  []SpreadExtra // of ToManySpread: fields selected only to order by them
	SpreadOrder  []OrderTerm   // of ToManySpread
	LegacyMatch  bool          // a filter named this aliased embed by its relation

	RoleBound bool // whether what is read depends on the role: by row-level security or a view's definition

	Embeds   []EmbedSelect // what to select of each child that is joined
	Children []*Node
	depth    int
	item     request.SelectRelation
}

// Key is what the embed is called in the answer and in filters.
func (n *Node) Key() string {
	if n.As != "" {
		return n.As
	}
	return n.Name
}

// Qualifier is how the node's columns are qualified.
func (n *Node) Qualifier() schema.Ident {
	if n.Relationship != nil && n.Relationship.Cardinality == schema.Computed {
		if n.Alias != "" {
			return schema.Ident{Name: n.Alias}
		}
		return schema.Ident{Name: n.Relationship.Function.Name}
	}
	if n.Alias != "" {
		return schema.Ident{Name: n.Alias}
	}
	return n.From
}

// Spread says whether and how an embed's columns become its parent's.
type Spread uint8

// The spreads.
const (
	NoSpread Spread = iota
	ToOneSpread
	ToManySpread
)

// SpreadExtra is a field that a to-many spread selects to order by it. Of is the lateral subquery that has it, if it is
// not the node's own.
type SpreadExtra struct {
	Of    string
	Field SelectField
}

// SelectField is a selected field.
type SelectField struct {
	Field         Field
	Aggregate     request.Aggregate
	AggregateCast string
	Cast          string
	Alias         string
}

// Field is a field with what is known of its type. The zero values of what follows Path leave it unknown.
type Field struct {
	Name      string
	Path      []request.JSONStep
	ToJSON    bool     // whether it must become jsonb before arrows apply
	TSVector  *TSQuery // whether it must become a tsvector, and by which language
	Type      string   // as declared: what a value of it is before a transform
	BaseType  string
	Transform string // function of a domain representation
	Default   string
	FullRow   bool // the whole row, for count() in a spread
}

// TSQuery is the language of a full-text search; an empty one is the database's.
type TSQuery struct{ Language string }

// Logic is a tree of resolved filters.
//
//sumtype:decl
type Logic interface{ logic() }

// The nodes of a tree of resolved filters.
type (
	// Group is and(…) or or(…).
	Group struct {
		Negated bool
		Or      bool
		Items   []Logic
	}
	// Filter is a condition on a field.
	Filter struct {
		Field     Field
		Negated   bool
		Operation request.Operation
	}
	// EmbedExists is the condition that a child has rows, or has none.
	EmbedExists struct {
		Negated  bool // as the client wrote it: not.is.null
		AggAlias string
	}
)

func (Group) logic()       {}
func (Filter) logic()      {}
func (EmbedExists) logic() {}

// OrderTerm is a resolved term of an order. Of is the lateral subquery whose field it is, if it is a related order.
type OrderTerm struct {
	Of        string
	Field     Field
	Direction request.Direction
	Nulls     request.Nulls
}

// JoinCondition equates two columns.
type JoinCondition struct {
	Left, Right             schema.Ident
	LeftColumn, RightColumn string
}

// EmbedSelect is what a parent selects of a child.
type EmbedSelect struct {
	Child *Node
	// Fields are of a spread child; otherwise the child becomes one value.
	Fields []SpreadField
	// Empty is set when neither the child nor anything below it selects anything: it is joined but not selected.
	Empty bool
}

// SpreadField is a column of a spread child.
type SpreadField struct {
	Name          string
	Aggregate     request.Aggregate
	AggregateCast string
	Alias         string
}

// walk visits the node and all below it, parents first.
func (n *Node) walk(visit func(*Node)) {
	visit(n)
	for _, c := range n.Children {
		c.walk(visit)
	}
}

// DependsOnRole tells whether the plan that PostgreSQL makes for the tree may depend on the role.
func (n *Node) DependsOnRole() bool {
	bound := false
	n.walk(func(n *Node) { bound = bound || n.RoleBound })
	return bound
}

// LegacyTarget is an embed that a filter, order or limit named by its relation although it has an alias.
type LegacyTarget struct{ Name, Alias string }

// LegacyTargets lists the embeds of a plan that were named so.
func LegacyTargets(p Plan) []LegacyTarget {
	var tree *Node
	switch p := p.(type) {
	case *Read:
		tree = p.Tree
	case *Mutate:
		tree = p.Tree
	case *Call:
		tree = p.Tree
	case *Inspect, *Info:
		return nil
	}
	var out []LegacyTarget
	tree.walk(func(n *Node) {
		if n.LegacyMatch {
			out = append(out, LegacyTarget{n.Name, n.As})
		}
	})
	return out
}

// Aggregated tells whether any level of the tree has an aggregate.
func (n *Node) Aggregated() bool {
	found := false
	n.walk(func(n *Node) { found = found || aggregates(n) })
	return found
}
