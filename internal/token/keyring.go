package token

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lestrrat-go/jwx/v3/jwk"
)

const (
	// rereadInterval is how long a keyring waits before it looks again for a key that it doesn't know.
	rereadInterval = time.Second
	rereadTimeout  = 5 * time.Second
)

// KeyringOptions say where the keys are, and in whose name they sign.
type KeyringOptions struct {
	Store  KeyStore
	Issuer string                // of the tokens
	Issues func(iss string) bool // tells further names of the issuer; nil for none
	// Algorithm is what it signs with: ES256 or RS256. Processes that say different ones each have keys of their own, and
	// verify what the others sign. Without one, it signs with whichever key is the newest.
	Algorithm string
	Audience  string   // that tokens are for; empty for any
	Schedule  Schedule // zero to change no keys
	Now       func() time.Time
}

// Keyring holds Tarn's own signing keys. Several processes may share its store: a key that one of them adds, the others
// find when they see a token of it; that one is retired, they learn from Reload. A Keyring is safe for concurrent use.
type Keyring struct {
	opt     KeyringOptions
	changes atomic.Uint64 // of keys that were retired
	held    atomic.Pointer[held]

	mu     sync.Mutex // held by who changes the keys
	reread time.Time
}

// held is the keys at one time.
type held struct {
	signing []signingKey // from the oldest to the newest; there is at least one
	jwks    []byte
}

// OpenKeyring opens the keyring in a store, with a new key if it has none.
func OpenKeyring(ctx context.Context, opt KeyringOptions) (*Keyring, error) {
	k := &Keyring{opt: opt}
	k.mu.Lock()
	defer k.mu.Unlock()
	const tries = 5 // others may add keys at the same time
	for range tries {
		keys, err := k.load(ctx)
		if err != nil {
			return nil, err
		}
		if len(k.own(keys)) > 0 {
			return k, k.hold(keys)
		}
		if err := k.add(ctx, keys, opt.Now()); err != nil {
			return nil, err
		}
	}
	return nil, errors.New("no key could be added")
}

// Algorithm is what the keyring signs with.
func (k *Keyring) Algorithm() string { return k.signer(k.held.Load().signing, k.opt.Now()).public.alg }

// own are the keys with which this keyring signs.
func (k *Keyring) own(keys []signingKey) []signingKey {
	if k.opt.Algorithm == "" {
		return keys
	}
	return slices.DeleteFunc(slices.Clone(keys), func(s signingKey) bool { return s.public.alg != k.opt.Algorithm })
}

func (k *Keyring) load(ctx context.Context) ([]signingKey, error) {
	stored, err := k.opt.Store.SigningKeys(ctx)
	if err != nil {
		return nil, err
	}
	return parseSigningKeys(stored)
}

// Rotate adds a key and signs with it from now on. The keys before it still verify.
func (k *Keyring) Rotate(ctx context.Context) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	keys, err := k.load(ctx) // others may have added some
	if err != nil {
		return err
	}
	return k.add(ctx, keys, k.opt.Now())
}

func (k *Keyring) add(ctx context.Context, keys []signingKey, signsFrom time.Time) error {
	next := 1
	if len(keys) > 0 {
		next = keys[len(keys)-1].stored.Number + 1
	}
	added, err := newSigningKey(next, cmp.Or(k.opt.Algorithm, ES256), signsFrom)
	if err != nil {
		return err
	}
	ok, err := k.opt.Store.AddSigningKey(ctx, added.stored)
	if err != nil {
		return err
	}
	if ok {
		keys = append(keys, added)
	}
	if !ok || len(keys) == 1 { // another process was faster; or what it stores is to be seen
		if keys, err = k.load(ctx); err != nil {
			return err
		}
	}
	return k.hold(keys)
}

