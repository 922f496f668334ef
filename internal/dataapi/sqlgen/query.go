// Package sqlgen provides the third value of a Data API request: one SQL statement and its parameters, rendered from a
// plan. Nothing of the client's text is ever pasted into SQL: values are parameters, and names are quoted. It doesn't
// know how statements are run.
package sqlgen

import (
	"github.com/tarn-data/tarn/internal/dataapi/payload"
	"github.com/tarn-data/tarn/internal/dataapi/plan"
	"github.com/tarn-data/tarn/internal/dataapi/request"
	"github.com/tarn-data/tarn/internal/dataapi/schema"
	"github.com/tarn-data/tarn/internal/fault"
)

// Statement is SQL text and its parameters.
type Statement struct {
	SQL  string
	Args []Arg
}

// Arg is a parameter. A zero OID leaves the type to the server.
type Arg struct {
	OID    uint32
	Binary bool
	Value  []byte // nil is NULL
}

// Query is what a plan needs of the database.
type Query struct {
	Main          Statement
	Bare          string // SQL that does the same as Main's, but fails if code of the database's users would run; empty for none
	Columns       Columns
	Load          *Load      // what comes before Main, or in its place, with the rows of a large payload
	Rows          RowFormat  // Main's rows are those of the answer, to be rendered in this format, and no Row
	Explained     bool       // Main's rows are the lines of an execution plan and no Row
	Total         *Statement // the number of all rows, where Main's are those of the answer and may be fewer
	TotalIsPage   bool       // or they are all
	Count         *Statement // the execution plan of counting all rows, when it is wanted
	ReadOnly      bool
	CallsVolatile bool             // whether a routine is called that may set what outlives the transaction
	Selective     bool             // whether PostgreSQL's best plan may depend on the values of filters
	Quiet         bool             // whether nothing can set the response's headers or status
	Brief         bool             // whether it takes but little of the database, most likely
	RoleBound     bool             // whether PostgreSQL's plan depends on the role, so that it must not be shared by roles
	Isolation     schema.Isolation // a routine's own
	Settings      []schema.Setting // likewise
}

// Load is a COPY and the text that it is to be given.
type Load struct {
	// Create makes the table that rows are copied to, from which Main inserts them. It is empty where rows are copied to
	// where they belong at once, and there is no Main.
	Create string
	Copy   string
	Text   *payload.Text
}

// RowFormat is what rows are rendered as outside of the database.
type RowFormat uint8

// The formats of rows.
const (
	NoRows RowFormat = iota
	JSONRows
	CSVRows
	NDJSONRows
	RenderedJSON   // each row is one value, its JSON
	RenderedNDJSON // likewise, and in one line
)

// Row is what Main returns, one row in all.
type Row struct {
	Total    *int64 // of all rows that the filters leave, when counted
	Page     int64  // rows in Body
	Body     []byte
	Headers  []byte // the response.headers setting; nil when not set
	Status   string // the response.status setting; empty when not set
	Location []byte // JSON array of pairs of column and filter; nil for none
	Inserted *int64 // rows that an upsert inserted
	Before   int64  // bytes of the body that went elsewhere, before Body
}

// Columns are the places of a Row's values in what Main returns. A place of -1 is of none. The body is wanted in binary,
// since it may be a bytea.
type Columns struct{ Total, Page, Location, Body, Headers, Status, Inserted, Count int }

func readColumns() Columns {
	return Columns{Total: 0, Page: 1, Location: -1, Body: 2, Headers: 3, Status: 4, Inserted: -1, Count: 5}
}

func writtenColumns() Columns {
	return Columns{Total: 0, Page: 1, Location: 2, Body: 3, Headers: 4, Status: 5, Inserted: 6, Count: 7}
}

// Options are the settings that decide how SQL is made.
type Options struct {
	MaxRows int64
	Whole   bool // the database renders the answer as a whole, even where its rows would do
}

// Build renders a plan. Plans that need no statement have none.
func Build(p plan.Plan, prefer request.Prefer, opt Options) (*Query, error) {
	switch p := p.(type) {
	case *plan.Read:
		return buildRead(p, prefer, opt), nil
	case *plan.Mutate:
		return buildMutate(p, prefer), nil
	case *plan.Call:
		return buildCall(p, prefer, opt), nil
	case *plan.Inspect, *plan.Info:
		return nil, nil //nolint:nilnil // there is nothing to ask
	}
	return nil, fault.New(fault.Internal, "PGRSTX00", "unknown plan")
}
