// Package request provides the first value of a Data API request: what was asked, parsed and typed, with nothing
// looked up. It knows neither the database's schema nor SQL.
package request

import (
	"io"

	"github.com/tarn-data/tarn/internal/dataapi/media"
	"github.com/tarn-data/tarn/internal/dataapi/payload"
)

// Input is an HTTP request as far as this package needs it. Header has canonical names.
type Input struct {
	Method string
	Path   string // below the API's root, decoded: "/", "/films", "/rpc/add"
	URI    string // as the client sent it, for the request.path setting
	Query  string // raw
	Header map[string][]string
	Body   []byte
	Stream io.Reader // the body in place of Body, where it is too large to be held if it needn't be; else nil
}

// Options are the settings that decide how a request is read.
type Options struct {
	Schemas         []string // exposed; the first is the default
	TxAllowOverride bool     // whether Prefer: tx= is heard
	OpenAPIDisabled bool
	RootSpec        string // routine that answers at the root, if any
	MaxRow          int    // bytes that a row of a body has at most which isn't held
}

// Request is what the client asked for.
type Request struct {
	Action     Action
	Method     string
	URI        string
	Schema     string
	Negotiated bool // whether the schema came of a profile, so that the answer names it
	Query      Query
	Range      Range // of the top level: Range header and limit/offset combined
	FewRows    bool  // whether at most Few rows are in it
	Prefer     Prefer
	Payload    Payload  // nil when there is none
	Columns    []string // sorted: the payload's keys or the columns parameter
	Accept     []media.Type
	Content    media.Type
}

// Action is what is to be done to which resource.
//
//sumtype:decl
type Action interface{ action() }

// The actions.
type (
	// ReadRelation is GET or HEAD of a relation.
	ReadRelation struct {
		Name        string
		HeadersOnly bool
	}
	// MutateRelation is POST, PATCH, PUT or DELETE of a relation.
	MutateRelation struct {
		Name     string
		Mutation Mutation
	}
	// CallRoutine is GET, HEAD or POST of a routine.
	CallRoutine struct {
		Name   string
		Invoke Invoke
	}
	// ReadSchema is GET or HEAD of the root.
	ReadSchema struct{ HeadersOnly bool }
	// RelationInfo is OPTIONS of a relation.
	RelationInfo struct{ Name string }
	// RoutineInfo is OPTIONS of a routine.
	RoutineInfo struct{ Name string }
	// SchemaInfo is OPTIONS of the root.
	SchemaInfo struct{}
)

func (ReadRelation) action()   {}
func (MutateRelation) action() {}
func (CallRoutine) action()    {}
func (ReadSchema) action()     {}
func (RelationInfo) action()   {}
func (RoutineInfo) action()    {}
func (SchemaInfo) action()     {}

// Mutation is a way to write to a relation.
type Mutation uint8

// The mutations.
const (
	Insert Mutation = iota
	Update
	Upsert // PUT of one row
	Delete
)

// Invoke is a way to call a routine.
type Invoke uint8

// The ways to call a routine.
const (
	InvokePost Invoke = iota
	InvokeGet
	InvokeHead
)

// Payload is what the body holds.
//
//sumtype:decl
type Payload interface{ payload() }

// The payloads.
type (
	// JSONPayload is an object or array of objects, or what a client who names the columns says is one.
	JSONPayload struct{ Raw []byte }
	// RowsPayload is rows to insert, which are read as they arrive.
	RowsPayload struct{ Rows *payload.Rows }
	// FormPayload is a decoded form, for a routine.
	FormPayload struct{ Params []Param }
	// RawPayload is bytes for a routine's single unnamed parameter.
	RawPayload struct{ Raw []byte }
)

func (JSONPayload) payload() {}
func (RowsPayload) payload() {}
func (FormPayload) payload() {}
func (RawPayload) payload()  {}

// Param is an argument of a routine, by name.
type Param struct{ Name, Value string }

// Few is how many rows are few.
const Few = 100

func (r Range) few() bool { return r.Limited && r.Limit <= Few }

// Range is a window on the rows. The zero value is all of them.
type Range struct {
	Offset  int64
	Limit   int64
	Limited bool
}
