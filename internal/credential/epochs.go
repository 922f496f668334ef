package credential

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/tarn-data/tarn/internal/vault"
)

// Epochs is a backend that tells when its credentials have changed, for those who remember what they have led to. It is
// safe for concurrent use.
type Epochs struct {
	Backend

	life  func() time.Duration
	count atomic.Uint64
}

// NewEpochs makes one. Life tells how long changes that others make may stay unheard of: as long, what was read is good.
func NewEpochs(b Backend, life func() time.Duration) *Epochs { return &Epochs{Backend: b, life: life} }

// Epoch is the same as long as no credential has changed that is known of. What is read may be relied on in the same epoch,
// but not for longer than the life, which is 0 while it may not at all. Ask before reading.
func (e *Epochs) Epoch() (epoch uint64, life time.Duration) { return e.count.Load(), e.life() }

// Changed begins another epoch.
func (e *Epochs) Changed() { e.count.Add(1) }

// Put implements Backend.
func (e *Epochs) Put(ctx context.Context, at Path, name string, value vault.Secret, by string) (Info, error) {
	defer e.Changed()
	return e.Backend.Put(ctx, at, name, value, by)
}

// Delete implements Backend.
func (e *Epochs) Delete(ctx context.Context, at Path, name string) (bool, error) {
	defer e.Changed()
	return e.Backend.Delete(ctx, at, name)
}
