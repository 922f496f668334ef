package tokens

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/tarn-data/tarn/internal/auth"
)

const (
	maxEntries = 100_000
	// maxAge is how long a token is believed while changes are heard of.
	maxAge = 5 * time.Minute
)

// cache keeps tokens that are in use.
type cache struct {
	mu         sync.RWMutex
	generation uint64 // of changes heard of
	byDigest   map[Digest]*entry
	byID       map[string]*entry
	left       map[string]time.Time // of tokens not in it any more, when they were used
}

// entry is a token in use.
type entry struct {
	personal  auth.PersonalToken
	digest    Digest
	expires   time.Time // zero for never
	read      time.Time
	usedAt    atomic.Int64 // Unix milliseconds
	writtenAt int64        // what was written of that; the cache is locked
}

func newEntry(t *Token, d Digest, now time.Time) *entry {
	e := &entry{
		personal: auth.PersonalToken{ID: t.ID, Owner: t.Owner, OwnerID: t.OwnerID, Scopes: t.Scopes},
		digest:   d, read: now,
	}
	if t.ExpiresAt != nil {
		e.expires = *t.ExpiresAt
	}
	return e
}

func (e *entry) expired(now time.Time) bool { return !e.expires.IsZero() && !now.Before(e.expires) }

// touch takes note of the use. Writing each millisecond anew would make processors wait for each other.
func (e *entry) touch(now time.Time) {
	const precision = 1000
	if ms := now.UnixMilli(); ms-e.usedAt.Load() > precision {
		e.usedAt.Store(ms)
	}
}

// get returns the token of a secret, if it is known, and the generation of that answer. Who doesn't hear of changes must
// ask the store.
func (c *cache) get(d Digest, now time.Time, listening bool) (*entry, uint64) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	e := c.byDigest[d]
	if e != nil && (!listening || now.Sub(e.read) > maxAge) {
		e = nil
	}
	return e, c.generation
}

// put keeps a token that was read, unless it may have changed since the generation.
func (c *cache) put(e *entry, generation uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.generation != generation {
		c.leave(e)
		return
	}
	if before := c.byDigest[e.digest]; before != nil {
		c.remove(before)
	} else if len(c.byDigest) >= maxEntries {
		for _, other := range c.byDigest { // whichever comes first
			c.remove(other)
			break
		}
	}
	c.byDigest[e.digest], c.byID[e.personal.ID] = e, e
}

// leave has the entry's use be written though it is not kept.
func (c *cache) leave(e *entry) {
	if c.left == nil {
		c.left = map[string]time.Time{}
	}
	used := max(e.usedAt.Load(), e.read.UnixMilli())
	if len(c.left) < maxEntries {
		c.left[e.personal.ID] = time.UnixMilli(used)
	}
}

func (c *cache) remove(e *entry) {
	delete(c.byDigest, e.digest)
	delete(c.byID, e.personal.ID)
	if e.usedAt.Load() > e.writtenAt {
		c.leave(e)
	}
}

// forget drops a token that was changed or deleted; all if it has no name.
func (c *cache) forget(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.generation++
	if id != "" {
		if e := c.byID[id]; e != nil {
			c.remove(e)
		}
		return
	}
	for _, e := range c.byDigest {
		c.remove(e)
	}
}

// used returns when tokens were used of which that isn't written yet, nor was anything written of since some moment.
func (c *cache) used(since time.Time) map[string]time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	used := c.left
	c.left = nil
	if used == nil {
		used = map[string]time.Time{}
	}
	for _, e := range c.byDigest {
		if ms := e.usedAt.Load(); ms > e.writtenAt && e.writtenAt <= since.UnixMilli() {
			used[e.personal.ID] = time.UnixMilli(ms)
			e.writtenAt = ms
		}
	}
	return used
}

// unused takes back what could not be written.
func (c *cache) unused(used map[string]time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, at := range used {
		if _, newer := c.left[id]; !newer && len(c.left) < maxEntries {
			if c.left == nil {
				c.left = map[string]time.Time{}
			}
			c.left[id] = at
		}
	}
}
