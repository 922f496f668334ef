package media

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// accepted is a type with what it is ranked by.
type accepted struct {
	typ         Type
	quality     float64
	specificity int
}

// ParseAccept reads the values of Accept headers into the types that are accepted, those wanted most first. Types of
// one quality are in the order of their parameters less their wildcards, and then as they were written. Without any
// type, every type is accepted.
func ParseAccept(values []string) []Type {
	var all []accepted
	for _, v := range values {
		for item := range strings.SplitSeq(v, ",") {
			if item = strings.ReplaceAll(item, " ", ""); item != "" {
				all = append(all, accept(item))
			}
		}
	}
	if len(all) == 0 {
		return []Type{Of(Any)}
	}
	slices.SortStableFunc(all, func(a, b accepted) int {
		return cmp.Or(cmp.Compare(b.quality, a.quality), cmp.Compare(b.specificity, a.specificity))
	})
	types := make([]Type, len(all))
	for i, a := range all {
		types[i] = a.typ
	}
	return types
}

func accept(item string) accepted {
	name, q, _ := strings.Cut(item, ";q=")
	return accepted{
		typ:         Parse(name),
		quality:     quality(q),
		specificity: strings.Count(name, ";") - strings.Count(name, "*"),
	}
}

// quality reads the number that s starts with; 1 when there is none.
func quality(s string) float64 {
	i := digits(s)
	if i > 0 && i+1 < len(s) && s[i] == '.' {
		if d := digits(s[i+1:]); d > 0 {
			i += 1 + d
		}
	}
	q, err := strconv.ParseFloat(s[:i], 64)
	if err != nil {
		return 1
	}
	return q
}

func digits(s string) int {
	i := 0
	for i < len(s) && s[i] >= '0' && s[i] <= '9' {
		i++
	}
	return i
}
