package test

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestBackup has a state wiped and restored: what clients see is as before, and the audit log is whole.
func TestBackup(t *testing.T) {
	t.Parallel()
	dir, file := dataDir(t), filepath.Join(t.TempDir(), "state.tarn")
	s := serve(t, dir)
	const path = "/.well-known/databricks-config"
	before := strings.ReplaceAll(ask(t, "GET", s.url+path, "").body, s.url, "")
	for n := range 20 {
		ask(t, "GET", s.url+path, "", "X-Request-Id", "before-"+strconv.Itoa(n))
	}
	s.untilRecorded(t, 21)
	out := run(t, "", "backup", "--data-dir", dir, "--with-keys", file)
	if !regexp.MustCompile(`(?m)^audit log up to 2[1-9]:[0-9a-f]{64}$`).MatchString(out) {
		t.Error(out)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info, err)
	}
	ask(t, "GET", s.url+path, "", "X-Request-Id", "after")
	s.untilRecorded(t, 23) // the backup has one, too

	refused := func(args, want string) {
		t.Helper()
		out, err := tryRun(t, "", append([]string{"restore", "--data-dir", dir}, strings.Fields(args)...)...)
		if err == nil || !strings.Contains(out, want) {
			t.Errorf("%s: %v %s", args, err, out)
		}
	}
	refused(file+" --force", "Tarn is running on this state")
	s.stop(t)
	refused(file, "there is a state already")
	broken := filepath.Join(t.TempDir(), "broken.tarn")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(broken, text[:len(text)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	refused(broken+" --force", "is not a backup")
	copy(text[len(text)/3:], "not what was written")
	if err := os.WriteFile(broken, text, 0o600); err != nil {
		t.Fatal(err)
	}
	refused(broken+" --force", "tarn: ")

	t.Run("what was refused changed nothing", func(t *testing.T) {
		if out := run(t, "", "audit", "verify", "--data-dir", dir); !strings.Contains(out, "\nhead 23:") {
			t.Error(out)
		}
	})
	t.Run("replace", func(t *testing.T) {
		out := run(t, "", "restore", "--data-dir", dir, "--force", file)
		if !strings.Contains(out, "which this machine knew, are not in the backup") {
			t.Error(out)
		}
		compareRestored(t, dir, path, before)
	})
	t.Run("on another machine", func(t *testing.T) {
		other := dataDir(t)
		run(t, "", "restore", "--data-dir", other, file)
		compareRestored(t, other, path, before)
	})
}

// compareRestored serves a data directory whose state was restored.
func compareRestored(t *testing.T, dir, path, before string) {
	t.Helper()
	s := serve(t, dir)
	if got := strings.ReplaceAll(ask(t, "GET", s.url+path, "").body, s.url, ""); got != before {
		t.Errorf("wanted %s, got %s", before, got)
	}
	s.untilRecorded(t, 23) // before, restore, and this call
	records := s.recorded(t)
	if records["before-0"] != 1 || records["before-19"] != 1 || records["after"] != 0 {
		t.Errorf("%v", records)
	}
	s.stop(t)
	if out := run(t, "", "audit", "verify", "--data-dir", dir); !strings.Contains(out, "\nhead 23:") {
		t.Error(out)
	}
}

// untilRecorded waits until there are so many records, which there must not be more of.
func (s *tarn) untilRecorded(t testing.TB, want int) {
	t.Helper()
	total := 0
	for range 500 {
		total = 0
		for _, n := range s.recorded(t) {
			total += n
		}
		if total >= want {
			break
		}
	}
	if total != want {
		t.Fatalf("%d records, wanted %d", total, want)
	}
}
