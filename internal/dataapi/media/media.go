// Package media provides media types as the Data API knows them: parsed from Accept, Content-Type and the names of
// domains, compared as values, written back. It knows nothing of which of them can be produced.
package media

// Kind is one of the media types with a meaning of their own, or Other.
type Kind uint8

// The kinds of media type.
const (
	Any              Kind = iota // */*
	JSON                         // application/json
	GeoJSON                      // application/geo+json
	CSV                          // text/csv
	Text                         // text/plain
	XML                          // text/xml
	OpenAPI                      // application/openapi+json
	URLEncoded                   // application/x-www-form-urlencoded
	OctetStream                  // application/octet-stream
	NDJSON                       // application/x-ndjson: a JSON object a line
	ArrayStripped                // application/vnd.pgrst.array+json;nulls=stripped
	Singular                     // application/vnd.pgrst.object+json
	SingularStripped             // application/vnd.pgrst.object+json;nulls=stripped
	Plan                         // application/vnd.pgrst.plan
	Other                        // anything else, by name
)

// Format is the format of an execution plan.
type Format uint8

// The formats of an execution plan.
const (
	PlanText Format = iota
	PlanJSON
)

// Options is a set of EXPLAIN options.
type Options uint8

// The EXPLAIN options that a client may ask for, in the order in which they are written.
const (
	Analyze Options = 1 << iota
	Verbose
	Settings
	Buffers
	WAL
)

// Type is a media type. It is comparable, so it can be a key.
type Type struct {
	Kind Kind
	Name string // of Other, as it was written

	// Of Plan: what the plan is for, and how it is asked for.
	For     Kind
	ForName string
	Format  Format
	Options Options
}

// Of returns the type of a kind other than Other and Plan.
func Of(k Kind) Type { return Type{Kind: k} }

// Explained returns the type whose plan a Plan type asks for.
func (t Type) Explained() Type { return Type{Kind: t.For, Name: t.ForName} }
