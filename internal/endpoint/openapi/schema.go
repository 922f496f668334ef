package openapi

import (
	"encoding"
	"encoding/json"
	"path"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// schema is the JSON Schema of a type. Structs that have a name become components.
func (b *builder) schema(t reflect.Type) object {
	switch {
	case t == reflect.TypeFor[time.Time]():
		return object{"type": "string", "format": "date-time"}
	case t == reflect.TypeFor[json.RawMessage](), implements[json.Marshaler](t):
		return object{} // it may be anything
	case implements[encoding.TextMarshaler](t):
		return object{"type": "string"}
	}
	switch t.Kind() { //nolint:exhaustive // the others aren't of JSON
	case reflect.Pointer:
		return nullable(b.schema(t.Elem()))
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.String:
		return object{"type": "string"}
	case reflect.Int64, reflect.Uint64, reflect.Int, reflect.Uint:
		return object{"type": "integer", "format": "int64"}
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Uint8, reflect.Uint16, reflect.Uint32:
		return object{"type": "integer", "format": "int32"}
	case reflect.Float32, reflect.Float64:
		return object{"type": "number", "format": "double"}
	case reflect.Slice, reflect.Array:
		if t.Elem().Kind() == reflect.Uint8 {
			return object{"type": "string", "contentEncoding": "base64"}
		}
		return object{"type": "array", "items": b.schema(t.Elem())}
	case reflect.Map:
		return object{"type": "object", "additionalProperties": b.schema(t.Elem())}
	case reflect.Struct:
		return b.structure(t)
	}
	return object{}
}

func implements[T any](t reflect.Type) bool {
	return t.Kind() != reflect.Interface && (t.Implements(reflect.TypeFor[T]()) || reflect.PointerTo(t).Implements(reflect.TypeFor[T]()))
}

func nullable(schema object) object {
	if kind, ok := schema["type"].(string); ok {
		schema["type"] = []string{kind, "null"}
		return schema
	}
	if _, ok := schema["$ref"]; ok {
		return object{"anyOf": []object{schema, {"type": "null"}}}
	}
	return schema
}

func (b *builder) structure(t reflect.Type) object {
	if t.Name() == "" || t.NumField() == 0 {
		return b.properties(t)
	}
	name, ok := b.names[t]
	if !ok {
		name = b.name(t)
		b.names[t] = name
		b.schemas[name] = object{} // for types that contain themselves
		b.schemas[name] = b.properties(t)
	}
	return ref(name)
}

// name is a name for a type that no other has.
func (b *builder) name(t reflect.Type) string {
	own, _, _ := strings.Cut(t.Name(), "[")
	base := title(path.Base(t.PkgPath())) + title(notInNames.ReplaceAllString(own, ""))
	name := base
	for n := 2; b.schemas[name] != nil; n++ {
		name = base + strconv.Itoa(n)
	}
	return name
}

func title(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

func (b *builder) properties(t reflect.Type) object {
	properties := object{}
	for _, f := range flat(t) {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "-" || name == "" && (f.Tag.Get("path") != "" || f.Tag.Get("query") != "") {
			continue
		}
		if name == "" {
			name = f.Name
		}
		if strings.Contains(options, "string") {
			properties[name] = object{"type": "string"}
			continue
		}
		properties[name] = b.schema(f.Type)
	}
	schema := object{"type": "object"}
	if len(properties) > 0 {
		schema["properties"] = properties
	}
	return schema
}

// Fields are the names of all that a type's JSON has and what each is, such as "lists[].label string", in the order of its
// fields.
func Fields(t reflect.Type) []string {
	return fields(t, "", nil, nil)
}

func fields(t reflect.Type, prefix string, within []reflect.Type, out []string) []string {
	if slices.Contains(within, t) {
		return out
	}
	if t == reflect.TypeFor[time.Time]() || implements[json.Marshaler](t) || implements[encoding.TextMarshaler](t) {
		return out
	}
	switch t.Kind() { //nolint:exhaustive // the others have no fields
	case reflect.Pointer:
		return fields(t.Elem(), prefix, within, out)
	case reflect.Slice, reflect.Array:
		return fields(t.Elem(), prefix+"[]", within, out)
	case reflect.Map:
		return fields(t.Elem(), prefix+"{}", within, out)
	case reflect.Struct:
		within = append(slices.Clip(within), t)
		for _, f := range flat(t) {
			name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
			if name == "-" {
				continue
			}
			if name == "" {
				name = f.Name
			}
			at := name
			if prefix != "" {
				at = prefix + "." + name
			}
			kind := kindOf(f.Type)
			if strings.Contains(options, "string") {
				kind = "string"
			}
			out = append(out, at+" "+kind)
			out = fields(f.Type, at, within, out)
		}
	}
	return out
}

// kindOf is what a type is in JSON; any for one that may be several things.
func kindOf(t reflect.Type) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	kind, ok := (&builder{names: map[reflect.Type]string{}, schemas: object{}}).schema(t)["type"].(string)
	switch {
	case ok:
		return kind
	case t.Kind() == reflect.Struct && !implements[json.Marshaler](t):
		return "object"
	}
	return "any"
}
