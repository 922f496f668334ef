package synctable_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tarn-data/tarn/internal/pgtest"
	"github.com/tarn-data/tarn/internal/synctable"
)

// replicas are a source on a server whose log can be followed, and a target in another database of it.
type replicas struct {
	*testing.T

	source, target *pgtest.DB
	slot           string
	to             synctable.Target
}

func newReplicas(t *testing.T, sql string) *replicas {
	t.Helper()
	w := &replicas{T: t, source: pgtest.NewLogical(t), target: pgtest.NewLogical(t), to: target()}
	w.slot = "tarn_" + w.source.Name
	w.source.Exec(t, sql)
	return w
}

// follow brings the target up to date, and returns what was done.
func (w *replicas) follow(fresh bool) (*synctable.Replica, synctable.Result, error) {
	src := synctable.NewStored(w.source.Conn(w), "public", "source")
	how := synctable.Following{Slot: w.slot, Fresh: fresh, Reserve: func(context.Context) error { return nil }}
	return synctable.Follow(w.Context(), w.target.Conn(w), src, w.to, how, nothing)
}

// drain brings the target up to date by what changed only.
func (w *replicas) drain() synctable.Result {
	w.Helper()
	_, res, err := w.follow(false)
	if err != nil {
		w.Fatal(err)
	}
	if res.Copied != "" {
		w.Fatal("all rows were copied:", res.Copied)
	}
	w.same(res)
	return res
}

// copied sees to it that all rows are copied, for a reason.
func (w *replicas) copied(why string) {
	w.Helper()
	_, res, err := w.follow(false)
	if err != nil || !strings.Contains(res.Copied, why) || res.Copied == "" {
		w.Fatalf("%q, %v, want %q", res.Copied, err, why)
	}
	w.same(res)
}

func (w *replicas) same(res synctable.Result) {
	w.Helper()
	const all = "SELECT md5(string_agg(to_jsonb(t)::text, ' ' ORDER BY to_jsonb(t)::text)) FROM "
	want, got := text(w.T, w.source.Conn(w), all+"source t"), text(w.T, w.target.Conn(w), all+"copy t")
	if got != want {
		w.Fatal("the copy differs:", text(w.T, w.target.Conn(w), "SELECT * FROM copy LIMIT 20"))
	}
	if n := text(w.T, w.source.Conn(w), "SELECT count(*) FROM source"); n != fmt.Sprintf("(%d)", res.Rows) {
		w.Fatal("rows:", res.Rows, "want", n)
	}
}

func TestReplica(t *testing.T) {
	t.Parallel()
	w := newReplicas(t, `CREATE TABLE source (id int, part text, name text, "a ""b;%" jsonb, at timestamptz, raw bytea, big text, PRIMARY KEY (part, id));
		INSERT INTO source SELECT n, 'p' || n % 3, 'n' || n, '{"n":1}', now(), '\x00ff', string_agg(md5(n::text || i), '') FROM generate_series(1, 1000) n, generate_series(1, 5) i GROUP BY n;
		UPDATE source SET big = (SELECT string_agg(md5(random()::text), '') FROM generate_series(1, 500)) WHERE id < 10`)
	w.to.PrimaryKey = []string{"id", "part"}
	w.copied("no copy yet")
	if res := w.drain(); res.Inserted+res.Updated+res.Deleted != 0 {
		t.Error(res)
	}
	for _, step := range []struct {
		sql                        string
		inserted, updated, deleted int64
	}{
		{sql: `INSERT INTO source VALUES (2000, 'x', NULL, NULL, 'infinity', NULL, E'a\tb\\c\n')`, inserted: 1},
		{sql: `UPDATE source SET name = 'other', "a ""b;%" = '[]' WHERE id < 5`, updated: 4}, // large values stay
		{sql: `UPDATE source SET id = id + 5000, part = 'moved' WHERE id IN (3, 700)`, updated: 2},
		{sql: `UPDATE source SET big = NULL WHERE id = 4`, updated: 1},
		{sql: `DELETE FROM source WHERE id BETWEEN 100 AND 199`, deleted: 100},
		{sql: `BEGIN; DELETE FROM source WHERE id = 1; INSERT INTO source (id, part) VALUES (1, 'p1'); UPDATE source SET name = 'again' WHERE id = 1; COMMIT`,
			inserted: 1, updated: 1, deleted: 1},
		{sql: `BEGIN; DELETE FROM source; ROLLBACK; BEGIN; INSERT INTO source (id, part) VALUES (3000, 'x'); SAVEPOINT a; DELETE FROM source; ROLLBACK TO a; COMMIT`, inserted: 1},
		{sql: `BEGIN; TRUNCATE source; INSERT INTO source (id, part) VALUES (1, 'a'), (2, 'b'); COMMIT`, inserted: 2, deleted: 902},
		{sql: `INSERT INTO source (id, part, name) SELECT n, 'big', repeat('x', 100) FROM generate_series(1, 5000) n`, inserted: 5000},
		{sql: `DELETE FROM source WHERE part = 'big' AND id > 50`, deleted: 4950},
		{sql: `CREATE TABLE elsewhere AS SELECT generate_series(1, 1000)`},
	} {
		w.source.Exec(t, step.sql)
		if res := w.drain(); res.Inserted != step.inserted || res.Updated != step.updated || res.Deleted != step.deleted {
			t.Errorf("%s: %+v", step.sql, res)
		}
	}
	// With the whole row as its identity, rows are found by their key all the same.
	w.source.Exec(t, "ALTER TABLE source REPLICA IDENTITY FULL")
	w.copied("columns have changed")
	w.source.Exec(t, "UPDATE source SET name = NULL WHERE id = 1; UPDATE source SET id = 77777 WHERE id = 2; DELETE FROM source WHERE id = 3")
	if res := w.drain(); res.Updated == 0 || res.Deleted == 0 {
		t.Error(res)
	}
	// Comparing comes between: what the log tells of then was seen already.
	w.source.Exec(t, "INSERT INTO source (id, part) VALUES (-1, 'a')")
	src := synctable.NewStored(w.source.Conn(t), "public", "source")
	if _, err := synctable.Merge(t.Context(), w.target.Conn(t), src, w.to, nothing); err != nil {
		t.Fatal(err)
	}
	w.copied("no copy yet")
	if _, res, err := w.follow(true); err != nil || res.Copied != "it was asked for" {
		t.Error(res, err)
	}
}

