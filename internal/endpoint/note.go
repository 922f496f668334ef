package endpoint

import (
	"reflect"
	"strings"
)

// redacted stands where a secret was.
const redacted = "[REDACTED]"

// note keeps the input for the audit record: its scalar fields, and of the others only that they were given.
func (c *Call) note(in any) {
	v := reflect.ValueOf(in).Elem()
	if v.Kind() != reflect.Struct {
		return
	}
	c.noteFields(v)
	if name := c.Route.Securable; name != "" && c.Securable == "" {
		if text, ok := c.Params[name].(string); ok {
			c.Securable = text
		}
	}
}

func (c *Call) noteFields(v reflect.Value) {
	for i := range v.NumField() {
		field := v.Type().Field(i)
		if field.Anonymous && field.Type.Kind() == reflect.Struct {
			c.noteFields(v.Field(i))
			continue
		}
		name := fieldName(field)
		if name == "" || v.Field(i).IsZero() {
			continue
		}
		if field.Tag.Get("audit") == "-" {
			c.noteParam(name, redacted)
			continue
		}
		c.noteParam(name, scalar(v.Field(i)))
	}
}

func (c *Call) noteParam(name string, value any) {
	if c.Params == nil {
		c.Params = map[string]any{}
	}
	c.Params[name] = value
}

func fieldName(field reflect.StructField) string {
	if !field.IsExported() {
		return ""
	}
	for _, tag := range [...]string{"path", "query", "json"} {
		if name, _, _ := strings.Cut(field.Tag.Get(tag), ","); name != "" && name != "-" {
			return name
		}
	}
	return ""
}

// scalar is a value that can't hold a secret within.
func scalar(v reflect.Value) any {
	switch v.Kind() { //nolint:exhaustive // the others are not looked into
	case reflect.Pointer:
		return scalar(v.Elem())
	case reflect.String:
		return v.String()
	case reflect.Bool:
		return v.Bool()
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return v.Int()
	case reflect.Float32, reflect.Float64:
		return v.Float()
	}
	return "[given]"
}
