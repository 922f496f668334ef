package store_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tarn-data/tarn/internal/audit"
	"github.com/tarn-data/tarn/internal/auth"
	"github.com/tarn-data/tarn/internal/endpoint"
	"github.com/tarn-data/tarn/internal/fault"
	"github.com/tarn-data/tarn/internal/pgtest"
	"github.com/tarn-data/tarn/internal/store"
)

var (
	reads  = &endpoint.Route{Method: "GET", Service: "things", Action: "get"}
	writes = &endpoint.Route{Method: "POST", Service: "things", Action: "create"}
)

func openLog(t testing.TB, state *store.DB, opt audit.Options) *audit.Log {
	t.Helper()
	opt.Store, opt.Log = state.Audit(), slog.New(slog.DiscardHandler)
	if opt.Writer == "" {
		opt.Writer = "writer"
	}
	l, err := audit.Open(t.Context(), opt)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// called is a call by somebody, done.
func called(route *endpoint.Route, id string) *endpoint.Call {
	return &endpoint.Call{
		ID: id, Start: time.Now(), Route: route, Account: &auth.Account{Name: "ann@example.com"}, Status: 200, Latency: time.Millisecond,
		Params: map[string]any{"name": "<a> & \x00 \xff"}, UserAgent: "test\x00",
	}
}

// do has the log record a call, as the gateway does.
func do(ctx context.Context, l *audit.Log, c *endpoint.Call) error {
	if err := l.Begin(ctx, c); err != nil {
		return err
	}
	return l.Record(ctx, c)
}

func closeLog(t testing.TB, l *audit.Log) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := l.Close(ctx); err != nil {
		t.Fatal(err)
	}
}

func verify(t testing.TB, state *store.DB, known ...audit.Head) *audit.Report {
	t.Helper()
	report, err := audit.Verify(t.Context(), state.Audit(), known)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// intact fails the test unless the log is whole and has so many records.
func intact(t testing.TB, state *store.DB, records int64) *audit.Report {
	t.Helper()
	report := verify(t, state)
	if report.Found > 0 || report.Records != records {
		t.Errorf("%d records, wanted %d: %q", report.Records, records, report.Problems)
	}
	return report
}

// TestAuditBySeveral has several processes record calls of several callers at once: each once, in one chain.
func TestAuditBySeveral(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	const writers, callers, calls = 3, 4, 25
	var wg sync.WaitGroup
	for w := range writers {
		l := openLog(t, openState(t, db.URL), audit.Options{Dir: t.TempDir(), Writer: fmt.Sprint("w", w)})
		for c := range callers {
			wg.Go(func() {
				for n := range calls {
					route := reads
					if n%2 == 0 {
						route = writes
					}
					if err := do(t.Context(), l, called(route, fmt.Sprintf("%d-%d-%d", w, c, n))); err != nil {
						t.Error(err)
					}
				}
			})
		}
		defer closeLog(t, l)
	}
	wg.Wait()
	state := openState(t, db.URL)
	writesDone := int64(writers * callers * (calls + 1) / 2)
	if report := verify(t, state); report.Found > 0 || report.Records < writesDone {
		t.Errorf("of %d calls that changed something %d are recorded: %q", writesDone, report.Records, report.Problems)
	}
	waitFor(t, state, writers*callers*calls)
	intact(t, state, writers*callers*calls)
	lines := read(t, state, audit.Query{RequestID: "1-2-3", Limit: 10})
	if len(lines) != 1 || lines[0].Principal != "ann@example.com" {
		t.Errorf("%+v", lines)
	}
}

func waitFor(t testing.TB, state *store.DB, records int64) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		_, head, err := state.Audit().Bounds(t.Context())
		if err == nil && head.Sequence >= records {
			return
		}
	}
	t.Fatalf("there are not %d records", records)
}

