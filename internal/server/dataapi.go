package server

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strconv"
	"time"

	"github.com/tarn-data/tarn/internal/accesslog"
	"github.com/tarn-data/tarn/internal/auth"
	"github.com/tarn-data/tarn/internal/config"
	"github.com/tarn-data/tarn/internal/dataapi"
	"github.com/tarn-data/tarn/internal/token"
)

// DataAPIOptions say what a Data API alone serves.
type DataAPIOptions struct {
	Version  string
	Config   *config.DataAPI // to begin with
	Load     dataapi.Load
	Access   io.Writer // of the access log
	Log      *slog.Logger
	LogLevel *slog.LevelVar // of Log, which the settings change
}

// DataAPI serves one database at the root, in PostgREST's place, until the context ends. SIGUSR1 has the schema cache
// loaded anew, SIGUSR2 the settings.
func DataAPI(ctx context.Context, opt DataAPIOptions) error {
	run, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	err := serveDataAPI(run, opt, fail)
	if err == nil && ctx.Err() == nil {
		err = context.Cause(run) // with which the engine gave up
	}
	return err
}

func serveDataAPI(ctx context.Context, opt DataAPIOptions, fail func(error)) error {
	opt.Log.Info("starting", "version", opt.Version, "pool", opt.Config.PoolSize)
	adminListener, err := listenAdmin(ctx, opt.Config)
	if err != nil {
		return err
	}
	stats := &token.Stats{}
	engine, err := opt.open(ctx, fail, stats)
	if err != nil {
		return err
	}
	defer engine.Close()
	single := func(visit func(string, *dataapi.Engine)) { visit("", engine) }
	defer reloadOnSignal(single)()
	access := accesslog.New(opt.Access)
	defer access.Close()
	servers := newServers(opt.Log)
	defer servers.stop()
	door := &door{ctx: ctx}
	if adminListener != nil {
		servers.start("admin", named(recovered(&admin{
			live:    door.isOpen,
			ready:   func(ctx context.Context) bool { return engine.Ready() && engine.Reachable(ctx) },
			engine:  engine,
			metrics: metricsHandler(newDataAPICollector(single, stats, false)),
		}, opt.Log), opt.Version), adminListener)
	}
	if opt.waitFor(ctx, engine); ctx.Err() != nil {
		return nil
	}
	listener, err := listenDataAPI(ctx, opt.Config)
	if err != nil {
		return err
	}
	logs := func(status int) bool { return engine.Config().LogLevel.Logs(status) }
	servers.start("API", named(compressed(access.Handler(recovered(engine, opt.Log), logs)), opt.Version), listener)
	door.open(listener)
	releaseStartPages()
	return servers.wait(ctx)
}

func (opt *DataAPIOptions) open(ctx context.Context, fail func(error), stats *token.Stats) (*dataapi.Engine, error) {
	return dataapi.Open(ctx, dataapi.Options{
		AppName: appName + " " + opt.Version,
		Version: opt.Version,
		Config:  opt.Config,
		Load:    opt.Load,
		Authenticator: func(cfg *config.DataAPI) (auth.Authenticator, error) {
			return auth.NewPostgREST(cfg, time.Now, stats)
		},
		Configured:  opt.configured,
		Fail:        fail,
		NeedSchemas: true,
		Log:         opt.Log,
	})
}

// waitFor waits, so that who finds the port open finds an API, unless the database is down. Where others serve the port,
// too, it has to be one that works.
func (opt *DataAPIOptions) waitFor(ctx context.Context, engine *dataapi.Engine) {
	if opt.Config.ServerReusePort {
		_ = engine.WaitReady(ctx) // the context says what went wrong
		return
	}
	engine.WaitTried(ctx)
}

// configured heeds the settings that concern what is logged. All but what a request depends on is logged at any level.
func (opt *DataAPIOptions) configured(cfg *config.DataAPI) {
	level := slog.LevelInfo
	if cfg.LogLevel == config.LogDebug {
		level = slog.LevelDebug
	}
	opt.LogLevel.Set(level)
	if role, err := token.ParseRoleClaim(cfg.JWTRoleClaimKey); err == nil && role.Deprecated() {
		opt.Log.Warn("jwt-role-claim-key has a syntax that will not be understood for long: write it as JSONPath",
			"jwt-role-claim-key", role.String())
	}
}

func listenDataAPI(ctx context.Context, cfg *config.DataAPI) (net.Listener, error) {
	if cfg.UnixSocket != "" {
		return listenUnix(ctx, cfg.UnixSocket, cfg.UnixSocketMode)
	}
	lc := net.ListenConfig{}
	if cfg.ServerReusePort {
		lc.Control = reusePort
	}
	network, address := networkAddress(cfg.ServerHost, cfg.ServerPort)
	l, err := lc.Listen(ctx, network, address)
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
		network, address := networkAddress(cfg.AdminHost, cfg.AdminPort)
		l, err := lc.Listen(ctx, network, address)
		if err != nil {
			return nil, fmt.Errorf("listen for admin: %w", err)
		}
		return l, nil
	}
	return nil, nil //nolint:nilnil // no admin endpoint is asked for
}

// networkAddress is what to listen on. PostgREST's special hosts mean all addresses of a kind.
func networkAddress(host string, port int) (network, address string) {
	network = "tcp"
	switch host {
	case "*":
		host = ""
	case "*4":
		host = "0.0.0.0"
	case "!4", "0.0.0.0":
		network, host = "tcp4", "0.0.0.0" // else Go would listen on IPv6, too
	case "*6":
		host = "::"
	case "!6":
		network, host = "tcp6", "::"
	}
	return network, net.JoinHostPort(host, strconv.Itoa(port))
}
