// Package scim provides the languages within SCIM 2.0 (RFC 7644): filters, the paths of changes, and the changes
// themselves on resources as JSON has them. It doesn't know which resources there are, nor where they are kept.
package scim

// Filter is a condition on resources: *Compare, *Both, *Either, *Not or *Within.
//
//sumtype:decl
type Filter interface{ filter() }

// Attr names an attribute, and possibly one within it, in lower case and without the name of a schema.
type Attr struct{ Name, Sub string }

// String renders the attribute as filters have it.
func (a Attr) String() string {
	if a.Sub == "" {
		return a.Name
	}
	return a.Name + "." + a.Sub
}

// Op is how an attribute is compared.
type Op string

// The operators.
const (
	Eq Op = "eq"
	Ne Op = "ne"
	Co Op = "co"
	Sw Op = "sw"
	Ew Op = "ew"
	Gt Op = "gt"
	Ge Op = "ge"
	Lt Op = "lt"
	Le Op = "le"
	Pr Op = "pr" // has a value
)

// Compare is a condition on one attribute.
type Compare struct {
	Attr  Attr
	Op    Op
	Value any // string, bool, json.Number, or nil for null and for pr
}

// Both holds if both do.
type Both struct{ Left, Right Filter }

// Either holds if one does.
type Either struct{ Left, Right Filter }

// Not holds if the other one doesn't.
type Not struct{ Filter Filter }

// Within holds if one value of an attribute that has many meets a condition. The attributes of that are those of a value.
type Within struct {
	Attr   Attr
	Filter Filter
}

func (*Compare) filter() {}
func (*Both) filter()    {}
func (*Either) filter()  {}
func (*Not) filter()     {}
func (*Within) filter()  {}

// Attrs calls a function for each attribute that a filter names, those within others with their names.
func Attrs(f Filter, visit func(Attr)) {
	switch f := f.(type) {
	case *Compare:
		visit(f.Attr)
	case *Both:
		Attrs(f.Left, visit)
		Attrs(f.Right, visit)
	case *Either:
		Attrs(f.Left, visit)
		Attrs(f.Right, visit)
	case *Not:
		Attrs(f.Filter, visit)
	case *Within:
		visit(f.Attr)
	}
}
