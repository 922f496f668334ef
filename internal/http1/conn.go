package http1

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/tarn-data/tarn/internal/netfd"
)

const (
	// usualBuffer is how much is read of a request at first.
	usualBuffer = 4 << 10
	// maxBuffer is how large the head and the body of a request are at most, each.
	maxBuffer = 16 << 10
	// usualFields is for how many fields of an answer there is place at first.
	usualFields = 8
	// bodyWait is how long the rest of a small body may be on its way.
	bodyWait = time.Second
)

// What a connection is doing.
const (
	idle    = iota // waiting for a request
	reading        // a part of a request is there
	working        // the handler has it
	gone           // closed by another than its own goroutine
	kinds
)

// conn is a connection. All but phase and current belong to its own goroutine.
type conn struct {
	server   *Server
	rwc      net.Conn
	remote   string
	in       []byte // what was read and not used yet
	deadline bool   // whether one is set for writing
	served   atomic.Bool
	phase    atomic.Int64 // what it is doing, and since which tick
	current  atomic.Pointer[call]
}

func (c *conn) enter(what int64) { c.phase.Store(c.server.now.Load()*kinds + what) }

// step goes on to do something else. It is false if the connection has been closed meanwhile.
func (c *conn) step(from, to int64) bool {
	was := c.phase.Load()
	return was%kinds == from && c.phase.CompareAndSwap(was, c.server.now.Load()*kinds+to)
}

// lookAfter closes a connection that has been waited for too long, and has an eye on a client that waits for long.
func (c *conn) lookAfter(now int64) {
	was := c.phase.Load()
	since := now - was/kinds
	switch was % kinds {
	case idle:
		if since > c.server.headTicks && !c.served.Load() || since > c.server.idleTicks {
			c.drop(was)
		}
	case reading:
		if since > c.server.headTicks {
			c.drop(was)
		}
	case working:
		if call := c.current.Load(); since > 1 && call != nil && call.watched.CompareAndSwap(false, true) {
			go c.watch(call)
		}
	}
}

// watch cancels a call if its client goes away. It ends with the next thing that arrives.
func (c *conn) watch(call *call) {
	more, err := netfd.Peek(c.rwc)
	if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, errors.ErrUnsupported) {
		return // nothing is known of the client
	}
	if err != nil || !more {
		call.cancel()
	}
}

// closeIdle closes the connection if nothing happens on it.
func (c *conn) closeIdle(now int64) {
	was := c.phase.Load()
	if was%kinds == idle && (c.served.Load() || now-was/kinds > freshTicks) {
		c.drop(was)
	}
}

func (c *conn) drop(was int64) {
	if c.phase.CompareAndSwap(was, was-was%kinds+gone) {
		_ = c.rwc.Close()
	}
}

// exchange is a request and its answer.
type exchange struct {
	call     call
	body     body
	response response
	size     int // of the head
	length   int // of the body
}

// serve answers one request after the other.
func (c *conn) serve() {
	defer c.server.forget(c)
	for {
		x := &exchange{call: call{Context: context.Background()}}
		var none http.Request
		r := none.WithContext(&x.call)
		if !c.next(x, r) {
			return
		}
		if again := c.answer(x, r); !again {
			_ = c.rwc.Close()
			return
		}
		runtime.Gosched() // or who asks again at once would keep others waiting
	}
}

// next reads a request. It is false if there is none: then the connection is closed, or somebody else's.
func (c *conn) next(x *exchange, r *http.Request) bool {
	if c.in == nil {
		c.in = make([]byte, 0, usualBuffer)
	}
	if len(c.in) == 0 && !c.read() || !c.step(idle, reading) {
		_ = c.rwc.Close()
		return false
	}
	for looked := 0; ; {
		end := bytes.Index(c.in[looked:], []byte(headEnd))
		if end >= 0 {
			x.size = looked + end + len(headEnd)
			if !parse(r, c.in[:x.size]) {
				return c.handOver()
			}
			x.length = int(r.ContentLength)
			if !c.complete(x.size + x.length) {
				return c.handOver()
			}
			return c.begin()
		}
		if !promising(c.in) || len(c.in) >= maxBuffer {
			return c.handOver()
		}
		looked = max(0, len(c.in)-len(headEnd)+1)
		if !c.read() {
			_ = c.rwc.Close()
			return false
		}
	}
}

// begin goes on to work on a request, unless the connection was closed since the request took so long to arrive.
func (c *conn) begin() bool {
	if !c.step(reading, working) {
		return false
	}
	c.served.Store(true)
	return true
}

// handOver has net/http go on with what was read.
func (c *conn) handOver() (goOn bool) {
	if c.step(reading, gone) {
		c.server.handed.pass(c.rwc, c.in)
	}
	return false
}

// read reads what has arrived; there is place in the buffer afterwards.
func (c *conn) read() bool {
	if len(c.in) == cap(c.in) {
		c.in = append(make([]byte, 0, min(2*cap(c.in), 2*maxBuffer)), c.in...)
	}
	n, err := c.rwc.Read(c.in[len(c.in):cap(c.in)])
	c.in = c.in[:len(c.in)+n]
	return n > 0 && (err == nil || errors.Is(err, io.EOF))
}

// complete reads up to a length, if that isn't long and is on its way already.
func (c *conn) complete(length int) bool {
	if len(c.in) >= length {
		return true
	}
	if length > 2*maxBuffer {
		return false
	}
	_ = c.rwc.SetReadDeadline(time.Now().Add(bodyWait))
	defer func() { _ = c.rwc.SetReadDeadline(time.Time{}) }()
	for len(c.in) < length {
		if !c.read() {
			return false // net/http knows what to say of it
		}
	}
	return true
}

// answer has the handler answer a request. It tells whether there may be another one.
func (c *conn) answer(x *exchange, r *http.Request) (again bool) {
	c.current.Store(&x.call)
	defer x.call.cancel()
	r.RemoteAddr, r.Body = c.remote, http.NoBody
	if x.length > 0 {
		x.body.text = c.in[x.size : x.size+x.length]
		r.Body = &x.body
	}
	out := c.server.out.Get().(*[]byte)
	w := &x.response
	w.conn, w.out, w.header, w.head, w.close = c, (*out)[:0], make(http.Header, usualFields), r.Method == http.MethodHead, r.Close
	defer func() {
		if cap(w.out) <= maxKept {
			*out = w.out
			c.server.out.Put(out)
		}
		w.conn, w.out, x.body = nil, nil, body{over: true} // for who goes on though the answer is over
		if p := recover(); p != nil {
			again = false
			if err, ok := p.(error); !ok || !errors.Is(err, http.ErrAbortHandler) {
				c.server.logf("http1: panic serving %s: %v\n%s", c.remote, p, debug.Stack())
			}
		}
	}()
	c.server.other.Handler.ServeHTTP(w, r)
	if !w.finish() {
		return false
	}
	c.current.Store(nil)
	c.used(x.size + x.length)
	return c.step(working, idle)
}

// used forgets the beginning of what was read.
func (c *conn) used(n int) {
	rest := copy(c.in, c.in[n:])
	c.in = c.in[:rest]
	if rest == 0 && cap(c.in) > usualBuffer {
		c.in = nil
	}
}
