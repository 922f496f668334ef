package rowtext

// kind is how a value of a type becomes JSON.
type kind uint8

const (
	unknown   kind = iota
	quoted         // a string
	number         // as it is, unless it is NaN or infinite
	verbatim       // JSON already
	boolean        // t or f
	timestamp      // a string with a T between date and time
	zoned          // likewise, and with minutes in its offset
)

// kindOf lists the types whose JSON can be made from their text. Types that users make are not on it.
func kindOf(oid uint32) kind {
	switch oid {
	case 16: // bool
		return boolean
	case 20, 21, 23, 700, 701, 1700: // int8, int2, int4, float4, float8, numeric
		return number
	case 114, 3802: // json, jsonb
		return verbatim
	case 1114: // timestamp
		return timestamp
	case 1184: // timestamptz
		return zoned
	case 17, 18, 19, 25, 26, 142, // bytea, "char", name, text, oid, xml
		650, 790, 829, 869, 774, // cidr, money, macaddr, inet, macaddr8
		1042, 1043, 1082, 1083, 1186, 1266, // bpchar, varchar, date, time, interval, timetz
		1560, 1562, 2950, 3614, 3615: // bit, varbit, uuid, tsvector, tsquery
		return quoted
	}
	return unknown
}

// Known tells whether values of a type can be rendered as JSON.
func Known(oid uint32) bool { return kindOf(oid) != unknown }

// KnownName tells whether a type is known, by its name as format_type has it without modifiers.
func KnownName(name string) bool {
	switch name {
	case "boolean", "bigint", "smallint", "integer", "real", "double precision", "numeric", "json", "jsonb",
		"timestamp without time zone", "timestamp with time zone", "bytea", `"char"`, "name", "text", "oid", "xml",
		"cidr", "money", "macaddr", "macaddr8", "inet", "character", "character varying", "date",
		"time without time zone", "time with time zone", "interval", "bit", "bit varying", "uuid", "tsvector", "tsquery":
		return true
	}
	return false
}

// JSON renders rows as an array of objects.
type JSON struct {
	prefixes [][]byte // before each value: brace or comma, name, colon
	kinds    []kind
}

// NewJSON makes an encoder for rows with these fields. It can't if a type is not known.
func NewJSON(fields []Field) (*JSON, bool) {
	e := &JSON{prefixes: make([][]byte, len(fields)), kinds: make([]kind, len(fields))}
	for i, f := range fields {
		if e.kinds[i] = kindOf(f.OID); e.kinds[i] == unknown {
			return nil, false
		}
		lead := byte(',')
		if i == 0 {
			lead = '{'
		}
		e.prefixes[i] = append(AppendString([]byte{lead}, []byte(f.Name)), ':')
	}
	return e, true
}

// Begin implements Encoder.
func (e *JSON) Begin(dst []byte, _ bool) []byte { return append(dst, '[') }

// End implements Encoder.
func (e *JSON) End(dst []byte) []byte { return append(dst, ']') }

// Row implements Encoder.
func (e *JSON) Row(dst []byte, values [][]byte, first bool) []byte {
	if !first {
		dst = append(dst, ", \n "...)
	}
	if len(values) == 0 {
		return append(dst, "{}"...)
	}
	for i, v := range values {
		dst = append(dst, e.prefixes[i]...)
		dst = appendValue(dst, v, e.kinds[i])
	}
	return append(dst, '}')
}

func appendValue(dst, v []byte, k kind) []byte {
	if v == nil {
		return append(dst, "null"...)
	}
	switch k {
	case number:
		// Only NaN and the infinities have letters other than an exponent's e.
		if c := v[len(v)-1]; c == 'N' || c == 'y' {
			return append(append(append(dst, '"'), v...), '"')
		}
		return append(dst, v...)
	case verbatim:
		return append(dst, v...)
	case boolean:
		if v[0] == 't' {
			return append(dst, "true"...)
		}
		return append(dst, "false"...)
	case timestamp:
		return append(appendTimestamp(append(dst, '"'), v), '"')
	case zoned:
		return append(appendZoned(append(dst, '"'), v), '"')
	case quoted, unknown:
	}
	return AppendString(dst, v)
}

// appendTimestamp writes "2024-01-15 10:00:00" with a T. What has no time, as infinity, stays as it is.
func appendTimestamp(dst, v []byte) []byte {
	for i, c := range v {
		if c == ' ' && i+1 < len(v) && v[i+1] >= '0' && v[i+1] <= '9' {
			dst = append(append(dst, v[:i]...), 'T')
			return append(dst, v[i+1:]...)
		}
	}
	return append(dst, v...)
}

// appendZoned writes "2024-01-15 10:00:00+02" with a T and the offset's minutes. An era comes after the offset.
func appendZoned(dst, v []byte) []byte {
	era := len(v)
	if n := len(v); n > 3 && v[n-1] == 'C' && v[n-2] == 'B' {
		era = n - 3
	}
	sign := -1
	for i := era - 1; i > 0; i-- {
		if v[i] == '+' || v[i] == '-' {
			sign = i
			break
		}
		if v[i] != ':' && (v[i] < '0' || v[i] > '9') {
			break
		}
	}
	if sign < 0 || v[0] == '-' || v[0] == 'i' { // infinity
		return append(dst, v...)
	}
	dst = appendTimestamp(dst, v[:era])
	if era-sign == 3 {
		dst = append(dst, ":00"...)
	}
	return append(dst, v[era:]...)
}

// AppendString writes a JSON string with PostgreSQL's choice of escapes.
func AppendString(dst, v []byte) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	start := 0
	for i, c := range v {
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		dst = append(dst, v[start:i]...)
		start = i + 1
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\b':
			dst = append(dst, '\\', 'b')
		case '\f':
			dst = append(dst, '\\', 'f')
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
	}
	return append(append(dst, v[start:]...), '"')
}
