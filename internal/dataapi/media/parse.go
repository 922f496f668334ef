package media

import "strings"

// Parse reads a media type with its parameters. It never fails: what isn't one of the known types is Other by its
// whole text, and a parameter that can't be read ends the list of parameters.
func Parse(s string) Type {
	main, sub, rest, ok := split(s)
	if !ok {
		return Type{Kind: Other, Name: s}
	}
	kind := known(main, sub)
	switch kind { //nolint:exhaustive // the others have no parameters that matter
	case Singular:
		if stripped(rest) {
			return Of(SingularStripped)
		}
	case ArrayStripped:
		if !stripped(rest) {
			return Of(JSON)
		}
	case Plan:
		return plan(strings.EqualFold(sub, "vnd.pgrst.plan+json"), rest)
	case Other:
		return Type{Kind: Other, Name: s}
	}
	return Of(kind)
}

// known finds the kind of a type by its name; parameters can make it another one.
func known(main, sub string) Kind {
	switch {
	case main == "*" && sub == "*":
		return Any
	case strings.EqualFold(main, "text"):
		return knownText(strings.ToLower(sub))
	case strings.EqualFold(main, "application"):
		return knownApplication(strings.ToLower(sub))
	}
	return Other
}

func knownText(sub string) Kind {
	switch sub {
	case "csv":
		return CSV
	case "plain":
		return Text
	case "xml":
		return XML
	}
	return Other
}

func knownApplication(sub string) Kind {
	switch sub {
	case "json":
		return JSON
	case "geo+json":
		return GeoJSON
	case "openapi+json":
		return OpenAPI
	case "x-www-form-urlencoded":
		return URLEncoded
	case "octet-stream":
		return OctetStream
	case "x-ndjson":
		return NDJSON
	case "vnd.pgrst.object+json", "vnd.pgrst.object":
		return Singular
	case "vnd.pgrst.array+json", "vnd.pgrst.array":
		return ArrayStripped
	case "vnd.pgrst.plan", "vnd.pgrst.plan+text", "vnd.pgrst.plan+json":
		return Plan
	}
	return Other
}

func stripped(params string) bool {
	return parameter(params, "nulls") == "stripped"
}

func plan(asJSON bool, params string) Type {
	t := Type{Kind: Plan, For: JSON}
	if asJSON {
		t.Format = PlanJSON
	}
	if of := parameter(params, "for"); of != "" {
		explained := Parse(of)
		t.For, t.ForName = explained.Kind, explained.Name
	}
	for option := range strings.SplitSeq(parameter(params, "options"), "|") {
		t.Options |= optionNamed(option)
	}
	return t
}

func optionNamed(name string) Options {
	for one := Analyze; one <= WAL; one <<= 1 {
		if one.name() == name {
			return one
		}
	}
	return 0
}

// split cuts main/sub from what follows it.
func split(s string) (main, sub, rest string, ok bool) {
	i := span(s, ".*")
	if i == 0 || i == len(s) || s[i] != '/' {
		return "", "", "", false
	}
	main, s = s[:i], s[i+1:]
	i = span(s, ".*+-")
	return main, s[:i], s[i:], i > 0
}

// parameter is the last value given for a name among parameters like `; for="text/csv"; options=verbose`.
func parameter(params, name string) string {
	var found string
	for {
		key, value, rest, ok := nextParameter(params)
		if !ok {
			return found
		}
		if strings.EqualFold(key, name) {
			found = value
		}
		params = rest
	}
}

func nextParameter(s string) (key, value, rest string, ok bool) {
	s = trimLeft(s)
	if s == "" || s[0] != ';' {
		return "", "", "", false
	}
	s = trimLeft(s[1:])
	i := span(s, "-")
	if i == 0 {
		return "", "", "", false
	}
	key, s = s[:i], trimLeft(s[i:])
	if s == "" || s[0] != '=' {
		return "", "", "", false
	}
	s = trimLeft(s[1:])
	if s != "" && s[0] == '"' {
		value, rest, ok = strings.Cut(s[1:], `"`)
		return key, value, rest, ok
	}
	i = span(s, "|-")
	return key, s[:i], s[i:], i > 0
}

// span is how many letters, digits and characters of extra s starts with.
func span(s, extra string) int {
	for i := range len(s) {
		c := s[i]
		alnum := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !alnum && strings.IndexByte(extra, c) < 0 {
			return i
		}
	}
	return len(s)
}

func trimLeft(s string) string { return strings.TrimLeft(s, " \t\r\n\v\f") }
