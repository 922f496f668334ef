package openapi

import (
	"encoding/json"
	"strings"
)

// The types of Swagger. The empty string is any type.
const (
	anyType     = ""
	arrayType   = "array"
	objectType  = "object"
	stringType  = "string"
	numberType  = "number"
	integerType = "integer"
	booleanType = "boolean"
)

// typeOf is the Swagger type of the JSON in which values of a PostgreSQL type are written.
func typeOf(pgType string) string {
	switch pgType {
	case "boolean":
		return booleanType
	case "smallint", "integer", "bigint":
		return integerType
	case "numeric", "real", "double precision":
		return numberType
	case "json", "jsonb":
		return anyType
	}
	if strings.HasSuffix(pgType, "[]") {
		return arrayType
	}
	return stringType
}

// formatOf tells the PostgreSQL type more closely than its Swagger type does.
func formatOf(pgType string) string {
	switch pgType {
	case "smallint", "integer":
		return "int32"
	case "bigint":
		return "int64"
	}
	return pgType
}

// elementOf is the type of an array's elements.
func elementOf(pgType string) string { return strings.TrimSuffix(pgType, "[]") }

// unqualified is the name of a type without its schema, if that is in the search path.
func unqualified(pgType string, searchPath []string) string {
	for _, s := range searchPath {
		for _, prefix := range []string{s + ".", `"` + strings.ReplaceAll(s, `"`, `""`) + `".`} {
			if name, ok := strings.CutPrefix(pgType, prefix); ok {
				return name
			}
		}
	}
	return pgType
}

// itemsOf describes the elements if the type is an array.
func itemsOf(pgType string) *value {
	if typeOf(pgType) != arrayType {
		return nil
	}
	return &value{Type: typeOf(elementOf(pgType))}
}

// defaultOf is the JSON value of a column's default, or nil where the expression isn't a plain constant. Of a text type
// every expression is taken, calls too, without the quotes and the cast that PostgreSQL puts around constants.
func defaultOf(pgType, expression string) json.RawMessage {
	if typeOf(pgType) == stringType && expression != "" {
		if constant, ok := strings.CutSuffix(expression, "::"+pgType); ok {
			expression = strings.Trim(constant, "'")
		}
		expression = `"` + expression + `"`
	}
	if !json.Valid([]byte(expression)) {
		return nil
	}
	return json.RawMessage(expression)
}
