// Package accesslog writes a line for each answered request, in the format of Apache's combined log as PostgREST has it.
// Lines are collected and written together a moment later, so that requests don't wait for it. It doesn't know what is
// served, nor who may see it.
package accesslog

import (
	"io"
	"sync"
	"time"
)

const (
	// delay is how long a line waits for others to be written with it.
	delay = 50 * time.Millisecond
	// most is how many bytes may wait. Beyond it, requests wait for whoever reads the log.
	most = 1 << 20
)

// Log collects lines. It is safe for concurrent use.
type Log struct {
	out     io.Writer
	wake    chan struct{} // there are lines
	closing chan struct{}
	closed  chan struct{}
	close   sync.Once

	mu      sync.Mutex
	pending []byte

	writing sync.Mutex // so that lines are written in their order
	spare   []byte     // what pending will be next; guarded by writing
}

// New makes a log. It must be closed, or its last lines are lost.
func New(out io.Writer) *Log {
	l := &Log{out: out, wake: make(chan struct{}, 1), closing: make(chan struct{}), closed: make(chan struct{})}
	go l.run()
	return l
}

// run writes what is there a while after it came.
func (l *Log) run() {
	defer close(l.closed)
	for {
		select {
		case <-l.closing:
			return
		case <-l.wake:
		}
		t := time.NewTimer(delay)
		select {
		case <-l.closing:
			t.Stop()
			return
		case <-t.C:
			l.flush()
		}
	}
}

// add takes a line over.
func (l *Log) add(line []byte) {
	l.mu.Lock()
	l.pending = append(l.pending, line...)
	waiting := len(l.pending)
	l.mu.Unlock()
	switch {
	case waiting == len(line):
		select {
		case l.wake <- struct{}{}:
		default:
		}
	case waiting >= most:
		l.flush()
	}
}

func (l *Log) flush() {
	l.writing.Lock()
	defer l.writing.Unlock()
	l.mu.Lock()
	lines := l.pending
	l.pending = l.spare[:0]
	l.mu.Unlock()
	if len(lines) > 0 {
		_, _ = l.out.Write(lines) // where would one say that it failed?
	}
	l.spare = lines
}

// Close writes what is left.
func (l *Log) Close() {
	l.close.Do(func() {
		close(l.closing)
		<-l.closed
		l.flush()
	})
}
