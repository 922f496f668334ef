// Package throttle provides the gateway's rate limits: so many calls a second of each endpoint for each principal, or for
// each source address of who isn't known, and what an administrator rules otherwise. Processes that share a state share
// the limits. It doesn't know which endpoints there are, nor where shared buckets and rules are kept.
package throttle

import (
	"context"
	"fmt"
	"hash/maphash"
	"log/slog"
	"math"
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tarn-data/tarn/internal/endpoint"
	"github.com/tarn-data/tarn/internal/fault"
	"github.com/tarn-data/tarn/internal/ratelimit"
)

// Options say what a limiter enforces.
type Options struct {
	Default  ratelimit.Limit            // of each endpoint for each principal
	Services map[string]ratelimit.Limit // that have another default, by their name
	Shares   Shares                     // nil if there is only this process
	Process  string                     // tells this process from others
	Log      *slog.Logger
}

// Limiter enforces rate limits. It is safe for concurrent use.
type Limiter struct {
	opt       Options
	start     time.Time
	seed      maphash.Seed
	shards    [shards]shard
	rules     atomic.Pointer[rules]
	processes atomic.Int64 // that share the limits
	away      atomic.Bool  // whether the shared buckets could not be reached the last time
	kick      chan struct{}
	Stats     Stats
}

// Stats counts what a limiter did.
type Stats struct {
	Admitted       atomic.Int64
	Refused        atomic.Int64
	Settlements    atomic.Int64
	FailedSettling atomic.Int64
}

const (
	shards = 64
	// most is how many buckets a shard holds. When there would be more, one is forgotten: its owner begins anew.
	most = 4096
)

// shard is a part of the buckets with a lock of its own.
type shard struct {
	mu      sync.Mutex
	buckets map[key]*bucket
	dirty   []*bucket // to be settled
}

// key is whose bucket it is.
type key struct {
	route *endpoint.Route
	who   string     // principal; empty for those who aren't known
	addr  netip.Addr // of who isn't known
	all   bool       // it is that of all callers together
}

type bucket struct {
	ratelimit.Bucket
	key   key
	limit ratelimit.Limit
	rules *rules // that the limit is by
	used  time.Duration
	dirty bool
}

// New makes a limiter. Run has it share its buckets with others.
func New(opt Options) *Limiter {
	l := &Limiter{opt: opt, start: time.Now(), seed: maphash.MakeSeed(), kick: make(chan struct{}, 1)}
	for i := range l.shards {
		l.shards[i].buckets = map[key]*bucket{}
	}
	l.processes.Store(1)
	l.SetRules(nil)
	return l
}

// Admit implements gateway.Guard.
func (l *Limiter) Admit(_ context.Context, c *endpoint.Call) error {
	who := ""
	if c.Account != nil {
		who = c.Account.Name
	}
	return l.Allow(c.Route, who, c.Source)
}

// Allow takes note of a call of a route, by a principal or, where that is empty, from an address. Its error is a fault.
func (l *Limiter) Allow(route *endpoint.Route, who string, addr netip.Addr) error {
	if in := l.rules.Load(); len(in.list) == 0 && l.fallback(key{route: route}).Unlimited() {
		return nil
	}
	k := key{route: route, who: who}
	if who == "" {
		k.addr = network(addr)
	}
	if err := l.take(k); err != nil {
		return err
	}
	if l.rules.Load().workspace {
		return l.take(key{route: route, all: true})
	}
	return nil
}

func (l *Limiter) take(k key) error {
	now, in := time.Since(l.start), l.rules.Load()
	s := &l.shards[l.hash(k)%shards]
	s.mu.Lock()
	b := s.buckets[k]
	if b == nil || b.rules != in {
		b = l.renew(s, b, k, in, now)
	}
	b.used = now
	if b.limit.Unlimited() {
		s.mu.Unlock()
		return nil
	}
	n := int(l.processes.Load())
	alone := n == 1 || l.away.Load()
	if alone {
		b.Fill(b.limit.Part(n), now)
	}
	ok, low := b.Take(), false
	if !alone {
		if low = b.Low(); !b.dirty {
			b.dirty = true
			s.dirty = append(s.dirty, b)
		}
	}
	wait, limit := time.Duration(0), b.limit
	if !ok {
		wait = b.Wait(limit.Rate)
	}
	s.mu.Unlock()
	if low {
		select {
		case l.kick <- struct{}{}:
		default: // it is coming
		}
	}
	if !ok {
		l.Stats.Refused.Add(1)
		return refusal(k, limit, wait)
	}
	l.Stats.Admitted.Add(1)
	return nil
}

// renew makes a bucket, or finds a new limit for one after the rules have changed. The shard is locked.
func (l *Limiter) renew(s *shard, b *bucket, k key, in *rules, now time.Duration) *bucket {
	limit := in.limit(k, l.fallback(k))
	if b != nil && b.limit == limit {
		b.rules = in
		return b
	}
	if b == nil && len(s.buckets) >= most {
		for other := range s.buckets { // any
			delete(s.buckets, other)
			break
		}
	}
	n := int(l.processes.Load())
	if l.away.Load() {
		b = &bucket{Bucket: ratelimit.New(limit.Part(n), 1, now)}
	} else {
		b = &bucket{Bucket: ratelimit.New(limit, n, now)}
	}
	b.key, b.limit, b.rules = k, limit, in
	s.buckets[k] = b
	return b
}

// fallback is the limit where no rule says otherwise. The workspace as a whole has none.
func (l *Limiter) fallback(k key) ratelimit.Limit {
	if k.all {
		return ratelimit.Limit{}
	}
	if limit, ok := l.opt.Services[k.route.Service]; ok {
		return limit
	}
	return l.opt.Default
}

func (l *Limiter) hash(k key) uint64 {
	return maphash.Comparable(l.seed, k)
}

// refusal is the fault of who calls too often.
func refusal(k key, limit ratelimit.Limit, wait time.Duration) error {
	whose := "you"
	if k.all {
		whose = "the workspace"
	}
	seconds := max(1, int(math.Ceil(wait.Seconds())))
	return fault.New(fault.TooMany, "REQUEST_LIMIT_EXCEEDED", fmt.Sprintf(
		"The rate limit of %g requests per second for %s.%s has been exceeded by %s. Please try again in %d s.",
		limit.Rate, k.route.Service, k.route.Action, whose, seconds)).WithHeader("Retry-After", strconv.Itoa(seconds))
}

// network is what a client has: a single address of version 4, or 64 bits of version 6.
func network(a netip.Addr) netip.Addr {
	const subnet = 64
	if !a.Is6() || a.Is4In6() {
		return a.Unmap()
	}
	p, err := a.WithZone("").Prefix(subnet)
	if err != nil {
		return a
	}
	return p.Addr()
}
