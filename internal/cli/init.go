package cli

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tarn-data/tarn/internal/pg/databricksauth"
	"github.com/tarn-data/tarn/internal/pg/embedded"
	"github.com/tarn-data/tarn/internal/server"
)

type psqlCommand struct {
	DataDir  string   `default:"${data_dir}" type:"existingdir" env:"TARN_DATA_DIR" help:"Data directory of the lakebase, which must be served."`
	Database string   `short:"d" default:"databricks_postgres" help:"Database to connect to."`
	Super    bool     `name:"superuser" help:"Connect as the superuser, for what the owner may not do, such as making an extension that isn't trusted."`
	Args     []string `arg:"" optional:"" passthrough:"" help:"Arguments for psql, after --."`
}

// Run runs psql as the owner, or as the superuser.
func (c *psqlCommand) Run(e *env) error {
	address, err := embedded.Locate(c.DataDir)
	if err != nil {
		return withHint(err, "Start the lakebase first: tarn serve --data-dir "+c.DataDir)
	}
	if !address.Running(e.ctx) {
		return stopped(c.DataDir)
	}
	program, err := exec.LookPath(filepath.Join(address.BinDir, "psql"))
	if err != nil {
		if program, err = exec.LookPath("psql"); err != nil {
			return withHint(errors.New("psql is not on this machine"), "Debian: apt-get install postgresql-client")
		}
	}
	args := slices.Clone(c.Args)
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	url := address.OwnerURL(c.Database)
	if c.Super {
		url = address.URL(c.Database)
	}
	cmd := exec.CommandContext(e.ctx, program, append([]string{"-d", url}, args...)...) //nolint:gosec // it is the user's own command line
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, e.stdout, e.stderr
	err = cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return quiet{exit.ExitCode()}
	}
	return err
}

// stopped says that nobody serves the lakebase of a data directory.
func stopped(dataDir string) error {
	return withHint(errors.New("the lakebase in "+dataDir+" does not run"), "Start it: tarn serve --data-dir "+dataDir)
}

// hint is an error that says what to do about it.
type hint struct {
	error
	text string
}

func withHint(err error, text string) error { return &hint{err, text} }

// Unwrap returns the error.
func (h *hint) Unwrap() error { return h.error }

// Hint says what to do.
func (h *hint) Hint() string { return h.text }

type initCommand struct {
	Postgres string `xor:"what" required:"" env:"TARN_ADMIN_POSTGRES" help:"Connection string of a role that may create roles and databases, best a superuser."`
	Database string `default:"databricks_postgres" help:"Database to make and enable."`
	DryRun   bool   `help:"Only print the SQL."`

	ExtensionFiles string `xor:"what" required:"" type:"path" placeholder:"DIR" help:"Only write the files of the extension databricks_auth into a folder."`
}

// Run makes what Tarn needs on a server of the user's own.
func (c *initCommand) Run(e *env) error {
	if c.ExtensionFiles != "" {
		return os.CopyFS(c.ExtensionFiles, databricksauth.Files())
	}
	report, err := server.Init(e.ctx, server.InitOptions{URL: c.Postgres, Database: c.Database, DryRun: c.DryRun})
	if _, werr := fmt.Fprint(e.stdout, strings.Join(report, "\n"), "\n"); err == nil {
		err = werr
	}
	return err
}
