package audit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/tarn-data/tarn/internal/endpoint"
	"github.com/tarn-data/tarn/internal/fault"
)

// Appender keeps the log.
type Appender interface {
	// Append adds a batch to the log and returns its head. A batch that is there already isn't added again.
	Append(ctx context.Context, b Batch) (Head, error)
}

// Batch is what a writer adds at once. Numbers of a writer's batches ascend.
type Batch struct {
	Writer  string
	Number  int64
	Entries []Entry
}

// Options say how a log is written.
type Options struct {
	Dir         string // of this machine, where records outlive the process until they are stored
	Store       Appender
	Writer      string // a name that no other process has or had
	WorkspaceID string
	MaxSpool    int64         // bytes that may wait to be stored; 0 for a default
	Delay       time.Duration // how long a record that nobody waits for may wait for others; 0 for a default
	Wait        time.Duration // how long a call waits for its record to be stored; 0 for a default
	Log         *slog.Logger
}

const (
	defaultMaxSpool = 64 << 20
	defaultDelay    = 50 * time.Millisecond
	defaultWait     = 10 * time.Second
	manyEntries     = 1000 // are stored at once
	storeTimeout    = 10 * time.Second
	firstRetry      = 100 * time.Millisecond
	lastRetry       = 5 * time.Second
	adoptEvery      = 30 * time.Second
	anchorEvery     = time.Second
)

// Log writes the audit log. It is safe for concurrent use.
type Log struct {
	opt  Options
	kick chan struct{} // something is to be stored now
	end  chan struct{} // closed when the log is to be closed
	done chan struct{} // closed when nothing more is stored

	mu       sync.Mutex
	spool    *spool
	keys     uint64
	begun    map[*endpoint.Call]uint64
	underWay map[uint64][]byte // records of calls that began, in case that they never end
	queue    []Entry
	stored   chan struct{} // closed when the queue is stored
	timer    *time.Timer   // for what nobody waits for
	away     error         // why the store can't be reached just now
	left     bool          // what is in the files could not be stored before the log was closed
	head     Head          // as of what was stored last

	anchored Head // the head that was kept on this machine
}

// Open begins to write a log. It stores what other processes have left behind.
func Open(ctx context.Context, opt Options) (*Log, error) {
	if opt.MaxSpool == 0 {
		opt.MaxSpool = defaultMaxSpool
	}
	if opt.Delay == 0 {
		opt.Delay = defaultDelay
	}
	if opt.Wait == 0 {
		opt.Wait = defaultWait
	}
	if err := os.MkdirAll(opt.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("audit log: %w", err)
	}
	l := &Log{
		opt: opt, kick: make(chan struct{}, 1), end: make(chan struct{}), done: make(chan struct{}),
		begun: map[*endpoint.Call]uint64{}, underWay: map[uint64][]byte{}, stored: make(chan struct{}),
	}
	l.adopt(ctx)
	var err error
	if l.spool, err = newSpool(opt.Dir, opt.Writer); err != nil {
		return nil, fmt.Errorf("audit log: %w", err)
	}
	go l.run(context.WithoutCancel(ctx))
	return l, nil
}

// Begin takes note of a call that is to change something. If that can't be recorded, the call is refused.
func (l *Log) Begin(_ context.Context, c *endpoint.Call) error {
	if !changes(c.Route.Method) {
		return nil
	}
	r := newRecord(c, l.opt.WorkspaceID)
	r.Response.Code, r.Response.Message = "INTERRUPTED", "The process ended before the call did."
	text := r.encode().Text
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.away != nil {
		return unavailable(l.away)
	}
	l.keys++
	if err := l.add(markBegin, l.keys, text); err != nil {
		return err
	}
	l.begun[c], l.underWay[l.keys] = l.keys, text
	return nil
}

func changes(method string) bool {
	switch method {
	case "", "GET", "HEAD", "OPTIONS":
		return false
	}
	return true
}

// Record keeps what became of a call: of one that began to change something in the store, of others at least in a file.
func (l *Log) Record(ctx context.Context, c *endpoint.Call) error {
	entry := newRecord(c, l.opt.WorkspaceID).encode()
	l.mu.Lock()
	key, wait := l.begun[c]
	if !wait {
		l.keys++
		key = l.keys
	}
	if err := l.add(markEnd, key, entry.Text); err != nil {
		l.mu.Unlock()
		return err
	}
	delete(l.begun, c)
	delete(l.underWay, key)
	l.queue = append(l.queue, entry)
	stored, many := l.stored, len(l.queue) >= manyEntries
	if l.timer == nil {
		l.timer = time.AfterFunc(l.opt.Delay, l.hurry)
	}
	l.mu.Unlock()
	if wait || many {
		l.hurry()
	}
	if wait {
		return l.wait(ctx, stored)
	}
	return nil
}

// add writes to the spool, if there is room.
func (l *Log) add(mark byte, key uint64, text []byte) error {
	if l.spool.size+int64(len(text)) > l.opt.MaxSpool {
		return unavailable(errors.Join(errors.New("too much waits to be stored"), l.away))
	}
	if err := l.spool.add(mark, key, text); err != nil {
		return unavailable(err)
	}
	return nil
}

func (l *Log) wait(ctx context.Context, stored <-chan struct{}) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.opt.Wait) // who called may have gone
	defer cancel()
	select {
	case <-stored:
		return nil
	case <-ctx.Done():
		return unavailable(ctx.Err())
	}
}

func unavailable(cause error) error {
	return fault.New(fault.Unavailable, "TEMPORARILY_UNAVAILABLE", "The call can't be recorded in the audit log just now.").
		WithHeader("Retry-After", "1").WithCause(cause)
}

// hurry has the queue stored now.
func (l *Log) hurry() {
	select {
	case l.kick <- struct{}{}:
	default: // it is about to be
	}
}

// Waiting is how many records are not in the store yet.
func (l *Log) Waiting() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.queue)
}

// Close stores what is left, unless the context ends before. The rest is stored by the next process.
func (l *Log) Close(ctx context.Context) error {
	close(l.end)
	select {
	case <-l.done:
	case <-ctx.Done():
		return ctx.Err()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.left || len(l.queue) > 0 || len(l.underWay) > 0 {
		return l.spool.close()
	}
	return l.spool.remove()
}

// Note records at once something that was done without a server.
func Note(ctx context.Context, store Appender, writer string, c *endpoint.Call) (Head, error) {
	return store.Append(ctx, Batch{Writer: writer, Number: 1, Entries: []Entry{newRecord(c, "").encode()}})
}

// Room tells whether one more record can be kept. Its error is a fault.
func (l *Log) Room() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.spool.size+maxParams > l.opt.MaxSpool {
		return unavailable(l.away)
	}
	return nil
}
