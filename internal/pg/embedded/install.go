package embedded

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// Install is a PostgreSQL installed on this machine.
type Install struct {
	BinDir   string // postgres, initdb
	LibDir   string // loadable modules
	ShareDir string // what initdb and CREATE EXTENSION read
	Version  string // as the server prints it, "15.18 (Debian 15.18-0+deb12u1)"
	Major    int
}

// ErrNoPostgres says that no usable installation of PostgreSQL was found.
var ErrNoPostgres = errors.New("no PostgreSQL server found on this machine")

// Find returns an installation of PostgreSQL: the one in binDir if given, else the first of PATH and the folders that
// packages use, newest first. When major isn't 0, only that major version will do.
func Find(ctx context.Context, binDir string, major int) (Install, error) {
	dirs := []string{binDir}
	if binDir == "" {
		dirs = candidates(ctx)
	}
	var others []string
	for _, dir := range dirs {
		in, err := inspect(ctx, dir)
		switch {
		case err != nil && binDir != "":
			return Install{}, fmt.Errorf("PostgreSQL in %s: %w", binDir, err)
		case err != nil:
			continue
		case major != 0 && in.Major != major:
			others = append(others, fmt.Sprintf("%d in %s", in.Major, in.BinDir))
			continue
		}
		return in, nil
	}
	return Install{}, missing(major, others)
}

// missing says that there is no installation, or none of a version, and what to do.
func missing(major int, others []string) error {
	if len(others) > 0 {
		return fmt.Errorf("%w that runs version %d: found %s; install PostgreSQL %d, or dump with it and restore into a new data directory",
			ErrNoPostgres, major, strings.Join(others, ", "), major)
	}
	return fmt.Errorf("%w: install it with `%s`, or name a running server with --postgres URL", ErrNoPostgres, remedy(major))
}

// candidates are folders that may hold the server's programs, the likeliest first, each once.
func candidates(ctx context.Context) []string {
	var dirs []string
	add := func(dir string) {
		if real, err := filepath.EvalSymlinks(dir); err == nil && !slices.Contains(dirs, real) {
			dirs = append(dirs, real)
		}
	}
	if path, err := exec.LookPath("postgres"); err == nil {
		if real, err := filepath.EvalSymlinks(path); err == nil {
			add(filepath.Dir(real))
		}
	}
	if path, err := exec.LookPath("pg_config"); err == nil {
		if out, err := exec.CommandContext(ctx, path, "--bindir").Output(); err == nil {
			add(strings.TrimSpace(string(out)))
		}
	}
	for _, pattern := range []string{
		"/usr/lib/postgresql/*/bin",
		"/usr/pgsql-*/bin",
		"/opt/homebrew/opt/postgresql@*/bin",
		"/usr/local/opt/postgresql@*/bin",
		"/home/linuxbrew/.linuxbrew/opt/postgresql@*/bin",
		"/Applications/Postgres.app/Contents/Versions/*/bin",
		"/usr/libexec/postgresql*",
		"/usr/local/pgsql/bin",
		"/usr/local/bin",
		"/usr/bin",
	} {
		found, _ := filepath.Glob(pattern)
		slices.SortFunc(found, func(a, b string) int { return cmp.Compare(numberIn(b), numberIn(a)) })
		for _, dir := range found {
			add(dir)
		}
	}
	return dirs
}

var digits = regexp.MustCompile(`\d+(\.\d+)?`)

// numberIn is the last number in a path, which is the version in those that packages use.
func numberIn(path string) float64 {
	all := digits.FindAllString(path, -1)
	if len(all) == 0 {
		return 0
	}
	n, _ := strconv.ParseFloat(all[len(all)-1], 64)
	return n
}

// inspect describes the installation whose programs are in dir.
func inspect(ctx context.Context, dir string) (Install, error) {
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return Install{}, err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return Install{}, err
	}
	if _, err := os.Stat(filepath.Join(dir, "initdb")); err != nil {
		return Install{}, err
	}
	out, err := exec.CommandContext(ctx, filepath.Join(dir, "postgres"), "--version").Output()
	if err != nil {
		return Install{}, err
	}
	in := Install{BinDir: dir}
	if in.Version, in.Major, err = parseVersion(string(out)); err != nil {
		return Install{}, err
	}
	in.ShareDir = firstWith("postgres.bki", append(ask(ctx, dir, "--sharedir"),
		filepath.Join(dir, "../share/postgresql"),
		filepath.Join(dir, "../share"),
		filepath.Join(dir, "../share/pgsql"),
		filepath.Join("/usr/share/postgresql", strconv.Itoa(in.Major)),
	))
	in.LibDir = firstWith("plpgsql.*", append(ask(ctx, dir, "--pkglibdir"),
		filepath.Join(dir, "../lib/postgresql"),
		filepath.Join(dir, "../lib"),
		filepath.Join(dir, "../lib64/pgsql"),
		filepath.Join(dir, "../lib/pgsql"),
	))
	if in.ShareDir == "" || in.LibDir == "" {
		return Install{}, fmt.Errorf("%s: %w: its share or lib folder is missing", dir, fs.ErrNotExist)
	}
	return in, nil
}

// ask returns what the pg_config beside the server says, if there is one.
func ask(ctx context.Context, dir, what string) []string {
	out, err := exec.CommandContext(ctx, filepath.Join(dir, "pg_config"), what).Output()
	if err != nil {
		return nil
	}
	return []string{string(bytes.TrimSpace(out))}
}

// firstWith returns the first of the folders in which a file matches.
func firstWith(pattern string, dirs []string) string {
	for _, dir := range dirs {
		if found, _ := filepath.Glob(filepath.Join(dir, pattern)); len(found) > 0 {
			if real, err := filepath.EvalSymlinks(dir); err == nil {
				return real
			}
		}
	}
	return ""
}

// parseVersion reads "postgres (PostgreSQL) 15.18 (Debian …)".
func parseVersion(line string) (version string, major int, err error) {
	_, version, ok := strings.Cut(strings.TrimSpace(line), "(PostgreSQL) ")
	if ok {
		major, err = strconv.Atoi(version[:len(version)-len(strings.TrimLeft(version, "0123456789"))])
	}
	if !ok || err != nil {
		return "", 0, fmt.Errorf("not a version of PostgreSQL: %q", line)
	}
	return version, major, nil
}

// remedy is the command that installs PostgreSQL here.
func remedy(major int) string {
	version := ""
	if major != 0 {
		version = strconv.Itoa(major)
	}
	has := func(program string) bool { _, err := exec.LookPath(program); return err == nil }
	switch {
	case runtime.GOOS == "darwin":
		return "brew install postgresql@" + cmp.Or(version, "17")
	case has("apt-get"):
		return "apt-get install postgresql" + dash(version)
	case has("dnf"):
		return "dnf install postgresql" + version + "-server"
	case has("apk"):
		return "apk add postgresql" + version
	case has("pacman"):
		return "pacman -S postgresql"
	case has("zypper"):
		return "zypper install postgresql" + version + "-server"
	}
	return "apt-get install postgresql" + dash(version)
}

func dash(version string) string {
	if version == "" {
		return ""
	}
	return "-" + version
}
