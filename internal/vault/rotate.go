package vault

import (
	"context"
	"errors"
	"slices"
	"time"
)

const (
	lookEvery = 10 * time.Second
	// retireAfter is how long after a change of the primary key its predecessor may still be sealed with.
	retireAfter = 4 * primaryFor
)

// Rotate makes another root key the primary one, and returns its id: a new one in Tarn's own directory, or one that was
// configured since the last time. What the others sealed is wrapped anew by Run, in this process or in another one.
func (s *Sealer) Rotate(ctx context.Context) (ID, error) {
	known, err := s.opt.Store.RootKeys(ctx)
	if err != nil {
		return ID{}, err
	}
	before := s.adopt(known)
	w, err := s.next(ctx, known)
	if err != nil {
		return ID{}, err
	}
	k, err := newRootKey(ctx, w)
	if err != nil {
		return ID{}, err
	}
	if err := k.check(ctx, w); err != nil {
		return ID{}, err
	}
	done, err := s.opt.Store.SetPrimaryRootKey(ctx, k, before)
	if err != nil {
		return ID{}, err
	}
	if !done {
		return ID{}, &RotateError{"another process changes the root key at the same time", "See tarn vault status, then decide again."}
	}
	s.mu.Lock()
	s.keys[k.ID] = w
	s.primary, s.fresh = k.ID, s.opt.Now()
	s.mu.Unlock()
	s.opt.Log.Info("root key changed", "key", k.ID.String(), "source", k.Source, "before", before.String())
	select {
	case s.wake <- struct{}{}:
	default:
	}
	return k.ID, nil
}

// next is the root key that follows. One that was configured for it goes before a new one of Tarn's own making.
func (s *Sealer) next(ctx context.Context, known []RootKey) (wrapper, error) {
	isKnown := func(id ID) bool { return slices.ContainsFunc(known, func(k RootKey) bool { return k.ID == id }) }
	sources := slices.Clone(s.opt.Sources)
	slices.SortStableFunc(sources, func(a, b Source) int { return makes(a) - makes(b) })
	for _, source := range sources {
		if w, err := source.newest(ctx, isKnown); w != nil || err != nil {
			return w, err
		}
	}
	return nil, &RotateError{"there is no root key to change to", "Configure one more with --vault-key in all processes, then rotate."}
}

// makes is 1 for sources that make keys, else 0.
func makes(s Source) int {
	if _, ok := s.(keyDir); ok {
		return 1
	}
	return 0
}

// RotateError says why the root key can't be changed, and what to do about it.
type RotateError struct{ message, hint string }

// Error implements error.
func (e *RotateError) Error() string { return e.message }

// Hint says what to do about it.
func (e *RotateError) Hint() string { return e.hint }

// Run has what older root keys sealed wrapped by the primary one, until the context ends. It goes on with what another
// process began.
func (s *Sealer) Run(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		if err := s.Rewrap(ctx); err != nil && ctx.Err() == nil {
			s.opt.Log.Warn("sealed values could not be wrapped by the primary root key; it is tried again", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-s.wake:
		}
	}
}

// Rewrap does once what Run does all the time.
func (s *Sealer) Rewrap(ctx context.Context) error {
	known, err := s.opt.Store.RootKeys(ctx)
	if err != nil {
		return err
	}
	primary := s.adopt(known)
	to, err := s.wrapper(ctx, primary)
	if err != nil {
		return &KeyError{ID: primary, err: err}
	}
	var old []ID
	for _, k := range known {
		if !k.Primary && k.Retired == nil {
			old = append(old, k.ID)
		}
	}
	if len(old) == 0 {
		return nil
	}
	var failed error
	err = s.opt.Store.Rewrap(ctx, old, func(ctx context.Context, sealed []byte) ([]byte, error) {
		out, err := s.rewrap(ctx, sealed, to)
		if err != nil {
			failed = err
		}
		return out, err
	})
	if err = errors.Join(err, failed); err != nil {
		return err
	}
	return s.retire(ctx, old)
}

func (s *Sealer) rewrap(ctx context.Context, sealed []byte, to wrapper) ([]byte, error) {
	e, err := parseEnvelope(sealed)
	if err != nil {
		return nil, err
	}
	from, err := s.wrapper(ctx, e.root)
	if err != nil {
		return nil, &KeyError{ID: e.root, err: err}
	}
	return e.rewrap(ctx, from, to)
}

// retire takes note of the root keys that wrap nothing any more.
func (s *Sealer) retire(ctx context.Context, old []ID) error {
	counts, err := s.opt.Store.CountByRootKey(ctx)
	if err != nil {
		return err
	}
	for _, id := range old {
		if counts[id] > 0 {
			continue
		}
		done, err := s.opt.Store.RetireRootKey(ctx, id, retireAfter)
		if err != nil {
			return err
		}
		if !done {
			return nil // another process may still seal with it
		}
		s.opt.Log.Info("root key retired: nothing is sealed with it any more", "key", id.String())
	}
	return nil
}

// KeyStatus is how a root key stands.
type KeyStatus struct {
	RootKey

	Values int64 // how many sealed values it wraps
	AtHand bool  // whether this process can use it
}

// Status tells how the root keys stand. A change is done when only the primary one has values.
func (s *Sealer) Status(ctx context.Context) ([]KeyStatus, error) {
	known, err := s.opt.Store.RootKeys(ctx)
	if err != nil {
		return nil, err
	}
	counts, err := s.opt.Store.CountByRootKey(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]KeyStatus, 0, len(known))
	for _, k := range known {
		_, err := s.wrapper(ctx, k.ID)
		out = append(out, KeyStatus{RootKey: k, Values: counts[k.ID], AtHand: err == nil})
	}
	return out, nil
}
