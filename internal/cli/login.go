package cli

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os/exec"
	"runtime"
	"time"

	"github.com/tarn-data/tarn/internal/apiclient"
	"github.com/tarn-data/tarn/internal/config"
)

type loginCommand struct {
	Host      string        `help:"Address of the server, such as https://tarn.example.com; DATABRICKS_HOST if it isn't given."`
	Profile   string        `short:"p" help:"Name to keep the login under; the host's, if it isn't given."`
	NoBrowser bool          `help:"Only print the address to open."`
	Timeout   time.Duration `default:"5m" help:"How long to wait for the browser to come back."`
}

// Run logs in.
func (c *loginCommand) Run(e *env) error {
	cfg, err := config.LoadClient(config.Environ(), c.Host, c.Profile)
	if err != nil {
		return err
	}
	if cfg.Host == "" {
		return withHint(errors.New("no server is named"), "tarn login --host https://tarn.example.com")
	}
	ctx, cancel := context.WithTimeout(e.ctx, c.Timeout)
	defer cancel()
	p, err := apiclient.Login(ctx, cfg.Host, func(address string) {
		_, _ = fmt.Fprintf(e.stderr, "Open this address in a browser on this machine:\n\n  %s\n\n", address)
		if !c.NoBrowser {
			browse(address)
		}
	})
	if err != nil {
		return err
	}
	if p.Name = c.Profile; p.Name == "" {
		p.Name = hostName(p.Host)
	}
	if err := (apiclient.Profiles{File: cfg.Profiles}).Save(*p); err != nil {
		return err
	}
	_, err = fmt.Fprintf(e.stdout, "Logged in to %s as profile %s.\n", p.Host, p.Name)
	return err
}

func hostName(host string) string {
	if u, err := url.Parse(host); err == nil {
		return u.Host
	}
	return host
}

// browse opens an address if it can. Whoever has no browser sees the address.
func browse(address string) {
	program := "xdg-open"
	if runtime.GOOS == "darwin" {
		program = "open"
	}
	cmd := exec.Command(program, address) //nolint:gosec,noctx // the browser outlives the command
	if cmd.Start() == nil {
		_ = cmd.Process.Release()
	}
}
