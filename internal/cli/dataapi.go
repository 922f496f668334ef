package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/tarn-data/tarn/internal/config"
	"github.com/tarn-data/tarn/internal/dataapi"
	"github.com/tarn-data/tarn/internal/server"
)

type dataAPICommand struct {
	File       string `arg:"" optional:"" type:"existingfile" help:"Configuration file, as PostgREST has it. PGRST_* variables go before it."`
	DumpConfig bool   `help:"Show the settings in force, and exit. Secrets are shown."`
	DumpSchema bool   `help:"Show the schema cache as JSON, and exit."`
	Example    bool   `help:"Show a configuration file that explains every setting, and exit."`
	Ready      bool   `help:"Ask the admin endpoint of a running server whether it is ready, and exit."`
}

// Run serves a Data API alone.
func (c *dataAPICommand) Run(e *env) error {
	if c.Example {
		_, err := fmt.Fprint(e.stdout, config.Example())
		return err
	}
	load := func(inDatabase []config.Setting) (*config.DataAPI, error) {
		return config.LoadDataAPI(config.Source{Environ: config.Environ(), File: c.File, InDatabase: inDatabase})
	}
	cfg, err := load(nil)
	if err != nil {
		return err
	}
	switch {
	case c.Ready:
		return askReady(e.ctx, cfg)
	case c.DumpConfig:
		return c.dumpConfig(e, load)
	case c.DumpSchema:
		return c.dumpSchema(e, load)
	}
	return server.DataAPI(e.ctx, server.DataAPIOptions{
		Version: buildVersion(), Load: load, Log: e.logger(slogLevel(cfg.LogLevel)),
	})
}

func slogLevel(l config.LogLevel) slog.Level {
	switch l {
	case config.LogCrit:
		return slog.LevelError + 4
	case config.LogError:
		return slog.LevelError
	case config.LogWarn:
		return slog.LevelWarn
	case config.LogInfo:
		return slog.LevelInfo
	case config.LogDebug:
		return slog.LevelDebug
	}
	return slog.LevelError
}

type loader func([]config.Setting) (*config.DataAPI, error)

func (c *dataAPICommand) dumpConfig(e *env, load loader) error {
	cfg, err := dataapi.LoadConfig(e.ctx, load)
	if err != nil {
		return err
	}
	_, err = fmt.Fprint(e.stdout, cfg.Dump())
	return err
}

func (c *dataAPICommand) dumpSchema(e *env, load loader) error {
	cache, err := dataapi.LoadSchema(e.ctx, load)
	if err != nil {
		return err
	}
	return json.NewEncoder(e.stdout).Encode(cache.Dump())
}

// askReady asks the admin endpoint that the settings name.
func askReady(ctx context.Context, cfg *config.DataAPI) error {
	client := http.Client{Timeout: 10 * time.Second}
	url := "http://" + net.JoinHostPort(adminHost(cfg.AdminHost), strconv.Itoa(cfg.AdminPort)) + "/ready"
	switch {
	case cfg.AdminUnixSocket != "":
		client.Transport = &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", cfg.AdminUnixSocket)
		}}
		url = "http://unix/ready"
	case cfg.AdminPort == 0:
		return errors.New("there is no admin endpoint: set admin-server-port")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	res, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("the admin endpoint doesn't answer: %w", err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("not ready: the admin endpoint answers %s", res.Status)
	}
	return nil
}

// adminHost is a host that can be asked, where one was given that is listened on.
func adminHost(host string) string {
	switch host {
	case "", "*", "!4", "*4":
		return "127.0.0.1"
	case "!6", "*6":
		return "::1"
	}
	return host
}