func read(t testing.TB, state *store.DB, q audit.Query) []audit.Line {
	t.Helper()
	lines, err := state.Audit().Lines(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

// TestAuditWhileTheStateIsAway: what changes something is refused, the rest waits on this machine until there is no room.
func TestAuditWhileTheStateIsAway(t *testing.T) {
	t.Parallel()
	server := pgtest.NewServer(t, pgtest.Options{})
	db := server.NewDB(t)
	admin := strings.Replace(db.URL, "/"+db.Name, "/postgres", 1)
	state, dir := openState(t, db.URL), t.TempDir()
	l := openLog(t, state, audit.Options{Dir: dir, MaxSpool: 4000, Wait: time.Second, Delay: time.Millisecond})
	if err := do(t.Context(), l, called(writes, "before")); err != nil {
		t.Fatal(err)
	}
	(&pgtest.DB{URL: admin}).Exec(t, `ALTER DATABASE `+db.Name+` ALLOW_CONNECTIONS false`)
	(&pgtest.DB{URL: admin}).Exec(t, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '`+db.Name+`'`)
	unavailable := func(err error) {
		t.Helper()
		if f := fault.From(err); err == nil || f.Kind != fault.Unavailable || f.Headers[0].Name != "Retry-After" {
			t.Errorf("%v", err)
		}
	}
	unavailable(do(t.Context(), l, called(writes, "at first"))) // recorded as done, though nobody was told so
	unavailable(l.Begin(t.Context(), called(writes, "then")))
	stored := 2
	for ; ; stored++ {
		if err := do(t.Context(), l, called(reads, fmt.Sprint("read ", stored))); err != nil {
			unavailable(err)
			break
		}
		if stored > 100 {
			t.Fatal("the file grows without bounds")
		}
	}
	closeLog(t, l)
	if files, _ := filepath.Glob(filepath.Join(dir, "writer*")); len(files) != 3 {
		t.Errorf("left behind: %v", files)
	}
	(&pgtest.DB{URL: admin}).Exec(t, `ALTER DATABASE `+db.Name+` ALLOW_CONNECTIONS true`)
	closeLog(t, openLog(t, state, audit.Options{Dir: dir, Writer: "next"}))
	intact(t, state, int64(stored))
	if files, _ := filepath.Glob(filepath.Join(dir, "*")); len(files) != 0 && filepath.Base(files[0]) != "anchor.json" {
		t.Errorf("left behind: %v", files)
	}
}

// TestAuditOfTheInterrupted: a call that began to change something is recorded, even if it never ended.
func TestAuditOfTheInterrupted(t *testing.T) {
	t.Parallel()
	state, dir := openState(t, pgtest.New(t).URL), t.TempDir()
	l := openLog(t, state, audit.Options{Dir: dir})
	cut := called(writes, "cut")
	cut.Status = 0
	if err := l.Begin(t.Context(), cut); err != nil {
		t.Fatal(err)
	}
	for n := range 3 { // the file that has it is stored and emptied meanwhile
		if err := do(t.Context(), l, called(writes, fmt.Sprint("whole ", n))); err != nil {
			t.Fatal(err)
		}
	}
	closeLog(t, l)
	torn, err := os.OpenFile(newest(t, dir), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := torn.WriteString(`=zz {"version":"1.0","ti`); err != nil {
		t.Fatal(err)
	}
	_ = torn.Close()
	for range 2 {
		closeLog(t, openLog(t, state, audit.Options{Dir: dir, Writer: "next"}))
		intact(t, state, 4)
	}
	lines := read(t, state, audit.Query{Outcome: "failure", Limit: 10})
	if len(lines) != 1 || lines[0].RequestID != "cut" || !strings.Contains(string(lines[0].Text), "INTERRUPTED") {
		t.Errorf("%+v", lines)
	}
}

// newest is the file of a spool that takes new entries.
func newest(t testing.TB, dir string) string {
	t.Helper()
	files, _ := filepath.Glob(filepath.Join(dir, "writer.[01]"))
	for _, f := range files {
		if info, err := os.Stat(f); err == nil && info.Size() > 0 {
			return f
		}
	}
	t.Fatal("nothing was left behind")
	return ""
}

// TestAuditTwice: a batch of which nobody knows whether it was added is added once.
func TestAuditTwice(t *testing.T) {
	t.Parallel()
	state := openState(t, pgtest.New(t).URL)
	e, err := audit.ParseEntry([]byte(`{"timestamp":1,"requestId":"a","serviceName":"s","actionName":"a"}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int64{1, 1, 2, 1, 2} {
		if _, err := state.Audit().Append(t.Context(), audit.Batch{Writer: "w", Number: n, Entries: []audit.Entry{e}}); err != nil {
			t.Fatal(err)
		}
	}
	intact(t, state, 2)
}

// record adds records of one call each.
func record(t testing.TB, state *store.DB, n int) {
	t.Helper()
	l := openLog(t, state, audit.Options{Dir: t.TempDir(), Writer: "w" + filepath.Base(t.TempDir()) + time.Now().String()[20:29]})
	for i := range n {
		if err := do(t.Context(), l, called(writes, fmt.Sprint("call ", i))); err != nil {
			t.Fatal(err)
		}
	}
	closeLog(t, l)
}

func TestAuditTampering(t *testing.T) {
	t.Parallel()
	const forge = "SET session_replication_role = replica; SET search_path = tarn; " // which only a superuser may
	hash := func(seq int) string { return fmt.Sprintf("(SELECT hash FROM audit_log WHERE seq = %d)", seq) }
	cases := []struct{ name, sql, want string }{
		{"a record changed", `UPDATE audit_log SET record = replace(record, 'ann', 'bob'), principal = 'bob@example.com' WHERE seq = 3`,
			"Record 3, or its place in the log, is not what was written."},
		{"a record changed with its hash", `UPDATE audit_log SET record = r, principal = 'bob@example.com', hash = sha256(` + hash(2) + ` || int8send(3) || r::bytea)
			FROM (SELECT replace(replace(record, 'ann', 'bob'), '\u', '\\u') AS r FROM audit_log WHERE seq = 3) x WHERE seq = 3`,
			"Record 4, or its place in the log, is not what was written."},
		{"a column changed", `UPDATE audit_log SET principal = 'bob@example.com' WHERE seq = 3`, "Record 3 is not what it is listed as."},
		{"a record removed", `DELETE FROM audit_log WHERE seq = 3`, "Records 3 to 3 are missing."},
		{"the first removed", `DELETE FROM audit_log WHERE seq = 1`, "Records 1 to 1 are missing."},
		{"the last removed", `DELETE FROM audit_log WHERE seq = 5`, "The log ends with 4:"},
		{"all removed", `DELETE FROM audit_log`, "The log ends with 0:"},
		{"two exchanged", `UPDATE audit_log SET seq = 99 WHERE seq = 3; UPDATE audit_log SET seq = 3 WHERE seq = 4; UPDATE audit_log SET seq = 4 WHERE seq = 99`, "Record 3, or its place in the log, is not what was written."},
		{"the last removed, and the head set back", `DELETE FROM audit_log WHERE seq = 5; UPDATE audit_head SET seq = 4, hash = ` + hash(4),
			"The log ends with record 4, but record 5 was known"},
		{"the last written anew, with the head", `UPDATE audit_log SET hash = sha256(hash) WHERE seq = 5; UPDATE audit_head SET hash = ` + hash(5),
			"Record 5 is not the one that was known."},
		{"cut where it was not", `DELETE FROM audit_log WHERE seq <= 2; INSERT INTO audit_cuts (seq, hash) VALUES (2, sha256('x'))`,
			"Record 3, or its place in the log, is not what was written."},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			db := pgtest.New(t)
			state := openState(t, db.URL)
			record(t, state, 5)
			head := intact(t, state, 5).Head
			db.Exec(t, forge+c.sql)
			report := verify(t, state, head)
			if !strings.Contains(strings.Join(report.Problems, "\n"), c.want) {
				t.Errorf("found %q", report.Problems)
			}
		})
	}
}

func TestAuditIsOnlyAddedTo(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	state := openState(t, db.URL)
	record(t, state, 3)
	conn := db.Conn(t)
	for _, sql := range []string{
		"UPDATE audit_log SET principal = ''", "DELETE FROM audit_log", "TRUNCATE audit_log", "DELETE FROM audit_head", "TRUNCATE audit_head",
		"UPDATE audit_head SET seq = 2", "DO $$ BEGIN EXECUTE 'TRUNCATE ' || (SELECT inhrelid::regclass FROM pg_inherits LIMIT 1); END $$",
	} {
		if _, err := conn.Exec(t.Context(), "SET search_path = tarn; "+sql); err == nil || !strings.Contains(err.Error(), "only added to") {
			t.Errorf("%s: %v", sql, err)
		}
	}
	intact(t, state, 3)
}

func TestAuditCut(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	state := openState(t, db.URL)
	db.Exec(t, `SET session_replication_role = replica; SET search_path = tarn; UPDATE audit_head SET day = '2020-01-01';
		SELECT audit_add_segment('2020-01-01');`)
	old := audit.Batch{Writer: "old", Number: 1}
	for range 4 {
		e, err := audit.ParseEntry([]byte(`{"timestamp":1,"requestId":"a","serviceName":"s","actionName":"a"}`))
		if err != nil {
			t.Fatal(err)
		}
		old.Entries = append(old.Entries, e)
	}
	// The day of the head is past only until something is added, so these are put where they would have been.
	if _, err := state.Audit().Append(t.Context(), old); err != nil {
		t.Fatal(err)
	}
	db.Exec(t, `SET session_replication_role = replica; SET search_path = tarn; UPDATE audit_log SET day = '2020-01-01'`)
	record(t, state, 3)
	before := intact(t, state, 7)
	for _, c := range []struct {
		before string
		want   int64
	}{{"2020-01-01", 0}, {"2020-01-02", 4}, {"2020-01-02", 0}, {"2999-01-01", 0}} {
		day, err := time.Parse(time.DateOnly, c.before)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := state.Audit().Cut(t.Context(), day); err != nil || n != c.want {
			t.Errorf("before %s: %d records are cut: %v", c.before, n, err)
		}
	}
	record(t, state, 1)
	after := intact(t, state, 4)
	if after.Start.Sequence != 4 || verify(t, state, before.Head).Found > 0 {
		t.Errorf("%+v", after)
	}
}

func TestAuditQueries(t *testing.T) {
	t.Parallel()
	state := openState(t, pgtest.New(t).URL)
	l := openLog(t, state, audit.Options{Dir: t.TempDir()})
	start := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	for i, c := range []*endpoint.Call{
		{Route: writes, Status: 200, Account: &auth.Account{Name: "ann"}},
		{Route: reads, Status: 401},
		{Route: reads, Status: 200, Account: &auth.Account{Name: "bob"}},
		{Route: reads, Status: 404, Account: &auth.Account{Name: "ann"}, Err: endpoint.NotFound("No such thing.")},
	} {
		c.ID, c.Start = fmt.Sprint("id", i+1), start.Add(time.Duration(i)*time.Minute)
		if err := do(t.Context(), l, c); err != nil {
			t.Fatal(err)
		}
	}
	closeLog(t, l)
	for _, c := range []struct {
		name  string
		query audit.Query
		want  []int64
	}{
		{"all", audit.Query{}, []int64{4, 3, 2, 1}},
		{"the oldest first", audit.Query{Ascending: true}, []int64{1, 2, 3, 4}},
		{"a page", audit.Query{Before: 4, Limit: 2}, []int64{3, 2}},
		{"after", audit.Query{After: 2, Ascending: true}, []int64{3, 4}},
		{"principal", audit.Query{Principal: "ann"}, []int64{4, 1}},
		{"action", audit.Query{Service: "things", Action: "get"}, []int64{4, 3, 2}},
		{"success", audit.Query{Outcome: "success"}, []int64{3, 1}},
		{"failure", audit.Query{Outcome: "failure"}, []int64{4, 2}},
		{"status", audit.Query{Status: 401}, []int64{2}},
		{"request", audit.Query{RequestID: "id3"}, []int64{3}},
		{"time", audit.Query{From: start.Add(time.Minute), To: start.Add(3 * time.Minute)}, []int64{3, 2}},
		{"no injection", audit.Query{Principal: "' OR true --"}, nil},
	} {
		if c.query.Limit == 0 {
			c.query.Limit = 10
		}
		var got []int64
		for _, line := range read(t, state, c.query) {
			got = append(got, line.Sequence)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
}
