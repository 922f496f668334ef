package scim

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tarn-data/tarn/internal/fault"
)

// Change is one operation of a PATCH.
type Change struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value"`
}

// Lists tells which attributes have many values, by their names in lower case.
type Lists func(name string) bool

const maxChanges = 1000

// Apply changes a resource as the operations say, in their order.
func Apply(resource map[string]any, changes []Change, lists Lists) error {
	if len(changes) > maxChanges {
		return fault.New(fault.Invalid, "tooMany", fmt.Sprintf("A request has at most %d operations.", maxChanges))
	}
	for _, c := range changes {
		if err := apply(resource, c, lists); err != nil {
			return err
		}
	}
	return nil
}

func apply(resource map[string]any, c Change, lists Lists) error {
	op := strings.ToLower(c.Op)
	if op != "add" && op != "remove" && op != "replace" {
		return fault.New(fault.Invalid, "invalidSyntax", "An operation is one of add, remove and replace.")
	}
	if strings.TrimSpace(c.Path) != "" {
		path, err := ParsePath(c.Path)
		if err != nil {
			return err
		}
		return applyAt(resource, op, path, c.Value, lists)
	}
	if op == "remove" {
		return fault.New(fault.Invalid, "noTarget", "To remove something, say what, in the path.")
	}
	values, ok := c.Value.(map[string]any)
	if !ok {
		return fault.New(fault.Invalid, "invalidValue", "Without a path, the value is an object of attributes.")
	}
	for _, name := range sortedKeys(values) {
		if strings.EqualFold(name, "schemas") {
			continue
		}
		path, err := ParsePath(name)
		if err != nil {
			return err
		}
		if err := applyAt(resource, op, path, values[name], lists); err != nil {
			return err
		}
	}
	return nil
}

func applyAt(resource map[string]any, op string, path Path, value any, lists Lists) error {
	key, now := lookup(resource, path.Attr.Name)
	if !lists(path.Attr.Name) {
		if path.Filter != nil {
			return fault.New(fault.Invalid, "invalidPath", "'"+path.Attr.Name+"' has not many values to choose from.")
		}
		return applySingle(resource, key, op, path.Attr.Sub, value)
	}
	list, err := elements(now)
	if err != nil {
		return err
	}
	switch {
	case path.Filter != nil:
		list, err = applyChosen(list, op, path, value)
	case path.Attr.Sub != "":
		err = fault.New(fault.Invalid, "invalidPath", "Of '"+path.Attr.Name+"', say in brackets which ones.")
	default:
		list, err = applyList(list, op, value)
	}
	if err != nil {
		return err
	}
	resource[key] = list
	return nil
}

func applySingle(resource map[string]any, key, op, sub string, value any) error {
	if sub == "" {
		if op == "remove" {
			delete(resource, key)
			return nil
		}
		// To add an object adds to the one that is there.
		if have, ok := resource[key].(map[string]any); ok && op == "add" {
			if more, ok := value.(map[string]any); ok {
				for name, v := range more {
					k, _ := lookup(have, name)
					have[k] = v
				}
				return nil
			}
		}
		resource[key] = value
		return nil
	}
	inner, ok := resource[key].(map[string]any)
	if !ok {
		inner = map[string]any{}
		resource[key] = inner
	}
	k, _ := lookup(inner, sub)
	if op == "remove" {
		delete(inner, k)
		return nil
	}
	inner[k] = value
	return nil
}

// applyList changes all values. To remove some of them, they are given as the value.
func applyList(list []any, op string, value any) ([]any, error) {
	given, err := elements(value)
	if err != nil {
		return nil, err
	}
	switch {
	case op == "replace":
		return unite(nil, given), nil
	case op == "add":
		return unite(list, given), nil
	case value == nil:
		return nil, nil
	}
	gone := map[string]bool{}
	for _, e := range given {
		gone[identity(e)] = true
	}
	return slices.DeleteFunc(list, func(e any) bool { return gone[identity(e)] }), nil
}

// applyChosen changes the values that meet the condition.
func applyChosen(list []any, op string, path Path, value any) ([]any, error) {
	var kept []any
	found := false
	for _, e := range list {
		object, ok := e.(map[string]any)
		if !ok || !Matches(path.Filter, object) {
			kept = append(kept, e)
			continue
		}
		found = true
		if op == "remove" && path.Attr.Sub == "" {
			continue
		}
		if err := alter(object, op, path.Attr.Sub, value); err != nil {
			return nil, err
		}
		kept = append(kept, object)
	}
	if found || op == "remove" {
		return kept, nil
	}
	// What isn't there is made, as far as the condition says what it is like.
	c, ok := path.Filter.(*Compare)
	if op == "replace" && path.Attr.Sub == "" || !ok || c.Op != Eq {
		return nil, fault.New(fault.Invalid, "noTarget", "No value of '"+path.Attr.Name+"' is as the path says.")
	}
	object := map[string]any{c.Attr.Name: c.Value}
	if err := alter(object, op, path.Attr.Sub, value); err != nil {
		return nil, err
	}
	return append(kept, object), nil
}

func alter(object map[string]any, op, sub string, value any) error {
	if sub != "" {
		k, _ := lookup(object, sub)
		if op == "remove" {
			delete(object, k)
		} else {
			object[k] = value
		}
		return nil
	}
	given, err := elements(value)
	if err != nil {
		return err
	}
	for _, e := range given {
		more, ok := e.(map[string]any)
		if !ok {
			continue
		}
		for name, v := range more {
			k, _ := lookup(object, name)
			object[k] = v
		}
	}
	return nil
}

// elements are the values of a list, each an object with a value: clients write them in several ways.
func elements(v any) ([]any, error) {
	var list []any
	switch v := v.(type) {
	case nil:
		return nil, nil
	case []any:
		list = v
	default:
		list = []any{v}
	}
	out := make([]any, 0, len(list))
	for _, e := range list {
		switch e := e.(type) {
		case map[string]any:
			out = append(out, e)
		case string:
			out = append(out, map[string]any{"value": e})
		default:
			return nil, fault.New(fault.Invalid, "invalidValue", "The values of a list are objects with a value.")
		}
	}
	return out, nil
}

// unite adds values that aren't there yet. One that is there gets the new one's attributes.
func unite(list, more []any) []any {
	at := map[string]int{}
	for i, e := range list {
		at[identity(e)] = i
	}
	for _, e := range more {
		if i, ok := at[identity(e)]; ok {
			list[i] = e
			continue
		}
		at[identity(e)] = len(list)
		list = append(list, e)
	}
	return list
}

func identity(e any) string {
	object, ok := e.(map[string]any)
	if !ok {
		return fmt.Sprint(e)
	}
	_, value := lookup(object, "value")
	return fmt.Sprint(value)
}

func sortedKeys(m map[string]any) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
