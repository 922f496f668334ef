package throttle

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/tarn-data/tarn/internal/ratelimit"
)

// Shares are buckets that processes share.
type Shares interface {
	// Settle has a process settle, for all buckets at once or for none. It returns what each of them grants, and how many
	// processes there are. The buckets come in the order of their names.
	Settle(ctx context.Context, process string, asks []Ask) (granted []float64, processes int, err error)
	// Leave says that a process is no more.
	Leave(ctx context.Context, process string) error
}

// Ask is what a process has to settle with a bucket.
type Ask struct {
	Bucket string
	Limit  ratelimit.Limit
	ratelimit.Settlement
}

const (
	// period is how long a process goes on with what it has, at least when it has enough.
	period = 200 * time.Millisecond
	// pause is how long it waits before it asks again.
	pause = 25 * time.Millisecond
	// heartbeat is how often a process says that it is there, when it has nothing to settle.
	heartbeat = time.Second
	// ForgetAfter is how long after its last word a process counts.
	ForgetAfter = 5 * time.Second
	// sweep is how often buckets that are full again are forgotten.
	sweep = 5 * time.Second

	settleTimeout = 2 * time.Second
	atOnce        = 2000 // buckets in one settlement
)

// Join has the process counted, before it serves.
func (l *Limiter) Join(ctx context.Context) {
	if l.opt.Shares != nil {
		l.settle(ctx, nil)
	}
}

// Run shares the buckets with other processes until the context ends.
func (l *Limiter) Run(ctx context.Context) {
	tick := time.NewTicker(period)
	defer tick.Stop()
	var told, swept time.Duration
	for {
		select {
		case <-ctx.Done():
			l.leave(ctx)
			return
		case <-tick.C:
		case <-l.kick:
		}
		now := time.Since(l.start)
		if now-swept > sweep {
			swept = now
			l.sweep(now)
		}
		if l.opt.Shares == nil {
			continue
		}
		taken := l.takeDirty()
		if len(taken) == 0 && now-told < heartbeat {
			continue
		}
		for len(taken) > atOnce {
			l.settle(ctx, taken[:atOnce])
			taken = taken[atOnce:]
		}
		l.settle(ctx, taken)
		told = now
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

func (l *Limiter) leave(ctx context.Context) {
	if l.opt.Shares == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
	defer cancel()
	if err := l.opt.Shares.Leave(ctx, l.opt.Process); err != nil {
		l.opt.Log.Debug("could not leave the rate limits' shares", "error", err)
	}
}

// due is a bucket that is being settled. It is left to its shard meanwhile, where calls go on.
type due struct {
	bucket *bucket
	ask    Ask
}

func (l *Limiter) takeDirty() []due {
	var all []due
	n := int(l.processes.Load())
	for i := range l.shards {
		s := &l.shards[i]
		s.mu.Lock()
		for _, b := range s.dirty {
			b.dirty = false
			limit := b.limit
			if settlement, changed := b.Settle(limit, n); changed {
				all = append(all, due{b, Ask{Limit: limit, Settlement: settlement}})
				b.dirty = true // once more, to give back what isn't needed after all
			}
		}
		s.dirty = slices.DeleteFunc(s.dirty, func(b *bucket) bool { return !b.dirty })
		s.mu.Unlock()
	}
	for i := range all {
		all[i].ask.Bucket = all[i].bucket.key.name()
	}
	slices.SortFunc(all, func(a, b due) int { return cmp.Compare(a.ask.Bucket, b.ask.Bucket) })
	return all
}

// settle has buckets settled. When that can't be done, the process goes on with its even part.
func (l *Limiter) settle(ctx context.Context, all []due) {
	ctx, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	asks := make([]Ask, len(all))
	for i := range all {
		asks[i] = all[i].ask
	}
	granted, processes, err := l.opt.Shares.Settle(ctx, l.opt.Process, asks)
	now := time.Since(l.start)
	for i, d := range all {
		s := &l.shards[l.hash(d.bucket.key)%shards]
		s.mu.Lock()
		if err == nil {
			d.bucket.Settled(granted[i], now)
		} else {
			d.bucket.Unsettled(d.ask.Settlement)
		}
		s.mu.Unlock()
	}
	l.Stats.Settlements.Add(1)
	if err != nil {
		l.Stats.FailedSettling.Add(1)
		if ctx.Err() == nil || context.Cause(ctx) == context.DeadlineExceeded { //nolint:errorlint // it is that value
			if !l.away.Swap(true) {
				l.opt.Log.Warn("rate limits can't be shared: this process goes on with its part", "error", err)
			}
		}
		return
	}
	if l.away.Swap(false) {
		l.opt.Log.Info("rate limits are shared again")
	}
	if before := l.processes.Swap(int64(max(1, processes))); before != int64(processes) {
		l.opt.Log.Info("rate limits are shared", "processes", processes)
	}
}

// sweep forgets buckets that nobody used for so long that they would be full.
func (l *Limiter) sweep(now time.Duration) {
	for i := range l.shards {
		s := &l.shards[i]
		s.mu.Lock()
		for k, b := range s.buckets {
			if !b.dirty && now-b.used > sweep+refill(b.limit) {
				delete(s.buckets, k)
			}
		}
		s.mu.Unlock()
	}
}

func refill(limit ratelimit.Limit) time.Duration {
	if limit.Unlimited() {
		return 0
	}
	return min(time.Hour, time.Duration(limit.Burst/limit.Rate*float64(time.Second)))
}

// name is what a bucket is known as among processes.
func (k key) name() string {
	endpoint := k.route.Service + "." + k.route.Action
	switch {
	case k.all:
		return endpoint + " all"
	case k.who != "":
		return endpoint + " p " + k.who
	}
	return endpoint + " a " + k.addr.String()
}

// Buckets is how many buckets there are.
func (l *Limiter) Buckets() int {
	n := 0
	for i := range l.shards {
		l.shards[i].mu.Lock()
		n += len(l.shards[i].buckets)
		l.shards[i].mu.Unlock()
	}
	return n
}

// Processes is how many processes share the limits.
func (l *Limiter) Processes() int { return int(l.processes.Load()) }
