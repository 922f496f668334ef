package request

// Query is the parsed query string.
type Query struct {
	Canonical  string // sorted by name and encoded, for Content-Location
	Select     []SelectItem
	Filters    []EmbedFilter // in the order of the query string
	Logic      []EmbedLogic
	Orders     []EmbedOrder
	Ranges     []EmbedRange // of embeds; the root's is Request.Range
	Params     []Param      // arguments of a routine that is read
	Columns    []string     // the columns parameter, sorted and unique; nil when absent
	OnConflict []string     // nil when absent
	// FilterKeys are the names of the parameters that are filters, sorted and unique; a PUT must name exactly the
	// primary key by them.
	FilterKeys []string
}

// Path leads from the root to an embed: clients.projects is ["clients", "projects"]; the root's is empty.
type Path []string

// The parameters that apply to a level of the select tree.
type (
	// EmbedFilter is a filter and the level that it applies to.
	EmbedFilter struct {
		Path   Path
		Filter Filter
	}
	// EmbedLogic is a tree of filters and the level that it applies to.
	EmbedLogic struct {
		Path  Path
		Logic Logic
	}
	// EmbedOrder is an order and the level that it applies to.
	EmbedOrder struct {
		Path  Path
		Terms []OrderTerm
	}
	// EmbedRange is a window and the level that it applies to.
	EmbedRange struct {
		Path  Path
		Range Range
	}
)

// SelectItem is an item of the select parameter.
//
//sumtype:decl
type SelectItem interface{ selectItem() }

// The items of a select.
type (
	// SelectField is alias:field::cast.aggregate()::cast.
	SelectField struct {
		Field         Field
		Aggregate     Aggregate
		AggregateCast string
		Cast          string
		Alias         string
	}
	// SelectRelation is alias:relation!hint!inner(items), or ...relation(items) when Spread.
	SelectRelation struct {
		Relation string
		Alias    string
		Hint     string
		Join     Join
		Spread   bool
		Items    []SelectItem
	}
)

func (SelectField) selectItem()    {}
func (SelectRelation) selectItem() {}

// Field is a column, computed field or * with a path into its JSON.
type Field struct {
	Name string
	Path []JSONStep
}

// JSONStep is one arrow of a JSON path.
type JSONStep struct {
	Text  bool   // ->> and not ->
	Index bool   // Key is an index, with its sign: "+1", "-2"
	Key   string // what the arrow points at
}

// Aggregate is an aggregate function; the zero value is none.
type Aggregate uint8

// The aggregate functions.
const (
	NoAggregate Aggregate = iota
	Sum
	Avg
	Max
	Min
	Count
)

// Join is how an embed is joined; the zero value is the default, a left join.
type Join uint8

// The joins.
const (
	DefaultJoin Join = iota
	InnerJoin
	LeftJoin
)

// Logic is a tree of filters.
//
//sumtype:decl
type Logic interface{ logic() }

// The nodes of a tree of filters.
type (
	// LogicGroup is and(…) or or(…), perhaps negated.
	LogicGroup struct {
		Negated bool
		Or      bool
		Items   []Logic
	}
	// LogicFilter is a leaf.
	LogicFilter struct{ Filter Filter }
)

func (LogicGroup) logic()  {}
func (LogicFilter) logic() {}

// Filter is a condition on a field.
type Filter struct {
	Field     Field
	Negated   bool
	Operation Operation
}

// Operation is an operator and its operand.
//
//sumtype:decl
type Operation interface{ operation() }

// The operations.
type (
	// Compare is a binary operator with one value, perhaps quantified: eq(any).{1,2}.
	Compare struct {
		Operator Operator
		Quantor  Quantor
		Value    string
	}
	// In is in.(a,b).
	In struct{ Values []string }
	// Is is is.null and its like.
	Is struct{ Value IsValue }
	// IsDistinct is isdistinct.value.
	IsDistinct struct{ Value string }
	// FullText is fts(language).query and its variants.
	FullText struct {
		Operator FullTextOperator
		Language string // empty for none
		Value    string
	}
)

func (Compare) operation()    {}
func (In) operation()         {}
func (Is) operation()         {}
func (IsDistinct) operation() {}
func (FullText) operation()   {}

// Operator is a binary operator with one value.
type Operator uint8

// The operators. Those up to IMatch can be quantified.
const (
	Equal Operator = iota
	GreaterEqual
	Greater
	LessEqual
	Less
	Like
	ILike
	Match
	IMatch
	NotEqual
	Contains
	Contained
	Overlap
	StrictlyLeft
	StrictlyRight
	NotExtendsRight
	NotExtendsLeft
	Adjacent
)

// Quantor makes an operator apply to any or all elements of an array.
type Quantor uint8

// The quantors.
const (
	NoQuantor Quantor = iota
	AnyOf
	AllOf
)

// IsValue is what IS compares with.
type IsValue uint8

// The values of IS.
const (
	IsNull IsValue = iota
	IsNotNull
	IsTrue
	IsFalse
	IsUnknown
)

// FullTextOperator is how the query of a full-text search is read.
type FullTextOperator uint8

// The full-text operators.
const (
	FTS FullTextOperator = iota
	PlainFTS
	PhraseFTS
	WebFTS
)

// OrderTerm is one term of an order: of the level's own field, or of a to-one embed's when Relation is set.
type OrderTerm struct {
	Relation  string
	Field     Field
	Direction Direction
	Nulls     Nulls
}

// Direction of an order; the zero value is not given.
type Direction uint8

// The directions.
const (
	DefaultDirection Direction = iota
	Ascending
	Descending
)

// Nulls says where an order puts nulls; the zero value is not given.
type Nulls uint8

// The places of nulls.
const (
	DefaultNulls Nulls = iota
	NullsFirst
	NullsLast
)

// String is the function's name in lower case.
func (a Aggregate) String() string {
	switch a {
	case Sum:
		return "sum"
	case Avg:
		return "avg"
	case Max:
		return "max"
	case Min:
		return "min"
	case Count:
		return "count"
	case NoAggregate:
	}
	return ""
}
