// Package openapi describes routes as an OpenAPI 3.1 document, from the types of their inputs and outputs. It doesn't know
// which routes there are.
package openapi

import (
	"encoding/json"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/tarn-data/tarn/internal/endpoint"
)

// Info is what a document says of the API as a whole.
type Info struct {
	Title       string `json:"title"`
	Description string `json:"description,omitempty"`
	Version     string `json:"version"`
}

// object is a part of a document.
type object map[string]any

// Document renders the document of routes.
func Document(info Info, routes []endpoint.Route) ([]byte, error) {
	b := builder{schemas: object{}, names: map[reflect.Type]string{}, operations: map[string]int{}}
	paths := object{}
	tags := []string{}
	for i := range routes {
		r := &routes[i]
		if !slices.Contains(tags, r.Service) {
			tags = append(tags, r.Service)
		}
		for _, path := range append([]string{r.Path}, r.Also...) {
			name := plainPath(path)
			item, ok := paths[name].(object)
			if !ok {
				item = object{}
				paths[name] = item
			}
			item[strings.ToLower(r.Method)] = b.operation(r, path)
		}
	}
	slices.Sort(tags)
	tagObjects := make([]object, len(tags))
	for i, name := range tags {
		tagObjects[i] = object{"name": name}
	}
	return json.MarshalIndent(object{
		"openapi": "3.1.0", "info": info, "servers": []object{{"url": "/"}}, "tags": tagObjects, "paths": paths,
		"components": object{
			"schemas":         b.schemas,
			"securitySchemes": object{"token": object{"type": "http", "scheme": "bearer", "description": "A personal access token, or a token of OAuth."}},
		},
	}, "", "  ")
}

type builder struct {
	schemas    object
	names      map[reflect.Type]string // of the types that have a schema
	operations map[string]int          // how many there are of a name
}

var (
	pathParameter = regexp.MustCompile(`\{([^}.$]+)(\.\.\.)?\}`)
	notInNames    = regexp.MustCompile(`[^A-Za-z0-9]+`)
)

// plainPath is a path without what only http.ServeMux understands.
func plainPath(path string) string {
	return strings.TrimSuffix(pathParameter.ReplaceAllString(path, "{$1}"), "{$}")
}

func (b *builder) operation(r *endpoint.Route, path string) object {
	in, out := r.Do.Types()
	id := r.Service + "." + r.Action
	b.operations[id]++
	if n := b.operations[id]; n > 1 {
		id += "." + strconv.Itoa(n)
	}
	op := object{"operationId": id, "tags": []string{r.Service}, "summary": r.Summary, "responses": object{
		"200":     b.answer(out),
		"default": object{"description": "An error", "content": object{"application/json": object{"schema": b.failure(r.Dialect)}}},
	}}
	if path != r.Path {
		op["deprecated"] = true
		op["description"] = "Another path of " + r.Path + "."
	}
	if r.Access != endpoint.Anyone {
		op["security"] = []object{{"token": []string{}}}
	}
	hasBody := r.Method != http.MethodGet && r.Method != http.MethodHead && r.Method != http.MethodDelete
	parameters, body := b.input(in, path, hasBody)
	if len(parameters) > 0 {
		op["parameters"] = parameters
	}
	switch {
	case body != nil:
		op["requestBody"] = object{"content": object{"application/json": object{"schema": body}}}
	case in == nil && hasBody:
		op["requestBody"] = object{"content": object{"*/*": object{}}}
	}
	return op
}

// answer is the answer of an operation. What writes its own may be anything.
func (b *builder) answer(out reflect.Type) object {
	answer := object{"description": "What was asked for"}
	switch out {
	case nil, reflect.TypeFor[endpoint.Response]():
		answer["content"] = object{"*/*": object{}}
	default:
		answer["content"] = object{"application/json": object{"schema": b.schema(out)}}
	}
	return answer
}

// failure is the error of a dialect.
func (b *builder) failure(d endpoint.Dialect) object {
	text, texts := object{"type": "string"}, object{"type": "array", "items": object{"type": "string"}}
	name, schema := "Error", object{
		"type": "object", "required": []string{"error_code", "message"},
		"properties": object{"error_code": text, "message": text, "details": object{"type": "array", "items": object{"type": "object"}}},
	}
	switch d.(type) {
	case endpoint.SCIM:
		name, schema = "ScimError", object{"type": "object", "properties": object{"schemas": texts, "detail": text, "status": text, "scimType": text}}
	case endpoint.OAuth:
		name, schema = "OAuthError", object{"type": "object", "required": []string{"error"}, "properties": object{"error": text, "error_description": text}}
	}
	b.schemas[name] = schema
	return ref(name)
}

func ref(name string) object { return object{"$ref": "#/components/schemas/" + name} }

// input are the parameters and the body of an input.
func (b *builder) input(in reflect.Type, path string, hasBody bool) (parameters []object, body object) {
	known := map[string]bool{}
	add := func(name, where string, schema object) {
		if known[where+name] {
			return
		}
		known[where+name] = true
		p := object{"name": name, "in": where, "schema": schema}
		if where == "path" {
			p["required"] = true
		}
		parameters = append(parameters, p)
	}
	inPath := map[string]bool{}
	for _, m := range pathParameter.FindAllStringSubmatch(path, -1) {
		inPath[m[1]] = true
	}
	var fields []reflect.StructField
	if in != nil && in.Kind() == reflect.Struct {
		fields = flat(in)
	}
	inBody := false
	for _, f := range fields {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Tag.Get("path") != "":
			if inPath[f.Tag.Get("path")] {
				add(f.Tag.Get("path"), "path", b.schema(f.Type))
			}
		case f.Tag.Get("query") != "":
			add(f.Tag.Get("query"), "query", b.schema(f.Type))
			inBody = inBody || name != "-" && name != ""
		case name == "-" || name == "":
		case hasBody:
			inBody = true
		default:
			add(name, "query", b.schema(f.Type))
		}
	}
	for _, m := range pathParameter.FindAllStringSubmatch(path, -1) {
		add(m[1], "path", object{"type": "string"})
	}
	if hasBody && in != nil && (inBody || in.Kind() != reflect.Struct) {
		body = b.schema(in)
	}
	return parameters, body
}

// flat are the exported fields of a struct, with those of structs that are embedded.
func flat(t reflect.Type) (all []reflect.StructField) {
	for f := range t.Fields() {
		inner := f.Type
		if inner.Kind() == reflect.Pointer {
			inner = inner.Elem()
		}
		switch {
		case f.Anonymous && inner.Kind() == reflect.Struct && f.Tag.Get("json") == "":
			all = append(all, flat(inner)...)
		case f.IsExported():
			all = append(all, f)
		}
	}
	return all
}
