package embedded

import (
	"context"
	"fmt"
	"os"
	"time"
)

// patience says how often and when a server is started again.
type patience struct {
	first, longest time.Duration // waits before; they double
	calm           time.Duration // a server that lived this long was well
	failures       int           // in a row, after which it is given up
}

// usual is patience for about a minute.
func usual() patience {
	return patience{first: 100 * time.Millisecond, longest: 10 * time.Second, calm: time.Minute, failures: 12}
}

// supervise keeps a server process running until it is told to stop, or until the server keeps failing.
func (s *Server) supervise(p *postmaster) {
	defer close(s.done)
	defer s.close()
	for failures := 0; ; failures++ {
		started := time.Now()
		if ctx, told := s.watch(p); told {
			s.err = p.stop(ctx)
			return
		}
		if time.Since(started) > s.patience.calm {
			failures = 0
		}
		if failures == s.patience.failures {
			s.err = fmt.Errorf("PostgreSQL doesn't stay up: %w\n%s", p.err, s.logfile.since(0))
			return
		}
		wait := min(s.patience.first<<failures, s.patience.longest)
		s.log.Error("PostgreSQL ended by itself and is started again", "in", wait.String(), "error", p.err)
		select {
		case <-s.stop:
			return
		case <-time.After(wait):
		}
		p = s.again()
	}
}

// watch waits until the server ended, or until it is told to end it.
func (s *Server) watch(p *postmaster) (context.Context, bool) {
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for {
		select {
		case ctx := <-s.stop:
			return ctx, true
		case <-p.exited:
			return nil, false
		case <-tick.C:
			if err := s.logfile.rotate(); err != nil {
				s.log.Warn("PostgreSQL's log can't be rotated", "error", err)
			}
		}
	}
}

// again starts the server once more. One that can't be started has ended already.
func (s *Server) again() *postmaster {
	err := s.layout.settle(context.Background())
	if err == nil {
		var p *postmaster
		if p, err = startPostmaster(s.command()); err == nil {
			return p
		}
	}
	ended := &postmaster{exited: make(chan struct{}), err: err}
	close(ended.exited)
	return ended
}

// Stop ends the server as soon as its sessions are cut and everything is written; when the context ends before, at once.
func (s *Server) Stop(ctx context.Context) error {
	select {
	case s.stop <- ctx:
		<-s.done
	case <-s.done:
	}
	return s.err
}

// Done is closed when the server has ended for good: it was stopped, or it failed too often. Err then says why.
func (s *Server) Done() <-chan struct{} { return s.done }

// Err is why the server ended, once Done is closed: nil if it was stopped in order.
func (s *Server) Err() error {
	select {
	case <-s.done:
		return s.err
	default:
		return nil
	}
}

// close gives back what the server holds of the data directory.
func (s *Server) close() {
	if s.logfile.File != nil {
		_ = s.logfile.Close()
	}
	if s.SocketDir != "" {
		_ = os.Remove(s.SocketDir)
	}
	_ = s.lock.Close()
}
