package token

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// deprecatedPath is a path as PostgREST's older versions have it, such as .roles[?(@ ^== "web_")].
type deprecatedPath []deprecatedStep

// deprecatedStep leads to a member of an object, to an element of an array, or to the first string of an array that
// meets a condition; which of them, its operator says: ".", "[" or a comparison.
type deprecatedStep struct {
	op    string
	text  string // name of the member, or what to compare with
	index int
}

func parseDeprecatedPath(expr string) (deprecatedPath, bool) {
	var path deprecatedPath
	for rest := expr; rest != ""; {
		var step deprecatedStep
		var ok bool
		switch {
		case rest[0] == '.':
			step, rest, ok = parseMember(rest[1:])
		case strings.HasPrefix(rest, "[?("):
			step, rest, ok = parseCondition(rest[len("[?("):])
			ok = ok && rest == "" // nothing may follow
		case rest[0] == '[':
			step, rest, ok = parseIndex(rest[1:])
		}
		if !ok {
			return nil, false
		}
		path = append(path, step)
	}
	return path, path != nil
}

func parseMember(s string) (step deprecatedStep, rest string, ok bool) {
	if text, rest, ok := cutQuoted(s); ok {
		return deprecatedStep{op: ".", text: text}, rest, true
	}
	end := strings.IndexFunc(s, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsNumber(r) && !strings.ContainsRune("_$@", r) || r == utf8.RuneError
	})
	if end < 0 {
		end = len(s)
	}
	return deprecatedStep{op: ".", text: s[:end]}, s[end:], end > 0
}

func parseIndex(s string) (step deprecatedStep, rest string, ok bool) {
	digits, rest, ok := strings.Cut(s, "]")
	if !ok || strings.Trim(digits, "0123456789") != "" {
		return deprecatedStep{}, "", false
	}
	i, err := strconv.Atoi(digits)
	return deprecatedStep{op: "[", index: i}, rest, err == nil
}

func parseCondition(s string) (step deprecatedStep, rest string, ok bool) {
	s, ok = strings.CutPrefix(s, "@")
	s = strings.TrimLeftFunc(s, unicode.IsSpace)
	if !ok {
		return deprecatedStep{}, "", false
	}
	for _, op := range [...]string{"==^", "==", "!=", "^==", "*=="} {
		after, ok := strings.CutPrefix(s, op)
		if !ok {
			continue
		}
		text, rest, ok := cutQuoted(strings.TrimLeftFunc(after, unicode.IsSpace))
		if !ok {
			return deprecatedStep{}, "", false
		}
		rest, ok = strings.CutPrefix(rest, ")]")
		return deprecatedStep{op: op, text: text}, rest, ok
	}
	return deprecatedStep{}, "", false
}

// cutQuoted cuts a string in double quotes off s. There are no escapes in it.
func cutQuoted(s string) (text, rest string, ok bool) {
	s, ok = strings.CutPrefix(s, `"`)
	if !ok {
		return "", "", false
	}
	return strings.Cut(s, `"`)
}

// String renders the path in its normal form.
func (p deprecatedPath) String() string {
	var b strings.Builder
	for _, s := range p {
		switch s.op {
		case ".":
			b.WriteString(`."` + s.text + `"`)
		case "[":
			b.WriteString("[" + strconv.Itoa(s.index) + "]")
		default:
			b.WriteString("[?(@ " + s.op + ` "` + s.text + `")]`)
		}
	}
	return b.String()
}

func (p deprecatedPath) find(claims map[string]any) (any, bool) {
	var v any = claims
	for _, s := range p {
		var ok bool
		switch inside := v.(type) {
		case map[string]any:
			v, ok = inside[s.text]
			ok = ok && s.op == "."
		case []any:
			v, ok = s.element(inside)
		}
		if !ok {
			return nil, false
		}
	}
	return v, len(p) > 0
}

func (s deprecatedStep) element(array []any) (any, bool) {
	switch s.op {
	case ".":
		return nil, false
	case "[":
		if s.index >= len(array) {
			return nil, false
		}
		return array[s.index], true
	}
	for _, v := range array {
		if text, ok := v.(string); ok && s.holds(text) {
			return text, true
		}
	}
	return nil, false
}

func (s deprecatedStep) holds(text string) bool {
	switch s.op {
	case "==":
		return text == s.text
	case "!=":
		return text != s.text
	case "^==":
		return strings.HasPrefix(text, s.text)
	case "==^":
		return strings.HasSuffix(text, s.text)
	default: // "*=="
		return strings.Contains(text, s.text)
	}
}
