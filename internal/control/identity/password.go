package identity

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/tarn-data/tarn/internal/auth"
	"github.com/tarn-data/tarn/internal/endpoint"
	"github.com/tarn-data/tarn/internal/fault"
)

// What a password must be like.
const (
	minPassword = 12   // characters
	maxPassword = 1024 // bytes
)

// atOnce is how many passwords are hashed at the same time: each takes some memory.
const atOnce = 4

// Attempts are what somebody, or those at an address, may try before they have to wait, and how long.
type Attempts struct {
	Free  int           // failures after which waiting begins
	First time.Duration // the first wait; each further one is twice as long
	Max   time.Duration
}

// PasswordStore keeps passwords, and the attempts to guess them, for all processes.
type PasswordStore interface {
	// PasswordHash returns the hash of a user's password; empty if there is none.
	PasswordHash(ctx context.Context, userName string) (string, error)
	// SetPasswordHash sets a new password, and ends all that follows from logins before: in browsers, and of clients.
	SetPasswordHash(ctx context.Context, principalID int64, hash string) error
	// RenewPasswordHash keeps another hash of the same password, unless it was changed meanwhile.
	RenewPasswordHash(ctx context.Context, principalID int64, before, hash string) error
	// BeginAttempt counts an attempt as a failure until it is known not to be. It returns how long to wait instead if
	// the last ones failed, and 0 if the attempt may be made.
	BeginAttempt(ctx context.Context, key []byte, limit Attempts) (wait time.Duration, err error)
	// EndAttempt takes back the count of an attempt that didn't fail; with all, of those before, too.
	EndAttempt(ctx context.Context, key []byte, all bool) error
}

// Passwords verify who knows a password. They are safe for concurrent use.
type Passwords struct {
	store     PasswordStore
	directory auth.Directory
	cost      Cost
	dummy     hash // is compared where there is none, so that it takes as long
	turns     chan struct{}
}

// NewPasswords makes what verifies passwords.
func NewPasswords(store PasswordStore, directory auth.Directory, cost Cost) (*Passwords, error) {
	dummy, err := parseHash(hashPassword("", cost))
	if err != nil {
		return nil, err
	}
	return &Passwords{store: store, directory: directory, cost: cost, dummy: dummy, turns: make(chan struct{}, atOnce)}, nil
}

func perUser() Attempts { return Attempts{Free: 5, First: time.Second, Max: time.Minute} }

func perSource() Attempts { return Attempts{Free: 50, First: time.Second, Max: 5 * time.Minute} }

// VerifyPassword returns the account of a user who knows the password. Who doesn't, isn't there or isn't active gets the
// same fault; who guesses gets to wait. The source of the guess is that of the call which the context carries.
func (p *Passwords) VerifyPassword(ctx context.Context, userName, password string) (*auth.Account, error) {
	if len(password) > maxPassword || !good(userName, maxName) {
		return nil, wrongPassword()
	}
	user, source := attemptKey("user", strings.ToLower(userName)), sourceKey(endpoint.CallFrom(ctx).Source)
	for _, a := range []struct {
		key   []byte
		limit Attempts
	}{{source, perSource()}, {user, perUser()}} {
		wait, err := p.store.BeginAttempt(ctx, a.key, a.limit)
		if err != nil {
			return nil, err
		}
		if wait > 0 {
			return nil, tooManyGuesses(wait)
		}
	}
	known, err := p.store.PasswordHash(ctx, userName)
	if err != nil {
		return nil, err
	}
	if err := p.compare(ctx, known, password); err != nil {
		return nil, err
	}
	account, err := p.directory.Account(ctx, userName)
	if err != nil {
		return nil, err
	}
	if account == nil || !account.Active || account.Kind != auth.User {
		return nil, wrongPassword()
	}
	if err := p.store.EndAttempt(ctx, user, true); err != nil {
		return nil, err
	}
	if err := p.store.EndAttempt(ctx, source, false); err != nil {
		return nil, err
	}
	return account, p.strengthen(ctx, account.ID, known, password)
}

// compare takes as long where there is no hash as where there is one.
func (p *Passwords) compare(ctx context.Context, known, password string) error {
	select {
	case p.turns <- struct{}{}:
		defer func() { <-p.turns }()
	case <-ctx.Done():
		return ctx.Err()
	}
	h := p.dummy
	if known != "" {
		var err error
		if h, err = parseHash(known); err != nil {
			return err
		}
	}
	if !h.matches(password) || known == "" {
		return wrongPassword()
	}
	return nil
}

// strengthen hashes a password anew, now that it is known, if hashes cost more than when it was set.
func (p *Passwords) strengthen(ctx context.Context, id int64, known, password string) error {
	if h, err := parseHash(known); err != nil || !h.weaker(p.cost) {
		return err
	}
	return p.store.RenewPasswordHash(ctx, id, known, hashPassword(password, p.cost))
}

// Set gives a user a password.
func (p *Passwords) Set(ctx context.Context, principalID int64, password string) error {
	h, err := p.Hash(password)
	if err != nil {
		return err
	}
	return p.store.SetPasswordHash(ctx, principalID, h)
}

// Hash renders the hash of a password that is good enough.
func (p *Passwords) Hash(password string) (string, error) {
	if n := len([]rune(password)); n < minPassword || len(password) > maxPassword {
		return "", endpoint.Invalid(fmt.Sprintf("A password has %d characters at least, and %d bytes at most.", minPassword, maxPassword))
	}
	return hashPassword(password, p.cost), nil
}

// attemptKey is a short key that doesn't tell whose it is.
func attemptKey(kind, name string) []byte {
	sum := sha256.Sum256([]byte(kind + "\x00" + name))
	return sum[:]
}

// sourceKey is the same for all addresses that one host can have.
func sourceKey(a netip.Addr) []byte {
	const hostBits = 64
	if a.Is6() {
		if prefix, err := a.Prefix(hostBits); err == nil {
			return attemptKey("source", prefix.String())
		}
	}
	return attemptKey("source", a.String())
}

func wrongPassword() *fault.Error {
	return fault.New(fault.Unauthenticated, "UNAUTHENTICATED", "The user name or the password is wrong.")
}

func tooManyGuesses(wait time.Duration) *fault.Error {
	seconds := strconv.Itoa(int((wait + time.Second - 1) / time.Second))
	return fault.New(fault.TooMany, "REQUEST_LIMIT_EXCEEDED", "Too many attempts to log in have failed. Wait "+seconds+" s.").
		WithHeader("Retry-After", seconds)
}
