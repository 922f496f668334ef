package test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
)

// TestLargeAnswers reads far more rows than fit into a buffer.
func TestLargeAnswers(t *testing.T) {
	s := serveDataAPI(t, "PGRST_DB_POOL=1", "PGRST_DB_POOL_ACQUISITION_TIMEOUT=5")
	s.db.Exec(t, fmt.Sprintf(`CREATE TABLE api.big AS SELECT n AS id, repeat('x', 200) AS t, now() AS at FROM generate_series(1, 200000) n;
		CREATE VIEW api.broken AS SELECT n AS id, repeat('x', 200) AS t, 1 / (n - 100000) AS q FROM generate_series(1, 200000) n;
		CREATE FUNCTION api.late(n int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN
			IF n = 100000 AND NOT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()) THEN
				PERFORM pg_advisory_lock(1); -- which stays when the transaction is rolled back
				EXECUTE 'SELECT gone';
			END IF;
			RETURN n;
		END $$;
		CREATE VIEW api.stale AS SELECT n AS id, repeat('x', 200) AS t, api.late(n) AS q FROM generate_series(1, 200000) n;
		GRANT SELECT ON api.big, api.broken, api.stale TO %[1]q; NOTIFY %[2]q`, s.role, s.db.Name))
	for deadline := time.Now().Add(10 * time.Second); ask(t, "GET", s.url+"/big?limit=1", "").status != 200; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the relation isn't served")
		}
	}
	t.Run("JSON", func(t *testing.T) {
		before := residentBytes(t, s.cmd.Process.Pid)
		res, err := http.Get(s.url + "/big?order=id")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = res.Body.Close() }()
		if res.StatusCode != 200 || res.Header.Get("Content-Range") != "*/*" || res.ContentLength != -1 {
			t.Errorf("%d, Content-Range %q, length %d", res.StatusCode, res.Header.Get("Content-Range"), res.ContentLength)
		}
		dec := json.NewDecoder(res.Body)
		if _, err := dec.Token(); err != nil {
			t.Fatal(err)
		}
		n := 0
		for ; dec.More(); n++ {
			var row struct{ ID int }
			if err := dec.Decode(&row); err != nil {
				t.Fatal(err)
			}
			if row.ID != n+1 {
				t.Fatalf("row %d has id %d", n, row.ID)
			}
		}
		if n != 200_000 {
			t.Errorf("%d rows", n)
		}
		// 50 MB went through.
		if after := residentBytes(t, s.cmd.Process.Pid); after > before+32<<20 {
			t.Errorf("the server's memory rose from %d to %d bytes", before, after)
		}
	})
	t.Run("compressed", func(t *testing.T) {
		for encoding, read := range map[string]func(io.Reader) (io.Reader, error){
			"gzip": func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) },
			"zstd": func(r io.Reader) (io.Reader, error) { return zstd.NewReader(r) },
		} {
			for path, want := range map[string]string{"/big?order=id": encoding, "/big?order=id&limit=100": encoding, "/big?order=id&limit=1": ""} {
				got := ask(t, "GET", s.url+path, "", "Accept-Encoding", encoding)
				if e := got.header.Get("Content-Encoding"); e != want {
					t.Errorf("%s of %s: Content-Encoding %q", encoding, path, e)
				}
				plain := strings.NewReader(got.body)
				var body io.Reader = plain
				if want != "" {
					var err error
					if body, err = read(plain); err != nil {
						t.Fatal(err)
					}
				}
				text, err := io.ReadAll(body)
				if err != nil || !json.Valid(text) {
					t.Errorf("%s of %s: %v in %d bytes", encoding, path, err, len(text))
				}
			}
		}
		if got := ask(t, "GET", s.url+"/big?order=id&limit=100", "", "Accept-Encoding", "identity"); got.header.Get("Content-Encoding") != "" {
			t.Error("compressed, but nobody asked")
		}
	})
	t.Run("CSV", func(t *testing.T) {
		got := ask(t, "GET", s.url+"/big?select=id,t&order=id", "", "Accept", "text/csv")
		if lines := strings.Count(got.body, "\n"); got.status != 200 || lines != 200_000 || !strings.HasPrefix(got.body, "id,t\n1,x") {
			t.Errorf("%d, %d lines", got.status, lines)
		}
	})
	t.Run("an error in the middle is no whole document", func(t *testing.T) {
		res, err := http.Get(s.url + "/broken")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = res.Body.Close() }()
		body, err := io.ReadAll(res.Body)
		if err == nil || json.Valid(body) {
			t.Errorf("%d bytes were taken for all", len(body))
		}
		if got := ask(t, "GET", s.url+"/big?id=eq.1", ""); got.status != 200 {
			t.Errorf("the next request: %d %s", got.status, got.body)
		}
	})
	t.Run("an answer that has begun isn't begun anew", func(t *testing.T) {
		// The undefined column looks like a change of the schema, and would be gone the second time.
		req, err := http.NewRequestWithContext(t.Context(), "GET", s.url+"/stale", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Accept", "text/csv")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = res.Body.Close() }()
		if body, err := io.ReadAll(res.Body); err == nil {
			t.Errorf("%d lines were taken for all", strings.Count(string(body), "\n"))
		}
	})
	t.Run("an error at the start is an error", func(t *testing.T) {
		checkError(t, ask(t, "GET", s.url+"/broken?id=eq.100000", ""), "22012")
	})
	t.Run("a client that goes away frees the connection", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		req, err := http.NewRequestWithContext(ctx, "GET", s.url+"/big?order=id", nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(res.Body, make([]byte, 1000)); err != nil {
			t.Fatal(err)
		}
		cancel()
		_ = res.Body.Close()
		if got := ask(t, "GET", s.url+"/big?id=eq.1", ""); got.status != 200 { // there is but one connection
			t.Errorf("%d %s", got.status, got.body)
		}
	})
	t.Run("a client that stops reading and is cut", func(t *testing.T) {
		conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(conn, "GET /big HTTP/1.1\r\nHost: tarn\r\n\r\n")
		if _, err := bufio.NewReader(conn).ReadString('\n'); err != nil {
			t.Fatal(err)
		}
		_ = conn.Close()
		if got := ask(t, "GET", s.url+"/big?id=eq.1", ""); got.status != 200 {
			t.Errorf("%d %s", got.status, got.body)
		}
	})
}

var residentLine = regexp.MustCompile(`VmRSS:\s+([0-9]+) kB`)

// residentBytes is a process's resident memory, as Linux tells it.
func residentBytes(t testing.TB, pid int) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Skip("only Linux tells the memory of a process")
	}
	m := residentLine.FindSubmatch(status)
	if m == nil {
		t.Fatalf("no VmRSS in %s", bytes.TrimSpace(status))
	}
	kb, err := strconv.Atoi(string(m[1]))
	if err != nil {
		t.Fatal(err)
	}
	return kb << 10
}
