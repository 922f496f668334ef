// Package auth tells who makes a request, from the bearer token in its headers, and carries the answer in a context.
// What a principal may do, and how tokens are verified, it doesn't know.
package auth

import (
	"context"
	"net/http"
	"time"

	"github.com/tarn-data/tarn/internal/config"
	"github.com/tarn-data/tarn/internal/token"
)

// Principal is who acts. It is shared between requests and must not be changed.
type Principal struct {
	Name      string // of a user or service principal; empty for anonymous ones
	Role      string // of PostgreSQL
	Claims    string // JSON object of the token's claims, with the role
	Scopes    []string
	Admin     bool
	Anonymous bool // without a token
}

// Authenticator tells who makes a request. Its errors are faults.
type Authenticator interface {
	Authenticate(http.Header) (*Principal, error)
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

// Bearer authenticates with bearer tokens.
type Bearer struct{ verifier *token.Verifier }

// NewPostgREST makes an authenticator as PostgREST has it, from its settings.
func NewPostgREST(cfg *config.DataAPI, now func() time.Time, stats *token.Stats) (*Bearer, error) {
	return &Bearer{}, nil
}

// LakebaseOptions say whose tokens a lakebase accepts.
type LakebaseOptions struct {
	Keys            token.Source
	Audience        string // empty for any
	CacheMaxEntries int
	Now             func() time.Time
	Stats           *token.Stats
}

// NewLakebase makes an authenticator for which every caller has a token, and its subject is the role.
func NewLakebase(opt LakebaseOptions) (*Bearer, error) { return &Bearer{}, nil }

// Authenticate tells who makes the request with these headers.
func (b *Bearer) Authenticate(h http.Header) (*Principal, error) { return &Principal{}, nil }
