package identity

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"time"

	"github.com/tarn-data/tarn/internal/auth"
	"github.com/tarn-data/tarn/internal/fault"
)

// Secret is a secret of a service principal. The secret itself isn't kept.
type Secret struct {
	ID        string
	Hash      []byte
	CreatedAt time.Time
	UpdatedAt time.Time
	ExpiresAt time.Time
	LastUsed  time.Time // zero for never
}

// SecretStore keeps the secrets of service principals.
type SecretStore interface {
	// Secrets are all of a service principal, the oldest first.
	Secrets(ctx context.Context, principalID int64) ([]Secret, error)
	AddSecret(ctx context.Context, principalID int64, hash []byte, lifetime time.Duration, limit int) (*Secret, error)
	DeleteSecret(ctx context.Context, principalID int64, id string) error
	// GoodSecrets are those of an application that haven't expired.
	GoodSecrets(ctx context.Context, applicationID string) ([]Secret, error)
	UsedSecret(ctx context.Context, id string) error
}

// SecretPrefix is what secrets begin with, so that they are known when they are found where they shouldn't be.
const SecretPrefix = "dose"

// Secrets verify who knows a service principal's secret. They are safe for concurrent use.
type Secrets struct {
	store     SecretStore
	directory auth.Directory
	compare   func(x, y []byte) int // takes as long whatever they are
}

// NewSecrets makes what verifies secrets.
func NewSecrets(store SecretStore, directory auth.Directory) *Secrets {
	return &Secrets{store, directory, subtle.ConstantTimeCompare}
}

// VerifySecret returns the account of a service principal that knows one of its secrets.
func (s *Secrets) VerifySecret(ctx context.Context, applicationID, secret string) (*auth.Account, error) {
	if !good(applicationID, maxName) {
		return nil, wrongSecret()
	}
	known, err := s.store.GoodSecrets(ctx, applicationID)
	if err != nil {
		return nil, err
	}
	used := s.matching(known, hashSecret(secret))
	account, err := s.directory.Account(ctx, applicationID)
	if err != nil {
		return nil, err
	}
	if used == "" || account == nil || !account.Active || account.Kind != auth.ServicePrincipal {
		return nil, wrongSecret()
	}
	return account, s.store.UsedSecret(ctx, used)
}

// matching is the id of the secret that has a hash; empty if none has. It does the same for an application that isn't there,
// or that has few secrets, as for one that has as many as it may.
func (s *Secrets) matching(known []Secret, given []byte) string {
	var none [sha256.Size]byte
	used := ""
	for i := range secretsEach {
		one := Secret{Hash: none[:]}
		if i < len(known) {
			one = known[i]
		}
		if s.compare(given, one.Hash) == 1 {
			used = one.ID
		}
	}
	return used
}

// newSecret makes a secret that nobody can guess: its hash needs no salt and no cost.
func newSecret() string {
	const length = 20
	random := make([]byte, length)
	_, _ = rand.Read(random) // never fails
	return SecretPrefix + hex.EncodeToString(random)
}

func hashSecret(secret string) []byte {
	sum := sha256.Sum256([]byte(secret))
	return sum[:]
}

func wrongSecret() *fault.Error {
	return fault.New(fault.Unauthenticated, "invalid_client", "The client or its secret is not known.")
}

const (
	secretsEach = 5 // how many a service principal has at most
	// SecretLifetime is how long a secret is good at most, and if nobody says.
	SecretLifetime = 2 * 365 * 24 * time.Hour
)

// Make gives a service principal one more secret. It is shown this once.
func (s *Secrets) Make(ctx context.Context, principalID int64, lifetime time.Duration) (string, *Secret, error) {
	text := newSecret()
	made, err := s.store.AddSecret(ctx, principalID, hashSecret(text), lifetime, secretsEach)
	return text, made, err
}
