package vault

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/tink-crypto/tink-go/v2/aead/subtle"
)

const (
	idLen  = 8
	keyLen = 32
)

// ID tells root keys apart. It follows from the key, or from the address of one that never leaves its service.
type ID [idLen]byte

// String renders an id for people.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// ParseID reads what String renders.
func ParseID(s string) (ID, error) {
	var id ID
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != idLen {
		return id, fmt.Errorf("%q is not the id of a root key, which has %d hexadecimal digits", s, 2*idLen)
	}
	copy(id[:], b)
	return id, nil
}

func newID(of string) ID {
	var id ID
	sum := sha256.Sum256([]byte("tarn vault root key\x00" + of))
	copy(id[:], sum[:])
	return id
}

// RootKey is what the state knows of a root key.
type RootKey struct {
	ID      ID
	Source  string // where it is, for people
	Proof   []byte // something known, wrapped by the key
	Primary bool
	Made    time.Time
	Retired *time.Time // since when no value is wrapped by it
}

const proven = "tarn vault"

func newRootKey(ctx context.Context, w wrapper) (RootKey, error) {
	proof, err := w.wrap(ctx, []byte(proven))
	return RootKey{ID: w.id(), Source: w.String(), Proof: proof, Primary: true}, err
}

func (k RootKey) check(ctx context.Context, w wrapper) error {
	text, err := w.unwrap(ctx, k.Proof)
	if err == nil && string(text) != proven {
		err = errors.New("something else comes out")
	}
	return err
}

// wrapper is a root key that can be used.
type wrapper interface {
	id() ID
	wrap(ctx context.Context, key []byte) ([]byte, error)
	unwrap(ctx context.Context, wrapped []byte) ([]byte, error)
	String() string // where it is, for people
}

// localKey is a root key in this process's memory.
type localKey struct {
	own    ID
	cipher *subtle.XChaCha20Poly1305
	from   string
}

func newLocalKey(key []byte, from string) (*localKey, error) {
	cipher, err := subtle.NewXChaCha20Poly1305(key)
	if err != nil {
		return nil, err
	}
	return &localKey{own: newID(string(key)), cipher: cipher, from: from}, nil
}

// parseLocalKey reads a key in base64.
func parseLocalKey(text, from string) (*localKey, error) {
	key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
	if err != nil || len(key) != keyLen {
		return nil, fmt.Errorf("%s: a root key is %d bytes in base64, such as openssl rand -base64 %d makes", from, keyLen, keyLen)
	}
	defer clear(key)
	return newLocalKey(key, from)
}

func randomKey() []byte {
	key := make([]byte, keyLen)
	_, _ = rand.Read(key) // it never fails
	return key
}

func (k *localKey) id() ID         { return k.own }
func (k *localKey) String() string { return k.from }

func (k *localKey) wrap(_ context.Context, key []byte) ([]byte, error) {
	return k.cipher.Encrypt(key, k.own[:])
}

func (k *localKey) unwrap(_ context.Context, wrapped []byte) ([]byte, error) {
	return k.cipher.Decrypt(wrapped, k.own[:])
}
