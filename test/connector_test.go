package test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// oauthToken logs a service principal in.
func (s *tarn) oauthToken(t testing.TB, id, secret, scope string) string {
	t.Helper()
	form := url.Values{"grant_type": {"client_credentials"}, "scope": {scope}, "client_id": {id}, "client_secret": {secret}}.Encode()
	var got struct {
		Token string `json:"access_token"`
	}
	decode(t, ask(t, "POST", s.url+"/oidc/v1/token", form, "Content-Type", "application/x-www-form-urlencoded"), 200, &got)
	return got.Token
}

// syncedItems makes a synced table of many rows on a workspace, of which a service principal sees the half that it owns.
func (s *tarn) syncedItems(t testing.TB, admin, principal string) {
	t.Helper()
	s.psql(t, `CREATE SCHEMA raw; CREATE TABLE raw.items (id int PRIMARY KEY, name text NOT NULL, owner text NOT NULL);
		INSERT INTO raw.items SELECT n, 'item ' || n, CASE WHEN n % 2 = 0 THEN '`+principal+`' ELSE 'somebody' END FROM generate_series(1, 100000) n`)
	if strings.TrimSpace(s.psql(t, `SELECT count(*) FROM pg_roles WHERE rolname = '`+principal+`'`)) == "0" {
		s.psql(t, `SELECT databricks_create_role('`+principal+`', 'SERVICE_PRINCIPAL')`)
	}
	var made map[string]any
	decode(t, s.call(t, admin, "POST", "/api/2.0/database/catalogs",
		`{"name":"main","database_instance_name":"tarn","database_name":"databricks_postgres"}`), 200, &made)
	decode(t, s.call(t, admin, "POST", "/api/2.0/database/synced_tables", `{"name":"main.public.items","spec":
		{"source_table_full_name":"main.raw.items","primary_key_columns":["id"],"scheduling_policy":"TRIGGERED"}}`), 200, &made)
	var table struct {
		Status struct {
			State   string `json:"detailed_state"`
			Message string `json:"message"`
		} `json:"data_synchronization_status"`
	}
	for deadline := time.Now().Add(time.Minute); table.Status.State != "SYNCED_TABLE_ONLINE_NO_PENDING_UPDATE"; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal(table)
		}
		decode(t, s.call(t, admin, "GET", "/api/2.0/database/synced_tables/main.public.items", ""), 200, &table)
	}
	s.psql(t, `ALTER TABLE items ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON items USING (owner = current_user);
		GRANT USAGE ON SCHEMA public TO "`+principal+`"; GRANT SELECT ON items TO "`+principal+`"; NOTIFY pgrst, 'reload schema'`)
}

