package token

import (
	"fmt"

	"github.com/tarn-data/tarn/internal/token/jsonpath"
)

// RoleClaim says where in the claims the role is. It is safe for concurrent use; the zero value finds nothing.
type RoleClaim struct {
	path       *jsonpath.Path
	deprecated deprecatedPath
}

// ParseRoleClaim reads a JSON path (RFC 9535), or else a path in the syntax that PostgREST had before version 15.
func ParseRoleClaim(expr string) (RoleClaim, error) {
	path, err := jsonpath.Parse(expr)
	if err == nil {
		return RoleClaim{path: path}, nil
	}
	deprecated, ok := parseDeprecatedPath(expr)
	if !ok {
		return RoleClaim{}, fmt.Errorf("failed to parse role-claim-key value (%s): %w", expr, err)
	}
	return RoleClaim{deprecated: deprecated}, nil
}

// Deprecated tells whether the path was written in the old syntax.
func (r RoleClaim) Deprecated() bool { return r.deprecated != nil }

// String renders the path in its normal form.
func (r RoleClaim) String() string {
	switch {
	case r.path != nil:
		return r.path.String()
	default:
		return r.deprecated.String()
	}
}

// Role returns the role in claims that were decoded with numbers as json.Number. What is not a string is rendered as
// JSON.
func (r RoleClaim) Role(claims map[string]any) (string, bool) {
	var v any
	var ok bool
	if r.path != nil {
		v, ok = r.path.First(claims)
	} else {
		v, ok = r.deprecated.find(claims)
	}
	if !ok {
		return "", false
	}
	if s, isString := v.(string); isString {
		return s, true
	}
	return encode(v), true
}
