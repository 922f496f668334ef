package http1

import (
	"context"
	"sync"
	"sync/atomic"
)

// call is the context of a request. It does what one of context.WithCancel does, but makes nothing before somebody asks
// for it: few requests are waited with for anything but PostgreSQL, and that is told by AfterFunc.
type call struct {
	context.Context //nolint:containedctx // it is one itself, of one that never ends
	watched         atomic.Bool

	mu    sync.Mutex
	done  chan struct{} // nil until somebody asks
	err   error
	first *afterCall // what runs when it ends
}

// afterCall is what runs when a call ends, one of a list.
type afterCall struct {
	run  func()
	next *afterCall
}

// Done implements context.Context.
func (c *call) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done == nil {
		c.done = make(chan struct{})
		if c.err != nil {
			close(c.done)
		}
	}
	return c.done
}

// Err implements context.Context.
func (c *call) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// AfterFunc has a function run in a goroutine of its own when the call ends. The context package looks for it.
func (c *call) AfterFunc(run func()) (stop func() bool) {
	a := &afterCall{run: run}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		go run()
		return func() bool { return false }
	}
	a.next, c.first = c.first, a
	return func() bool { return c.forget(a) }
}

// forget takes a function out. It is false if it ran, or was taken out before.
func (c *call) forget(a *afterCall) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for at := &c.first; *at != nil; at = &(*at).next {
		if *at == a {
			*at = a.next
			return true
		}
	}
	return false
}

// cancel ends the call.
func (c *call) cancel() {
	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		return
	}
	c.err = context.Canceled
	if c.done != nil {
		close(c.done)
	}
	first := c.first
	c.first = nil
	c.mu.Unlock()
	for a := first; a != nil; a = a.next {
		go a.run()
	}
}
