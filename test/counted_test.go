package test

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
)

// TestCountedAnswers reads large answers with the number of all rows, for which they wait, and compares them with those of
// PostgreSQL's own rendering.
func TestCountedAnswers(t *testing.T) {
	t.Parallel()
	temporary := t.TempDir()
	s := serveDataAPI(t, "PGRST_DB_POOL=1", "TMPDIR="+temporary)
	s.db.Exec(t, fmt.Sprintf(`CREATE TABLE api.big AS SELECT n AS id, repeat('x', 300) AS t, n %% 10 AS m FROM generate_series(1, 40000) n;
		ANALYZE api.big; GRANT SELECT ON api.big TO %q; NOTIFY %q`, s.role, s.db.Name))
	s.waitFor(t, "/big")
	whole := func(query string) string {
		t.Helper()
		var out string
		if err := s.db.Conn(t).QueryRow(t.Context(), "SELECT coalesce(json_agg(r), '[]')::text FROM (SELECT * FROM api.big "+query+") r").Scan(&out); err != nil {
			t.Fatal(err)
		}
		return out
	}
	for _, c := range []struct {
		query, sql, count, contentRange string
		status                          int
	}{
		{"order=id", "ORDER BY id", "exact", "0-39999/40000", 200},
		{"order=id", "ORDER BY id", "planned", "0-39999/40000", 200},
		{"order=id", "ORDER BY id", "estimated", "0-39999/40000", 200},
		{"order=id&limit=30000", "ORDER BY id LIMIT 30000", "exact", "0-29999/40000", 206},
		{"order=id&limit=30000&offset=20000", "ORDER BY id OFFSET 20000", "exact", "20000-39999/40000", 206},
		{"order=id&limit=30000", "ORDER BY id LIMIT 30000", "estimated", "0-29999/40000", 206},
		{"order=id&m=eq.3&limit=200", "WHERE m = 3 ORDER BY id LIMIT 200", "exact", "0-199/4000", 206},
		{"order=id&m=eq.3&limit=100", "WHERE m = 3 ORDER BY id LIMIT 100", "exact", "0-99/4000", 206},
		{"order=id&m=eq.3&limit=5000", "WHERE m = 3 ORDER BY id", "exact", "0-3999/4000", 200},
		{"order=id&m=eq.77", "WHERE m = 77", "exact", "*/0", 200},
		{"order=id&m=eq.77&limit=200", "WHERE m = 77", "exact", "*/0", 200},
	} {
		got := ask(t, "GET", s.url+"/big?"+c.query, "", "Prefer", "count="+c.count, "Accept-Encoding", "identity")
		if got.status != c.status || got.header.Get("Content-Range") != c.contentRange || got.header.Get("Content-Length") != fmt.Sprint(len(got.body)) {
			t.Errorf("%s, %s: %d, %v", c.query, c.count, got.status, got.header)
		}
		if got.body != whole(c.sql) {
			t.Errorf("%s, %s: not the rows that PostgreSQL has: %d bytes, %.100s", c.query, c.count, len(got.body), got.body)
		}
	}
	for _, limit := range []string{"200", "100"} {
		got := ask(t, "GET", s.url+"/big?offset=50000&limit="+limit, "", "Prefer", "count=exact")
		if got.status != http.StatusRequestedRangeNotSatisfiable || got.header.Get("Content-Range") != "*/40000" || !strings.Contains(got.body, "there are only 40000 rows") {
			t.Errorf("past the end: %d %s %v", got.status, got.body, got.header)
		}
	}
	for accept, lines := range map[string]int{"text/csv": 40_000, "application/x-ndjson": 40_000} {
		got := ask(t, "GET", s.url+"/big", "", "Prefer", "count=exact", "Accept", accept)
		if got.status != http.StatusOK || got.header.Get("Content-Range") != "0-39999/40000" || strings.Count(got.body, "\n") != lines {
			t.Errorf("%s: %d, %d lines, %v", accept, got.status, strings.Count(got.body, "\n"), got.header)
		}
	}
	t.Run("memory stays flat", func(t *testing.T) {
		before := residentBytes(t, s.cmd.Process.Pid)
		for range 3 {
			if got := ask(t, "GET", s.url+"/big?order=id.desc", "", "Prefer", "count=exact"); len(got.body) < 12<<20 {
				t.Errorf("%d bytes", len(got.body))
			}
		}
		if after := residentBytes(t, s.cmd.Process.Pid); after > before+8<<20 {
			t.Errorf("the server's memory rose from %d to %d bytes", before, after)
		}
	})
	if left, err := os.ReadDir(temporary); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}
