// Package endpoint provides what every API of the platform is made of: a route is data, a typed function becomes its
// handler, and a dialect writes its errors. It doesn't know which routes there are, who calls them, nor what they do.
package endpoint

import (
	"net/http"
	"reflect"
	"time"
)

// Access is who may call a route at all. What exactly they may do, the service decides.
type Access uint8

// The kinds of access.
const (
	Users  Access = iota // whoever has an account and a good token
	Admins               // members of the group admins
	Anyone               // also who doesn't say who they are
)

// Route is one operation of an API. Mux, audit log, rate limits and the OpenAPI document read the same rows.
type Route struct {
	Method  string
	Path    string   // with parameters as http.ServeMux has them: /api/2.0/permissions/{type}/{id}
	Also    []string // other paths of the same operation, as those of older versions
	Service string   // for audit and limits, such as tokens
	Action  string   // for audit, such as create
	Summary string   // for the OpenAPI document
	Access  Access
	Scope   string // of OAuth that allows the call besides all-apis; empty for none

	Securable string        // name of the input's field or parameter that names what is acted on; empty for none
	MaxBody   int64         // bytes; 0 for DefaultBody
	Timeout   time.Duration // 0 for the gateway's
	Dialect   Dialect       // of its errors; nil for Platform
	Do        Function
}

// DefaultBody is how many bytes a request's body may have.
const DefaultBody = 10 << 20

// Function is what a route does.
type Function interface {
	// Serve answers a call. What it returns as an error was not answered yet.
	Serve(w http.ResponseWriter, r *http.Request, c *Call) error
	// Types are the types of the input and of the output; nil where they aren't JSON.
	Types() (in, out reflect.Type)
}

// Raw makes a function of one that reads the request and writes the response by itself.
func Raw(f func(w http.ResponseWriter, r *http.Request, c *Call) error) Function { return raw(f) }

type raw func(w http.ResponseWriter, r *http.Request, c *Call) error

// Serve implements Function.
func (f raw) Serve(w http.ResponseWriter, r *http.Request, c *Call) error { return f(w, r, c) }

// Types implements Function.
func (raw) Types() (in, out reflect.Type) { return nil, nil }
