package embedded

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// TestTree builds trees of installations as packages lay them out.
func TestTree(t *testing.T) {
	for _, c := range []struct {
		name, bin, lib, share string
		program               string   // where the tree has the program
		linked                []string // what else of the machine is found in the tree
	}{
		{
			"Debian", "lib/postgresql/15/bin", "lib/postgresql/15/lib", "share/postgresql/15",
			"lib/postgresql/15/bin/postgres", []string{"lib/postgresql/15/lib/plpgsql.so"},
		},
		{
			"RPM", "pgsql-16/bin", "pgsql-16/lib", "pgsql-16/share",
			"bin/postgres", []string{"lib/plpgsql.so", "doc/README"},
		},
		{
			"Homebrew", "Cellar/postgresql@17/17.2/bin", "lib/postgresql@17", "share/postgresql@17",
			"Cellar/postgresql@17/17.2/bin/postgres", []string{"lib/postgresql@17/plpgsql.so"},
		},
		{
			"one folder", "pg/bin", "pg/lib/postgresql", "pg/share/postgresql",
			"bin/postgres", []string{"lib/postgresql/plpgsql.so", "lib/libpq.so"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			root := t.TempDir()
			in := Install{BinDir: filepath.Join(root, c.bin), LibDir: filepath.Join(root, c.lib), ShareDir: filepath.Join(root, c.share)}
			for _, file := range []string{
				in.BinDir + "/postgres", in.BinDir + "/initdb", in.LibDir + "/plpgsql.so", in.LibDir + "/../libpq.so", in.LibDir + "/../doc/README",
				in.ShareDir + "/postgres.bki", in.ShareDir + "/extension/plpgsql.control", in.ShareDir + "/extension/databricks_auth.control",
			} {
				write(t, file, "the machine's")
			}
			dir := filepath.Join(t.TempDir(), "runtime")
			rt, err := NewRuntime(in, Account{}, dir)
			if err != nil {
				t.Fatal(err)
			}
			program := filepath.Join(dir, c.program)
			if got := rt.Command(t.Context(), "postgres").Path; got != program {
				t.Errorf("program = %s, want %s", got, program)
			}
			if info, err := os.Lstat(program); err != nil || info.Mode() != 0o755 {
				t.Errorf("program: %v, %v; it must be a copy", info, err)
			}
			// What the server finds relative to its program.
			share := filepath.Join(filepath.Dir(program), relative(t, in.BinDir, in.ShareDir))
			for _, file := range append(c.linked, relative(t, dir, share+"/postgres.bki"), relative(t, dir, share+"/extension/plpgsql.control")) {
				if got := read(t, filepath.Join(dir, file)); got != "the machine's" {
					t.Errorf("%s = %q", file, got)
				}
			}
			if got := read(t, share+"/extension/databricks_auth.control"); got == "the machine's" {
				t.Error("the extension's files are the machine's")
			}
			if got := read(t, in.ShareDir+"/extension/databricks_auth.control"); got != "the machine's" {
				t.Error("the machine's files were changed")
			}
		})
	}
}

func relative(t *testing.T, from, to string) string {
	t.Helper()
	path, err := filepath.Rel(from, to)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), fs.FileMode(0o644)); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Error(err)
	}
	return string(text)
}

func TestLogIsRotated(t *testing.T) {
	dir := t.TempDir()
	log, err := openLog(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	say := func(text string) {
		if _, err := log.WriteString(text); err != nil {
			t.Fatal(err)
		}
	}
	say("small\n")
	if err := log.rotate(); err != nil || log.since(0) != "small" {
		t.Errorf("a small log became %q, %v", log.since(0), err)
	}
	if err := log.Truncate(maxLog); err != nil {
		t.Fatal(err)
	}
	say("last\n")
	if err := log.rotate(); err != nil || log.size() != 0 {
		t.Errorf("%d bytes are left, %v", log.size(), err)
	}
	say("new\n")
	if got := read(t, filepath.Join(dir, "postgres.log")); got != "new\n" {
		t.Errorf("log = %q", got)
	}
	if info, err := os.Stat(filepath.Join(dir, "postgres.log.1")); err != nil || info.Size() != maxLog+int64(len("last\n")) {
		t.Errorf("old log: %v, %v", info, err)
	}
}
