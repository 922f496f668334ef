// Package auth tells who makes a request, from the bearer token in its headers, and carries the answer in a context.
// What a principal may do, it doesn't know, nor how tokens are verified.
package auth

import (
	"context"
	"net/http"
	"slices"
)

// Principal is who acts. It is shared between requests and must not be changed.
type Principal struct {
	Name      string // the subject of the token; empty if it has none
	Role      string // of PostgreSQL
	Claims    string // JSON object of the token's claims, with the role
	Scopes    []string
	ID        string // of the token
	Session   string // in which a token service made it; empty for none
	Own       bool   // Tarn signed the token
	Admin     bool
	Anonymous bool // acts as the anonymous role
}

// Authenticator tells who makes a request. Its errors are faults.
type Authenticator interface {
	Authenticate(http.Header) (*Principal, error)
}

// AllScopes is the scope of all calls.
const AllScopes = "all-apis"

// Permitted tells whether a token with some scopes, none for all, may be used for what needs one; empty for AllScopes.
func Permitted(scopes []string, needs string) bool {
	return len(scopes) == 0 || slices.Contains(scopes, AllScopes) || needs != "" && slices.Contains(scopes, needs)
}

type contextKey struct{}

// NewContext returns a context that carries the principal.
func NewContext(ctx context.Context, p *Principal) context.Context {
	return context.WithValue(ctx, contextKey{}, p)
}

// FromContext returns the principal that the context carries.
func FromContext(ctx context.Context) (*Principal, bool) {
	p, ok := ctx.Value(contextKey{}).(*Principal)
	return p, ok
}
