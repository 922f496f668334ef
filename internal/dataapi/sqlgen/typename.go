package sqlgen

import "strings"

// typeName is how a type that a client names is written. The names that SQL's grammar has for types can't be quoted, so
// they are written from here; all others are identifiers, which fold to lower case as those without quotes do.
func typeName(client string) string {
	name := strings.Join(strings.Fields(strings.ToLower(client)), " ")
	if grammar, ok := grammarType(name); ok {
		return grammar
	}
	return QuoteIdent(name)
}

func grammarType(name string) (string, bool) {
	switch name {
	case "int", "integer":
		return "integer", true
	case "smallint":
		return "smallint", true
	case "bigint":
		return "bigint", true
	case "real":
		return "real", true
	case "float", "double precision":
		return "double precision", true
	case "decimal", "dec", "numeric":
		return "numeric", true
	case "boolean":
		return "boolean", true
	case "bit":
		return "bit", true
	case "bit varying":
		return "bit varying", true
	case "char", "character", "nchar", "national character", "national char":
		return "character", true
	case "varchar", "character varying", "char varying", "nchar varying", "national character varying", "national char varying":
		return "character varying", true
	case "time", "time without time zone":
		return "time without time zone", true
	case "time with time zone":
		return "time with time zone", true
	case "timestamp", "timestamp without time zone":
		return "timestamp without time zone", true
	case "timestamp with time zone":
		return "timestamp with time zone", true
	case "interval":
		return "interval", true
	}
	return "", false
}
