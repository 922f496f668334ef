package tokens

import (
	"context"
	"crypto/sha256"
	"strings"
	"time"

	"github.com/tarn-data/tarn/internal/auth"
)

const (
	// flushInterval is how often is written which tokens were used.
	flushInterval = 10 * time.Second
	// touchInterval is how often that is written of one token.
	touchInterval = 5 * time.Minute
)

// Use implements auth.PersonalTokens.
func (s *Service) Use(ctx context.Context, secret string) (*auth.PersonalToken, error) {
	if !wellFormed(secret) {
		return nil, nil //nolint:nilnil // there is no such token
	}
	now, digest := s.opt.Now(), sha256.Sum256([]byte(secret))
	e, generation := s.cache.get(digest, now, s.opt.Listening())
	if e == nil {
		t, err := s.opt.Store.TokenOf(ctx, digest)
		if err != nil || t == nil {
			return nil, err
		}
		e = newEntry(t, digest, now)
		s.cache.put(e, generation)
	}
	if e.expired(now) {
		return nil, nil //nolint:nilnil // there was one
	}
	e.touch(now)
	return &e.personal, nil
}

// wellFormed keeps what can't be a secret away from the store.
func wellFormed(secret string) bool {
	digits, ok := strings.CutPrefix(secret, auth.PersonalPrefix)
	return ok && len(digits) == 2*secretLength && strings.Trim(digits, "0123456789abcdef") == ""
}

// Forget has a token that was changed or deleted, by whichever process, be read anew; without an id, all of them.
func (s *Service) Forget(id string) { s.cache.forget(id) }

// Run writes from time to time which tokens were used, and once more when the context ends.
func (s *Service) Run(ctx context.Context) {
	tick := time.NewTicker(flushInterval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			s.flush(ctx, s.opt.Now().Add(-touchInterval))
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushInterval)
			defer cancel()
			s.flush(last, s.opt.Now())
			return
		}
	}
}

// flush writes of tokens that they were used, unless it wrote that after some moment.
func (s *Service) flush(ctx context.Context, since time.Time) {
	used := s.cache.used(since)
	if len(used) == 0 {
		return
	}
	if err := s.opt.Store.TouchTokens(ctx, used); err != nil {
		s.cache.unused(used)
		s.opt.Log.Warn("could not write which tokens were used", "error", err)
	}
}
