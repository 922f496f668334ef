package test

import (
	"encoding/json"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestDashboard holds that a server shows every figure that the dashboard draws and that alerts are raised by.
func TestDashboard(t *testing.T) {
	t.Parallel()
	named := regexp.MustCompile(`\b(?:tarn|pgrst|process|go)_[a-z0-9_]+`)
	ofHistogram := regexp.MustCompile(`_(?:bucket|sum|count)$`)
	var wanted []string
	for _, expression := range append(dashboardQueries(t), alertQueries(t)...) {
		found := named.FindAllString(expression, -1)
		if len(found) == 0 && !strings.HasPrefix(expression, "up{") {
			t.Errorf("nothing is known in %q", expression)
		}
		for _, name := range found {
			wanted = append(wanted, ofHistogram.ReplaceAllString(name, ""))
		}
	}
	slices.Sort(wanted)
	wanted = slices.Compact(wanted)
	if len(wanted) < 8 {
		t.Fatal("too few figures were found:", wanted)
	}
	s := serve(t, dataDir(t), "--sample")
	admin := s.adminToken(t)
	for _, path := range []string{"/api/2.0/preview/scim/v2/Me", "/api/2.0/nothing", firstQuery} {
		ask(t, http.MethodGet, s.url+path, "", "Authorization", "Bearer "+admin)
	}
	var missing []string
	shown := func() bool {
		figures := ask(t, http.MethodGet, s.admin+"/metrics", "").body
		missing = slices.DeleteFunc(slices.Clone(wanted), func(name string) bool { return strings.Contains(figures, "\n# TYPE "+name+" ") })
		return len(missing) == 0
	}
	for deadline := time.Now().Add(20 * time.Second); !shown() && time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) { // shares are settled from time to time
	}
	if len(missing) > 0 {
		t.Error("a server doesn't show", missing)
	}
}

// dashboardQueries are what the dashboard's panels and variables ask for.
func dashboardQueries(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("../docs/grafana-dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var board any
	if err := json.Unmarshal(text, &board); err != nil {
		t.Fatal(err)
	}
	var out []string
	var visit func(at any)
	visit = func(at any) {
		switch at := at.(type) {
		case []any:
			for _, one := range at {
				visit(one)
			}
		case map[string]any:
			for name, one := range at {
				if query, ok := one.(string); ok && (name == "expr" || name == "query" && strings.Contains(query, "(")) {
					out = append(out, query)
				}
				visit(one)
			}
		}
	}
	visit(board)
	if len(out) == 0 {
		t.Error("the dashboard asks for nothing")
	}
	return out
}

// alertQueries are the expressions of the alerts in the documentation.
func alertQueries(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, found := range regexp.MustCompile(`(?m)^ +expr: (.+)$`).FindAllStringSubmatch(string(text), -1) {
		out = append(out, found[1])
	}
	if alerts := strings.Count(string(text), "- alert: "); alerts == 0 || alerts != len(out) {
		t.Errorf("%d alerts have %d expressions", alerts, len(out))
	}
	return out
}