// TestReplicaOfAnotherShape: what the log doesn't tell of leads to a copy of all rows.
func TestReplicaOfAnotherShape(t *testing.T) {
	t.Parallel()
	w := newReplicas(t, "CREATE TABLE source (id int PRIMARY KEY, n int, gone text); INSERT INTO source SELECT n, n, 'x' FROM generate_series(1, 100) n")
	w.copied("")
	for _, sql := range []string{
		"ALTER TABLE source ADD COLUMN came int DEFAULT 7",
		"ALTER TABLE source DROP COLUMN gone; INSERT INTO source VALUES (500, 1, 1)",
		"ALTER TABLE source ALTER COLUMN n TYPE bigint USING n * 2; INSERT INTO source VALUES (501, 1, 1)",
		"ALTER TABLE source ALTER COLUMN n TYPE bigint USING n * 2", // the same type, other values
		"ALTER TABLE source DROP COLUMN came; ALTER TABLE source ADD COLUMN came int DEFAULT 9",
		"ALTER TABLE source RENAME COLUMN came TO went; UPDATE source SET went = 0 WHERE id = 3",
		"CREATE TABLE other (LIKE source INCLUDING ALL); INSERT INTO other VALUES (1, 1, 1); DROP TABLE source; ALTER TABLE other RENAME TO source",
	} {
		w.source.Exec(t, sql)
		w.copied("columns have changed")
		w.drain()
	}
	for _, step := range [][2]string{
		{"DROP PUBLICATION " + w.slot, "publication is gone"},
		{"SELECT pg_drop_replication_slot('" + w.slot + "')", "slot is gone"},
		{"INSERT INTO source VALUES (900, 1, 1); SELECT pg_replication_slot_advance('" + w.slot + "', pg_current_wal_lsn())", "ahead of the target"},
	} {
		w.source.Exec(t, step[0])
		w.copied(step[1])
		w.drain()
	}
	// Somebody wrote to the copy.
	w.target.Exec(t, "DELETE FROM copy WHERE id = 900")
	w.source.Exec(t, "UPDATE source SET n = 5 WHERE id = 900")
	w.copied("other rows")
	w.target.Exec(t, "INSERT INTO copy VALUES (901)")
	w.source.Exec(t, "INSERT INTO source VALUES (901, 1, 1)")
	w.copied("other rows")
	w.drain()
}

