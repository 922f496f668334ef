package endpoint

import (
	"slices"
	"strings"
)

// Enum refuses a value that isn't one of those that a field may have.
func Enum[T ~string](field string, value T, known ...T) error {
	if slices.Contains(known, value) {
		return nil
	}
	names := make([]string, len(known))
	for i, k := range known {
		names[i] = string(k)
	}
	return Invalid("'" + string(value) + "' is not a value of '" + field + "', which may be " + strings.Join(names, ", ") + ".")
}
