package token

import (
	"context"
	"log/slog"
	"time"
)

// Schedule says when keys are changed.
type Schedule struct {
	Every       time.Duration // how long a key signs
	Publish     time.Duration // how long a key is published before it signs, so that all have heard of it
	MaxLifetime time.Duration // of the tokens: how long a key is kept that doesn't sign any more
}

// checkInterval is how often a keyring looks whether it is time to change keys.
const checkInterval = 10 * time.Minute

// Run changes keys by the schedule until the context ends.
func (k *Keyring) Run(ctx context.Context, log *slog.Logger) {
	tick := time.NewTicker(checkInterval)
	defer tick.Stop()
	for {
		if err := k.Maintain(ctx); err != nil && ctx.Err() == nil {
			log.Error("could not look after the signing keys", "error", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// Maintain reads the keys anew, adds the next one when it is time to publish it, and removes those that can't have
// signed a token which is still good.
func (k *Keyring) Maintain(ctx context.Context) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	keys, err := k.load(ctx)
	if err != nil {
		return err
	}
	s, now := k.opt.Schedule, k.opt.Now()
	var kept []signingKey
	for i, key := range keys {
		if !k.over(key, keys[i+1:], now) {
			kept = append(kept, key)
		} else if err := k.opt.Store.RemoveSigningKey(ctx, key.stored); err != nil {
			return err
		}
	}
	own := k.own(kept)
	if n := len(own); n == 0 || s.Every > 0 && own[n-1].stored.SignsFrom.Add(s.Every-s.Publish).Before(now) {
		return k.add(ctx, kept, now.Add(s.Publish))
	}
	return k.hold(kept)
}

// over tells whether nothing that a key signed can still be good, from the keys that were made after it. The last one of
// its algorithm signs until it would have been replaced: then no process signs with that algorithm any more.
func (k *Keyring) over(key signingKey, later []signingKey, now time.Time) bool {
	s := k.opt.Schedule
	if s.MaxLifetime == 0 {
		return false
	}
	kept := s.MaxLifetime + skew*time.Second
	for _, next := range later {
		if next.public.alg == key.public.alg {
			return next.stored.SignsFrom.Add(kept).Before(now)
		}
	}
	return len(k.own([]signingKey{key})) == 0 && s.Every > 0 && key.stored.SignsFrom.Add(s.Every+kept).Before(now)
}
