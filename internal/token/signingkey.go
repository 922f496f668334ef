package token

import (
	"cmp"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lestrrat-go/jwx/v3/jwk"
)

// The algorithms that keyrings sign with.
const (
	ES256 = "ES256"
	RS256 = "RS256" // for clients that know no other; its keys and signatures are large, and signing is slow
)

const rsaBits = 2048

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

// newPrivateKey makes a private key to sign with by an algorithm.
func newPrivateKey(algorithm string) (crypto.Signer, error) {
	switch algorithm {
	case ES256:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case RS256:
		return rsa.GenerateKey(rand.Reader, rsaBits)
	}
	return nil, fmt.Errorf("nothing is signed with %s", algorithm)
}

// newSigningKey makes a key. Its id is its thumbprint (RFC 7638).
func newSigningKey(number int, name string, signsFrom time.Time) (signingKey, error) {
	raw, err := newPrivateKey(name)
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
		private.Set(jwk.AlgorithmKey, name),
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
	whole, err := jwk.IsPrivateKey(private)
	if err != nil || !whole || public == nil || public.alg != ES256 && public.alg != RS256 || public.id == "" {
		return signingKey{}, fmt.Errorf("not a private %s or %s key with an id", ES256, RS256)
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
