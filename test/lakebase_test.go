package test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const restPath = "/api/2.0/workspace/1983801286941885/rest/databricks_postgres/public"

// sql reads a file of the Lakebase documentation's statements.
func sql(t testing.TB, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "lakebase", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestLakebaseDocument follows the Lakebase Data API's documentation, statement by statement and command by command.
func TestLakebaseDocument(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Fatal("the documentation's commands need curl: ", err)
	}
	s := serve(t, dataDir(t))
	s.psql(t, sql(t, "1_enable.sql"))
	s.psql(t, sql(t, "2_sample.sql"))
	s.psql(t, sql(t, "3_permissions.sql"))
	environ := []string{
		"DBX_OAUTH_TOKEN=" + s.token(t, "user@databricks.com"),
		"REST_ENDPOINT=" + s.url + restPath,
	}
	curl := func(t *testing.T, command string) string {
		t.Helper()
		cmd := exec.Command("bash", "-c", strings.Replace(command, "curl ", "curl -sS --fail-with-body ", 1))
		cmd.Env = append(os.Environ(), environ...)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", command, err, out)
		}
		return string(out)
	}
	// The documentation leaves columns out of its answers, so only those that it has are compared.
	cases := []struct {
		name, command, want string
	}{
		{"embed", `curl -H "Authorization: Bearer $DBX_OAUTH_TOKEN" \
"$REST_ENDPOINT/clients?select=id,name,projects(id,name)&id=gte.2"`,
			`[{ "id": 2, "name": "TechStart Inc", "projects": [{ "id": 3, "name": "Database Migration" }] },
{ "id": 3, "name": "Global Solutions", "projects": [{ "id": 4, "name": "API Integration" }] }]`},
		{"query", `curl -H "Authorization: Bearer $DBX_OAUTH_TOKEN" \
"$REST_ENDPOINT/clients"`,
			`[{ "id": 1, "name": "Acme Corp", "email": "contact@acme.com", "company": "Acme Corporation", "phone": "+1-555-0101" },
{ "id": 2, "name": "TechStart Inc", "email": "hello@techstart.com", "company": "TechStart Inc", "phone": "+1-555-0102" }, {"id": 3}]`},
		{"filter", `curl -H "Authorization: Bearer $DBX_OAUTH_TOKEN" \
"$REST_ENDPOINT/clients?id=gte.2"`,
			`[{ "id": 2, "name": "TechStart Inc", "email": "hello@techstart.com" },
{ "id": 3, "name": "Global Solutions", "email": "info@globalsolutions.com" }]`},
		{"insert", `curl -X POST \
-H "Authorization: Bearer $DBX_OAUTH_TOKEN" \
-H "Content-Type: application/json" \
-d '{
"name": "New Client",
"email": "newclient@example.com",
"company": "New Company Inc",
"phone": "+1-555-0104"
}' \
"$REST_ENDPOINT/clients"`, ``},
		{"inserted", `curl -H "Authorization: Bearer $DBX_OAUTH_TOKEN" "$REST_ENDPOINT/clients?id=eq.4"`,
			`[{"id": 4, "name": "New Client", "email": "newclient@example.com", "company": "New Company Inc", "phone": "+1-555-0104"}]`},
		{"update", `curl -X PATCH \
-H "Authorization: Bearer $DBX_OAUTH_TOKEN" \
-H "Content-Type: application/json" \
-d '{"phone": "+1-555-0199"}' \
"$REST_ENDPOINT/clients?id=eq.1"`, ``},
		{"updated", `curl -H "Authorization: Bearer $DBX_OAUTH_TOKEN" "$REST_ENDPOINT/clients?id=eq.1"`,
			`[{"id": 1, "phone": "+1-555-0199"}]`},
		{"make one to delete", `curl -X POST -H "Authorization: Bearer $DBX_OAUTH_TOKEN" -H "Content-Type: application/json" \
-d '{"name": "Fifth", "email": "fifth@example.com"}' "$REST_ENDPOINT/clients"`, ``},
		{"delete", `curl -X DELETE \
-H "Authorization: Bearer $DBX_OAUTH_TOKEN" \
"$REST_ENDPOINT/clients?id=eq.5"`, ``},
		{"deleted", `curl -H "Authorization: Bearer $DBX_OAUTH_TOKEN" "$REST_ENDPOINT/clients?select=id"`,
			`[{"id": 2}, {"id": 3}, {"id": 4}, {"id": 1}]`},
		{"pagination", `curl -H "Authorization: Bearer $DBX_OAUTH_TOKEN" \
"$REST_ENDPOINT/tasks?limit=10&offset=0"`,
			`[{"id": 1}, {"id": 2}, {"id": 3}, {"id": 4}, {"id": 5}, {"id": 6}]`},
		{"sorting", `curl -H "Authorization: Bearer $DBX_OAUTH_TOKEN" \
"$REST_ENDPOINT/tasks?order=due_date.desc"`,
			`[{"due_date": "2024-04-30"}, {"due_date": "2024-04-01"}, {"due_date": "2024-03-15"}, {"due_date": "2024-02-15"},
{"due_date": "2024-02-01"}, {"due_date": "2024-01-15"}]`},
		{"complex filtering", `curl -H "Authorization: Bearer $DBX_OAUTH_TOKEN" \
"$REST_ENDPOINT/tasks?status=eq.in_progress&priority=eq.high"`,
			`[{"id": 1, "title": "Design Homepage"}]`},
		{"aggregates", `curl -H "Authorization: Bearer $DBX_OAUTH_TOKEN" "$REST_ENDPOINT/projects?select=budget.sum()"`,
			`[{"sum": 110000.00}]`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got := curl(t, c.command)
			if c.want == "" {
				if got != "" {
					t.Errorf("wanted no body, got %s", got)
				}
				return
			}
			compareRows(t, got, c.want)
		})
	}
	t.Run("the root document names the address", func(t *testing.T) {
		var doc struct{ Host, BasePath string }
		if err := json.Unmarshal([]byte(curl(t, `curl -H "Authorization: Bearer $DBX_OAUTH_TOKEN" "$REST_ENDPOINT/"`)), &doc); err != nil {
			t.Fatal(err)
		}
		if "http://"+doc.Host+doc.BasePath != s.url+restPath {
			t.Errorf("it names %s%s", doc.Host, doc.BasePath)
		}
	})
	t.Run("row-level security", func(t *testing.T) {
		s.psql(t, sql(t, "4_rls.sql"))
		// The change is heard of within moments; what it forbids is forbidden at once.
		compareRows(t, curl(t, `curl -H "Authorization: Bearer $DBX_OAUTH_TOKEN" "$REST_ENDPOINT/clients?select=id&order=id"`),
			`[{"id": 1}, {"id": 2}]`)
	})
}

