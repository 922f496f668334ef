package cli

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"runtime"

	"github.com/tarn-data/tarn/internal/config"
	"github.com/tarn-data/tarn/internal/dataapi"
	"github.com/tarn-data/tarn/internal/server"
)

type dataAPICommand struct {
	File       string `arg:"" optional:"" help:"Configuration file, as PostgREST has it. PGRST_* variables go before it."`
	DumpConfig bool   `xor:"what" help:"Show the settings in force, and exit. Secrets are shown."`
	DumpSchema bool   `xor:"what" help:"Show the schema cache as JSON, and exit."`
	Example    bool   `xor:"what" short:"e" help:"Show a configuration file that explains every setting, and exit."`
	Ready      bool   `xor:"what" help:"Ask the admin endpoint of a running server whether it is ready, and exit."`
	Version    bool   `xor:"what" short:"v" help:"Show the version, and exit."`
}

// Run serves a Data API alone.
func (c *dataAPICommand) Run(e *env) error {
	switch {
	case c.Version:
		return versionCommand{}.Run(e)
	case c.Example:
		_, err := fmt.Fprint(e.stdout, config.Example())
		return err
	}
	settings := dataAPISettings{file: c.File}
	cfg, err := settings.load(nil)
	if err != nil {
		return err
	}
	level := &slog.LevelVar{}
	log := e.logger(level)
	switch {
	case c.Ready:
		return askReady(e, cfg)
	case c.DumpConfig, c.DumpSchema:
		if cfg, err = dataapi.LoadConfig(e.ctx, cfg, settings.load, log); err != nil {
			return err
		}
		if c.DumpSchema {
			return dumpSchema(e, cfg)
		}
		_, err = fmt.Fprint(e.stdout, cfg.Dump())
		return err
	}
	return server.DataAPI(e.ctx, server.DataAPIOptions{
		Version: buildVersion(), Config: cfg, Load: settings.load, Access: e.stdout, Log: log, LogLevel: level,
	})
}

func dumpSchema(e *env, cfg *config.DataAPI) error {
	cache, err := dataapi.LoadSchema(e.ctx, cfg)
	if err != nil {
		return err
	}
	return json.NewEncoder(e.stdout).Encode(dataapi.Dump(cache))
}

// dataAPISettings reads the settings. The database's address stays as it was at first: connections have been made to it,
// and it may have come from a pipe.
type dataAPISettings struct {
	file string
	uri  string
}

func (s *dataAPISettings) load(inDatabase []config.Setting) (*config.DataAPI, error) {
	environ := config.Environ()
	if s.uri != "" {
		environ = append(environ, "PGRST_DB_URI="+s.uri)
	}
	cfg, err := config.LoadDataAPI(config.Source{
		Environ: environ, File: s.file, InDatabase: inDatabase, Cores: runtime.GOMAXPROCS(0),
	})
	if err == nil {
		s.uri = cfg.DBURI
	}
	return cfg, err
}
