package databases_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tarn-data/tarn/internal/auth"
	"github.com/tarn-data/tarn/internal/control/databases"
	"github.com/tarn-data/tarn/internal/gateway"
	"github.com/tarn-data/tarn/internal/pgtest"
	"github.com/tarn-data/tarn/internal/store"
)

// world is a server with the service's API, on which the header User says who calls.
type world struct {
	*testing.T

	db      *pgtest.DB // in which the tables are
	api     *httptest.Server
	service *databases.Service

	accounts accounts
}

// accounts are those of administrators by name; all others are active users.
type accounts map[string]*auth.Account

func (a accounts) Account(_ context.Context, name string) (*auth.Account, error) {
	if known, ok := a[name]; ok {
		return known, nil
	}
	return &auth.Account{Name: name, Active: true}, nil
}

type byHeader struct{}

func (byHeader) AuthenticateCall(_ context.Context, h http.Header) (*auth.Credential, error) {
	name := h.Get("User")
	return &auth.Credential{Account: &auth.Account{Name: name, Kind: auth.User, Active: true, Admin: name == "root"}}, nil
}

// server makes databases on the test's server.
type server struct{ url string }

func (s server) Owner(ctx context.Context, database string) (*pgx.Conn, error) {
	u, err := url.Parse(s.url)
	if err != nil {
		return nil, err
	}
	u.Path = "/" + database
	q := u.Query()
	q.Set("default_query_exec_mode", "exec") // as Tarn's connections have it
	u.RawQuery = q.Encode()
	return pgx.Connect(ctx, u.String())
}
func (s server) Admin(ctx context.Context) (*pgx.Conn, error) { return pgx.Connect(ctx, s.url) }
func (server) Enable(context.Context, *pgx.Conn) error        { return nil }

func newWorld(t *testing.T) *world {
	t.Helper()
	return newWorldOn(t, pgtest.New(t))
}

