package oauth

import (
	"context"
	"crypto/sha256"
	"time"
)

// Digest is what is kept of a secret.
type Digest = [sha256.Size]byte

// Store keeps what the service must not forget, for all processes.
type Store interface {
	LoginStore
	GrantStore
	AppStore
	PolicyStore
	// Clean removes what has expired.
	Clean(ctx context.Context) error
}

// Login is a person who has logged in with a browser.
type Login struct {
	Cookie      Digest // of the browser
	PrincipalID int64
	Principal   string
	At          time.Time
}

// ExternalLogin is a person on the way to another provider and back.
type ExternalLogin struct {
	Browser  Digest // of the cookie of the browser that went
	Nonce    string
	Verifier string
	Query    string // what to go on with
}

// LoginStore keeps who has logged in.
type LoginStore interface {
	AddLogin(ctx context.Context, l Login, lifetime time.Duration) error
	// Login returns nil if there is none.
	Login(ctx context.Context, cookie Digest) (*Login, error)
	DeleteLogin(ctx context.Context, cookie Digest) error
	AddExternalLogin(ctx context.Context, state Digest, l ExternalLogin, lifetime time.Duration) error
	// TakeExternalLogin returns one and forgets it; nil if there is none.
	TakeExternalLogin(ctx context.Context, state Digest) (*ExternalLogin, error)
	// Consent returns the scopes that a principal has let a client have.
	Consent(ctx context.Context, principalID int64, clientID string) ([]string, error)
	SetConsent(ctx context.Context, principalID int64, clientID string, scopes []string) error
}

// Session is all that follows from one time that a principal let a client act.
type Session struct {
	ID          string
	ClientID    string
	PrincipalID int64
	Principal   string
	Scopes      []string
	LoginAt     time.Time
	ExpiresAt   time.Time
}

// Code is an authorization code.
type Code struct {
	Login       Digest // from which it follows
	Session     Session
	RedirectURI string
	Challenge   string
	Nonce       string
	ExpiresAt   time.Time
}

// GrantStore keeps codes and refresh tokens. Each is good once: to use one again ends its session.
type GrantStore interface {
	// AddCode begins a session with a code. It returns false if the login from which it follows has ended.
	AddCode(ctx context.Context, code Digest, c Code) (bool, error)
	// TakeCode returns a code and uses it up. Without an unused one it returns nil.
	TakeCode(ctx context.Context, code Digest) (*Code, error)
	AddRefresh(ctx context.Context, refresh Digest, sessionID string, expires time.Time) error
	// TakeRefresh returns the session of a refresh token of a client and uses the token up. Without an unused one, which
	// hasn't expired and whose session hasn't ended, it returns nil.
	TakeRefresh(ctx context.Context, refresh Digest, clientID string) (*Session, error)
	// Refresh returns the session of a refresh token that is good, and when that expires; nil if there is none.
	Refresh(ctx context.Context, refresh Digest) (*Session, time.Time, error)
	// EndSession takes back all tokens of a session.
	EndSession(ctx context.Context, id string) error
	// Revoke takes back one access token.
	Revoke(ctx context.Context, tokenID string, until time.Time) error
	// Revoked returns all that was taken back and would be good otherwise, tokens and sessions.
	Revoked(ctx context.Context) (map[string]time.Time, error)
}
