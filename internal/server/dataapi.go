package server

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/tarn-data/tarn/internal/auth"
	"github.com/tarn-data/tarn/internal/config"
	"github.com/tarn-data/tarn/internal/dataapi"
	"github.com/tarn-data/tarn/internal/token"
)

// maxBody is how many bytes the body of a request may have.
const maxBody = 64 << 20

// DataAPIOptions say what a Data API alone serves.
type DataAPIOptions struct {
	Version string
	Load    func(inDatabase []config.Setting) (*config.DataAPI, error)
	Log     *slog.Logger
}

// DataAPI serves one database at the root, in PostgREST's place, until the context ends. SIGUSR1 has the schema cache
// loaded anew, SIGUSR2 the settings.
func DataAPI(ctx context.Context, opt DataAPIOptions) error {
	cfg, err := opt.Load(nil)
	if err != nil {
		return err
	}
	stats := &token.Stats{}
	engine, err := dataapi.Open(ctx, dataapi.Options{
		AppName: "tarn",
		Version: opt.Version,
		Load:    opt.Load,
		Authenticator: func(cfg *config.DataAPI) (auth.Authenticator, error) {
			return auth.NewPostgREST(cfg, time.Now, stats)
		},
		MaxBody: maxBody,
		Log:     opt.Log,
	})
	if err != nil {
		return err
	}
	defer engine.Close()
	// Who finds the port open finds an API, unless the database is down.
	engine.WaitTried(ctx)
	listener, err := listenDataAPI(ctx, cfg)
	if err != nil {
		return err
	}
	handler := named(recovered(engine, opt.Log), opt.Version)
	endpoints := []endpoint{{newHTTPServer(handler, opt.Log), listener}}
	admin, err := listenAdmin(ctx, cfg)
	if err != nil {
		_ = listener.Close()
		return err
	}
	if admin != nil {
		single := func(visit func(string, *dataapi.Engine)) { visit("", engine) }
		mux := adminHandler(
			health{live: func() bool { return true }, ready: engine.Ready},
			metricsHandler(newDataAPICollector(single, stats, false)))
		endpoints = append(endpoints, endpoint{newHTTPServer(recovered(mux, opt.Log), opt.Log), admin})
	}
	defer reloadOnSignal(engine)()
	opt.Log.Info("listening", "address", listener.Addr().String())
	return runAll(ctx, opt.Log, endpoints...)
}

func listenDataAPI(ctx context.Context, cfg *config.DataAPI) (net.Listener, error) {
	if cfg.UnixSocket != "" {
		return listenUnix(ctx, cfg.UnixSocket, cfg.UnixSocketMode)
	}
	lc := net.ListenConfig{}
	if cfg.ServerReusePort {
		lc.Control = reusePort
	}
	l, err := lc.Listen(ctx, "tcp", hostPort(cfg.ServerHost, cfg.ServerPort))
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	return l, nil
}

func listenAdmin(ctx context.Context, cfg *config.DataAPI) (net.Listener, error) {
	switch {
	case cfg.AdminUnixSocket != "":
		return listenUnix(ctx, cfg.AdminUnixSocket, cfg.AdminUnixSocketMode)
	case cfg.AdminPort != 0:
		var lc net.ListenConfig
		l, err := lc.Listen(ctx, "tcp", hostPort(cfg.AdminHost, cfg.AdminPort))
		if err != nil {
			return nil, fmt.Errorf("listen for admin: %w", err)
		}
		return l, nil
	}
	return nil, nil //nolint:nilnil // no admin endpoint is asked for
}

// hostPort joins host and port. PostgREST's special hosts mean all addresses of a kind.
func hostPort(host string, port int) string {
	switch host {
	case "*":
		host = ""
	case "!4", "*4":
		host = "0.0.0.0"
	case "!6", "*6":
		host = "::"
	}
	return net.JoinHostPort(host, strconv.Itoa(port))
}

// reloadOnSignal heeds the signals that PostgREST heeds, until the function that it returns is called.
func reloadOnSignal(e *dataapi.Engine) (stop func()) {
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGUSR1, syscall.SIGUSR2)
	done := make(chan struct{})
	go func() {
		for {
			select {
			case s := <-signals:
				if s == syscall.SIGUSR1 {
					e.ReloadSchema()
				} else {
					e.ReloadConfig()
				}
			case <-done:
				return
			}
		}
	}()
	return func() {
		signal.Stop(signals)
		close(done)
	}
}
