// Package vault seals secrets, so that they can be kept where others may read: each with a data key of its own, which is
// wrapped by a root key that is kept elsewhere. It has root keys changed while everything goes on. It doesn't know what
// the secrets are, nor where sealed ones are kept.
package vault

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// Store keeps which root keys there are, and can have all sealed values wrapped anew.
type Store interface {
	// RootKeys returns all root keys that ever were, oldest first.
	RootKeys(ctx context.Context) ([]RootKey, error)
	// AddFirstRootKey makes a root key the primary one, unless there is a primary one already.
	AddFirstRootKey(ctx context.Context, k RootKey) error
	// SetPrimaryRootKey makes a root key, which may be a new one, the primary one in place of another.
	// It returns false if that other one isn't the primary one any more.
	SetPrimaryRootKey(ctx context.Context, k RootKey, inPlaceOf ID) (bool, error)
	// RetireRootKey takes note that no value is wrapped by a root key any more, if the primary one has been that for some
	// time. It returns whether it did.
	RetireRootKey(ctx context.Context, id ID, after time.Duration) (bool, error)
	// CountByRootKey tells how many sealed values each root key wraps.
	CountByRootKey(ctx context.Context) (map[ID]int64, error)
	// Rewrap has a function wrap anew all sealed values that are wrapped by one of some root keys. If another process is
	// at it, nothing is done. A value that the function can't wrap is left as it is.
	Rewrap(ctx context.Context, from []ID, rewrap func(ctx context.Context, sealed []byte) ([]byte, error)) error
}

// Options say what a sealer works with.
type Options struct {
	Store   Store
	Sources []Source // of root keys; the first one has the first key
	Now     func() time.Time
	Log     *slog.Logger
}

// Sealer seals and opens secrets. It is safe for concurrent use, by several processes as well.
type Sealer struct {
	opt  Options
	wake chan struct{} // has Run look at once

	mu      sync.Mutex
	keys    map[ID]wrapper // those at hand
	primary ID
	fresh   time.Time // when the primary key was last looked up
}

// primaryFor is how long a process goes on sealing with a root key that isn't the primary one any more.
const primaryFor = 5 * time.Second

// Open opens the root keys that the state needs. On a new state it makes the first one.
func Open(ctx context.Context, opt Options) (*Sealer, error) {
	s := &Sealer{opt: opt, wake: make(chan struct{}, 1), keys: map[ID]wrapper{}}
	if len(opt.Sources) == 0 {
		return nil, errors.New("vault: no source of root keys")
	}
	known, err := opt.Store.RootKeys(ctx)
	if err != nil {
		return nil, err
	}
	if len(known) == 0 {
		if known, err = s.begin(ctx); err != nil {
			return nil, err
		}
	}
	counts, err := opt.Store.CountByRootKey(ctx)
	if err != nil {
		return nil, err
	}
	for _, k := range known {
		if k.Primary {
			s.primary, s.fresh = k.ID, opt.Now()
		}
		if !k.Primary && counts[k.ID] == 0 {
			continue
		}
		if err := s.prove(ctx, k); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// begin makes the first root key. Of several processes that do so, one wins.
func (s *Sealer) begin(ctx context.Context) ([]RootKey, error) {
	first := s.opt.Sources[0]
	w, undo, err := first.first(ctx)
	if err != nil {
		return nil, err
	}
	k, err := newRootKey(ctx, w)
	if err != nil {
		return nil, err
	}
	if err := s.opt.Store.AddFirstRootKey(ctx, k); err != nil {
		return nil, err
	}
	known, err := s.opt.Store.RootKeys(ctx)
	if err != nil {
		return nil, err
	}
	for _, other := range known {
		if other.Primary && other.ID != k.ID {
			return known, undo()
		}
	}
	s.opt.Log.Info("root key made", "key", k.ID.String(), "source", k.Source)
	return known, nil
}

// prove makes sure that a root key is at hand and is the one that the state knows.
func (s *Sealer) prove(ctx context.Context, k RootKey) error {
	w, err := s.wrapper(ctx, k.ID)
	if err != nil {
		return &KeyError{ID: k.ID, Source: k.Source, err: err}
	}
	if err := k.check(ctx, w); err != nil {
		return &KeyError{ID: k.ID, Source: k.Source, err: fmt.Errorf("it doesn't open what it sealed: %w", err)}
	}
	return nil
}

// Seal seals a secret. It opens only with the same associated data, which says whose and what it is: see Bind.
func (s *Sealer) Seal(ctx context.Context, aad, plaintext []byte) ([]byte, error) {
	id, err := s.primaryID(ctx)
	if err != nil {
		return nil, err
	}
	w, err := s.wrapper(ctx, id)
	if err != nil {
		return nil, &KeyError{ID: id, err: err}
	}
	return seal(ctx, w, aad, plaintext)
}

// Open opens what was sealed with the same associated data. Errors tell nothing of the secret.
func (s *Sealer) Open(ctx context.Context, aad, sealed []byte) ([]byte, error) {
	e, err := parseEnvelope(sealed)
	if err != nil {
		return nil, err
	}
	w, err := s.wrapper(ctx, e.root)
	if err != nil {
		return nil, &KeyError{ID: e.root, err: err}
	}
	return e.open(ctx, w, aad)
}

// primaryID is the root key to seal with.
func (s *Sealer) primaryID(ctx context.Context) (ID, error) {
	s.mu.Lock()
	id, fresh := s.primary, s.opt.Now().Sub(s.fresh) < primaryFor
	s.mu.Unlock()
	if fresh {
		return id, nil
	}
	known, err := s.opt.Store.RootKeys(ctx)
	if err != nil {
		return ID{}, err
	}
	return s.adopt(known), nil
}

// adopt takes note of the primary key.
func (s *Sealer) adopt(known []RootKey) ID {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range known {
		if k.Primary {
			s.primary, s.fresh = k.ID, s.opt.Now()
		}
	}
	return s.primary
}

// wrapper finds a root key. Another process may have made it a moment ago.
func (s *Sealer) wrapper(ctx context.Context, id ID) (wrapper, error) {
	s.mu.Lock()
	w, ok := s.keys[id]
	s.mu.Unlock()
	if ok {
		return w, nil
	}
	var failed []error
	for _, source := range s.opt.Sources {
		w, err := source.find(ctx, id)
		if err != nil {
			failed = append(failed, err)
			continue
		}
		if w != nil {
			s.mu.Lock()
			s.keys[id] = w
			s.mu.Unlock()
			return w, nil
		}
	}
	if len(failed) == 0 {
		return nil, errNotAtHand
	}
	return nil, errors.Join(failed...)
}

var errNotAtHand = errors.New("it is in none of the places where root keys are looked for")

// KeyError says that a root key is needed and isn't at hand, or isn't the right one.
type KeyError struct {
	ID     ID
	Source string // where it was when it was made, if that is known
	err    error
}

// Error implements error.
func (e *KeyError) Error() string {
	return fmt.Sprintf("the state's secrets are sealed with root key %s, which can't be used: %v", e.ID, e.err)
}

// Unwrap returns the cause.
func (e *KeyError) Unwrap() error { return e.err }

// Hint says what to do about it.
func (e *KeyError) Hint() string {
	if e.Source == "" {
		return "Have this process find the key as the others do: by the same data directory or the same --vault-key."
	}
	return "It was made by " + e.Source + ". Bring that file or setting along with the database: copy it to this machine's data directory, or name it with --vault-key. Without it, what it sealed can't be opened by anybody."
}