// TestConnector: an application reads a customer's synced table through credentials that it never sees.
func TestConnector(t *testing.T) {
	listen := freeAddress(t)
	dir := dataDir(t)
	workspace := serve(t, dir, "--sample", "--listen", listen)
	workspace.url = "http://" + listen
	customer := workspace.adminToken(t)
	principal, secret := workspace.servicePrincipal(t, customer, "customer")
	workspace.syncedItems(t, customer, principal)

	c := serve(t, dataDir(t), "--outbound", "http://"+listen, "--connector-direct")
	admin := c.adminToken(t)
	app, appSecret := c.servicePrincipal(t, admin, "app")
	appToken := c.oauthToken(t, app, appSecret, "table-data")
	keep := func(path, id, secret string) {
		t.Helper()
		var kept map[string]any
		for name, value := range map[string]string{"id": id, "secret": secret} {
			body, err := json.Marshal(map[string]string{"value": value})
			if err != nil {
				t.Fatal(err)
			}
			decode(t, c.call(t, admin, "PUT", "/api/2.0/tarn/vault/"+path+"/credentials/"+name, string(body)), 200, &kept)
		}
	}
	ofAccount := "accounts/acme/apps/" + app
	keep(ofAccount, principal, secret)
	keep("apps/"+app, principal, secret)

	const base = "/public/api/databricks-postgrest/v1beta1/table-data/"
	path := base + listen + "/main/items"
	stored := []string{"Accept-Profile", "public", "x-client-id-key-name", "id", "x-client-secret-key-name", "secret", "x-account-id", "acme"}
	read := func(query string, headers ...string) answer {
		t.Helper()
		return c.call(t, appToken, "GET", path+query, "", headers...)
	}
	rows := func(got answer, status int, want string) {
		t.Helper()
		if got.status != status {
			t.Fatalf("%d %s\n%s", got.status, got.body, c.log.String())
		}
		compareRows(t, got.body, want)
	}

	t.Run("both ways, filtered and in pages", func(t *testing.T) {
		for name, headers := range map[string][]string{
			"account": stored,
			"app":     {"Accept-Profile", "public", "x-client-id-key-name", "id", "x-client-secret-key-name", "secret", "x-allow-use-app-secret", "true"},
			"direct":  {"Accept-Profile", "public", "x-client-id", principal, "x-client-secret", secret},
		} {
			got := read("?select=id,name&order=id&id=gt.10&limit=2&offset=1", append(headers, "Prefer", "count=exact")...)
			rows(got, http.StatusPartialContent, `[{"id":14,"name":"item 14"},{"id":16,"name":"item 16"}]`)
			if r := got.header.Get("Content-Range"); r != "1-2/49995" {
				t.Errorf("%s: %s", name, r)
			}
		}
		seen := 0
		for offset := 0; ; offset += 20000 {
			got := read(fmt.Sprintf("?select=id&order=id&limit=20000&offset=%d", offset), stored...)
			var page []struct{ ID int }
			decode(t, got, 200, &page)
			if len(page) == 0 {
				break
			}
			seen += len(page)
		}
		if seen != 50000 {
			t.Errorf("%d rows in all pages", seen)
		}
	})
	t.Run("what the workspace refuses", func(t *testing.T) {
		for query, want := range map[string]int{"?nothing=eq.1": 400, "?select=id&id=eq.x": 400} {
			if got := read(query, stored...); got.status != want || !strings.Contains(got.body, `"code"`) {
				t.Errorf("%s: %d %s", query, got.status, got.body)
			}
		}
		other := c.call(t, appToken, "GET", base+listen+"/main/tasks", "", stored...)
		if other.status != http.StatusInternalServerError || !strings.Contains(other.body, "Synced table 'main.public.tasks' not found.") {
			t.Errorf("%d %s", other.status, other.body)
		}
		workspace.psql(t, `REVOKE SELECT ON items FROM "`+principal+`"`)
		if got := read("?limit=1", stored...); got.status != http.StatusForbidden || !strings.Contains(got.body, "42501") {
			t.Errorf("%d %s", got.status, got.body)
		}
		workspace.psql(t, `GRANT SELECT ON items TO "`+principal+`"`)
	})
	t.Run("who isn't an application", func(t *testing.T) {
		for name, token := range map[string]string{"a user": admin, "another scope": c.oauthToken(t, app, appSecret, "sql")} {
			if got := c.call(t, token, "GET", path, "", stored...); got.status != http.StatusUnauthorized && got.status != http.StatusForbidden {
				t.Errorf("%s: %d %s", name, got.status, got.body)
			}
		}
		if got := c.call(t, "x", "GET", path, "", stored...); got.status != http.StatusUnauthorized ||
			!strings.Contains(got.body, "Full authentication is required to access this resource") {
			t.Errorf("%d %s", got.status, got.body)
		}
	})
	t.Run("a secret that is rotated", func(t *testing.T) {
		keep(ofAccount, principal, "not-the-secret")
		if got := read("?limit=1", stored...); got.status != http.StatusUnauthorized || !strings.Contains(got.body, "Failed to get OAuth Databricks token. Status code: 401.") {
			t.Errorf("%d %s", got.status, got.body)
		}
		keep(ofAccount, principal, secret)
		rows(read("?select=id&order=id&limit=1", stored...), 200, `[{"id":2}]`)
	})
	t.Run("the workspace killed, and back", func(t *testing.T) {
		workspace.kill(t)
		if got := read("?limit=1", stored...); got.status != http.StatusInternalServerError {
			t.Errorf("%d %s", got.status, got.body)
		}
		workspace = serve(t, dir, "--listen", listen)
		workspace.url = "http://" + listen
		var got answer
		for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
			if got = read("?select=id&order=id&limit=1", stored...); got.status == http.StatusOK {
				break
			}
		}
		rows(got, 200, `[{"id":2}]`)
	})
	t.Run("nothing tells the secret", func(t *testing.T) {
		for name, text := range map[string]string{"log": c.log.String(), "audit": c.call(t, admin, "GET", "/api/2.0/tarn/audit", "").body} {
			if strings.Contains(text, secret) || strings.Contains(text, appToken) {
				t.Error(name, "does")
			}
		}
	})
}
