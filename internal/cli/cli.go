// Package cli provides Tarn's commands: it reads their arguments and says what to do next. What they do is elsewhere.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/tarn-data/tarn/internal/outbound"
)

// version is set when the binary is built.
var version = "dev"

// commands are what tarn can do.
type commands struct {
	Serve      serveCommand      `cmd:"" help:"Serve the lakebase: the Lakebase Data API on an embedded PostgreSQL, or on one of your own."`
	DataAPI    dataAPICommand    `cmd:"" name:"data-api" help:"Serve one database as a REST API at the root, in PostgREST's place."`
	Init       initCommand       `cmd:"" help:"Make what Tarn needs in a PostgreSQL of your own, and say what was made."`
	Login      loginCommand      `cmd:"" help:"Log in to a server with a browser."`
	Token      tokenCommand      `cmd:"" help:"Make, list and delete personal access tokens."`
	User       userCommand       `cmd:"" help:"Manage users."`
	Principal  principalCommand  `cmd:"" help:"Manage service principals."`
	Group      groupCommand      `cmd:"" help:"Manage groups."`
	Audit      auditCommand      `cmd:"" help:"Read, export and verify the audit log."`
	Backup     backupCommand     `cmd:"" help:"Write Tarn's own state into a file."`
	Restore    restoreCommand    `cmd:"" help:"Make Tarn's own state of a backup."`
	Psql       psqlCommand       `cmd:"" help:"Run psql on the embedded PostgreSQL as the owner of the databases."`
	Completion completionCommand `cmd:"" help:"Print what has a shell complete the arguments of tarn."`
	Version    versionCommand    `cmd:"" help:"Show the version."`

	secretCommands
}

// env is what every command gets.
type env struct {
	ctx    context.Context //nolint:containedctx // it is an argument of every command's Run
	stdout io.Writer
	stderr io.Writer
}

func (e *env) logger(level slog.Leveler) *slog.Logger {
	return slog.New(slog.NewTextHandler(e.stderr, &slog.HandlerOptions{Level: level}))
}

// misused is the exit status of who gives arguments that no command takes, as other programs have it; kong has another.
const (
	misused     = 2
	misusedKong = 80
)

// exit is thrown by kong's exit hook and caught in Main, so that only main ends the process.
type exit int

// Main runs the command that the arguments name, and returns the exit status.
func Main(args []string, stdout, stderr io.Writer) (status int) {
	defer func() {
		if p := recover(); p != nil {
			code, ok := p.(exit)
			if !ok {
				panic(p) //nolint:forbidigo // not ours to catch
			}
			if status = int(code); status == misusedKong {
				status = misused
			}
		}
	}()
	relaxGC()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	var c commands
	parser, err := kong.New(&c,
		kong.Name("tarn"),
		kong.Vars{"data_dir": defaultDataDir(), "outbound": strings.Join(outbound.Default(), ",")},
		kong.Description("A self-hosted lakebase: PostgreSQL as a REST API, and the platform around it."),
		kong.UsageOnError(),
		kong.Writers(stdout, stderr),
		kong.Exit(func(code int) { panic(exit(code)) }), //nolint:forbidigo // caught above
	)
	if err != nil {
		return fail(stderr, err)
	}
	completeLine(parser)
	chosen, err := parser.Parse(args)
	if err != nil {
		parser.FatalIfErrorf(err)
	}
	if err := chosen.Run(&env{ctx: ctx, stdout: stdout, stderr: stderr}); err != nil {
		return fail(stderr, err)
	}
	return 0
}

// hinted is an error that says what to do about it.
type hinted interface{ Hint() string }

func fail(stderr io.Writer, err error) int {
	if said, ok := errors.AsType[quiet](err); ok {
		return max(1, said.code)
	}
	_, _ = fmt.Fprintln(stderr, "tarn: "+err.Error())
	var h hinted
	if errors.As(err, &h) && h.Hint() != "" {
		_, _ = fmt.Fprintln(stderr, "hint: "+h.Hint())
	}
	return 1
}

// quiet is an error of which all is said: only the exit status is left.
type quiet struct{ code int }

func (q quiet) Error() string { return fmt.Sprintf("ended with status %d", q.code) }

type versionCommand struct{}

// Run shows the version.
func (versionCommand) Run(e *env) error {
	_, err := fmt.Fprintln(e.stdout, "tarn", buildVersion())
	return err
}

func buildVersion() string {
	if version != "dev" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return version
}

// relaxGC lets garbage grow to one and a half times what lives, which is little. More would save some hundredths of
// the processor's time under load, and take megabytes. Whoever sets GOGC is heard instead.
func relaxGC() {
	const usual, relaxed = 100, 150
	if before := debug.SetGCPercent(relaxed); before != usual {
		debug.SetGCPercent(before)
	}
}
