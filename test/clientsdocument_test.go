package test

import (
	"fmt"
	"os"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// example is a block of code in the documentation, and the block after it: what it prints.
var example = regexp.MustCompile("(?ms)^```(sh|js|python)\n(.*?)^```\n\n```text\n(.*?)^```\n")

// TestClientsDocument runs the examples of docs/clients.md and compares what they print.
func TestClientsDocument(t *testing.T) {
	text, err := os.ReadFile("../docs/clients.md")
	if err != nil {
		t.Fatal(err)
	}
	examples := example.FindAllSubmatch(text, -1)
	if len(examples) < 6 {
		t.Fatalf("there are %d examples", len(examples))
	}
	run := map[string]func(*testing.T, []string, string) string{
		"sh": func(t *testing.T, environ []string, program string) string {
			return script(t, t.TempDir(), environ, program, "bash", "-e") + "\n"
		},
	}
	for _, c := range installed(t, postgrestJS, postgrestPy) {
		run[c.language] = func(t *testing.T, environ []string, program string) string {
			return c.run(t, environ, program, c.eval...)
		}
	}
	s := serve(t, dataDir(t), "--sample")
	environ := []string{"DBX_OAUTH_TOKEN=" + s.token(t, "user@databricks.com"), "REST_ENDPOINT=" + s.url + restPath}
	for i, e := range examples {
		language, program, want := string(e[1]), string(e[2]), string(e[3])
		t.Run(fmt.Sprintf("%d %s", i+1, language), func(t *testing.T) {
			if run[language] == nil {
				t.Skip("this language can't be run here")
			}
			if diff := cmp.Diff(want, run[language](t, environ, program)); diff != "" {
				t.Errorf("wanted (-), got (+):\n%s", diff)
			}
		})
	}
}
