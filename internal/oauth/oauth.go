// Package oauth provides the token service: people log in and let programs act for them, programs log in by themselves or
// by a trusted issuer's word, and all get tokens that can be refreshed, looked into and taken back. It doesn't know how
// passwords and secrets are kept, nor what its tokens open.
package oauth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"html/template"
	"log/slog"
	"net/http"
	"time"

	"github.com/tarn-data/tarn/internal/auth"
	"github.com/tarn-data/tarn/internal/token"
)

// Passwords verify the passwords of people. Errors are faults; who guesses has to wait.
type Passwords interface {
	VerifyPassword(ctx context.Context, userName, password string) (*auth.Account, error)
}

// Secrets verify the secrets of service principals. Errors are faults.
type Secrets interface {
	VerifySecret(ctx context.Context, applicationID, secret string) (*auth.Account, error)
}

// Keys sign tokens.
type Keys interface {
	Mint(c token.Claims) (string, error)
	JWKS() []byte
	Algorithm() string
}

// Options say what the service stands on.
type Options struct {
	Store       Store
	Keys        Keys
	Verifier    *token.Verifier // of the service's own access tokens
	Revocations *Revocations
	Directory   auth.Directory
	Passwords   Passwords
	Secrets     Secrets
	External    *External // another provider with whom people log in; nil for none
	Origin      func(*http.Request) string
	AccountID   string
	Transport   http.RoundTripper // to other issuers; nil for http.DefaultTransport
	Scopes      []string          // that tokens may be limited to, besides those that the service knows itself
	Now         func() time.Time
	Log         *slog.Logger
}

// Service is the token service. It is safe for concurrent use.
type Service struct {
	opt      Options
	pages    *template.Template
	styleSum string // of the pages' style, for their security policy
	foreign  foreignKeys
	compare  func(x, y []byte) int // takes as long whatever they are
}

// New makes a service.
func New(opt Options) (*Service, error) {
	s := &Service{opt: opt, compare: subtle.ConstantTimeCompare}
	if err := s.parsePages(); err != nil {
		return nil, err
	}
	return s, nil
}

const (
	accessLifetime  = time.Hour
	refreshLifetime = 30 * 24 * time.Hour // of each one
	sessionLifetime = 90 * 24 * time.Hour // of all that follow from one login
	codeLifetime    = time.Minute
	loginLifetime   = 12 * time.Hour
	cleanInterval   = 10 * time.Minute
)

// Run removes what has expired, from time to time, until the context ends.
func (s *Service) Run(ctx context.Context) {
	tick := time.NewTicker(cleanInterval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if err := s.opt.Store.Clean(ctx); err != nil && ctx.Err() == nil {
				s.opt.Log.Warn("could not remove what has expired", "error", err)
			}
		case <-ctx.Done():
			return
		}
	}
}

// issuer is the service's name in its tokens and for its clients.
func (s *Service) issuer(r *http.Request) string { return s.opt.Origin(r) + "/oidc" }

// newSecret makes something that nobody can guess, and what is kept of it.
func newSecret(prefix string) (string, Digest) {
	const length = 32
	random := make([]byte, length)
	_, _ = rand.Read(random) // never fails
	secret := prefix + base64.RawURLEncoding.EncodeToString(random)
	return secret, digestOf(secret)
}

func digestOf(secret string) Digest { return sha256.Sum256([]byte(secret)) }