// Retire removes a key, and with it all trust in what it signed. The key that signs can't be retired.
func (k *Keyring) Retire(ctx context.Context, id string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	keys, err := k.load(ctx)
	if err != nil {
		return err
	}
	for i, s := range keys {
		if s.public.id != id {
			continue
		}
		if id == k.signer(keys, k.opt.Now()).public.id {
			return fmt.Errorf("key %s is the one that signs", id)
		}
		if err := k.opt.Store.RemoveSigningKey(ctx, s.stored); err != nil {
			return err
		}
		return k.hold(slices.Delete(keys, i, i+1))
	}
	return fmt.Errorf("no key %s", id)
}

// Reload reads the keys anew, which others may have changed.
func (k *Keyring) Reload(ctx context.Context) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	keys, err := k.load(ctx)
	if err != nil {
		return err
	}
	if len(keys) == 0 {
		return errors.New("no signing key is left")
	}
	return k.hold(keys)
}

// signer is the newest of the keyring's own keys that signs already.
func (k *Keyring) signer(keys []signingKey, now time.Time) signingKey {
	if own := k.own(keys); len(own) > 0 {
		keys = own
	}
	for _, s := range slices.Backward(keys) {
		if !s.stored.SignsFrom.After(now) {
			return s
		}
	}
	return keys[0]
}

// hold swaps the keys in.
func (k *Keyring) hold(keys []signingKey) error {
	jwks, err := publicSet(keys)
	if err != nil {
		return err
	}
	before := k.held.Swap(&held{signing: keys, jwks: jwks})
	if before != nil && lost(before.signing, keys) {
		k.changes.Add(1)
	}
	return nil
}

// lost tells whether a key of before is missing now.
func lost(before, now []signingKey) bool {
	there := make(map[string]bool, len(now))
	for _, s := range now {
		there[s.public.id] = true
	}
	for _, s := range before {
		if !there[s.public.id] {
			return true
		}
	}
	return false
}

// publicSet renders the public keys as a JSON Web Key Set, the newest first.
func publicSet(keys []signingKey) ([]byte, error) {
	set := jwk.NewSet()
	for _, k := range slices.Backward(keys) {
		public, err := k.private.PublicKey()
		if err != nil {
			return nil, err
		}
		if err := set.AddKey(public); err != nil {
			return nil, err
		}
	}
	return json.Marshal(set)
}

// JWKS returns the public keys as a JSON Web Key Set, the newest first. It must not be changed.
func (k *Keyring) JWKS() []byte { return k.held.Load().jwks }

// KeyIDs returns the ids of the keys, the one that signs last.
func (k *Keyring) KeyIDs() []string {
	var ids []string
	for _, s := range k.held.Load().signing {
		ids = append(ids, s.public.id)
	}
	return ids
}

// candidates returns the key that the token names. Tarn's own tokens always name theirs.
func (k *Keyring) candidates(c *compact, issuer string) ([]candidate, error) {
	if !k.issues(issuer) || !c.hasKid || !isAccessToken(c.typ) {
		return nil, nil
	}
	found := k.find(c)
	if found == nil && k.mayReread() {
		ctx, cancel := context.WithTimeout(context.Background(), rereadTimeout)
		defer cancel()
		if err := k.Reload(ctx); err != nil {
			return nil, keysUnavailable(err)
		}
		found = k.find(c)
	}
	return found, nil
}

func (k *Keyring) issues(issuer string) bool {
	return issuer == k.opt.Issuer || k.opt.Issues != nil && k.opt.Issues(issuer)
}

func (k *Keyring) find(c *compact) []candidate {
	for _, s := range k.held.Load().signing {
		if s.public.fits(c) {
			return []candidate{{key: s.public, own: true, audience: k.opt.Audience}}
		}
	}
	return nil
}

// mayReread limits how often tokens that name unknown keys make the store be read.
func (k *Keyring) mayReread() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.opt.Now()
	if now.Before(k.reread) {
		return false
	}
	k.reread = now.Add(rereadInterval)
	return true
}

func (k *Keyring) generation() uint64 { return k.changes.Load() }
