package schema

import (
	"slices"
	"strings"

	"github.com/tarn-data/tarn/internal/dataapi/media"
	"github.com/tarn-data/tarn/internal/fault"
)

// FindRoutine returns the overload of a routine that takes arguments of these names, which are sorted and unique. If
// there is none, a POST may be answered by one with a single unnamed parameter that takes the body whole.
func (c *Cache) FindRoutine(id Ident, keys []string, content media.Type, isPost bool) (*Routine, error) {
	overloads := c.Routines[id]
	wholeBody := isPost && takesNoKeys(content)
	found := pick(overloads, func(r *Routine) bool { return r.takes(keys) && !(wholeBody && len(r.Params) == 0) })
	if len(found) == 0 && isPost {
		found = pick(overloads, func(r *Routine) bool { return r.takesBody(content) })
	}
	switch len(found) {
	case 0:
		return nil, c.noRoutine(id, keys, content, isPost)
	case 1:
		return found[0], nil
	default:
		return nil, ambiguousRoutine(found)
	}
}

// pick is a slice of the matches without a copy where there is no more than one.
func pick(overloads []*Routine, match func(*Routine) bool) []*Routine {
	var found []*Routine
	for i, r := range overloads {
		switch {
		case !match(r):
		case found == nil:
			found = overloads[i : i+1 : i+1]
		default:
			found = append(found, r)
		}
	}
	return found
}

// takesNoKeys tells whether a body of that media type is one value and not named arguments.
func takesNoKeys(content media.Type) bool {
	return content.Kind == media.Text || content.Kind == media.XML || content.Kind == media.OctetStream
}

// takes tells whether the arguments are all known, and all that are required.
func (r *Routine) takes(keys []string) bool {
	for i := range r.Params {
		if p := &r.Params[i]; p.Required && !slices.Contains(keys, p.Name) {
			return false
		}
	}
	for _, k := range keys {
		if !slices.ContainsFunc(r.Params, func(p Param) bool { return p.Name == k }) {
			return false
		}
	}
	return true
}

func (r *Routine) takesBody(content media.Type) bool {
	if len(r.Params) != 1 || r.Params[0].Name != "" {
		return false
	}
	t := r.Params[0].Type
	switch content.Kind {
	case media.JSON:
		return t == "json" || t == "jsonb"
	case media.Text:
		return t == "text"
	case media.XML:
		return t == "xml"
	case media.OctetStream:
		return t == "bytea"
	default:
		return false
	}
}

func (c *Cache) noRoutine(id Ident, keys []string, content media.Type, isPost bool) error {
	name := id.Schema + "." + id.Name
	wholeBody := isPost && takesNoKeys(content)
	called, searched := " without parameters", " without parameters"
	if len(keys) > 0 {
		list := strings.Join(keys, ", ")
		called, searched = "("+list+")", " with parameter "+list
		if len(keys) > 1 {
			searched = " with parameters " + list
		}
	}
	if wholeBody {
		called, searched = "", " with a single unnamed "+unnamedType(content)+" parameter"
	} else if isPost && content.Kind == media.JSON {
		searched += " or with a single unnamed json/jsonb parameter"
	}
	f := fault.New(fault.NotFound, "PGRST202", "Could not find the function "+name+called+" in the schema cache").
		WithDetails("Searched for the function " + name + searched + ", but no matches were found in the schema cache.")
	if wholeBody {
		return f
	}
	if near, ok := c.hints.routine(id, keys, c.Routines[id]); ok {
		return f.WithHint("Perhaps you meant to call the function " + id.Schema + "." + near)
	}
	return f
}

func unnamedType(content media.Type) string {
	switch content.Kind {
	case media.XML:
		return "xml"
	case media.OctetStream:
		return "bytea"
	default:
		return "text"
	}
}

func ambiguousRoutine(found []*Routine) error {
	list := make([]string, len(found))
	for i, r := range found {
		params := make([]string, len(r.Params))
		for j, p := range r.Params {
			params[j] = p.Name + " => " + p.Type
		}
		list[i] = r.Schema + "." + r.Name + "(" + strings.Join(params, ", ") + ")"
	}
	return fault.New(fault.Ambiguous, "PGRST203",
		"Could not choose the best candidate function between: "+strings.Join(list, ", ")).
		WithHint("Try renaming the parameters or the function itself in the database so function overloading can be resolved")
}
