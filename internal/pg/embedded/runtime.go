package embedded

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/tarn-data/tarn/internal/pg/databricksauth"
)

// Runtime is a private tree of an installation, ready to run as an account. PostgreSQL finds its other folders relative
// to its own program, so a copy of the program in a tree of the same shape reads the tree's folders: mostly links to
// the machine's, plus Tarn's extensions. Nothing is written to the system's folders.
type Runtime struct {
	Install
	Account Account
	program string // the folder of the copied programs
}

// NewRuntime builds the tree of an installation in dir, which must not exist.
func NewRuntime(in Install, as Account, dir string) (Runtime, error) {
	if err := newTree(in, dir).build(); err != nil {
		return Runtime{}, fmt.Errorf("private tree of PostgreSQL: %w", err)
	}
	return OpenRuntime(in, as, dir), nil
}

// OpenRuntime returns the runtime whose tree was built in dir.
func OpenRuntime(in Install, as Account, dir string) Runtime {
	return Runtime{Install: in, Account: as, program: newTree(in, dir).program()}
}

// Command returns a command that runs a server program of the tree.
func (r Runtime) Command(ctx context.Context, name string, args ...string) *exec.Cmd {
	return r.Exec(ctx, filepath.Join(r.program, name), args...)
}

// Exec returns a command that runs any program as the account, with none of this process' environment.
func (r Runtime) Exec(ctx context.Context, path string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=/usr/local/bin:/usr/bin:/bin", "TZ=UTC", "LC_ALL=" + locale()}
	cmd.SysProcAttr = r.Account.sysProcAttr()
	return cmd
}

// InitDB makes a cluster with a superuser in dir, which must be empty and the account's. Nobody may log in to it but
// what its pg_hba.conf is made to say.
func (r Runtime) InitDB(ctx context.Context, dir, superuser string, more ...string) error {
	args := []string{
		"--pgdata=" + dir, "--username=" + superuser, "--encoding=UTF8", "--auth=reject", "--data-checksums",
	}
	if r.Major >= 17 {
		args = append(args, "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
	} else {
		args = append(args, "--locale="+locale())
	}
	if out, err := r.Command(ctx, "initdb", append(args, more...)...).CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, lastLines(string(out), 5))
	}
	return nil
}

// locale is one that every machine has and that knows all letters.
func locale() string {
	if runtime.GOOS == "darwin" {
		return "en_US.UTF-8"
	}
	return "C.UTF-8"
}

func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// tree mirrors below dir what an installation has below root.
type tree struct {
	Install
	dir, root string
}

func newTree(in Install, dir string) tree {
	return tree{Install: in, dir: dir, root: common(in.BinDir, in.ShareDir, in.LibDir)}
}

// program is the folder of the copied programs.
func (t tree) program() string { return t.place(t.BinDir) }

// place is where the tree has what the machine has at path.
func (t tree) place(path string) string {
	return filepath.Join(t.dir, strings.TrimPrefix(path, t.root))
}

func (t tree) build() error {
	for _, name := range []string{"postgres", "initdb"} {
		if err := copyFile(filepath.Join(t.BinDir, name), filepath.Join(t.program(), name), 0o755); err != nil {
			return err
		}
	}
	extensions := filepath.Join(t.ShareDir, "extension")
	if err := writeAll(databricksauth.Files(), t.place(extensions)); err != nil {
		return err
	}
	for _, dir := range []string{extensions, t.ShareDir} {
		if err := t.mirror(dir); err != nil {
			return err
		}
	}
	if err := t.mirrorLibraries(); err != nil {
		return err
	}
	return t.open()
}

// open lets everybody read the tree, whatever the umask is.
func (t tree) open() error {
	return filepath.WalkDir(t.dir, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil || entry.Type() == fs.ModeSymlink:
			return err
		case entry.IsDir() || filepath.Dir(path) == t.program():
			return os.Chmod(path, 0o755)
		}
		return os.Chmod(path, 0o644)
	})
}

// mirrorLibraries links the loadable modules, and of an installation with a folder of its own the shared libraries
// too: its programs look for them in ../lib.
func (t tree) mirrorLibraries() error {
	if err := os.MkdirAll(filepath.Dir(t.place(t.LibDir)), 0o755); err != nil {
		return err
	}
	if err := os.Symlink(t.LibDir, t.place(t.LibDir)); err != nil {
		return err
	}
	prefix := filepath.Dir(t.BinDir)
	if prefix == "/usr" {
		return nil
	}
	for dir := filepath.Dir(t.LibDir); strings.HasPrefix(dir, prefix+"/"); dir = filepath.Dir(dir) {
		if err := t.mirror(dir); err != nil {
			return err
		}
	}
	return t.mirror(prefix)
}

// mirror links what a folder has to the tree, except for what the tree already has.
func (t tree) mirror(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(t.place(dir), 0o755); err != nil {
		return err
	}
	for _, entry := range entries {
		from := filepath.Join(dir, entry.Name())
		if err := os.Symlink(from, t.place(from)); err != nil && !os.IsExist(err) {
			return err
		}
	}
	return nil
}

// common is the deepest folder above all paths.
func common(path string, others ...string) string {
	for _, other := range others {
		for !strings.HasPrefix(other+"/", strings.TrimSuffix(path, "/")+"/") {
			path = filepath.Dir(path)
		}
	}
	return path
}

func copyFile(from, to string, mode fs.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = src.Close() }()
	dst, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(dst, src)
	if closeErr := dst.Close(); err == nil {
		err = closeErr
	}
	return err
}

func writeAll(files fs.FS, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, name), data, 0o644)
	})
}
