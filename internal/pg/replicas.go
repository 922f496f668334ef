package pg

import (
	"context"
	"fmt"
	"hash/maphash"
	"log/slog"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// askTimeout is how long a server may take to say where it is.
	askTimeout = 2 * time.Second
	// spillAfter is how long a read waits for a connection to a replica at most, before the primary server is asked.
	spillAfter = 2 * time.Second
	// askEvery is how often servers are asked where they are, if not more often.
	askEvery = time.Second
)

// ReplicasOptions say which replicas there are and what is asked of them.
type ReplicasOptions struct {
	Primary string   // connection string
	URLs    []string // likewise, of the replicas
	MaxLag  time.Duration
	Pool    PoolOptions // of each replica, but for its URL
	Log     *slog.Logger
}

// Replicas are the standby servers of a primary one that can be read from. One that can't be reached, is no standby or is
// too far behind is left out until it is well again. It is safe for concurrent use; nil has no replicas.
type Replicas struct {
	opt     ReplicasOptions
	began   time.Time
	list    []*Replica
	turn    atomic.Uint32
	seed    maphash.Seed
	written [4096]atomic.Int64 // when whoever falls into a slot wrote at last

	// What follows belongs to Run.
	primary prober
	down    bool // whether the primary server could not be asked the last time
	samples positions
}

// Replica is one standby server.
type Replica struct {
	name  string
	pool  *Pool
	state atomic.Int32 // a ReplicaState
	fresh atomic.Int64 // it has all that was committed until then
	lag   atomic.Int64 // how far that is behind what is known of the primary server
	reads atomic.Int64
	given atomic.Int64 // reads that had to be given to the primary server

	prober prober // of Run
}

// ReplicaState says whether a replica is read from, or why not.
type ReplicaState int32

// The states of a replica.
const (
	ReplicaUnreachable ReplicaState = iota
	ReplicaUnknown                  // the primary server has not been asked yet
	ReplicaNoStandby
	ReplicaOther // of another primary server
	ReplicaBehind
	ReplicaInUse
)

// String names a state.
func (s ReplicaState) String() string {
	return [...]string{"unreachable", "unknown", "no standby", "of another primary", "behind", "in use"}[s]
}

// OpenReplicas makes the pools of replicas. None is read from before Run has found it well.
func OpenReplicas(opt ReplicasOptions) (*Replicas, error) {
	rs := &Replicas{opt: opt, began: time.Now(), seed: maphash.MakeSeed()}
	rs.primary = prober{url: opt.Primary, appName: opt.Pool.AppName, connect: ConnectPrimary, query: primaryPosition}
	names := map[string]int{}
	for i, url := range opt.URLs {
		cfg, err := connConfig(url, opt.Pool.AppName)
		if err != nil {
			rs.Close()
			return nil, fmt.Errorf("replica %d: %w", i+1, err)
		}
		name := net.JoinHostPort(cfg.Host, strconv.Itoa(int(cfg.Port)))
		if names[name]++; names[name] > 1 {
			name += "#" + strconv.Itoa(names[name])
		}
		pool := opt.Pool
		pool.URL = url
		if pool.AcquireTimeout <= 0 || pool.AcquireTimeout > spillAfter {
			pool.AcquireTimeout = spillAfter
		}
		p, err := OpenPool(pool)
		if err != nil {
			rs.Close()
			return nil, fmt.Errorf("replica %d: %w", i+1, err)
		}
		r := &Replica{name: name, pool: p, prober: prober{url: url, appName: opt.Pool.AppName, connect: Connect, query: replicaPosition}}
		r.fresh.Store(never)
		rs.list = append(rs.list, r)
	}
	return rs, nil
}

const never = -1 << 62

func (rs *Replicas) now() time.Duration { return time.Since(rs.began) }

