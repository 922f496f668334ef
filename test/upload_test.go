package test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// manyRows writes rows of some 200 bytes while they are read, and something after them.
func manyRows(count int, last string) io.Reader {
	in, out := io.Pipe()
	go func() {
		var b bytes.Buffer
		b.WriteByte('[')
		for i := range count {
			fmt.Fprintf(&b, `{"id":%d,"name":"row %d with \"quotes\" and \\, as they come","doc":{"k" : [%d, "\u00e9", {"deep": null}]},"note":"%0100d"},`, i, i, i, i)
			if b.Len() > 64<<10 {
				if _, err := out.Write(b.Bytes()); err != nil {
					return
				}
				b.Reset()
			}
		}
		b.WriteString(last + "]")
		_, _ = out.Write(b.Bytes())
		_ = out.Close()
	}()
	return in
}

const lastRow = `{"id":-1,"name":null,"doc":null,"note":null}`

// serveUploads serves a table that can be copied to, and one that can't.
func serveUploads(t testing.TB, environ ...string) *dataAPI {
	t.Helper()
	s := serveDataAPI(t, append([]string{"PGRST_DB_POOL=1"}, environ...)...)
	s.db.Exec(t, fmt.Sprintf(`CREATE TABLE api.plain (id int PRIMARY KEY, name text, doc jsonb, note text);
		CREATE TABLE api.ruled (LIKE api.plain INCLUDING ALL); ALTER TABLE api.ruled ENABLE ROW LEVEL SECURITY; CREATE POLICY all_rows ON api.ruled USING (true);
		GRANT ALL ON api.plain, api.ruled TO %q; NOTIFY %q`, s.role, s.db.Name))
	s.waitFor(t, "/ruled")
	return s
}

var privateLine = regexp.MustCompile(`RssAnon:\s+([0-9]+) kB`)

// watchBackends tells, when it is stopped, the most private memory that a connection to the database has had.
func (s *dataAPI) watchBackends(t testing.TB) (stop func() int) {
	t.Helper()
	conn := s.db.Conn(t)
	done := make(chan struct{})
	most := 0
	var wait sync.WaitGroup
	wait.Go(func() {
		for {
			select {
			case <-done:
				return
			case <-time.After(20 * time.Millisecond):
			}
			rows, err := conn.Query(t.Context(), "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")
			if err != nil {
				return
			}
			for rows.Next() {
				var pid int
				if rows.Scan(&pid) != nil {
					break
				}
				status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
				if m := privateLine.FindSubmatch(status); m != nil {
					kb, _ := strconv.Atoi(string(m[1]))
					most = max(most, kb<<10)
				}
			}
			rows.Close()
		}
	})
	return func() int {
		close(done)
		wait.Wait()
		return most
	}
}

// TestUploadMemory uploads and gets back tens of megabytes, with little memory in Tarn and in PostgreSQL.
func TestUploadMemory(t *testing.T) {
	t.Parallel()
	temporary := t.TempDir()
	s := serveUploads(t, "TMPDIR="+temporary)
	const rows = 150_000
	warm := func(table string) {
		if got := ask(t, "POST", s.url+table, "["+lastRow+"]", "Content-Type", "application/json", "Prefer", "resolution=merge-duplicates"); got.status >= 300 {
			t.Fatalf("%d %s", got.status, got.body)
		}
	}
	for _, c := range []struct {
		name, path, prefer string
		least              int64 // bytes of the answer
	}{
		{"copied", "/plain", "return=minimal", 0},
		{"inserted", "/ruled", "return=minimal", 0},
		{"merged and returned", "/ruled", "resolution=merge-duplicates, return=representation", 30 << 20},
		{"with defaults", "/plain?columns=id,name", "resolution=ignore-duplicates, missing=default, return=headers-only", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.prefer == "return=minimal" {
				warm(strings.Split(c.path, "?")[0])
				s.db.Exec(t, "TRUNCATE api.plain, api.ruled")
			}
			before := residentBytes(t, s.cmd.Process.Pid)
			stop := s.watchBackends(t)
			req, err := http.NewRequestWithContext(t.Context(), "POST", s.url+c.path, manyRows(rows, lastRow))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", "application/json")
			req.Header.Set("Prefer", c.prefer+", count=exact")
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = res.Body.Close() }()
			n, err := io.Copy(io.Discard, res.Body)
			if err != nil || res.StatusCode >= 300 || n < c.least {
				t.Errorf("%d, %d bytes, %v", res.StatusCode, n, err)
			}
			after, private := residentBytes(t, s.cmd.Process.Pid), stop()
			t.Logf("%s: Tarn %d MB more, backend %d MB", res.Header.Get("Content-Range"), (after-before)>>20, private>>20)
			if after > before+24<<20 {
				t.Errorf("the server's memory rose from %d to %d bytes", before, after)
			}
			if private > 60<<20 {
				t.Errorf("a backend of PostgreSQL took %d bytes", private)
			}
		})
	}
	if left, err := os.ReadDir(temporary); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