// compareRows compares the keys that the wanted rows have.
func compareRows(t testing.TB, got, want string) {
	t.Helper()
	var g, w []map[string]any
	if err := json.Unmarshal([]byte(got), &g); err != nil {
		t.Fatalf("not an array of objects: %v\n%s", err, got)
	}
	if err := json.Unmarshal([]byte(want), &w); err != nil {
		t.Fatal(err)
	}
	for i := range g {
		for key := range g[i] {
			if i < len(w) {
				if _, ok := w[i][key]; !ok {
					delete(g[i], key)
				}
			}
		}
	}
	if diff := cmp.Diff(w, g); diff != "" {
		t.Errorf("wanted (-), got (+):\n%s", diff)
	}
}

// TestLakebasePolicies runs the documentation's patterns of row-level security.
func TestLakebasePolicies(t *testing.T) {
	s := serve(t, dataDir(t), "--sample")
	s.psql(t, `
		SELECT databricks_create_role('ann@example.com', 'USER');
		SELECT databricks_create_role('bob@example.com', 'USER');
		GRANT "ann@example.com", "bob@example.com" TO authenticator;
		CREATE ROLE auditors NOLOGIN; GRANT auditors TO "bob@example.com";
		GRANT USAGE ON SCHEMA public TO "ann@example.com", "bob@example.com";

		CREATE TABLE notes (id int PRIMARY KEY, user_email text);
		INSERT INTO notes VALUES (1, 'ann@example.com'), (2, 'bob@example.com'), (3, 'ann@example.com');
		ALTER TABLE notes ENABLE ROW LEVEL SECURITY;
		CREATE POLICY own ON notes USING (user_email = current_user);

		CREATE TABLE user_tenants (user_email text, tenant_id int);
		INSERT INTO user_tenants VALUES ('ann@example.com', 10), ('bob@example.com', 20);
		CREATE TABLE invoices (id int PRIMARY KEY, tenant_id int);
		INSERT INTO invoices VALUES (1, 10), (2, 20), (3, 20);
		ALTER TABLE invoices ENABLE ROW LEVEL SECURITY;
		CREATE POLICY tenant ON invoices USING (tenant_id = (SELECT tenant_id FROM user_tenants WHERE user_email = current_user));

		CREATE TABLE user_teams (user_email text, team_id int);
		INSERT INTO user_teams VALUES ('ann@example.com', 1), ('ann@example.com', 2), ('bob@example.com', 3);
		CREATE TABLE boards (id int PRIMARY KEY, team_id int);
		INSERT INTO boards VALUES (1, 1), (2, 2), (3, 3);
		ALTER TABLE boards ENABLE ROW LEVEL SECURITY;
		CREATE POLICY team ON boards USING (team_id IN (SELECT team_id FROM user_teams WHERE user_email = current_user));

		CREATE TABLE reports (id int PRIMARY KEY, required_role name);
		INSERT INTO reports VALUES (1, 'auditors'), (2, 'ann@example.com');
		ALTER TABLE reports ENABLE ROW LEVEL SECURITY;
		CREATE POLICY role_based ON reports USING (pg_has_role(current_user, required_role, 'member'));

		GRANT SELECT ON notes, user_tenants, invoices, user_teams, boards, reports TO "ann@example.com", "bob@example.com";
	`)
	ann, bob := s.token(t, "ann@example.com"), s.token(t, "bob@example.com")
	for _, c := range []struct{ table, token, want string }{
		{"notes", ann, `[{"id":1},{"id":3}]`},
		{"notes", bob, `[{"id":2}]`},
		{"invoices", ann, `[{"id":1}]`},
		{"invoices", bob, `[{"id":2},{"id":3}]`},
		{"boards", ann, `[{"id":1},{"id":2}]`},
		{"boards", bob, `[{"id":3}]`},
		{"reports", ann, `[{"id":2}]`},
		{"reports", bob, `[{"id":1}]`},
	} {
		url := s.url + restPath + "/" + c.table + "?select=id&order=id"
		var got answer
		for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(20 * time.Millisecond) {
			got = ask(t, "GET", url, "", "Authorization", "Bearer "+c.token)
			if got.status != 404 || time.Now().After(deadline) { // the new table is heard of within moments
				break
			}
		}
		if got.status != 200 {
			t.Errorf("%s: %d %s", c.table, got.status, got.body)
			continue
		}
		compareRows(t, got.body, c.want)
	}
}
