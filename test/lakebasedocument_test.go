package test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// step is a block of code in the documentation, and what it prints, if that is said.
var step = regexp.MustCompile("(?ms)^```(sh|sql)\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?")

// TestLakebaseGuide does what docs/lakebase.md says, from top to bottom, and compares what is printed.
func TestLakebaseGuide(t *testing.T) {
	text, err := os.ReadFile("../docs/lakebase.md")
	if err != nil {
		t.Fatal(err)
	}
	s := serve(t, dataDir(t))
	steps := step.FindAllSubmatch(text, -1)
	if len(steps) < 10 {
		t.Fatalf("there are %d steps", len(steps))
	}
	var exports string
	for i, e := range steps {
		language, program, want := string(e[1]), strings.ReplaceAll(string(e[2]), "http://127.0.0.1:8080", s.url), string(e[3])
		if !t.Run(fmt.Sprintf("%d %s", i+1, language), func(t *testing.T) {
			if language == "sql" {
				s.psql(t, program)
				return
			}
			got := s.shell(t, exports+program)
			// A change of settings is heard of within moments; to read again changes nothing.
			for deadline := time.Now().Add(10 * time.Second); got != want && !strings.Contains(program, " -d ") && time.Now().Before(deadline); {
				time.Sleep(50 * time.Millisecond)
				got = s.shell(t, exports+program)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("wanted (-), got (+):\n%s", diff)
			}
		}) {
			return // what follows builds on it
		}
		if strings.HasPrefix(program, "export ") {
			exports = program
		}
	}
}

// shell runs commands with tarn among the programs, and returns what they print.
func (s *tarn) shell(t testing.TB, commands string) string {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("bash", "-e", "-o", "pipefail", "-c", commands)
	cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(path)+":"+os.Getenv("PATH"), "TARN_DATA_DIR="+s.dir)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", commands, err, out)
	}
	text := strings.ReplaceAll(string(out), "\r", "")
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	return text
}
