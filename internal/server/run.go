package server

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/tarn-data/tarn/internal/http1"
)

// drainTimeout is how long running requests may take to end. Who can't wait sends the signal again.
const drainTimeout = time.Minute

// servers are HTTP servers that run together.
type servers struct {
	log     *slog.Logger
	running []httpServer
	failed  chan error
	delay   time.Duration // between the end and that no one is let in any more, so that balancers hear of it
}

// httpServer is what there is of http.Server in all of them.
type httpServer interface {
	Serve(l net.Listener) error
	Shutdown(ctx context.Context) error
	Close() error
	SetKeepAlivesEnabled(on bool)
}

func newServers(log *slog.Logger) *servers {
	return &servers{log: log, failed: make(chan error, 2)}
}

// start has a handler serve whoever comes to a listener.
func (s *servers) start(name string, h http.Handler, l net.Listener) {
	s.startWith(name, newHTTPServer(h, s.log), l)
}

// startTLS is start with encryption, unless there is nothing to encrypt with.
func (s *servers) startTLS(name string, h http.Handler, l net.Listener, encrypted *tls.Config, plain2 bool) {
	server := newHTTPServer(h, s.log)
	server.TLSConfig = encrypted
	server.Protocols = &http.Protocols{}
	server.Protocols.SetHTTP1(true)
	server.Protocols.SetHTTP2(true)
	server.Protocols.SetUnencryptedHTTP2(plain2)
	s.startWith(name, server, l)
}

func (s *servers) startWith(name string, server *http.Server, l net.Listener) {
	s.log.Info("listening", "server", name, "address", l.Addr().String(), "tls", server.TLSConfig != nil)
	var running httpServer = server
	serve := func(l net.Listener) error { return server.ServeTLS(l, "", "") }
	if server.TLSConfig == nil {
		running = http1.New(server)
		serve = running.Serve
	}
	s.running = append(s.running, running)
	go func() {
		if err := serve(l); !errors.Is(err, http.ErrServerClosed) {
			select {
			case s.failed <- err:
			default: // one failure is enough
			}
		}
	}()
}

// wait waits until the context ends or a server fails. When the context ends, requests are still let in for a while.
func (s *servers) wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		s.log.Info("draining", "cause", context.Cause(ctx), "delay", s.delay.String(), "timeout", drainTimeout.String())
	case err := <-s.failed:
		return err
	}
	for _, server := range s.running {
		server.SetKeepAlivesEnabled(false)
	}
	select {
	case <-time.After(s.delay):
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
