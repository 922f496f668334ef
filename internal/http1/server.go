// Package http1 provides an HTTP server for requests as clients of APIs make them: HTTP/1.1 in plain text, with a head and
// a body that fit into a small buffer. It does for them what net/http does, with half the work; connections on which
// anything else arrives are passed on to net/http, byte for byte. It doesn't know what is served.
package http1

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tarn-data/tarn/internal/netfd"
)

const (
	// tick is how often it is looked after connections.
	tick = 100 * time.Millisecond
	// freshTicks is for how long a connection may be silent at first while the server is being shut down.
	freshTicks = int64(5 * time.Second / tick)
	// pollEvery is how often it is looked whether all connections are gone.
	pollEvery = 5 * time.Millisecond
	// retryAfter is how long is waited after a connection could not be accepted.
	retryAfter = 5 * time.Millisecond
	// maxRetryAfter is how long at most.
	maxRetryAfter = time.Second
)

// Server serves plain HTTP/1.1. It has the methods of http.Server that it needs to stand in for it.
type Server struct {
	other     *http.Server // serves what isn't for this one; says what the handler and the limits are
	handed    *handover
	closing   atomic.Bool // no more connections
	noReuse   atomic.Bool // no more than one request for each connection
	now       atomic.Int64
	idleTicks int64
	headTicks int64
	dated     atomic.Pointer[dateText]
	out       sync.Pool // of *[]byte, for answers

	mu        sync.Mutex
	conns     map[*conn]struct{}
	listeners map[net.Listener]struct{}
	accepting sync.WaitGroup // on them
	caring    bool
}

// New makes a server that has the handler and the limits of another, which serves what this one doesn't.
func New(other *http.Server) *Server {
	return &Server{
		other: other, handed: newHandover(),
		idleTicks: ticks(other.IdleTimeout), headTicks: ticks(other.ReadHeaderTimeout),
		out:   sync.Pool{New: func() any { return new([]byte) }},
		conns: map[*conn]struct{}{}, listeners: map[net.Listener]struct{}{},
	}
}

// ticks is a duration in ticks; without one, the longest there is.
func ticks(d time.Duration) int64 {
	if d <= 0 {
		return 1<<62 - 1
	}
	return int64((d + tick - 1) / tick)
}

// Serve serves whoever comes to a listener, until the server is shut down: then it returns http.ErrServerClosed.
func (s *Server) Serve(l net.Listener) error {
	if !s.track(l) {
		_ = l.Close()
		return http.ErrServerClosed
	}
	defer s.untrack(l)
	failed := make(chan error, 1)
	go func() { failed <- s.other.Serve(s.handed.from(l.Addr())) }()
	wait := retryAfter
	for {
		c, err := l.Accept()
		switch {
		case err == nil:
			wait = retryAfter
			s.start(netfd.Wrap(c))
		case s.closing.Load():
			return http.ErrServerClosed
		case errors.Is(err, net.ErrClosed):
			return err
		default: // for example too many files: others may close theirs
			s.logf("http1: accept: %v; retrying in %v", err, wait)
			select {
			case <-time.After(wait):
			case err := <-failed:
				return err
			}
			wait = min(2*wait, maxRetryAfter)
		}
	}
}

func (s *Server) logf(format string, args ...any) {
	if log := s.other.ErrorLog; log != nil {
		log.Printf(format, args...)
	}
}

func (s *Server) track(l net.Listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing.Load() {
		return false
	}
	s.listeners[l] = struct{}{}
	s.accepting.Add(1)
	return true
}

func (s *Server) untrack(l net.Listener) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.listeners, l)
	s.accepting.Done()
}

func (s *Server) start(rwc net.Conn) {
	c := &conn{server: s, rwc: rwc, remote: rwc.RemoteAddr().String()}
	c.enter(idle)
	s.mu.Lock()
	s.conns[c] = struct{}{}
	if !s.caring {
		s.caring = true
		go s.care()
	}
	s.mu.Unlock()
	go c.serve()
}

func (s *Server) forget(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
}

// care looks after the connections while there are any.
func (s *Server) care() {
	t := time.NewTicker(tick)
	defer t.Stop()
	for range t.C {
		now := s.now.Add(1)
		s.mu.Lock()
		for c := range s.conns {
			c.lookAfter(now)
		}
		if len(s.conns) == 0 {
			s.caring = false
			s.mu.Unlock()
			return
		}
		s.mu.Unlock()
	}
}

// SetKeepAlivesEnabled is as that of http.Server.
func (s *Server) SetKeepAlivesEnabled(on bool) {
	s.noReuse.Store(!on)
	s.other.SetKeepAlivesEnabled(on)
	if !on {
		s.closeIdle()
	}
}

// closeIdle closes the connections on which nothing happens, and tells whether any are left.
func (s *Server) closeIdle() (left bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		c.closeIdle(s.now.Load())
	}
	return len(s.conns) > 0
}

// Shutdown lets no one in any more and waits until all requests are answered, or the context ends.
func (s *Server) Shutdown(ctx context.Context) error {
	s.noReuse.Store(true)
	s.stopListening()
	s.accepting.Wait() // for who was let in just now
	t := time.NewTicker(pollEvery)
	defer t.Stop()
	for s.closeIdle() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-t.C:
		}
	}
	// Only now: until here, connections may have been handed over.
	return s.other.Shutdown(ctx)
}

// Close closes all connections at once.
func (s *Server) Close() error {
	s.stopListening()
	s.mu.Lock()
	for c := range s.conns {
		_ = c.rwc.Close()
	}
	s.mu.Unlock()
	return s.other.Close()
}

func (s *Server) stopListening() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closing.Store(true)
	for l := range s.listeners {
		_ = l.Close()
	}
}
