package media

import "strings"

// String writes the type as it is named in Accept and Content-Type.
func (t Type) String() string {
	switch t.Kind {
	case Any:
		return "*/*"
	case JSON:
		return "application/json"
	case GeoJSON:
		return "application/geo+json"
	case CSV:
		return "text/csv"
	case Text:
		return "text/plain"
	case XML:
		return "text/xml"
	case OpenAPI:
		return "application/openapi+json"
	case URLEncoded:
		return "application/x-www-form-urlencoded"
	case OctetStream:
		return "application/octet-stream"
	case NDJSON:
		return "application/x-ndjson"
	case ArrayStripped:
		return "application/vnd.pgrst.array+json;nulls=stripped"
	case Singular:
		return "application/vnd.pgrst.object+json"
	case SingularStripped:
		return "application/vnd.pgrst.object+json;nulls=stripped"
	case Plan:
		return t.planString()
	case Other:
	}
	return t.Name
}

func (t Type) planString() string {
	s := "application/vnd.pgrst.plan+text"
	if t.Format == PlanJSON {
		s = "application/vnd.pgrst.plan+json"
	}
	s += `; for="` + t.Explained().String() + `"`
	if t.Options == 0 {
		return s
	}
	return s + "; options=" + t.Options.String()
}

// String joins the names of the options.
func (o Options) String() string {
	var names []string
	for one := Analyze; one <= WAL; one <<= 1 {
		if o&one != 0 {
			names = append(names, one.name())
		}
	}
	return strings.Join(names, "|")
}

// name is the name of a single option.
func (o Options) name() string {
	switch o {
	case Analyze:
		return "analyze"
	case Verbose:
		return "verbose"
	case Settings:
		return "settings"
	case Buffers:
		return "buffers"
	case WAL:
		return "wal"
	}
	return ""
}

// ContentType is the value of the Content-Type header of a body of this type.
func (t Type) ContentType() string {
	if t.Kind == JSON {
		return "application/json; charset=utf-8" // nearly all are
	}
	if t.Kind == OctetStream || t.Kind == NDJSON || t.Kind == Other {
		return t.String()
	}
	return t.String() + "; charset=utf-8"
}
