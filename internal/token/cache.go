package token

import (
	"sync"
	"sync/atomic"
)

// digest stands for a token in the cache, so that tokens are not kept in memory.
type digest [32]byte

// cache keeps a bounded number of entries, and evicts those that were not asked for again (SIEVE). It is safe for
// concurrent use; hits don't wait for each other.
type cache struct {
	max   int
	stats *Stats

	mu      sync.RWMutex
	entries map[digest]*node
	newest  *node
	oldest  *node
	hand    *node // where the search for what to evict goes on; nil for the oldest
}

// node is an entry in a list from the newest to the oldest.
type node struct {
	digest       digest
	entry        *verified
	visited      atomic.Bool
	newer, older *node
}

func newCache(maxEntries int, stats *Stats) *cache {
	return &cache{max: maxEntries, stats: stats, entries: make(map[digest]*node)}
}

func (c *cache) get(d digest) (*verified, bool) {
	c.stats.Lookups.Add(1)
	c.mu.RLock()
	defer c.mu.RUnlock()
	n, ok := c.entries[d]
	if !ok {
		return nil, false
	}
	if !n.visited.Load() { // writing what is there already would slow others down
		n.visited.Store(true)
	}
	return n.entry, true
}

func (c *cache) put(d digest, v *verified) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n, ok := c.entries[d]; ok {
		n.entry = v
		return
	}
	if len(c.entries) >= c.max {
		c.evict()
	}
	n := &node{digest: d, entry: v, older: c.newest}
	if c.newest != nil {
		c.newest.newer = n
	} else {
		c.oldest = n
	}
	c.newest = n
	c.entries[d] = n
}

// evict removes the first entry, from the hand on to the newer ones, that was not asked for since the hand last passed.
func (c *cache) evict() {
	n := c.hand
	for {
		if n == nil {
			n = c.oldest
		}
		if !n.visited.Load() {
			break
		}
		n.visited.Store(false)
		n = n.newer
	}
	c.hand = n.newer
	c.unlink(n)
	delete(c.entries, n.digest)
	c.stats.Evictions.Add(1)
}

func (c *cache) unlink(n *node) {
	if n.newer != nil {
		n.newer.older = n.older
	} else {
		c.newest = n.older
	}
	if n.older != nil {
		n.older.newer = n.newer
	} else {
		c.oldest = n.newer
	}
}

func (c *cache) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.entries)
	c.newest, c.oldest, c.hand = nil, nil, nil
}
