package scim

import (
	"fmt"
	"strings"
)

// Matches tells whether one value of an attribute meets a condition. What it holds no attribute for is missing.
func Matches(f Filter, value map[string]any) bool {
	switch f := f.(type) {
	case *Both:
		return Matches(f.Left, value) && Matches(f.Right, value)
	case *Either:
		return Matches(f.Left, value) || Matches(f.Right, value)
	case *Not:
		return !Matches(f.Filter, value)
	case *Compare:
		_, found := lookup(value, f.Attr.Name)
		return compares(f, found)
	case *Within:
		return false // values aren't nested
	}
	return false
}

func compares(c *Compare, found any) bool {
	if c.Op == Pr {
		return found != nil && found != ""
	}
	if c.Value == nil || found == nil {
		return (c.Op == Ne) != (found == c.Value)
	}
	have, want := strings.ToLower(fmt.Sprint(found)), strings.ToLower(fmt.Sprint(c.Value))
	switch c.Op {
	case Eq:
		return have == want
	case Ne:
		return have != want
	case Co:
		return strings.Contains(have, want)
	case Sw:
		return strings.HasPrefix(have, want)
	case Ew:
		return strings.HasSuffix(have, want)
	case Gt:
		return have > want
	case Ge:
		return have >= want
	case Lt:
		return have < want
	case Le:
		return have <= want
	case Pr:
	}
	return false
}

// lookup finds an attribute, whose name counts in any case.
func lookup(object map[string]any, name string) (key string, value any) {
	if v, ok := object[name]; ok {
		return name, v
	}
	for k, v := range object {
		if strings.EqualFold(k, name) {
			return k, v
		}
	}
	return name, nil
}
