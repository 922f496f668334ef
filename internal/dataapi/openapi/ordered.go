package openapi

// ordered is a JSON object whose members keep the order in which they were first set.
type ordered[T any] struct {
	members []member[T]
	at      map[string]int
}

type member[T any] struct {
	name  string
	value T
}

func (o *ordered[T]) set(name string, v T) {
	if i, ok := o.at[name]; ok {
		o.members[i].value = v
		return
	}
	if o.at == nil {
		o.at = map[string]int{}
	}
	o.at[name] = len(o.members)
	o.members = append(o.members, member[T]{name, v})
}

// IsZero tells whether there are no members, for omitzero.
func (o ordered[T]) IsZero() bool { return len(o.members) == 0 }

// MarshalJSON writes the members in order.
func (o ordered[T]) MarshalJSON() ([]byte, error) {
	b := []byte{'{'}
	for i, m := range o.members {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, encode(m.name)...)
		b = append(b, ':')
		b = append(b, encode(m.value)...)
	}
	return append(b, '}'), nil
}
