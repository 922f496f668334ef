// Package plan provides the second value of a Data API request: what is to be done, resolved against a snapshot of the
// schema. It knows neither SQL text nor the database.
package plan

import (
	"github.com/tarn-data/tarn/internal/dataapi/media"
	"github.com/tarn-data/tarn/internal/dataapi/payload"
	"github.com/tarn-data/tarn/internal/dataapi/request"
	"github.com/tarn-data/tarn/internal/dataapi/schema"
	"github.com/tarn-data/tarn/internal/fault"
)

// Options are the settings that decide what a plan may be.
type Options struct {
	MaxRows           int64 // rows that a read answers at most; 0 for any number
	Aggregates        bool  // whether aggregate functions may be used
	LegacyTargetNames bool  // whether filters may name an aliased embed by its relation
	PlanEnabled       bool  // whether a client may ask for execution plans
}

// Plan is what is to be done.
//
//sumtype:decl
type Plan interface{ plan() }

// The plans.
type (
	// Read is a SELECT of a relation.
	Read struct {
		Tree        *Node
		Handler     schema.Handler
		Media       media.Type
		HeadersOnly bool
		Target      schema.Ident
		// Rows is set where the rows can be rendered outside of the database, as they arrive: nothing has to be known of
		// all of them, and their types are known.
		Rows      bool
		Selective bool // whether how rows are best found may depend on the values of the filters
		Quiet     bool // whether no code of the database's users runs
		Brief     bool // whether it takes but little of the database, most likely
	}
	// Mutate is an INSERT, UPDATE or DELETE and what to read of the rows it touched.
	Mutate struct {
		Tree      *Node
		Write     Write
		Mutation  request.Mutation
		Handler   schema.Handler
		Media     media.Type
		Target    schema.Ident
		Selective bool // likewise
	}
	// Call is a call of a routine and what to read of its result.
	Call struct {
		Tree     *Node
		Routine  *schema.Routine
		Args     Args
		Returned []string // columns of the result that are needed; nil for all
		ReadOnly bool
		Brief    bool // likewise
		Invoke   request.Invoke
		Handler  schema.Handler
		Media    media.Type
	}
	// Inspect describes the schema.
	Inspect struct {
		Schema      string
		HeadersOnly bool
	}
	// Info tells which methods a resource allows; it needs no database.
	Info struct{ Allow string }
)

func (*Read) plan()    {}
func (*Mutate) plan()  {}
func (*Call) plan()    {}
func (*Inspect) plan() {}
func (*Info) plan()    {}

// Write is the writing half of a Mutate.
//
//sumtype:decl
type Write interface{ write() }

// The writes.
type (
	// Insert inserts the payload's rows.
	Insert struct {
		Into          schema.Ident
		Columns       []Field
		Body          []byte
		Rows          *payload.Rows      // in place of the body, where it is read as it arrives
		Resolution    request.Resolution // what to do on conflict; NoResolution for an error
		ConflictOn    []string
		Where         []Logic // of a PUT: what the row must satisfy
		Returning     []string
		PrimaryKey    []string
		ApplyDefaults bool
		// Copyable is set where COPY does what the INSERT does, and nothing of the rows is asked for.
		Copyable bool
	}
	// Update sets the payload's columns.
	Update struct {
		Relation      schema.Ident
		Columns       []Field
		Body          []byte
		Where         []Logic
		Returning     []string
		ApplyDefaults bool
	}
	// Delete deletes rows.
	Delete struct {
		From      schema.Ident
		Where     []Logic
		Returning []string
	}
)

func (*Insert) write() {}
func (*Update) write() {}
func (*Delete) write() {}

// Args are the arguments of a call.
//
//sumtype:decl
type Args interface{ args() }

// The kinds of arguments.
type (
	// NamedArgs come of a query string or form.
	NamedArgs struct {
		Params []schema.Param
		Values map[string][]string // more than one value only for a variadic parameter
	}
	// JSONArgs come of a JSON object.
	JSONArgs struct {
		Params []schema.Param
		Body   []byte
	}
	// BodyArg is the whole body for the single unnamed parameter; a nil body is NULL.
	BodyArg struct {
		Param schema.Param
		Body  []byte
	}
)

