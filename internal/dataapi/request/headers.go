package request

import (
	"slices"
	"strings"
)

// readHeaders lists the headers other than Cookie, sorted by name.
func readHeaders(h map[string][]string) []Header {
	out := make([]Header, 0, len(h))
	for name, values := range h {
		if name == "Cookie" {
			continue
		}
		name = strings.ToLower(name)
		for _, v := range values {
			out = append(out, Header{name, v})
		}
	}
	slices.SortStableFunc(out, func(a, b Header) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// readCookies lists the cookies. The quotes around a value are not part of it.
func readCookies(values []string) []Header {
	var out []Header
	for _, v := range values {
		for item := range strings.SplitSeq(v, ";") {
			name, value, _ := strings.Cut(item, "=")
			if name = strings.TrimLeft(name, " "); name == "" && value == "" {
				continue
			}
			if n := len(value); n > 1 && value[0] == '"' && value[n-1] == '"' {
				value = value[1 : n-1]
			}
			out = append(out, Header{name, value})
		}
	}
	return out
}
