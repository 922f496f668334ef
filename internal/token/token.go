// Package token mints and verifies JSON Web Tokens, and keeps the keys for it: configured ones, Tarn's own, and those
// that other issuers publish. Its refusals are PostgREST's. It knows nothing of HTTP requests that carry tokens, nor of
// what their bearers may do.
package token

// Identity is what a token says of its bearer. It is shared between requests and must not be changed.
type Identity struct {
	Name      string // the subject; empty if the token has none
	Role      string // of PostgreSQL
	Claims    string // JSON object of the claims, with the role
	Scopes    []string
	ID        string // of the token
	Session   string // in which a token service made it; empty for none
	Own       bool   // Tarn signed the token
	Admin     bool   // only if the token is Tarn's own
	Anonymous bool   // acts as the anonymous role
}
