package connector

import (
	"context"
	"crypto/sha256"
	"sync"
	"time"
)

// cache keeps what was fetched by a key for some time, also failures. One fetch serves all who wait for it.
type cache[V any] struct {
	now   func() time.Time
	mu    sync.Mutex
	items map[key]*item[V]
}

// key tells apart what is kept. It holds no secret, only the digest of one.
type key [sha256.Size]byte

func keyOf(parts ...string) key {
	h := sha256.New()
	for _, p := range parts {
		_, _ = h.Write([]byte(p))
		_, _ = h.Write([]byte{0})
	}
	return key(h.Sum(nil))
}

type item[V any] struct {
	done  chan struct{} // closed when it was fetched
	value V
	err   error
	until time.Time
}

const (
	maxItems    = 10_000
	failureKept = 2 * time.Second // so that what fails isn't asked again by each who wants it
)

func newCache[V any](now func() time.Time) *cache[V] {
	return &cache[V]{now: now, items: map[key]*item[V]{}}
}

// get returns what is kept, or fetches it. Fresh tells that it wasn't there before. The fetch goes on for the others when
// who asked first is gone.
func (c *cache[V]) get(ctx context.Context, k key, fetch func(context.Context) (V, time.Duration, error)) (value V, fresh bool, err error) {
	c.mu.Lock()
	it := c.items[k]
	if it != nil && it.over() && !c.now().Before(it.until) {
		it = nil
	}
	if fresh = it == nil; fresh {
		it = &item[V]{done: make(chan struct{})}
		c.makeRoom()
		c.items[k] = it
		go c.fill(context.WithoutCancel(ctx), it, fetch)
	}
	c.mu.Unlock()
	select {
	case <-it.done:
		return it.value, fresh, it.err
	case <-ctx.Done():
		return value, fresh, ctx.Err()
	}
}

// kept returns what was fetched, if it is still good.
func (c *cache[V]) kept(k key) (value V, ok bool) {
	c.mu.Lock()
	it := c.items[k]
	c.mu.Unlock()
	if it == nil || !it.over() || it.err != nil || !c.now().Before(it.until) {
		return value, false
	}
	return it.value, true
}

const fetchTimeout = 30 * time.Second

func (c *cache[V]) fill(ctx context.Context, it *item[V], fetch func(context.Context) (V, time.Duration, error)) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	value, kept, err := fetch(ctx)
	if err != nil {
		kept = failureKept
	}
	it.value, it.err, it.until = value, err, c.now().Add(kept)
	close(it.done)
}

func (it *item[V]) over() bool {
	select {
	case <-it.done:
		return true
	default:
		return false
	}
}

// makeRoom forgets what is old, and if that isn't enough something at random.
func (c *cache[V]) makeRoom() {
	if len(c.items) < maxItems {
		return
	}
	now := c.now()
	for k, it := range c.items {
		if it.over() && !now.Before(it.until) {
			delete(c.items, k)
		}
	}
	for k := range c.items {
		if len(c.items) < maxItems {
			return
		}
		delete(c.items, k)
	}
}

func (c *cache[V]) drop(k key) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if it := c.items[k]; it != nil && it.over() {
		delete(c.items, k)
	}
}
