package test

import (
	"strings"
	"testing"
	"time"

	"github.com/tarn-data/tarn/internal/pgtest"
)

// TestSyncedTableSurvives kills Tarn while it follows the log of a source that is being written to: no change is lost, none is made
// twice, and nothing is copied anew.
func TestSyncedTableSurvives(t *testing.T) {
	t.Parallel()
	shop := pgtest.NewLogical(t)
	shop.Exec(t, "CREATE TABLE orders (id int PRIMARY KEY, n int); INSERT INTO orders SELECT n, 0 FROM generate_series(1, 1000) n")
	dir := dataDir(t)
	s := serve(t, dir, "--source", "shop="+shop.URL)
	admin := s.adminToken(t)
	var made map[string]any
	decode(t, s.call(t, admin, "POST", "/api/2.0/database/catalogs",
		`{"name":"main","database_instance_name":"tarn","database_name":"databricks_postgres"}`), 200, &made)
	decode(t, s.call(t, admin, "POST", "/api/2.0/database/synced_tables", `{"name":"main.public.orders","spec":
		{"source_table_full_name":"shop.public.orders","primary_key_columns":["id"],"scheduling_policy":"CONTINUOUS"}}`), 200, &made)
	// What the two have, in few words.
	const all = "SELECT count(*) || ' ' || sum(id::bigint * (n + 7)) FROM orders"
	source := shop.Conn(t)
	await := func() {
		t.Helper()
		var want string
		if err := source.QueryRow(t.Context(), all).Scan(&want); err != nil {
			t.Fatal(err)
		}
		var got string
		for end := time.Now().Add(90 * time.Second); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
			if got = strings.TrimSpace(s.psql(t, "SELECT to_regclass('orders')")); got == "" {
				continue
			}
			if got = strings.TrimSpace(s.psql(t, all)); got == want {
				return
			}
		}
		t.Fatalf("%s, want %s: %s", got, want, s.call(t, admin, "GET", "/api/2.0/database/synced_tables/main.public.orders", "").body)
	}
	await()
	if got := s.call(t, admin, "GET", "/api/2.0/database/synced_tables/main.public.orders", "").body; !strings.Contains(got, "Synced by logical replication") {
		t.Error(got)
	}
	part := s.psql(t, "SELECT inhrelid::regclass FROM pg_inherits")
	for _, sql := range []string{
		"UPDATE orders SET n = n + 1",
		"INSERT INTO orders SELECT n, 1 FROM generate_series(10001, 30000) n; UPDATE orders SET id = id + 100000 WHERE id % 10 = 0; DELETE FROM orders WHERE id % 7 = 0",
	} {
		shop.Exec(t, sql)
	}
	time.Sleep(150 * time.Millisecond) // it is in the middle of it
	s.kill(t)
	shop.Exec(t, "INSERT INTO orders VALUES (-1, 1)")
	s = serve(t, dir, "--source", "shop="+shop.URL)
	await()
	if now := s.psql(t, "SELECT inhrelid::regclass FROM pg_inherits"); now != part {
		t.Error("all rows were copied anew")
	}
	// The processes of Tarn are gone without the slot being: it is dropped with the table.
	decode(t, s.call(t, admin, "DELETE", "/api/2.0/database/synced_tables/main.public.orders", ""), 200, &made)
	for end := time.Now().Add(time.Minute); ; time.Sleep(200 * time.Millisecond) {
		var left int
		if err := source.QueryRow(t.Context(), "SELECT count(*) FROM pg_replication_slots WHERE database = current_database()").Scan(&left); err != nil {
			t.Fatal(err)
		}
		if left == 0 {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the slot is left")
		}
	}
}
