package oauth

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/tarn-data/tarn/internal/token"
)

const (
	// rereadAfter bounds how long a token that was taken back may still be good if the news of it are lost; deafReread
	// does while no news are heard.
	rereadAfter = 30 * time.Second
	deafReread  = time.Second
)

// Revocations know which access tokens were taken back before they expired, and which sessions have ended. They are safe
// for concurrent use.
type Revocations struct {
	read      func(context.Context) (map[string]time.Time, error)
	listening func() bool
	now       func() time.Time
	log       *slog.Logger
	changed   chan struct{}

	mu  sync.RWMutex
	ids map[string]time.Time // until when they matter
}

// NewRevocations makes them from what reads all of them. Listening tells whether Hear is called at once.
func NewRevocations(read func(context.Context) (map[string]time.Time, error), listening func() bool, now func() time.Time, log *slog.Logger) *Revocations {
	return &Revocations{
		read: read, listening: listening, now: now, log: log, changed: make(chan struct{}, 1), ids: map[string]time.Time{},
	}
}

// Revoked tells whether a token was taken back.
func (r *Revocations) Revoked(id *token.Identity) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if len(r.ids) == 0 {
		return false
	}
	_, one := r.ids[id.ID]
	_, all := r.ids[id.Session]
	return one || all
}

// Hear takes note that a token or session was taken back; without an id, that any may have been.
func (r *Revocations) Hear(id string) {
	if id != "" {
		r.mu.Lock()
		r.ids[id] = r.now().Add(accessLifetime)
		r.mu.Unlock()
		return
	}
	select {
	case r.changed <- struct{}{}:
	default: // it is known already
	}
}

// Load reads all.
func (r *Revocations) Load(ctx context.Context) error {
	all, err := r.read(ctx)
	if err != nil {
		return err
	}
	now := r.now()
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, until := range r.ids { // heard of since they were read
		if _, there := all[id]; !there && until.After(now) {
			all[id] = until
		}
	}
	r.ids = all
	return nil
}

// Run reads all from time to time until the context ends.
func (r *Revocations) Run(ctx context.Context) {
	for {
		after := rereadAfter
		if !r.listening() {
			after = deafReread
		}
		wait := time.NewTimer(after)
		select {
		case <-wait.C:
		case <-r.changed:
		case <-ctx.Done():
			wait.Stop()
			return
		}
		wait.Stop()
		if err := r.Load(ctx); err != nil && ctx.Err() == nil {
			r.log.Warn("could not read which tokens were taken back", "error", err)
		}
	}
}
