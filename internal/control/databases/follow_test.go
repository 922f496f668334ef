package databases_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tarn-data/tarn/internal/control/databases"
	"github.com/tarn-data/tarn/internal/pgtest"
	"github.com/tarn-data/tarn/internal/synctable"
)

// elsewhere is a source that can be out of reach.
type elsewhere struct {
	db   *pgtest.DB
	down *bool
}

func (e elsewhere) Has(catalog string) bool { return catalog == "shop" }

func (e elsewhere) Open(ctx context.Context, _, schema, table string) (synctable.Source, error) {
	if *e.down {
		return nil, errors.New("it is down")
	}
	conn, err := pgx.Connect(ctx, e.db.URL)
	if err != nil {
		return nil, err
	}
	return synctable.NewPostgres(conn, schema, table), nil
}

// eventually waits until a query's number is one.
func (w *world) eventually(want int, sql string) {
	w.Helper()
	conn := w.db.Conn(w)
	for end := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		var n int
		if err := conn.QueryRow(w.Context(), sql).Scan(&n); err != nil {
			w.Fatal(err)
		}
		if n == want {
			return
		}
		if time.Now().After(end) {
			w.Fatalf("%s: %d, want %d; %v", sql, n, want, w.must("root", "GET", "/api/2.0/database/instances/tarn/synced_tables", ""))
		}
	}
}

func (w *world) slots() int {
	w.Helper()
	return w.count("SELECT count(*) FROM pg_replication_slots WHERE database = '" + w.db.Name + "'")
}

// TestFollows: a continuous table gets what changes, without the rest being read; it goes on after what can happen.
func TestFollows(t *testing.T) {
	t.Parallel()
	w := newWorldOn(t, pgtest.NewLogical(t))
	down := false
	w.service.Sources = elsewhere{w.db, &down}
	w.db.Exec(t, "CREATE TABLE source (id int PRIMARY KEY, n int); INSERT INTO source SELECT n, n FROM generate_series(1, 100) n")
	w.catalog()
	made := w.must("root", "POST", tables, `{"name":"main.public.Copy-1",
		"spec":{"source_table_full_name":"shop.public.source","primary_key_columns":["id"],"scheduling_policy":"CONTINUOUS"}}`)
	w.run()
	const name, copied = "main.public.Copy-1", `SELECT count(*) FROM "Copy-1"`
	status := w.await(name, inState("ONLINE_CONTINUOUS_UPDATE"))
	if message := status["message"].(string); !strings.Contains(message, "Synced by logical replication, with the slot tarn_sync_copy_1_") {
		t.Error(message)
	}
	w.db.Exec(t, "INSERT INTO source VALUES (101, 1); DELETE FROM source WHERE id < 11")
	w.eventually(91, copied)
	w.await(name, atVersion(2))
	// The last sync's time goes on though nothing changes.
	end := func(s map[string]any) string { return s["last_sync"].(map[string]any)["sync_end_timestamp"].(string) }
	before := end(w.await(name, atVersion(2)))
	w.await(name, func(s map[string]any) bool { return end(s) > before })
	// The source is down: its connections break, and there are no others.
	down = true
	w.db.Exec(t, "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE database = '"+w.db.Name+"' AND active")
	w.await(name, inState("ONLINE_PIPELINE_FAILED"))
	w.db.Exec(t, "INSERT INTO source VALUES (200, 1)")
	down = false
	w.eventually(92, copied)
	w.await(name, inState("ONLINE_CONTINUOUS_UPDATE"))
	var part string
	if err := w.db.Conn(t).QueryRow(t.Context(), "SELECT inhrelid::regclass::text FROM pg_inherits").Scan(&part); err != nil {
		t.Fatal(err)
	}
	// A client asks for all rows, and the source gets another column.
	w.must("root", "POST", "/api/2.0/pipelines/"+made["data_synchronization_status"].(map[string]any)["pipeline_id"].(string)+"/updates", `{"full_refresh": true}`)
	w.eventually(0, "SELECT count(to_regclass('"+part+"'))")
	w.db.Exec(t, "ALTER TABLE source ADD COLUMN came text DEFAULT 'x'")
	w.eventually(1, `SELECT count(*) FROM pg_attribute WHERE attrelid = '"Copy-1"'::regclass AND attname = 'came'`)
	w.db.Exec(t, "INSERT INTO source VALUES (201, 1, 'y')")
	w.eventually(1, `SELECT count(*) FROM "Copy-1" WHERE came = 'y'`)
	// Nothing stays at the source.
	w.must("root", "DELETE", tables+"/"+name+"?purge_data=true", "")
	w.eventually(0, "SELECT count(*) FROM pg_replication_slots WHERE database = '"+w.db.Name+"'")
	w.eventually(0, "SELECT count(*) FROM pg_publication")
	w.eventually(0, "SELECT count(*) FROM pg_class WHERE relname = 'Copy-1'")
}

