package server

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"time"
)

// drainTimeout is how long running requests may take to end. Who can't wait sends the signal again.
const drainTimeout = time.Minute

// servers are HTTP servers that run together.
type servers struct {
	log     *slog.Logger
	running []*http.Server
	failed  chan error
}

func newServers(log *slog.Logger) *servers {
	return &servers{log: log, failed: make(chan error, 2)}
}

// start has a handler serve whoever comes to a listener.
func (s *servers) start(name string, h http.Handler, l net.Listener) {
	server := newHTTPServer(h, s.log)
	s.running = append(s.running, server)
	s.log.Info("listening", "server", name, "address", l.Addr().String())
	go func() {
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			select {
			case s.failed <- err:
			default: // one failure is enough
			}
		}
	}()
}

// wait waits until the context ends or a server fails.
func (s *servers) wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		s.log.Info("draining", "cause", context.Cause(ctx), "timeout", drainTimeout.String())
		return nil
	case err := <-s.failed:
		return err
	}
}

// stop lets running requests end. The server that started last ends first.
func (s *servers) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), drainTimeout)
	defer cancel()
	for _, server := range slices.Backward(s.running) {
		if err := server.Shutdown(ctx); err != nil {
			s.log.Warn("requests were cut off", "error", err)
			_ = server.Close()
		}
	}
}
