package test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	// link is [text](target#anchor "title").
	link    = regexp.MustCompile(`\[([^\]]*)\]\(([^)#" ]*)(#[^)" ]*)?(?: "([^"]*)")?\)`)
	heading = regexp.MustCompile(`(?m)^#+ (.*)$`)
	noSlug  = regexp.MustCompile(`[^\w\- ]`)
)

// TestDocuments follows the links of all pages. Where a feature is said to be there, the test that the link's title names
// must be in the file.
func TestDocuments(t *testing.T) {
	var pages []string
	for _, pattern := range []string{"../*.md", "../docs/*.md", "../docs/adr/*.md"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		pages = append(pages, found...)
	}
	proofs := 0
	for _, page := range pages {
		for _, l := range link.FindAllStringSubmatch(read(t, page), -1) {
			text, target, anchor, title := l[1], l[2], l[3], l[4]
			if strings.Contains(target, "://") {
				continue
			}
			path := page
			if target != "" {
				path = filepath.Join(filepath.Dir(page), target)
			}
			info, err := os.Stat(path)
			switch {
			case err != nil:
				t.Errorf("%s: %s leads nowhere", page, target)
			case info.IsDir():
			case anchor != "" && !hasHeading(read(t, path), anchor[1:]):
				t.Errorf("%s: %s has no heading %s", page, target, anchor)
			case text == "yes" && (title == "" || !strings.Contains(read(t, path), title)):
				t.Errorf("%s: there is no test %q in %s", page, title, target)
			case text == "yes":
				proofs++
			}
		}
	}
	if proofs < 50 {
		t.Errorf("only %d features lead to a test", proofs)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// hasHeading tells whether a page has a heading that an anchor leads to.
func hasHeading(page, anchor string) bool {
	for _, h := range heading.FindAllStringSubmatch(page, -1) {
		if strings.ReplaceAll(noSlug.ReplaceAllString(strings.ToLower(h[1]), ""), " ", "-") == anchor {
			return true
		}
	}
	return false
}
