package auth

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/tarn-data/tarn/internal/config"
	"github.com/tarn-data/tarn/internal/token"
)

// Bearer authenticates with bearer tokens.
type Bearer struct{ verifier *token.Verifier }

// NewPostgREST makes an authenticator that works as PostgREST's: with the keys, the role claim and the anonymous role of
// the settings. Stats may be nil.
func NewPostgREST(cfg *config.DataAPI, now func() time.Time, stats *token.Stats) (*Bearer, error) {
	role, err := token.ParseRoleClaim(cfg.JWTRoleClaimKey)
	if err != nil {
		return nil, err
	}
	opt := token.VerifierOptions{
		Audience: cfg.JWTAudience, RoleClaim: role, AnonRole: cfg.AnonRole,
		CacheMaxEntries: cfg.JWTCacheMaxEntries, Now: now, Stats: stats,
	}
	if len(cfg.JWTSecret) > 0 {
		keys, err := token.NewKeys(cfg.JWTSecret)
		if err != nil {
			return nil, err
		}
		opt.Keys = keys
	}
	return &Bearer{token.NewVerifier(opt)}, nil
}

// LakebaseOptions say whose tokens a lakebase accepts.
type LakebaseOptions struct {
	Keys            token.Source               // Tarn's keyring, configured issuers, or both
	Audience        string                     // that tokens have to be for; empty for any
	Revoked         func(*token.Identity) bool // tells whether a token of Tarn's own was taken back; nil if none can be
	CacheMaxEntries int
	Now             func() time.Time
	Stats           *token.Stats // nil if nobody asks
}

// NewLakebase makes an authenticator for which everybody needs a token that expires. Who it is for, its subject, is the
// role as well.
func NewLakebase(opt LakebaseOptions) (*Bearer, error) {
	if opt.Keys == nil {
		return nil, errors.New("auth: no keys to verify tokens with")
	}
	subject, err := token.ParseRoleClaim("$.sub")
	if err != nil {
		return nil, err
	}
	return &Bearer{token.NewVerifier(token.VerifierOptions{
		Keys: opt.Keys, Audience: opt.Audience, RoleClaim: subject, RequireExpiry: true,
		Revoked: opt.Revoked, CacheMaxEntries: opt.CacheMaxEntries, Now: opt.Now, Stats: opt.Stats,
	})}, nil
}

// Authenticate tells who makes the request with these headers.
func (b *Bearer) Authenticate(h http.Header) (*Principal, error) {
	bearer, present := bearerToken(h)
	id, err := b.verifier.Verify(bearer, present)
	if err != nil {
		return nil, err
	}
	return (*Principal)(id), nil
}

// bearerToken returns the token of the Authorization header. With another scheme there is none.
func bearerToken(h http.Header) (string, bool) {
	value := h.Get("Authorization")
	scheme, rest := value, ""
	if end := strings.IndexAny(value, spaces); end >= 0 {
		scheme, rest = value[:end], strings.TrimLeft(value[end:], spaces)
	}
	return rest, strings.EqualFold(scheme, "bearer")
}

const spaces = " \t\n\r\f\v"