// TestTriggeredFollows: a triggered table gets what has changed when it is asked for. Its slot doesn't keep the source's log for ever.
func TestTriggeredFollows(t *testing.T) {
	t.Parallel()
	w := newWorldOn(t, pgtest.NewLogical(t))
	w.db.Exec(t, "CREATE SCHEMA raw; CREATE TABLE raw.items (id int PRIMARY KEY); INSERT INTO raw.items SELECT generate_series(1, 100)")
	w.catalog()
	made := w.must("root", "POST", tables, `{"name":"main.public.items",
		"spec":{"source_table_full_name":"main.raw.items","primary_key_columns":["id"],"scheduling_policy":"TRIGGERED"}}`)
	again := func() {
		w.must("root", "POST", "/api/2.0/pipelines/"+made["data_synchronization_status"].(map[string]any)["pipeline_id"].(string)+"/updates", "{}")
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); w.service.Run(ctx) }()
	w.await("main.public.items", inState("ONLINE_NO_PENDING_UPDATE"))
	w.db.Exec(t, "DELETE FROM raw.items WHERE id = 1")
	again()
	w.await("main.public.items", atVersion(2))
	if n := w.count("SELECT count(*) FROM items"); n != 99 {
		t.Error(n)
	}
	stop()
	<-done
	w.db.Exec(t, "INSERT INTO raw.items VALUES (500); SELECT pg_switch_wal()")
	slot := w.service.AnySlot(t)
	tend := func(most int64) string {
		if err := w.service.Tend(t.Context(), slot, most); err != nil {
			t.Fatal(err)
		}
		return w.must("root", "GET", tables+"/main.public.items", "")["data_synchronization_status"].(map[string]any)["message"].(string)
	}
	if message := tend(1 << 40); !strings.Contains(message, "MiB of its log") {
		t.Error(message)
	}
	if message := tend(1); !strings.Contains(message, "the next sync copies all rows") || w.slots() != 0 {
		t.Error(message, w.slots())
	}
	w.run()
	again()
	w.await("main.public.items", atVersion(3))
	if n := w.count("SELECT count(*) FROM items"); n != 100 || w.slots() != 1 {
		t.Error(n, w.slots())
	}
	// What can't be followed any more is compared, and the slot is dropped.
	w.db.Exec(t, "ALTER TABLE raw.items REPLICA IDENTITY NOTHING; INSERT INTO raw.items VALUES (501)")
	again()
	status := w.await("main.public.items", atVersion(4))
	if message := status["message"].(string); !strings.Contains(message, "comparing all rows. There is no logical replication: the source has no primary key") {
		t.Error(message)
	}
	if n := w.count("SELECT count(*) FROM items"); n != 101 {
		t.Error(n)
	}
	w.eventually(0, "SELECT count(*) FROM pg_replication_slots WHERE database = '"+w.db.Name+"'")
}

// TestManyFollow: processes share the tables, and what one leaves another goes on with.
func TestManyFollow(t *testing.T) {
	t.Parallel()
	w := newWorldOn(t, pgtest.NewLogical(t))
	w.catalog()
	const many = 3
	for i := range many {
		n := strconv.Itoa(i)
		w.db.Exec(t, "CREATE TABLE s"+n+" (id int PRIMARY KEY)")
		w.must("root", "POST", tables, `{"name":"main.public.c`+n+`",
			"spec":{"source_table_full_name":"main.public.s`+n+`","primary_key_columns":["id"],"scheduling_policy":"CONTINUOUS"}}`)
	}
	other := &databases.Service{
		Store: w.service.Store, Tables: w.service.Tables, Slots: w.service.Slots, Server: w.service.Server, Accounts: w.accounts, Holder: "two", Log: w.service.Log,
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); other.Run(ctx) }()
	w.run()
	for i := range many {
		w.await("main.public.c"+strconv.Itoa(i), inState("ONLINE_CONTINUOUS_UPDATE"))
	}
	stop()
	<-done
	for i := range many {
		n := strconv.Itoa(i)
		w.db.Exec(t, "INSERT INTO s"+n+" VALUES (1), (2)")
		w.eventually(2, "SELECT count(*) FROM c"+n)
	}
}

// TestFollowsColumn: where the log can't be followed, a column of times is, and the status says so.
func TestFollowsColumn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.db.Exec(t, "CREATE TABLE source (id int, at timestamptz, version int); INSERT INTO source VALUES (1, now() - interval '1 day', 1), (1, now(), 2)")
	w.catalog()
	for _, key := range []string{"at", "version"} {
		w.must("root", "POST", tables, `{"name":"main.public.by_`+key+`",
			"spec":{"source_table_full_name":"main.public.source","primary_key_columns":["id"],"scheduling_policy":"CONTINUOUS","timeseries_key":"`+key+`"}}`)
	}
	w.run()
	for key, want := range map[string]string{"at": "that have a greater at than before", "version": "comparing all rows"} {
		status := w.await("main.public.by_"+key, inState("ONLINE_CONTINUOUS_UPDATE"))
		if message := status["message"].(string); !strings.Contains(message, want) || !strings.Contains(message, "wal_level=minimal") {
			t.Error(message)
		}
	}
	w.db.Exec(t, "INSERT INTO source VALUES (1, now(), 3), (2, now(), 1)")
	for _, key := range []string{"at", "version"} {
		w.eventually(1, "SELECT count(*) FROM by_"+key+" WHERE id = 1 AND version = 3")
		w.eventually(2, "SELECT count(*) FROM by_"+key)
	}
}
