package cli

import (
	"fmt"

	"github.com/alecthomas/kong"
	"github.com/posener/complete"
	"github.com/willabides/kongplete"
)

type completionCommand struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"Which shell to print it for: ${enum}."`
}

// Run prints what has a shell complete tarn's arguments.
func (c *completionCommand) Run(e *env) error {
	text := "complete -C tarn tarn\n"
	switch c.Shell {
	case "zsh":
		text = "autoload -U +X bashcompinit && bashcompinit\n" + text
	case "fish":
		text = "function __complete_tarn\n" +
			"    set -lx COMP_LINE (commandline -cp)\n" +
			"    test -z (commandline -ct); and set COMP_LINE \"$COMP_LINE \"\n" +
			"    tarn\n" +
			"end\n" +
			"complete -f -c tarn -a \"(__complete_tarn)\"\n"
	}
	_, err := fmt.Fprint(e.stdout, text)
	return err
}

// completeLine answers a shell that asks how a command line may go on; then the process is done.
func completeLine(parser *kong.Kong) {
	kongplete.Complete(parser, kongplete.WithPredictor("file", complete.PredictFiles("*")), kongplete.WithPredictor("dir", complete.PredictDirs("*")))
}
