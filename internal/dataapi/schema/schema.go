// Package schema provides the schema cache: an immutable snapshot of the exposed schemas with relations, routines,
// relationships, domain representations and media type handlers, and the searches on it. It doesn't know how the
// snapshot is loaded.
package schema

import "github.com/tarn-data/tarn/internal/dataapi/media"

// Ident is the qualified name of a database object. An empty Schema leaves it to the search path.
type Ident struct{ Schema, Name string }

// Cache is the snapshot. Nothing in it changes once it is built; a reload makes another.
type Cache struct {
	ServerVersion   int // as server_version_num has it: 150018
	Relations       map[Ident]*Relation
	Relationships   map[RelationshipKey][]Relationship
	Routines        map[Ident][]*Routine // overloads by number of parameters, fewest first
	Representations map[Cast]string      // the function of an implicit cast, ready for SQL
	Handlers        map[HandlerKey]ResolvedHandler
	Roles           map[string]RoleSettings // of the roles that the authenticator may become

	hints *hints // shared by copies of the snapshot
}

// RelationshipKey finds the relationships that lead from a relation to those of a schema.
type RelationshipKey struct {
	From   Ident
	Schema string
}

// Relation is a table, view, materialized view or foreign table.
type Relation struct {
	Ident
	Description string
	IsView      bool // or materialized view
	Insertable  bool
	Updatable   bool
	Deletable   bool
	RowSecurity bool // whether row-level security is on, so that plans depend on the role
	Plain       bool // whether to read it runs no code of the database's users: a table without rules, whose policies call none
	Copyable    bool // whether COPY puts into it what INSERT would: a table without rules and row-level security
	PrimaryKey  []string
	Columns     []Column
	index       map[string]int
}

// Column is a column of a relation.
type Column struct {
	Name        string
	Description string
	Nullable    bool
	Type        string // base type of a domain, else the type, without modifiers where it is a built-in one
	NominalType string // the type as declared, a domain by its name, with modifiers
	MaxLength   int    // of character types; 0 for none
	Default     string // expression; empty for none
	Enum        []string
	// IdentityAlways is set where an INSERT may not give a value; a COPY may.
	IdentityAlways bool
}

// Column returns the column of that name.
func (r *Relation) Column(name string) (*Column, bool) {
	i, ok := r.index[name]
	if !ok {
		return nil, false
	}
	return &r.Columns[i], true
}

// Cardinality of a relationship, seen from its source.
type Cardinality uint8

// The cardinalities.
const (
	OneToMany Cardinality = iota
	ManyToOne
	OneToOne
	ManyToMany
	Computed // by a function
)

// Relationship leads from one relation to another.
type Relationship struct {
	Relation       Ident
	Foreign        Ident
	IsSelf         bool
	Cardinality    Cardinality
	RelationIsView bool
	ForeignIsView  bool

	Constraint string       // of O2M, M2O and O2O
	Columns    []ColumnPair // likewise
	IsParent   bool         // of O2O: whether the source is the referenced side

	Junction *Junction // of M2M

	Function Ident // of Computed
	ToOne    bool  // of Computed: whether it returns one row at most
}

// ColumnPair is a column at the source and its fellow at the other end.
type ColumnPair struct{ Local, Foreign string }

// Junction is the table between the ends of a many-to-many relationship.
type Junction struct {
	Relation      Ident
	Constraint1   string       // to the source
	Constraint2   string       // to the target
	SourceColumns []ColumnPair // of the source, of the junction
	TargetColumns []ColumnPair // of the target, of the junction
}

// IsToOne tells whether at most one row is at the other end.
func (r *Relationship) IsToOne() bool {
	switch r.Cardinality {
	case ManyToOne, OneToOne:
		return true
	case Computed:
		return r.ToOne
	case OneToMany, ManyToMany:
		return false
	}
	return false
}

// Routine is a function or procedure.
type Routine struct {
	Ident
	OID         uint32
	Description string
	Params      []Param
	Return      Return
	Volatility  Volatility
	Variadic    bool
	Isolation   Isolation // of its own setting; DefaultIsolation for none
	Settings    []Setting // of its own that are to hold for the whole transaction
}

// Param is a parameter of a routine.
type Param struct {
	Name     string // empty when unnamed
	Type     string
	CastType string // Type, but wide where the type would cut a value: bit is bit varying, character is character varying
	Required bool
	Variadic bool
}

// Return is what a routine returns.
type Return struct {
	Type      Ident // the type, or the relation of a row type
	SetOf     bool
	Composite bool
	Alias     bool // the composite is a domain over one
}

// ReturnsSingle tells whether the routine returns one value and not a set.
func (r *Routine) ReturnsSingle() bool { return !r.Return.SetOf }

// ReturnsScalar tells whether the routine returns one value that is not a row.
func (r *Routine) ReturnsScalar() bool { return !r.Return.SetOf && !r.Return.Composite }

// ReturnsSetOfScalar tells whether the routine returns a set of values that are not rows.
func (r *Routine) ReturnsSetOfScalar() bool { return r.Return.SetOf && !r.Return.Composite }

// ReturnsSingleComposite tells whether the routine returns one row.
func (r *Routine) ReturnsSingleComposite() bool { return !r.Return.SetOf && r.Return.Composite }

// ReturnsVoid tells whether the routine returns nothing.
func (r *Routine) ReturnsVoid() bool {
	return r.ReturnsScalar() && r.Return.Type == Ident{"pg_catalog", "void"}
}

// ReturnRelation is the name of the row type that a routine returns, if it returns rows.
func (r *Routine) ReturnRelation() (string, bool) { return r.Return.Type.Name, r.Return.Composite }

// Volatility of a routine.
type Volatility uint8

// The volatilities.
const (
	Volatile Volatility = iota
	Stable
	Immutable
)

// Isolation is a transaction's isolation level; the zero value leaves it to the server.
type Isolation uint8

// The isolation levels.
const (
	DefaultIsolation Isolation = iota
	ReadCommitted
	RepeatableRead
	Serializable
)

// Setting is a configuration parameter and its value.
type Setting struct{ Name, Value string }

// RoleSettings are the settings of a role that hold while a request acts as it.
type RoleSettings struct {
	Isolation Isolation
	Settings  []Setting
	Elevated  bool // whether it has more than a user's rights
}

// Cast is a pair of types, by name.
type Cast struct{ Source, Target string }

// HandlerKind says how a body is rendered.
type HandlerKind uint8

// The kinds of handler.
const (
	NoHandler HandlerKind = iota // no body is wanted
	HandleJSON
	HandleJSONStripped
	HandleSingle
	HandleSingleStripped
	HandleGeoJSON
	HandleCSV
	HandleNDJSON
	HandleCustom
)

// Handler renders a body of some media type.
type Handler struct {
	Kind     HandlerKind
	Function Ident // of HandleCustom: aggregate over Target's rows, or the media type's domain
	Target   Ident // of HandleCustom; the zero Ident is any row
}

// HandlerKey finds a handler by what it renders and the media type that was asked for.
type HandlerKey struct {
	Target Ident // the zero Ident is any row
	Media  media.Type
}

// ResolvedHandler is a handler and the media type that it makes, which */* leaves open.
type ResolvedHandler struct {
	Handler Handler
	Media   media.Type
}