// TestLostSlot: a server that has thrown away log that was yet to be read has all rows copied.
func TestLostSlot(t *testing.T) {
	t.Parallel()
	s := pgtest.NewServer(t, pgtest.Options{Settings: []string{"wal_level=logical", "max_wal_senders=5", "max_slot_wal_keep_size=1MB"}})
	w := &replicas{T: t, source: s.NewDB(t), target: pgtest.New(t), slot: "tarn_lost", to: target()}
	w.source.Exec(t, "CREATE TABLE source (id int PRIMARY KEY); INSERT INTO source VALUES (1)")
	w.copied("")
	for _, sql := range []string{"INSERT INTO source VALUES (2)", "SELECT pg_switch_wal()", "CREATE TABLE x AS SELECT 1", "SELECT pg_switch_wal()", "CHECKPOINT"} {
		w.source.Exec(t, sql)
	}
	if got := text(t, w.source.Conn(t), "SELECT wal_status FROM pg_replication_slots"); got != "(lost)" {
		t.Fatal(got)
	}
	w.copied("thrown away")
	w.drain()
}

// TestRetyped: a copy gets the source's types, but for what is built on it.
func TestRetyped(t *testing.T) {
	t.Parallel()
	w := newReplicas(t, "CREATE TABLE source (id int PRIMARY KEY, n int); INSERT INTO source VALUES (1, 1)")
	w.copied("")
	w.target.Exec(t, "CREATE VIEW on_n AS SELECT n FROM copy")
	w.source.Exec(t, "ALTER TABLE source ALTER COLUMN n TYPE text")
	if _, _, err := w.follow(false); err == nil || !strings.Contains(err.Error(), "used by a view") {
		t.Error(err)
	}
	w.target.Exec(t, "DROP VIEW on_n")
	w.copied("")
	w.source.Exec(t, "ALTER TABLE source ALTER COLUMN id TYPE bigint")
	if _, _, err := w.follow(false); err == nil || !strings.Contains(err.Error(), "partition key") {
		t.Error(err)
	}
	if left := text(t, w.source.Conn(t), "SELECT slot_name FROM pg_replication_slots WHERE slot_name = '"+w.slot+"'"); left != "" {
		t.Error("left:", left)
	}
}

