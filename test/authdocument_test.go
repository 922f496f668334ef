package test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestAuthGuide does what docs/auth.md says, from top to bottom, and compares what is printed where that is said.
func TestAuthGuide(t *testing.T) { followGuide(t, "../docs/auth.md") }

// TestTokensGuide does likewise with docs/tokens.md.
func TestTokensGuide(t *testing.T) { followGuide(t, "../docs/tokens.md") }

func followGuide(t *testing.T, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	s := serve(t, dataDir(t))
	steps := step.FindAllSubmatch(text, -1)
	if len(steps) < 6 {
		t.Fatalf("there are %d steps", len(steps))
	}
	commands := "cd " + t.TempDir() + "\n"
	for i, e := range steps {
		program, want := strings.ReplaceAll(string(e[2]), "http://127.0.0.1:8080", s.url), string(e[3])
		if strings.HasPrefix(program, "export ") {
			commands += program
		}
		if !t.Run(fmt.Sprint(i+1), func(t *testing.T) {
			if diff := cmp.Diff(want, s.shell(t, commands+program)); want != "" && diff != "" {
				t.Errorf("wanted (-), got (+):\n%s", diff)
			}
		}) {
			return // what follows builds on it
		}
	}
}