// idle checks that there is no row, that no connection is in a transaction, and that the next request is answered.
func (s *dataAPI) idle(t testing.TB, table string) {
	t.Helper()
	if got := ask(t, "GET", s.url+table+"?limit=1", ""); got.status != http.StatusOK || got.body != "[]" { // there is but one connection
		t.Errorf("afterwards: %d %s", got.status, got.body)
	}
	var open int
	if err := s.db.Conn(t).QueryRow(t.Context(), `SELECT count(*) FROM pg_stat_activity
		WHERE datname = current_database() AND query ~ '^(COPY|INSERT|WITH pgrst_source)' AND state <> 'idle'`).Scan(&open); err != nil || open != 0 {
		t.Errorf("%d connections are not idle, %v", open, err)
	}
}

// TestUploadsThatFail ends large uploads in the middle.
func TestUploadsThatFail(t *testing.T) {
	t.Parallel()
	s := serveUploads(t, "TARN_MAX_UPLOAD=40", "TARN_MAX_BODY=2")
	const rows = 100_000
	var tooMuch strings.Builder
	for i := range 20 {
		fmt.Fprintf(&tooMuch, `{"id":%d,"name":null,"doc":null,"note":"%s"},`, rows+i, strings.Repeat("y", 1<<20))
	}
	tooMuch.WriteString(lastRow)
	for _, table := range []string{"/plain", "/ruled"} {
		for name, c := range map[string]struct {
			last   string
			status int
			code   string
		}{
			"broken":            {`{"id":-1,"name":`, 400, "PGRST102"},
			"other keys":        {`{"id":-1}`, 400, "PGRST102"},
			"key that is there": {`{"id":77,"name":null,"doc":null,"note":null}`, 409, "23505"},
			"row too large":     {`{"id":-1,"name":"` + strings.Repeat("x", 3<<20) + `"}`, 413, "413"},
			"body too large":    {tooMuch.String(), 413, "413"},
		} {
			req, err := http.NewRequestWithContext(t.Context(), "POST", s.url+table, manyRows(rows, c.last))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", "application/json")
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Errorf("%s %s: %v", table, name, err)
				continue
			}
			body, err := io.ReadAll(res.Body)
			_ = res.Body.Close()
			if res.StatusCode != c.status || err != nil {
				t.Errorf("%s %s: %d %s %v", table, name, res.StatusCode, body, err)
			}
			checkError(t, answer{res.StatusCode, res.Header, string(body)}, c.code)
			s.idle(t, table)
		}
	}
	if got := ask(t, "PATCH", s.url+"/plain?id=eq.1", `{"name":"`+strings.Repeat("x", 3<<20)+`"}`, "Content-Type", "application/json"); got.status != 413 {
		t.Errorf("a large update: %d %s", got.status, got.body)
	}
	if got := ask(t, "POST", s.url+"/plain", `{"id":1,"name":"`+strings.Repeat("x", 3<<20)+`"}`, "Content-Type", "application/json"); got.status != 413 {
		t.Errorf("a large object: %d %s", got.status, got.body)
	}
}

// TestUploadsOfClientsThatGo has clients send a part of an upload, wait, and go away.
func TestUploadsOfClientsThatGo(t *testing.T) {
	t.Parallel()
	s := serveUploads(t)
	begin := func(table string, size int) net.Conn {
		t.Helper()
		conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		_, _ = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: tarn\r\nContent-Type: application/json\r\nContent-Length: 500000000\r\n\r\n", table)
		if _, err := io.CopyN(conn, manyRows(100_000, lastRow), int64(size)); err != nil {
			t.Fatal(err)
		}
		return conn
	}
	active := func() int {
		var n int
		if err := s.db.Conn(t).QueryRow(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'COPY %' AND state = 'active'").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	waitActive := func(n int) {
		t.Helper()
		for deadline := time.Now().Add(20 * time.Second); active() != n; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%d uploads are at work, not %d", active(), n)
			}
		}
	}
	for _, table := range []string{"/plain", "/ruled"} {
		// What has only begun to arrive has no connection yet: there is but one, and others are answered.
		slow := begin(table, 200<<10)
		s.idle(t, table)
		_ = slow.Close()
		s.idle(t, table)

		conn := begin(table, 8<<20)
		waitActive(1)
		_ = conn.Close()
		waitActive(0)
		s.idle(t, table)
	}
	t.Run("the connection to the database is lost", func(t *testing.T) {
		for _, table := range []string{"/plain", "/ruled"} {
			conn := begin(table, 8<<20)
			waitActive(1)
			s.db.Exec(t, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'COPY %'")
			go func() { _, _ = io.Copy(conn, manyRows(10_000_000, lastRow)) }()
			_ = conn.SetReadDeadline(time.Now().Add(40 * time.Second))
			status := make([]byte, len("HTTP/1.1 503"))
			if _, err := io.ReadFull(conn, status); err != nil || string(status) != "HTTP/1.1 503" {
				t.Errorf("%s: %q, %v", table, status, err)
			}
			_ = conn.Close()
			s.waitFor(t, table)
			s.idle(t, table)
		}
	})
}