// TestUnfit: why a source can't be followed is told, and nothing is left there.
func TestUnfit(t *testing.T) {
	t.Parallel()
	w := newReplicas(t, "CREATE TABLE source (id int PRIMARY KEY, n int NOT NULL)")
	reader := w.source.Role(t, "LOGIN")
	try := func(want string) {
		t.Helper()
		_, _, err := w.follow(false)
		if unfit := (*synctable.Unfit)(nil); !errors.As(err, &unfit) || !strings.Contains(unfit.Reason, want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	as := func(role, want string) {
		t.Helper()
		src := synctable.NewStored(w.source.ConnAs(t, role), "public", "source")
		how := synctable.Following{Slot: w.slot, Reserve: func(context.Context) error { return nil }}
		_, _, err := synctable.Follow(t.Context(), w.target.Conn(t), src, w.to, how, nothing)
		if unfit := (*synctable.Unfit)(nil); want == "" && err != nil || want != "" && (!errors.As(err, &unfit) || !strings.Contains(unfit.Reason, want)) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	w.source.Exec(t, "ALTER TABLE source REPLICA IDENTITY NOTHING")
	try("replica identity")
	w.source.Exec(t, "CREATE UNIQUE INDEX other ON source (n); ALTER TABLE source REPLICA IDENTITY USING INDEX other")
	try("other columns")
	w.source.Exec(t, "ALTER TABLE source REPLICA IDENTITY DEFAULT; ALTER TABLE source ADD COLUMN made int GENERATED ALWAYS AS (n + 1) STORED")
	try("generated")
	w.source.Exec(t, "ALTER TABLE source DROP COLUMN made; ALTER TABLE source SET UNLOGGED")
	try("unlogged")
	w.source.Exec(t, "ALTER TABLE source SET LOGGED; GRANT SELECT ON source TO "+reader)
	as(reader, "must be superuser or replication role")
	w.source.Exec(t, "ALTER ROLE "+reader+" REPLICATION")
	as(reader, "CREATE PUBLICATION")
	if left := text(t, w.source.Conn(t), "SELECT slot_name FROM pg_replication_slots WHERE slot_name = '"+w.slot+"'"); left != "" {
		t.Error("left:", left)
	}
	w.source.Exec(t, "CREATE PUBLICATION "+w.slot+" FOR ALL TABLES")
	as(reader, "")
	w.source.Exec(t, "INSERT INTO source VALUES (1, 1); CREATE TABLE more (id int PRIMARY KEY); INSERT INTO more VALUES (1)")
	as(reader, "")
	if got := text(t, w.target.Conn(t), "SELECT * FROM copy"); got != "(1,1)" {
		t.Error(got)
	}
	w.source.Exec(t, "ALTER TABLE source ENABLE ROW LEVEL SECURITY")
	as(reader, "row-level security")

	plain := pgtest.New(t)
	plain.Exec(t, "CREATE TABLE source (id int PRIMARY KEY)")
	_, _, err := synctable.Follow(t.Context(), w.target.Conn(t), synctable.NewStored(plain.Conn(t), "public", "source"), w.to, synctable.Following{Slot: w.slot}, nothing)
	if err == nil || !strings.Contains(err.Error(), "wal_level=") {
		t.Error(err)
	}
}

// TestReplicaIsInterrupted: whenever a stream ends, and however, the next one goes on from there.
func TestReplicaIsInterrupted(t *testing.T) {
	t.Parallel()
	w := newReplicas(t, "CREATE TABLE source (id int PRIMARY KEY, n int)")
	w.copied("")
	ctx, stop := context.WithCancel(t.Context())
	wrote := make(chan error, 1)
	conn := w.source.Conn(t)
	go func() { // counts up in many transactions
		for i := 0; ctx.Err() == nil; i++ {
			_, err := conn.Exec(t.Context(), `WITH gone AS (DELETE FROM source WHERE id = $1 - 50)
				INSERT INTO source SELECT $1, 0 UNION ALL SELECT -$1, 0`, i+1)
			if err == nil {
				_, err = conn.Exec(t.Context(), "UPDATE source SET n = n + 1 WHERE id > $1 - 10", i)
			}
			if err != nil {
				wrote <- err
				return
			}
			time.Sleep(5 * time.Millisecond)
		}
		wrote <- nil
	}()
	admin := w.source.Conn(t)
	for round := range 8 {
		r, res, err := w.follow(false)
		if err != nil || res.Copied != "" && !strings.Contains(res.Copied, "can't send its log") {
			t.Fatal(round, res, err)
		}
		reported := 0
		streaming, end := context.WithTimeout(ctx, time.Duration(100+150*round)*time.Millisecond)
		if round%2 == 1 { // the connection breaks, at either end
			time.AfterFunc(time.Duration(50+100*round)*time.Millisecond, func() {
				which := "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = '" + w.slot + "' AND active"
				if round%4 == 3 {
					which = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '" + w.target.Name + "'"
				}
				_, _ = admin.Exec(context.Background(), which)
			})
		}
		err = r.Stream(streaming, func(context.Context, synctable.Report) error { reported++; return nil })
		end()
		if err == nil || synctable.IsStale(err) {
			t.Fatal(round, err)
		}
	}
	stop()
	if err := <-wrote; err != nil {
		t.Fatal(err)
	}
	_, res, err := w.follow(false)
	if err != nil {
		t.Fatal(err)
	}
	w.same(res)
}

// TestOnlyOneStreams: who isn't the one that holds a target any more can't change it.
func TestOnlyOneStreams(t *testing.T) {
	t.Parallel()
	w := newReplicas(t, "CREATE TABLE source (id int PRIMARY KEY)")
	first, _, err := w.follow(false)
	if err != nil {
		t.Fatal(err)
	}
	w.source.Exec(t, "INSERT INTO source VALUES (1)")
	w.drain() // by another
	w.source.Exec(t, "INSERT INTO source VALUES (2)")
	if err := first.Stream(t.Context(), func(context.Context, synctable.Report) error { return nil }); err == nil || !strings.Contains(err.Error(), "Somebody else") {
		t.Error(err)
	}
	w.drain()
}

// TestStreamReports: what a stream tells is true.
func TestStreamReports(t *testing.T) {
	t.Parallel()
	w := newReplicas(t, "CREATE TABLE source (id int PRIMARY KEY)")
	r, _, err := w.follow(false)
	if err != nil {
		t.Fatal(err)
	}
	w.source.Exec(t, "INSERT INTO source SELECT generate_series(1, 10)")
	enough := errors.New("enough")
	since := time.Now()
	var sum int64
	err = r.Stream(t.Context(), func(_ context.Context, rep synctable.Report) error {
		sum += rep.Inserted
		if rep.AsOf.After(since) && (rep.Rows != 10 || sum != 10) {
			return fmt.Errorf("%+v", rep)
		}
		if rep.AsOf.After(since) {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) {
		t.Error(err)
	}
}