func newWorldOn(t *testing.T, db *pgtest.DB) *world {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	home := pgtest.New(t)
	state, err := store.Open(t.Context(), store.Options{URL: home.URL, AppName: "test", Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(state.Close)
	w := &world{T: t, db: db}
	w.accounts = accounts{"root": {Name: "root", Active: true, Admin: true}}
	w.service = &databases.Service{Store: state, Tables: state, Slots: state, Server: server{db.URL}, Accounts: w.accounts, Holder: "one", Log: log}
	gw, err := gateway.New(gateway.Options{
		Routes: w.service.Routes(), Auth: byHeader{}, WorkspaceID: "1", Now: time.Now, NewID: func() string { return "id" },
		Source: func(*http.Request) netip.Addr { return netip.Addr{} }, Log: log,
	})
	if err != nil {
		t.Fatal(err)
	}
	w.api = httptest.NewServer(gw)
	t.Cleanup(w.api.Close)
	return w
}

func (w *world) call(user, method, path, body string) (int, map[string]any) {
	w.Helper()
	req, err := http.NewRequestWithContext(w.Context(), method, w.api.URL+path, strings.NewReader(body))
	if err != nil {
		w.Fatal(err)
	}
	req.Header.Set("User", user)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		w.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		w.Fatal(err)
	}
	var out map[string]any
	if err := json.Unmarshal(text, &out); err != nil {
		w.Fatalf("%s: %v", text, err)
	}
	return res.StatusCode, out
}

func (w *world) must(user, method, path, body string) map[string]any {
	w.Helper()
	status, out := w.call(user, method, path, body)
	if status != http.StatusOK {
		w.Fatalf("%s %s: %d %v", method, path, status, out)
	}
	return out
}

func (w *world) refused(want int, user, method, path, body string) {
	w.Helper()
	if status, out := w.call(user, method, path, body); status != want || out["error_code"] == nil {
		w.Errorf("%s %s %s by %s: %d %v, want %d", method, path, body, user, status, out, want)
	}
}

// run has the service work in the background, as long as the test.
func (w *world) run() {
	ctx, stop := context.WithCancel(w.Context())
	done := make(chan struct{})
	go func() { defer close(done); w.service.Run(ctx) }()
	w.Cleanup(func() { stop(); <-done })
}

const tables = "/api/2.0/database/synced_tables"

// await waits until a table's status is one.
func (w *world) await(table string, is func(status map[string]any) bool) map[string]any {
	w.Helper()
	patience := time.After(time.Minute)
	for {
		status := w.must("root", "GET", tables+"/"+table, "")["data_synchronization_status"].(map[string]any)
		if is(status) {
			return status
		}
		select {
		case <-patience:
			w.Fatalf("%v", status)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func inState(want string) func(map[string]any) bool {
	return func(s map[string]any) bool { return s["detailed_state"] == "SYNCED_TABLE_"+want }
}

func atVersion(want float64) func(map[string]any) bool {
	return func(s map[string]any) bool {
		last, ok := s["last_sync"].(map[string]any)
		return ok && last["delta_table_sync_info"].(map[string]any)["delta_commit_version"] == want
	}
}

func (w *world) count(sql string) (n int) {
	w.Helper()
	if err := w.db.Conn(w).QueryRow(w.Context(), sql).Scan(&n); err != nil {
		w.Fatal(err)
	}
	return n
}

// catalog makes the database the catalog main.
func (w *world) catalog() {
	w.Helper()
	w.must("root", "POST", "/api/2.0/database/catalogs", `{"name":"main","database_instance_name":"tarn","database_name":"`+w.db.Name+`"}`)
}

func TestSyncedTable(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.db.Exec(t, "CREATE SCHEMA raw; CREATE TABLE raw.items (id int PRIMARY KEY, name text); INSERT INTO raw.items SELECT n, 'n' || n FROM generate_series(1, 1000) n")
	w.catalog()
	made := w.must("root", "POST", tables, `{"name":"main.public.items",
		"spec":{"source_table_full_name":"main.raw.items","primary_key_columns":["id"],"scheduling_policy":"TRIGGERED"}}`)
	pipeline := made["data_synchronization_status"].(map[string]any)["pipeline_id"].(string)
	if made["effective_logical_database_name"] != w.db.Name || made["effective_database_instance_name"] != "tarn" {
		t.Error(made)
	}
	w.run()
	w.await("main.public.items", inState("ONLINE_NO_PENDING_UPDATE"))
	if n := w.count("SELECT count(*) FROM public.items"); n != 1000 {
		t.Error(n)
	}
	again := func() { w.must("root", "POST", "/api/2.0/pipelines/"+pipeline+"/updates", "{}") }
	w.db.Exec(t, "DELETE FROM raw.items WHERE id = 1")
	again()
	w.await("main.public.items", atVersion(2))
	if n := w.count("SELECT count(*) FROM public.items"); n != 999 {
		t.Error(n)
	}
	// A failure is told, and leaves what is there.
	w.db.Exec(t, "ALTER TABLE raw.items DROP CONSTRAINT items_pkey; INSERT INTO raw.items VALUES (2, 'twice')")
	again()
	status := w.await("main.public.items", inState("ONLINE_PIPELINE_FAILED"))
	if !strings.Contains(status["message"].(string), "several rows with one primary key") || !atVersion(2)(status) {
		t.Error(status)
	}
	w.must("root", "DELETE", tables+"/main.public.items?purge_data=true", "")
	if n := w.count("SELECT count(*) FROM pg_class WHERE relname = 'items' AND relkind = 'p'"); n != 0 {
		t.Error("not purged")
	}
	w.refused(404, "root", "GET", tables+"/main.public.items", "")
}

// TestGoesOn: what a process that died was doing, another one does when the lease has ended.
func TestGoesOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.db.Exec(t, "CREATE TABLE source (id int PRIMARY KEY); INSERT INTO source VALUES (1)")
	w.catalog()
	w.must("root", "POST", tables, `{"name":"main.public.copy",
		"spec":{"source_table_full_name":"main.public.source","primary_key_columns":["id"],"scheduling_policy":"CONTINUOUS"}}`)
	const dead = 2 * time.Second
	claimed, err := w.service.Tables.Claim(t.Context(), "dead", dead)
	if err != nil || claimed == nil {
		t.Fatal(claimed, err)
	}
	if other, err := w.service.Tables.Claim(t.Context(), "other", time.Second); err != nil || other != nil {
		t.Fatal("claimed twice", other, err)
	}
	if s := w.must("root", "GET", tables+"/main.public.copy", ""); !inState("PROVISIONING_INITIAL_SNAPSHOT")(s["data_synchronization_status"].(map[string]any)) {
		t.Error(s)
	}
	w.run()
	w.await("main.public.copy", inState("ONLINE_CONTINUOUS_UPDATE"))
	if ok, _, err := w.service.Tables.Prolong(t.Context(), claimed.ID, "dead", time.Minute, 0); ok || err != nil {
		t.Error("the dead prolongs", err)
	}
	w.db.Exec(t, "INSERT INTO source VALUES (2)")
	w.await("main.public.copy", atVersion(2))
	if n := w.count("SELECT count(*) FROM copy"); n != 2 {
		t.Error(n)
	}
}

func TestWhoMay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	maker, reader, nobody := w.db.Role(t, "LOGIN"), w.db.Role(t, "LOGIN"), w.db.Role(t, "LOGIN")
	w.db.Exec(t, `CREATE TABLE open (id int PRIMARY KEY); CREATE TABLE closed (id int PRIMARY KEY); CREATE TABLE few (id int PRIMARY KEY);
		ALTER TABLE few ENABLE ROW LEVEL SECURITY; GRANT SELECT ON open, few TO `+maker+`, `+nobody+`;
		CREATE SCHEMA its; GRANT CREATE, USAGE ON SCHEMA its TO `+maker+`, `+reader)
	spec := func(name, source string) string {
		return `{"name":"main.its.` + name + `","spec":{"source_table_full_name":"` + source + `","primary_key_columns":["id"]}}`
	}
	w.refused(403, maker, "POST", "/api/2.0/database/catalogs", `{"name":"main","database_instance_name":"tarn","database_name":"`+w.db.Name+`"}`)
	w.catalog()
	w.refused(403, maker, "POST", tables, spec("t", "main.public.closed"))
	w.refused(403, maker, "POST", tables, spec("t", "main.public.few"))
	w.refused(404, maker, "POST", tables, spec("t", "main.public.none"))
	w.db.Exec(t, "CREATE VIEW trap AS SELECT id FROM closed; GRANT SELECT ON trap TO "+maker)
	w.refused(400, maker, "POST", tables, spec("t", "main.public.trap"))
	w.refused(404, maker, "POST", tables, spec("t", "other.public.open"))
	w.refused(403, nobody, "POST", tables, spec("t", "main.public.open"))
	w.refused(400, maker, "POST", tables, spec("t", "main.open"))
	w.must(maker, "POST", tables, spec("t", "main.public.open"))
	w.refused(400, maker, "POST", tables, spec("t", "main.public.open"))
	w.run()
	w.await("main.its.t", inState("ONLINE_NO_PENDING_UPDATE"))
	w.refused(403, reader, "GET", tables+"/main.its.t", "")
	w.db.Exec(t, "GRANT SELECT ON its.t TO "+reader)
	w.must(reader, "GET", tables+"/main.its.t", "")
	w.refused(403, reader, "DELETE", tables+"/main.its.t", "")
	w.must(maker, "DELETE", tables+"/main.its.t", "")
	for _, bad := range []string{
		`{"name":"x","capacity":"CU_3"}`, `{"name":"x","node_count":2}`, `{"name":"1x"}`, `{"name":"x","retention_window_in_days":9}`, `{`, `[]`,
	} {
		w.refused(400, "root", "POST", "/api/2.0/database/instances", bad)
	}
}

// TestCreatorLosesRights: who may not read a source any more has it copied no more, until they may again and ask for it.
func TestCreatorLosesRights(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	maker := w.db.Role(t, "LOGIN")
	w.db.Exec(t, `CREATE TABLE source (id int PRIMARY KEY); GRANT SELECT ON source TO `+maker+`; CREATE SCHEMA its; GRANT CREATE, USAGE ON SCHEMA its TO `+maker)
	w.catalog()
	made := w.must(maker, "POST", tables, `{"name":"main.its.copy","spec":{"source_table_full_name":"main.public.source","primary_key_columns":["id"]}}`)
	again := func() {
		w.must(maker, "POST", "/api/2.0/pipelines/"+made["data_synchronization_status"].(map[string]any)["pipeline_id"].(string)+"/updates", "{}")
	}
	w.run()
	w.await("main.its.copy", inState("ONLINE_NO_PENDING_UPDATE"))
	w.db.Exec(t, "REVOKE SELECT ON source FROM "+maker+"; INSERT INTO source VALUES (1)")
	again()
	status := w.await("main.its.copy", inState("ONLINE_PIPELINE_FAILED"))
	if message := status["message"].(string); !strings.Contains(message, "The syncing has ended: "+maker) {
		t.Error(message)
	}
	if next, err := w.service.Tables.Claim(t.Context(), "other", time.Second); err != nil || next != nil {
		t.Error("it is due again", next, err)
	}
	if n := w.count("SELECT count(*) FROM its.copy"); n != 0 {
		t.Error("a row was copied")
	}
	w.db.Exec(t, "GRANT SELECT ON source TO "+maker)
	again()
	w.await("main.its.copy", inState("ONLINE_NO_PENDING_UPDATE"))
	if n := w.count("SELECT count(*) FROM its.copy"); n != 1 {
		t.Error(n)
	}
}

// TestWithoutServer: where Tarn doesn't administer the server, calls that need that say so.
func TestWithoutServer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.db.Exec(t, "CREATE TABLE source (id int PRIMARY KEY)")
	w.catalog()
	spec := func(name string) string {
		return `{"name":"main.public.` + name + `","spec":{"source_table_full_name":"main.public.source","primary_key_columns":["id"]}}`
	}
	w.must("root", "POST", tables, spec("copy"))
	w.service.Server = nil
	w.must("root", "GET", tables+"/main.public.copy", "")
	w.refused(403, "ann", "GET", tables+"/main.public.copy", "")
	w.refused(403, "ann", "DELETE", tables+"/main.public.copy?purge_data=true", "")
	for _, call := range [][3]string{
		{"DELETE", tables + "/main.public.copy?purge_data=true"},
		{"POST", tables, spec("other")},
		{"POST", "/api/2.0/database/catalogs", `{"name":"c","database_instance_name":"tarn","database_name":"d","create_database_if_not_exists":true}`},
		{"POST", "/api/2.0/database/instances", `{"name":"more"}`},
		{"POST", "/api/2.0/database/credentials", `{"instance_names":["tarn"]}`},
		{"POST", "/api/2.0/postgres/credentials", `{"endpoint":"projects/tarn/branches/production/endpoints/primary"}`},
	} {
		status, out := w.call("root", call[0], call[1], call[2])
		if status != http.StatusNotImplemented || out["error_code"] != "NOT_IMPLEMENTED" || !strings.Contains(out["message"].(string), "administer") {
			t.Error(call, status, out)
		}
	}
	w.must("root", "DELETE", tables+"/main.public.copy", "")
	w.refused(404, "root", "GET", tables+"/main.public.copy", "")
}

// failing is a server on which new databases can't be made ones that the Data API serves.
type failing struct{ server }

func (failing) Enable(context.Context, *pgx.Conn) error { return errors.New("no") }

// TestHalfMadeDatabase: a database that was made, and then not finished, is known as one that Tarn made, and goes with its instance.
func TestHalfMadeDatabase(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	database := w.db.Name + "_half"
	there := "SELECT count(*) FROM pg_database WHERE datname = '" + database + "'"
	w.service.Server = failing{server{w.db.URL}}
	w.must("root", "POST", "/api/2.0/database/instances", `{"name":"half"}`)
	if status, out := w.call("root", "POST", "/api/2.0/database/catalogs",
		`{"name":"c","database_instance_name":"half","database_name":"`+database+`","create_database_if_not_exists":true}`); status != http.StatusInternalServerError {
		t.Error(status, out)
	}
	if w.count(there) != 1 {
		t.Error("it wasn't made")
	}
	w.must("root", "DELETE", "/api/2.0/database/instances/half", "")
	if w.count(there) != 0 {
		w.db.Exec(t, "DROP DATABASE "+database)
		t.Error("the database is there")
	}
}

func TestInstances(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const instances = "/api/2.0/database/instances"
	database := w.db.Name + "_more"
	w.refused(403, "ann", "POST", instances, `{"name":"more"}`)
	made := w.must("root", "POST", instances, `{"name":"more","capacity":"CU_2"}`)
	if made["state"] != "AVAILABLE" || made["read_write_dns"] == "" || !strings.HasPrefix(made["pg_version"].(string), "PG_VERSION_") {
		t.Error(made)
	}
	w.refused(400, "root", "POST", instances, `{"name":"more"}`)
	w.must("ann", "GET", instances+"/more", "")
	w.must("ann", "GET", instances+":findByUid?uid="+made["uid"].(string), "")
	list := w.must("ann", "GET", instances+"?page_size=1", "")
	if list["next_page_token"] != "more" || len(list["database_instances"].([]any)) != 1 {
		t.Error(list)
	}
	w.refused(404, "root", "POST", "/api/2.0/database/catalogs", `{"name":"c","database_instance_name":"more","database_name":"`+database+`"}`)
	w.must("root", "POST", "/api/2.0/database/catalogs",
		`{"name":"c","database_instance_name":"more","database_name":"`+database+`","create_database_if_not_exists":true}`)
	limit := "SELECT datconnlimit FROM pg_database WHERE datname = '" + database + "'"
	if n := w.count(limit); n != 200 {
		t.Error(n)
	}
	w.must("root", "PATCH", instances+"/more?update_mask=stopped", `{"stopped":true,"capacity":"CU_1"}`)
	if w.count("SELECT datallowconn::int FROM pg_database WHERE datname = '"+database+"'") != 0 {
		t.Error("a stopped instance lets in")
	}
	w.must("root", "PATCH", instances+"/more", `{"stopped":false,"capacity":"CU_1"}`)
	conn, err := w.service.Server.Owner(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Close(t.Context())
	if n := w.count(limit); n != 100 {
		t.Error(n)
	}
	w.refused(400, "root", "DELETE", instances+"/more", "")
	w.refused(403, "ann", "DELETE", "/api/2.0/database/catalogs/c", "")
	w.must("root", "DELETE", "/api/2.0/database/catalogs/c", "")
	w.refused(400, "root", "DELETE", instances+"/tarn", "")
	w.must("root", "DELETE", instances+"/more", "")
	if n := w.count("SELECT count(*) FROM pg_database WHERE datname = '" + database + "'"); n != 0 {
		t.Error("the database is there")
	}
	w.refused(404, "root", "GET", instances+"/more", "")
}

func TestCredentials(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	role := w.db.Role(t, "LOGIN")
	out := w.must(role, "POST", "/api/2.0/database/credentials", `{"instance_names":["tarn"]}`)
	var stored string
	if err := w.db.Conn(t).QueryRow(t.Context(), "SELECT rolpassword || rolvaliduntil FROM pg_authid WHERE rolname = $1", role).Scan(&stored); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(stored, "SCRAM-SHA-256$4096:") || strings.Contains(stored, out["token"].(string)) {
		t.Error(stored)
	}
	u, err := url.Parse(w.db.RoleURL(t, role))
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set("password", out["token"].(string))
	u.RawQuery = q.Encode()
	conn, err := pgx.Connect(t.Context(), u.String())
	if err != nil {
		t.Fatal("the credential doesn't open:", err)
	}
	_ = conn.Close(t.Context())

	// The same for a project's endpoint, which an instance is by its name and by its uid.
	uid := w.must("root", "GET", "/api/2.0/database/instances/tarn", "")["uid"].(string)
	for _, project := range []string{"tarn", uid} {
		again := w.must(role, "POST", "/api/2.0/postgres/credentials", `{"endpoint":"projects/`+project+`/branches/production/endpoints/primary"}`)
		if until, err := time.Parse(time.RFC3339, again["expire_time"].(string)); err != nil || time.Until(until) < 59*time.Minute {
			t.Error(again["expire_time"], err)
		}
		if q.Set("password", again["token"].(string)); again["token"] == out["token"] {
			t.Error("the token is an old one")
		}
		u.RawQuery = q.Encode()
		conn, err := pgx.Connect(t.Context(), u.String())
		if err != nil {
			t.Fatal("the credential doesn't open:", err)
		}
		_ = conn.Close(t.Context())
	}
	for endpoint, status := range map[string]int{
		"": 400, "tarn": 400, "projects/tarn": 404, "projects/tarn/branches/other/endpoints/primary": 404, "projects/none/branches/production/endpoints/primary": 404,
	} {
		w.refused(status, role, "POST", "/api/2.0/postgres/credentials", `{"endpoint":"`+endpoint+`"}`)
	}
	w.refused(404, "stranger", "POST", "/api/2.0/database/credentials", `{"instance_names":["tarn"]}`)
	w.refused(404, role, "POST", "/api/2.0/database/credentials", `{"instance_names":["none"]}`)
}
