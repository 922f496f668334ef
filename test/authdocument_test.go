package test

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestAuthGuide does what docs/auth.md says, from top to bottom, and compares what is printed where that is said.
func TestAuthGuide(t *testing.T) { followGuide(t, "../docs/auth.md") }

// TestTokensGuide does likewise with docs/tokens.md.
func TestTokensGuide(t *testing.T) { followGuide(t, "../docs/tokens.md") }

func followGuide(t *testing.T, file string) {
	t.Helper()
	serve(t, dataDir(t)).follow(t, file, 6)
}

// TestConnectorGuides do what pages say of a server that may ask itself.
func TestConnectorGuides(t *testing.T) {
	for file, steps := range map[string]int{"connector.md": 8, "connections.md": 10, "vault.md": 5} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			listen := freeAddress(t)
			s := serve(t, dataDir(t), "--sample", "--listen", listen, "--outbound", "http://"+listen)
			s.url = "http://" + listen
			s.follow(t, "../docs/"+file, steps)
		})
	}
}

// follow does what a page says, from top to bottom, which has so many steps at least.
func (s *tarn) follow(t *testing.T, file string, atLeast int) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	steps := step.FindAllSubmatch(text, -1)
	if len(steps) < atLeast {
		t.Fatalf("there are %d steps", len(steps))
	}
	commands := "cd " + t.TempDir() + "\n"
	for i, e := range steps {
		program, want := strings.ReplaceAll(string(e[2]), "http://127.0.0.1:8080", s.url), s.timeless(string(e[3]))
		if strings.HasPrefix(program, "export ") {
			commands += program
		}
		if !t.Run(fmt.Sprint(i+1), func(t *testing.T) {
			got := s.timeless(s.shell(t, commands+program))
			// What goes on in the background takes a moment; to look again changes nothing.
			for deadline := time.Now().Add(10 * time.Second); got != want && looks.MatchString(program) && time.Now().Before(deadline); {
				time.Sleep(50 * time.Millisecond)
				got = s.timeless(s.shell(t, commands+program))
			}
			if diff := cmp.Diff(want, got); want != "" && diff != "" {
				t.Errorf("wanted (-), got (+):\n%s", diff)
			}
		}) {
			return // what follows builds on it
		}
	}
}

// looks are the steps that only look at something.
var looks = regexp.MustCompile(`\Atarn [a-z]+ (list|status)[^\n]*\n\z`)

// changing is what is different each time.
var changing = []struct {
	what *regexp.Regexp
	as   string
}{
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`), "2026-01-01T00:00:00Z"},
	{regexp.MustCompile(`\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b`), "00000000-0000-0000-0000-000000000000"},
	{regexp.MustCompile(`\b[0-9a-f]{16}\b`), "0000000000000000"},
	{regexp.MustCompile(`"timestamp":\d+`), `"timestamp":0`},
	{regexp.MustCompile(`"requestId":"[^"]+"`), `"requestId":""`},
	{regexp.MustCompile(` {2,}`), "  "}, // columns are as wide as an address is long
}

// timeless is what a page and a server say alike at any time, of a server at any place.
func (s *tarn) timeless(text string) string {
	text = strings.NewReplacer(s.url, "http://127.0.0.1:8080", s.dir, "/var/lib/tarn").Replace(text)
	for _, c := range changing {
		text = c.what.ReplaceAllLiteralString(text, c.as)
	}
	return text
}
