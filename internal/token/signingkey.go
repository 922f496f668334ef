package token

import (
	"cmp"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jwk"
)

const signingAlgorithm = "ES256"

// StoredKey is a signing key as it is kept. Keys are numbered; the one with the greatest number signs, as soon as it may.
type StoredKey struct {
	Number    int
	ID        string
	Text      []byte    // JSON Web Key, the private one
	SignsFrom time.Time // zero for at once
	From      string    // where it is kept, for errors
}

// KeyStore keeps signing keys for all processes.
type KeyStore interface {
	// SigningKeys returns all keys, in whatever order.
	SigningKeys(ctx context.Context) ([]StoredKey, error)
	// AddSigningKey adds a key. It returns false if another process has added one of that number.
	AddSigningKey(ctx context.Context, k StoredKey) (bool, error)
	RemoveSigningKey(ctx context.Context, k StoredKey) error
}

// signingKey is a private key of a keyring.
type signingKey struct {
	stored  StoredKey
	private jwk.Key
	public  *key
}

// newSigningKey makes a key. Its id is its thumbprint (RFC 7638).
func newSigningKey(number int, signsFrom time.Time) (signingKey, error) {
	raw, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return signingKey{}, err
	}
	private, err := jwk.Import(raw)
	if err != nil {
		return signingKey{}, err
	}
	print, err := private.Thumbprint(crypto.SHA256)
	if err != nil {
		return signingKey{}, err
	}
	err = errors.Join(
		private.Set(jwk.KeyIDKey, base64.RawURLEncoding.EncodeToString(print)),
		private.Set(jwk.AlgorithmKey, jwa.ES256()),
		private.Set(jwk.KeyUsageKey, jwk.ForSignature),
	)
	if err != nil {
		return signingKey{}, err
	}
	text, err := json.Marshal(private)
	if err != nil {
		return signingKey{}, err
	}
	return parseSigningKey(StoredKey{Number: number, Text: text, SignsFrom: signsFrom})
}

func parseSigningKey(stored StoredKey) (signingKey, error) {
	public, err := parseKey(stored.Text)
	if err != nil {
		return signingKey{}, err
	}
	private, err := jwk.ParseKey(stored.Text)
	if err != nil {
		return signingKey{}, errNotJWK
	}
	if _, ok := private.(jwk.ECDSAPrivateKey); !ok || public == nil || public.alg != signingAlgorithm || public.id == "" {
		return signingKey{}, fmt.Errorf("not a private %s key with an id", signingAlgorithm)
	}
	stored.ID = public.id
	return signingKey{stored: stored, private: private, public: public}, nil
}

// parseSigningKeys reads keys, and puts the oldest first.
func parseSigningKeys(stored []StoredKey) ([]signingKey, error) {
	keys := make([]signingKey, 0, len(stored))
	for _, s := range stored {
		k, err := parseSigningKey(s)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.From, err)
		}
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b signingKey) int {
		return cmp.Or(cmp.Compare(a.stored.Number, b.stored.Number), strings.Compare(a.stored.ID, b.stored.ID))
	})
	return keys, nil
}