// Run looks after the replicas until the context ends.
func (rs *Replicas) Run(ctx context.Context) {
	defer func() {
		for _, r := range rs.list {
			r.prober.close(ctx)
		}
		rs.primary.close(ctx)
	}()
	t := time.NewTicker(max(min(askEvery, rs.opt.MaxLag/4), 50*time.Millisecond))
	defer t.Stop()
	for {
		rs.look(ctx)
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

// look asks all servers where they are.
//
// What a replica has replayed is compared with what the primary server had at a time, so that an idle primary server makes
// no lag, and clocks need not agree. While the primary server can't be asked, nothing is known to be behind, and replicas
// stay in use.
func (rs *Replicas) look(ctx context.Context) {
	at := rs.now()
	primary, err := rs.primary.ask(ctx)
	if err == nil {
		rs.samples.add(at, primary)
	}
	if down := err != nil; down != rs.down && ctx.Err() == nil {
		rs.down = down
		if down {
			rs.opt.Log.Warn("the primary server can't be asked how far it is", "error", err)
		}
	}
	var all sync.WaitGroup
	for _, r := range rs.list {
		all.Go(func() { rs.lookAt(ctx, r) })
	}
	all.Wait()
}

func (rs *Replicas) lookAt(ctx context.Context, r *Replica) {
	pos, err := r.prober.ask(ctx)
	if ctx.Err() != nil {
		return
	}
	state := ReplicaInUse
	switch last, known := rs.samples.last(); {
	case err != nil:
		state = ReplicaUnreachable
	case !pos.standby:
		state = ReplicaNoStandby
	case !known:
		state = ReplicaUnknown
	case pos.system != last.system:
		state = ReplicaOther
	default:
		fresh := rs.samples.reached(pos.lsn)
		lag := last.at - max(fresh, 0)
		r.fresh.Store(int64(fresh))
		r.lag.Store(int64(lag))
		if fresh < 0 || lag > rs.opt.MaxLag {
			state = ReplicaBehind
		}
	}
	rs.enter(r, state, err)
}

// enter changes a replica's state, and says so.
func (rs *Replicas) enter(r *Replica, state ReplicaState, err error) {
	if state < ReplicaBehind { // it may not have any more what it had
		r.fresh.Store(never)
	}
	if old := ReplicaState(r.state.Swap(int32(state))); old == state {
		return
	}
	args := []any{"replica", r.name, "state", state.String()}
	switch {
	case state == ReplicaInUse:
		rs.opt.Log.Info("reading from a replica", args...)
	case err != nil:
		rs.opt.Log.Warn("not reading from a replica", append(args, "error", err)...)
	default:
		rs.opt.Log.Warn("not reading from a replica", append(args, "lag", time.Duration(r.lag.Load()).Round(time.Millisecond).String())...)
	}
}

// Pick returns a replica that has all that a principal wrote; nil if there is none.
func (rs *Replicas) Pick(principal string) *Replica {
	if rs == nil {
		return nil
	}
	wrote, first := rs.slot(principal).Load(), rs.turn.Add(1)
	for i := range rs.list {
		r := rs.list[(int(first)+i)%len(rs.list)]
		if ReplicaState(r.state.Load()) == ReplicaInUse && r.fresh.Load() >= wrote {
			return r
		}
	}
	return nil
}

// Wrote says that something that a principal wrote may have been committed by now.
func (rs *Replicas) Wrote(principal string) {
	if rs != nil {
		rs.slot(principal).Store(int64(rs.now()))
	}
}

// slot is where it stands when a principal wrote. Several may share one; then some reads go to the primary server that
// need not.
func (rs *Replicas) slot(principal string) *atomic.Int64 {
	return &rs.written[maphash.String(rs.seed, principal)%uint64(len(rs.written))]
}

// Reset closes idle connections now and busy ones when they are released.
func (rs *Replicas) Reset() {
	if rs != nil {
		for _, r := range rs.list {
			r.pool.Reset()
		}
	}
}

// Close closes all connections, waiting for those in use. Run must have ended.
func (rs *Replicas) Close() {
	if rs != nil {
		for _, r := range rs.list {
			r.pool.Close()
		}
	}
}

// ReplicaStat are the figures of a replica.
type ReplicaStat struct {
	Name  string // its address
	State ReplicaState
	Lag   time.Duration
	Reads int64 // that were answered
	Given int64 // that failed, and were given to the primary server
	Pool  PoolStat
}

// Stat returns the figures of all replicas.
func (rs *Replicas) Stat() []ReplicaStat {
	if rs == nil {
		return nil
	}
	out := make([]ReplicaStat, len(rs.list))
	for i, r := range rs.list {
		out[i] = ReplicaStat{
			Name: r.name, State: ReplicaState(r.state.Load()), Lag: time.Duration(r.lag.Load()),
			Reads: r.reads.Load(), Given: r.given.Load(), Pool: r.pool.Stat(),
		}
	}
	return out
}

// Pool is the replica's.
func (r *Replica) Pool() *Pool { return r.pool }

// Answered counts a read.
func (r *Replica) Answered() { r.reads.Add(1) }

// Failed counts a read that is given to the primary server. If the replica can't be reached, it is left out until it is
// found well again.
func (r *Replica) Failed(unreachable bool) {
	r.given.Add(1)
	if unreachable {
		r.state.Store(int32(ReplicaUnreachable))
	}
}
