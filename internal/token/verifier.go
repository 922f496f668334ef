// Package token mints and verifies JSON Web Tokens, and keeps the keys for it: configured ones, Tarn's own, and those
// that issuers publish. It knows nothing of HTTP requests, nor of what a principal may do.
package token

import (
	"errors"
	"net/http"
	"sync/atomic"
	"time"
)

// Keys is a fixed set of keys that verify tokens.
type Keys struct{}

// NewKeys reads keys from a secret: a JSON Web Key, a set of them, or else the octets of an HS256 key.
func NewKeys(secret []byte) (*Keys, error) { return nil, errors.New("token: not there yet") }

// Source finds the keys that may have signed a token. Keys, Keyring, Issuers and Sources are sources.
type Source interface{ find() }

func (*Keys) find() {}

// Sources is a source made of others.
type Sources []Source

func (Sources) find() {}

// RoleClaim says where in the claims the role is.
type RoleClaim struct{}

// ParseRoleClaim reads a JSON path (RFC 9535), or else the deprecated syntax of PostgREST.
func ParseRoleClaim(expr string) (RoleClaim, error) { return RoleClaim{}, nil }

// String renders the path in its normal form.
func (RoleClaim) String() string { return "" }

// Stats counts what verifiers did. It may be shared by several.
type Stats struct {
	Lookups   atomic.Int64 // in the cache
	Hits      atomic.Int64
	Evictions atomic.Int64
}

// VerifierOptions say what a verifier accepts.
type VerifierOptions struct {
	Keys            Source // nil for none: every token is refused
	Audience        string // empty for any
	RoleClaim       RoleClaim
	AnonRole        string // role of who has no token, or a token without a role; empty for none
	CacheMaxEntries int    // 0 for no cache
	RequireExpiry   bool
	Now             func() time.Time
	Stats           *Stats // nil for none
}

// Verifier verifies tokens. It is safe for concurrent use.
type Verifier struct{}

// NewVerifier makes a verifier.
func NewVerifier(opt VerifierOptions) *Verifier { return &Verifier{} }

// Identity is what a verified token says of its bearer. It is shared and must not be changed.
type Identity struct {
	Subject   string
	Role      string
	Claims    string // JSON object of the claims, with the role
	Scopes    []string
	Admin     bool
	Anonymous bool // there was no token
}

// Verify verifies a token. Its errors are faults.
func (v *Verifier) Verify(bearer string, present bool) (*Identity, error) {
	return nil, errors.New("token: not there yet")
}

// Keyring holds Tarn's own signing keys in a directory. It is safe for concurrent use.
type Keyring struct{}

// KeyringOptions say who a keyring signs for.
type KeyringOptions struct {
	Dir    string
	Issuer string
	Now    func() time.Time
}

// OpenKeyring opens the keyring in a directory, with a new key if there is none.
func OpenKeyring(opt KeyringOptions) (*Keyring, error) { return nil, errors.New("token: not there yet") }

func (*Keyring) find() {}

// Grant says what a minted token holds.
type Grant struct {
	Subject  string
	Audience []string
	Scopes   []string
	Admin    bool
	Lifetime time.Duration
	Extra    map[string]any // further claims
}

// Mint signs a token.
func (k *Keyring) Mint(g Grant) (string, error) { return "", errors.New("token: not there yet") }

// Rotate adds a key and signs with it from now on. The keys before it still verify.
func (k *Keyring) Rotate() error { return errors.New("token: not there yet") }

// JWKS returns the public keys as a JSON Web Key Set.
func (k *Keyring) JWKS() []byte { return nil }

// IssuerConfig describes an issuer whose tokens are trusted.
type IssuerConfig struct {
	Issuer   string
	JWKSURL  string
	Audience string // empty for any
}

// Doer does HTTP requests, as *http.Client.
type Doer interface {
	Do(*http.Request) (*http.Response, error)
}

// Issuers fetches and keeps the keys of issuers. It is safe for concurrent use.
type Issuers struct{}

// IssuersOptions say which issuers there are, and how their keys are fetched.
type IssuersOptions struct {
	Issuers []IssuerConfig
	Client  Doer
	Now     func() time.Time
}

// NewIssuers makes a source of the keys of issuers. Nothing is fetched until it is needed.
func NewIssuers(opt IssuersOptions) *Issuers { return &Issuers{} }

func (*Issuers) find() {}
