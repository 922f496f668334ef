package token

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jwk"
)

const (
	signingAlgorithm = "ES256"
	keySuffix        = ".jwk"
)

// signingKey is a private key of a keyring. Keys are numbered; the one with the greatest number signs.
type signingKey struct {
	number  int
	private jwk.Key
	public  *key
}

// newSigningKey makes a key. Its id is its thumbprint (RFC 7638).
func newSigningKey(number int) (signingKey, error) {
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
	return parseSigningKey(number, text)
}

func parseSigningKey(number int, text []byte) (signingKey, error) {
	public, err := parseKey(text)
	if err != nil {
		return signingKey{}, err
	}
	private, err := jwk.ParseKey(text)
	if err != nil {
		return signingKey{}, errNotJWK
	}
	if _, ok := private.(jwk.ECDSAPrivateKey); !ok || public == nil || public.alg != signingAlgorithm || public.id == "" {
		return signingKey{}, fmt.Errorf("not a private %s key with an id", signingAlgorithm)
	}
	return signingKey{number: number, private: private, public: public}, nil
}

// keyDir is a directory with a file for each key: number-id.jwk, readable for its owner only.
type keyDir string

func (d keyDir) make() error { return os.MkdirAll(string(d), 0o700) }

// load reads the keys, from the oldest to the newest.
func (d keyDir) load() ([]signingKey, error) {
	files, err := os.ReadDir(string(d))
	if err != nil {
		return nil, err
	}
	var keys []signingKey
	for _, f := range files {
		number, ok := keyNumber(f.Name())
		if !ok {
			continue
		}
		path := filepath.Join(string(d), f.Name())
		text, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue // retired since the directory was read
		}
		if err != nil {
			return nil, err
		}
		k, err := parseSigningKey(number, text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b signingKey) int {
		if a.number != b.number {
			return a.number - b.number
		}
		return strings.Compare(a.public.id, b.public.id)
	})
	return keys, nil
}

// keyNumber reads the number in a file's name; false if it is not that of a key.
func keyNumber(file string) (int, bool) {
	name, ok := strings.CutSuffix(file, keySuffix)
	if !ok || strings.HasPrefix(file, ".") {
		return 0, false
	}
	number, _, ok := strings.Cut(name, "-")
	n, err := strconv.Atoi(number)
	return n, ok && err == nil && n > 0
}

func (d keyDir) path(k signingKey) string {
	return filepath.Join(string(d), fmt.Sprintf("%04d-%s%s", k.number, k.public.id, keySuffix))
}

// save writes a key so that after a crash there is the whole file, or none.
func (d keyDir) save(k signingKey) error {
	text, err := json.Marshal(k.private)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(string(d), ".new-*") // with mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), d.path(k))
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return d.sync()
}

func (d keyDir) remove(k signingKey) error {
	if err := os.Remove(d.path(k)); err != nil {
		return err
	}
	return d.sync()
}

// sync makes what happened to the directory last.
func (d keyDir) sync() error {
	f, err := os.Open(string(d))
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
