// Package tokens provides personal access tokens: what a principal, or a program of theirs, authenticates with instead of
// logging in. They are kept as hashes and shown once. It doesn't know how calls are authenticated otherwise, nor where
// tokens are kept.
package tokens

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"log/slog"
	"time"

	"github.com/tarn-data/tarn/internal/auth"
	"github.com/tarn-data/tarn/internal/endpoint"
	"github.com/tarn-data/tarn/internal/fault"
)

// Token is a personal access token without its secret.
type Token struct {
	ID          string
	OwnerID     int64
	Owner       string // user name or application id
	CreatedByID int64
	CreatedBy   string
	Comment     string
	Scopes      []string // empty for all
	CreatedAt   time.Time
	ExpiresAt   *time.Time // nil for never
	LastUsedAt  *time.Time // nil for never
}

// Filter says which tokens to list. What is zero doesn't matter.
type Filter struct {
	OwnerID     int64
	CreatedByID int64
	CreatedBy   string
}

// Digest is what is kept of a secret. Secrets are random and long: a plain hash is enough.
type Digest = [sha256.Size]byte

// Store keeps tokens. That one was changed or deleted, it tells all processes.
type Store interface {
	// AddToken adds a token, unless its owner has that many already.
	AddToken(ctx context.Context, t *Token, secret Digest, most int) error
	// TokenOf returns the token of a secret; nil if there is none.
	TokenOf(ctx context.Context, secret Digest) (*Token, error)
	Token(ctx context.Context, id string) (*Token, error)
	Tokens(ctx context.Context, f Filter) ([]Token, error)
	UpdateToken(ctx context.Context, t *Token) error
	DeleteToken(ctx context.Context, id string) error
	// TouchTokens takes note of when tokens were last used.
	TouchTokens(ctx context.Context, used map[string]time.Time) error
}

// ErrTooMany is what a store says when an owner has as many tokens as there may be.
var ErrTooMany = errors.New("too many tokens")

// Options say what the service stands on.
type Options struct {
	Store       Store
	Directory   auth.Directory
	WorkspaceID int64
	Listening   func() bool                                // whether changes are heard of: Forget is called
	MayUse      func(context.Context, *auth.Account) error // tells who may have tokens; nil for everybody
	Now         func() time.Time
	Log         *slog.Logger
}

// Service serves personal access tokens. It is safe for concurrent use.
type Service struct {
	opt   Options
	cache cache
}

// New makes a service.
func New(opt Options) *Service {
	return &Service{opt: opt, cache: cache{byID: map[string]*entry{}, byDigest: map[Digest]*entry{}}}
}

const (
	mostTokens   = 600  // of one owner
	mostComment  = 2000 // characters
	mostScopes   = 50
	secretLength = 16 // random bytes
	most         = 100 * 365 * 24 * time.Hour
)

// grant is what somebody asks for when making a token.
type grant struct {
	owner    *auth.Account
	comment  string
	lifetime int64 // seconds; 0 for ever
	scopes   []string
}

// create makes a token and returns its secret, which is nowhere else.
func (s *Service) create(ctx context.Context, g grant) (string, *Token, error) {
	if err := g.validate(); err != nil {
		return "", nil, err
	}
	if s.opt.MayUse != nil {
		if err := s.opt.MayUse(ctx, g.owner); err != nil {
			return "", nil, err
		}
	}
	caller := endpoint.Caller(ctx)
	now := s.opt.Now().UTC().Truncate(time.Millisecond)
	id, secret := randomHex(2*secretLength), auth.PersonalPrefix+randomHex(secretLength)
	t := &Token{
		ID: id, OwnerID: g.owner.ID, Owner: g.owner.Name, CreatedByID: caller.ID, CreatedBy: caller.Name,
		Comment: g.comment, Scopes: g.scopes, CreatedAt: now,
	}
	if g.lifetime > 0 {
		expires := now.Add(time.Duration(g.lifetime) * time.Second)
		t.ExpiresAt = &expires
	}
	err := s.opt.Store.AddToken(ctx, t, sha256.Sum256([]byte(secret)), mostTokens)
	if errors.Is(err, ErrTooMany) {
		return "", nil, endpoint.LimitExceeded("There are 600 tokens of this principal already.").WithHint("Delete some that are not used.")
	}
	if err != nil {
		return "", nil, err
	}
	return secret, t, nil
}

func (g *grant) validate() error {
	switch {
	case g.lifetime < 0 || g.lifetime > int64(most/time.Second):
		return endpoint.Invalid("lifetime_seconds must be a number of seconds greater than 0, or be left out.")
	case len(g.comment) > mostComment:
		return endpoint.Invalid("The comment is too long.")
	case len(g.scopes) > mostScopes:
		return endpoint.Invalid("There are too many scopes.")
	}
	return nil
}

func randomHex(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

func unknown(id string) *fault.Error {
	return endpoint.NotFound("Token with ID " + id + " does not exist.")
}