func (NamedArgs) args() {}
func (JSONArgs) args()  {}
func (BodyArg) args()   {}

// New plans a request.
func New(req *request.Request, cache *schema.Cache, opt Options) (Plan, error) {
	p := planner{req: req, cache: cache, opt: opt}
	switch a := req.Action.(type) {
	case request.ReadRelation:
		return p.read(a)
	case request.MutateRelation:
		return p.mutate(a)
	case request.CallRoutine:
		return p.call(a)
	case request.ReadSchema:
		return p.inspect(a)
	case request.RelationInfo:
		return p.relationInfo(a)
	case request.RoutineInfo:
		return p.routineInfo(a)
	case request.SchemaInfo:
		return &Info{Allow: "OPTIONS,GET,HEAD"}, nil
	}
	return nil, fault.New(fault.Internal, "PGRSTX00", "unknown action")
}

// planner carries what every stage of planning looks at.
type planner struct {
	req   *request.Request
	cache *schema.Cache
	opt   Options
}

func (p *planner) ident(name string) schema.Ident {
	return schema.Ident{Schema: p.req.Schema, Name: name}
}

func (p *planner) read(a request.ReadRelation) (Plan, error) {
	rel, err := p.cache.FindRelation(p.ident(a.Name))
	if err != nil {
		return nil, err
	}
	tree, err := p.readTree(rel.Ident, false)
	if err != nil {
		return nil, err
	}
	h, err := p.negotiate(rel.Ident, tree)
	if err != nil {
		return nil, err
	}
	if err := p.checkPreferences(); err != nil {
		return nil, err
	}
	if a.HeadersOnly {
		h.Handler = schema.Handler{}
	}
	return &Read{
		Tree: tree, Handler: h.Handler, Media: h.Media, HeadersOnly: a.HeadersOnly, Target: rel.Ident,
		Rows: p.rowsSuffice(tree, h), Selective: p.selective(tree), Quiet: p.quiet(tree), Brief: p.brief(tree),
	}, nil
}

func (p *planner) inspect(a request.ReadSchema) (Plan, error) {
	for _, t := range p.req.Accept {
		switch t.Kind { //nolint:exhaustive // only these are made
		case media.OpenAPI, media.JSON, media.Any:
			return &Inspect{Schema: p.req.Schema, HeadersOnly: a.HeadersOnly}, nil
		}
	}
	return nil, notAcceptable(p.req.Accept)
}

func (p *planner) relationInfo(a request.RelationInfo) (Plan, error) {
	rel, err := p.cache.FindRelation(p.ident(a.Name))
	if err != nil {
		return nil, err
	}
	allow := "OPTIONS,GET,HEAD"
	if rel.Insertable {
		allow += ",POST"
	}
	if rel.Insertable && rel.Updatable && len(rel.PrimaryKey) > 0 {
		allow += ",PUT"
	}
	if rel.Updatable {
		allow += ",PATCH"
	}
	if rel.Deletable {
		allow += ",DELETE"
	}
	return &Info{Allow: allow}, nil
}

func (p *planner) routineInfo(a request.RoutineInfo) (Plan, error) {
	routine, err := p.cache.FindRoutine(p.ident(a.Name), argumentKeys(p.req.Query.Params), p.req.Content, false)
	if err != nil {
		return nil, err
	}
	if routine.Volatility == schema.Volatile {
		return &Info{Allow: "OPTIONS,POST"}, nil
	}
	return &Info{Allow: "OPTIONS,GET,HEAD,POST"}, nil
}

// checkPreferences refuses preferences that were not understood when the client asked for strictness.
func (p *planner) checkPreferences() error {
	if p.req.Prefer.Handling != request.Strict || len(p.req.Prefer.Invalid) == 0 {
		return nil
	}
	return fault.New(fault.Invalid, "PGRST122", "Invalid preferences given with handling=strict").
		WithDetails("Invalid preferences: " + join(p.req.Prefer.Invalid))
}
