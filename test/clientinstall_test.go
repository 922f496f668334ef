package test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// client is a public client library, pinned by its manifest and installed from its registry.
type client struct {
	name      string
	language  string
	folder    string   // of its tests
	program   string   // that runs it
	manifest  []string // files in its folder that pin what is installed
	install   []string // command that installs it beside its manifest
	modules   string   // folder that the command makes
	environ   []string
	eval      []string // command that runs a program on standard input
	test      []string // command that runs its tests
	installed string   // the modules' folder, once they are there
}

// installed returns those of the clients that can be run here, and skips the test if none can.
func installed(t *testing.T, clients ...client) []client {
	t.Helper()
	var there []client
	var missing []string
	for _, c := range clients {
		dir, err := c.fetch(t.Context())
		if err != nil {
			missing = append(missing, fmt.Sprintf("%s can't be tested here: %v", c.name, err))
			t.Run(c.name, func(t *testing.T) { t.Skip(missing[len(missing)-1]) })
			continue
		}
		c.installed = filepath.Join(dir, c.modules)
		there = append(there, c)
	}
	if len(missing) > 0 && os.Getenv("CI") == "true" {
		fmt.Fprintln(os.Stderr, strings.Join(missing, "\n"))
	}
	if len(there) == 0 {
		t.Skip(strings.Join(missing, "; "))
	}
	return there
}

// fetch returns a folder with the client, which all tests of the user share. It is made when there is none for this
// manifest and this version of the program.
func (c client) fetch(ctx context.Context) (string, error) {
	if _, err := exec.LookPath(c.program); err != nil {
		return "", err
	}
	version, err := exec.CommandContext(ctx, c.program, "--version").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s --version: %w", c.program, err)
	}
	mark := sha256.New()
	_, _ = fmt.Fprintf(mark, "%s %s %s %q\n", version, runtime.GOOS, runtime.GOARCH, c.install)
	for _, name := range c.manifest {
		text, err := os.ReadFile(filepath.Join(c.folder, name))
		if err != nil {
			return "", err
		}
		_, _ = mark.Write(text)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	cache = filepath.Join(cache, "tarn-test")
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", err
	}
	dir := filepath.Join(cache, fmt.Sprintf("%s-%x", c.name, mark.Sum(nil)[:8]))
	return dir, c.fetchInto(ctx, dir)
}

// fetchInto installs the client into a folder, unless it is there. Whoever else wants to waits meanwhile.
func (c client) fetchInto(ctx context.Context, dir string) error {
	lock, err := os.OpenFile(dir+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = lock.Close() }()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return err
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	making := dir + ".new"
	if err := os.RemoveAll(making); err != nil { // of somebody who was killed
		return err
	}
	if err := os.Mkdir(making, 0o755); err != nil {
		return err
	}
	for _, name := range c.manifest {
		text, err := os.ReadFile(filepath.Join(c.folder, name))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(making, name), text, 0o644); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, c.install[0], c.install[1:]...)
	cmd.Dir = making
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(c.install, " "), err, out)
	}
	return os.Rename(making, dir)
}
