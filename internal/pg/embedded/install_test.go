package embedded

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestParseVersion(t *testing.T) {
	for _, c := range []struct {
		line, version string
		major         int
	}{
		{"postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n", "15.18 (Debian 15.18-0+deb12u1)", 15},
		{"postgres (PostgreSQL) 18.4", "18.4", 18},
		{"postgres (PostgreSQL) 19beta1", "19beta1", 19},
		{"postgres (PostgreSQL) devel", "", 0},
		{"postgres (EnterpriseDB) 15", "", 0},
		{"", "", 0},
	} {
		version, major, err := parseVersion(c.line)
		if version != c.version || major != c.major || (err == nil) != (c.major != 0) {
			t.Errorf("parseVersion(%q) = %q, %d, %v", c.line, version, major, err)
		}
	}
}

func TestFind(t *testing.T) {
	in, err := Find(t.Context(), os.Getenv(binDir), 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{
		filepath.Join(in.BinDir, "initdb"), filepath.Join(in.ShareDir, "postgres.bki"), filepath.Join(in.ShareDir, "extension"),
	} {
		if _, err := os.Stat(file); err != nil {
			t.Error(err)
		}
	}
	if again, err := Find(t.Context(), in.BinDir, in.Major); err != nil || again != in {
		t.Errorf("Find in %s = %+v, %v, want %+v", in.BinDir, again, err, in)
	}
	if _, err := Find(t.Context(), in.BinDir, in.Major+1); !errors.Is(err, ErrNoPostgres) {
		t.Errorf("Find of another version: %v", err)
	}
	if _, err := Find(t.Context(), t.TempDir(), 0); err == nil || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Find in an empty folder: %v", err)
	}
}

func TestMissingSaysWhatToDo(t *testing.T) {
	err := missing(0, nil)
	if !errors.Is(err, ErrNoPostgres) || !strings.Contains(err.Error(), "--postgres URL") {
		t.Errorf("missing = %v", err)
	}
	if _, lookErr := exec.LookPath("apt-get"); lookErr == nil {
		if !strings.Contains(err.Error(), "`apt-get install postgresql`") {
			t.Errorf("missing = %v", err)
		}
		if err := missing(16, nil); !strings.Contains(err.Error(), "`apt-get install postgresql-16`") {
			t.Errorf("missing 16 = %v", err)
		}
	}
}

func TestNumberIn(t *testing.T) {
	for path, want := range map[string]float64{
		"/usr/lib/postgresql/9.6/bin": 9.6, "/usr/lib/postgresql/15/bin": 15, "/opt/homebrew/opt/postgresql@17/bin": 17, "/usr/bin": 0,
	} {
		if got := numberIn(path); got != want {
			t.Errorf("numberIn(%s) = %v, want %v", path, got, want)
		}
	}
}
