package test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tarn-data/tarn/internal/pgtest"
)

const (
	coreSecret = "a secret of the tests that nobody needs to keep"
	coreRoles  = 8
)

// core is a database with a bit of all that the Data API works with, on any server.
type core struct {
	db    *pgtest.DB
	login string
	anon  string
	roles []string // each with two notes that only it sees
}

func newCore(t testing.TB, db *pgtest.DB) *core {
	t.Helper()
	schema, err := os.ReadFile("testdata/core/schema.sql")
	if err != nil {
		t.Fatal(err)
	}
	db.Exec(t, string(schema))
	c := &core{db: db, login: db.Role(t, "LOGIN NOINHERIT"), anon: db.Role(t, "NOLOGIN")}
	for range coreRoles {
		c.roles = append(c.roles, db.Role(t, "NOLOGIN"))
	}
	for _, role := range append([]string{c.anon}, c.roles...) {
		db.Exec(t, fmt.Sprintf(`GRANT %q TO %q; GRANT USAGE ON SCHEMA api TO %[1]q; GRANT ALL ON ALL TABLES IN SCHEMA api TO %[1]q;
			INSERT INTO api.notes (owner, body) SELECT '%[1]s', 'note ' || i FROM generate_series(1, 2) i`, role, c.login))
	}
	return c
}

// serve starts a Data API on the database.
func (c *core) serve(t testing.TB, environ ...string) *tarn {
	t.Helper()
	return startDataAPI(t, c.db, c.login, c.anon, append([]string{
		"PGRST_DB_SCHEMAS=api", "PGRST_JWT_SECRET=" + coreSecret, "PGRST_DB_TX_END=commit-allow-override",
	}, environ...)...)
}

// as are the headers of a request by one of the roles.
func (c *core) as(t testing.TB, role int) []string {
	t.Helper()
	return []string{"Authorization", "Bearer " + signHS256(t, coreSecret, map[string]any{"role": c.roles[role]})}
}

// coreCase is a request and its answer. Cases are played in order, since some write what others read.
type coreCase struct {
	name    string
	request string // method and path
	body    string
	headers []string
	status  int
	want    string // JSON; not looked at if empty
}

func coreReads() []coreCase {
	const singular = "application/vnd.pgrst.object+json"
	return []coreCase{
		{name: "rows", request: "GET /tasks?id=lte.2&order=id.desc", status: 200, want: `[
			{"id":2,"project_id":1,"title":"pour","tags":["wet"],"doubled":4},
			{"id":1,"project_id":1,"title":"dig","tags":["wet","deep"],"doubled":2}]`},
		{name: "many-to-one through a view", request: "GET /tasks?select=id,projects(name,state,clients(name))&id=eq.3", status: 200,
			want: `[{"id":3,"projects":{"name":"weir","state":"open","clients":{"name":"Blu"}}}]`},
		{name: "one-to-many through views", request: "GET /clients?select=name,projects(name,tasks(title))&id=eq.1&projects.order=id&projects.tasks.order=id",
			status: 200, want: `[{"name":"Acme","projects":[{"name":"dam","tasks":[{"title":"dig"},{"title":"pour"}]},{"name":"gate","tasks":[]}]}]`},
		{name: "many-to-many", request: "GET /people?select=name,tasks(title)&id=eq.2", status: 200, want: `[{"name":"Bob","tasks":[{"title":"dig"}]}]`},
		{name: "inner join and spread", request: "GET /tasks?select=id,...projects!inner(project:name)&projects.client_id=eq.2", status: 200,
			want: `[{"id":3,"project":"weir"}]`},
		{name: "computed field", request: "GET /tasks?select=id,title_length&id=eq.1", status: 200, want: `[{"id":1,"title_length":3}]`},
		{name: "materialized view", request: "GET /sizes?select=name,projects&order=id", status: 200, want: `[{"name":"Acme","projects":2},{"name":"Blu","projects":1}]`},
		{name: "partitioned table", request: "GET /events?select=what&order=id", status: 200, want: `[{"what":"old"},{"what":"new"}]`},
		{name: "enum, array and logic", request: "GET /tasks?select=id&or=(tags.cs.{deep},id.gt.2)&order=id", status: 200, want: `[{"id":1},{"id":3}]`},
		{name: "count", request: "GET /tasks?select=id&limit=1&order=id", headers: []string{"Prefer", "count=exact"}, status: 206, want: `[{"id":1}]`},
		{name: "planned count", request: "HEAD /tasks?limit=1", headers: []string{"Prefer", "count=planned"}, status: 206},
		{name: "one", request: "GET /people?id=eq.1", headers: []string{"Accept", singular}, status: 200, want: `{"id":1,"name":"Ann"}`},
		{name: "one of many", request: "GET /people", headers: []string{"Accept", singular}, status: 406},
		{name: "CSV", request: "GET /people?id=eq.1", headers: []string{"Accept", "text/csv"}, status: 200},
		{name: "plan", request: "GET /people", headers: []string{"Accept", "application/vnd.pgrst.plan"}, status: 406},
		{name: "immutable function", request: "GET /rpc/add?a=41", status: 200, want: `42`},
		{name: "function of rows", request: "GET /rpc/open_projects?of_client=1&select=name,clients(name)&order=id", status: 200,
			want: `[{"name":"dam","clients":{"name":"Acme"}},{"name":"gate","clients":{"name":"Acme"}}]`},
		{name: "description", request: "GET /", status: 200},
		{name: "unknown column", request: "GET /tasks?nope=eq.1", status: 400},
		{name: "unknown relation", request: "GET /nope", status: 404},
		{name: "bad value", request: "GET /tasks?id=eq.x", status: 400},
	}
}

func coreWrites() []coreCase {
	const (
		whole    = "return=representation"
		singular = "application/vnd.pgrst.object+json"
	)
	return []coreCase{
		{name: "insert", request: "POST /tasks?select=id,title,doubled", body: `[{"id":10,"project_id":2,"title":"weld"},{"id":11,"project_id":2,"title":"test"}]`,
			headers: []string{"Prefer", whole}, status: 201, want: `[{"id":10,"title":"weld","doubled":20},{"id":11,"title":"test","doubled":22}]`},
		{name: "insert through a view", request: "POST /clients", body: `{"name":"Cyan"}`, headers: []string{"Prefer", whole}, status: 201, want: `[{"id":3,"name":"Cyan"}]`},
		{name: "insert that breaks a key", request: "POST /tasks", body: `{"id":10,"project_id":2,"title":"again"}`, status: 409},
		{name: "insert that breaks a foreign key", request: "POST /tasks", body: `{"id":12,"project_id":99,"title":"lost"}`, status: 409},
		{name: "insert that breaks a domain", request: "POST /clients", body: `{"name":"` + strings.Repeat("x", 40) + `"}`, status: 400},
		{name: "upsert", request: "POST /people?on_conflict=id", body: `[{"id":2,"name":"Bobby"},{"id":3,"name":"Cid"}]`,
			headers: []string{"Prefer", whole + ", resolution=merge-duplicates"}, status: 201, want: `[{"id":2,"name":"Bobby"},{"id":3,"name":"Cid"}]`},
		{name: "upsert of what is there", request: "POST /people", body: `{"id":3,"name":"Cy"}`,
			headers: []string{"Prefer", whole + ", resolution=merge-duplicates"}, status: 200, want: `[{"id":3,"name":"Cy"}]`},
		{name: "upsert that ignores", request: "POST /people", body: `[{"id":2,"name":"Bert"},{"id":4,"name":"Dot"}]`,
			headers: []string{"Prefer", whole + ", resolution=ignore-duplicates"}, status: 201, want: `[{"id":4,"name":"Dot"}]`},
		{name: "put", request: "PUT /people?id=eq.4", body: `{"id":4,"name":"Dora"}`, headers: []string{"Prefer", whole}, status: 200, want: `[{"id":4,"name":"Dora"}]`},
		{name: "update", request: "PATCH /projects?id=eq.2&select=id,state", body: `{"state":"done"}`, headers: []string{"Prefer", whole}, status: 200, want: `[{"id":2,"state":"done"}]`},
		{name: "update of one that is many", request: "PATCH /tasks?id=gte.10", body: `{"title":"no"}`, headers: []string{"Prefer", whole, "Accept", singular}, status: 406},
		{name: "update of too many", request: "PATCH /tasks?id=gte.10", body: `{"title":"no"}`, headers: []string{"Prefer", "handling=strict, max-affected=1"}, status: 400},
		{name: "rolled back", request: "DELETE /task_people", headers: []string{"Prefer", "tx=rollback"}, status: 204},
		{name: "delete", request: "DELETE /tasks?id=eq.11", headers: []string{"Prefer", whole}, status: 200,
			want: `[{"id":11,"project_id":2,"title":"test","tags":[],"doubled":22}]`},
		{name: "what came of it", request: "GET /tasks?select=id,title,people(name)&order=id&people.order=id", status: 200, want: `[
			{"id":1,"title":"dig","people":[{"name":"Ann"},{"name":"Bobby"}]}, {"id":2,"title":"pour","people":[{"name":"Ann"}]},
			{"id":3,"title":"paint","people":[]}, {"id":10,"title":"weld","people":[]}]`},
		{name: "function that fails", request: "POST /rpc/fail", body: `{"code":"PT402"}`, status: 402},
		{name: "function that makes its answer", request: "POST /rpc/teapot", body: `{}`, status: 418, want: `"tea"`},
		{name: "function that sets the session", request: "POST /rpc/remember", body: `{"what":"me"}`, status: 204},
		{name: "session afterwards", request: "GET /rpc/recall", status: 200, want: `""`},
	}
}

// check plays cases as one of the roles.
func (c *core) check(t *testing.T, s *tarn, cases []coreCase) {
	t.Helper()
	bearer := c.as(t, 0)
	for _, cs := range cases {
		t.Run(cs.name, func(t *testing.T) {
			method, path, _ := strings.Cut(cs.request, " ")
			headers := append([]string{"Content-Type", "application/json"}, append(cs.headers, bearer...)...)
			got := ask(t, method, s.url+path, cs.body, headers...)
			if got.status != cs.status {
				t.Fatalf("wanted %d, got %d %s", cs.status, got.status, got.body)
			}
			if cs.want != "" {
				compareJSON(t, got.body, cs.want)
			}
		})
	}
	t.Run("own rows only", func(t *testing.T) {
		for role := range c.roles {
			c.checkNotes(t, s, role)
		}
	})
}

// checkLarge writes and reads what takes other ways than a few rows do.
func (c *core) checkLarge(t *testing.T, s *tarn) {
	t.Helper()
	const rows = 3000
	var people []map[string]any
	for i := range rows {
		people = append(people, map[string]any{"id": 1000 + i, "name": strings.Repeat("x", 100)})
	}
	body, err := json.Marshal(people)
	if err != nil {
		t.Fatal(err)
	}
	headers := append([]string{"Content-Type", "application/json"}, c.as(t, 0)...)
	for i, status := range []int{201, 409} {
		if got := ask(t, "POST", s.url+"/people", string(body), headers...); got.status != status {
			t.Errorf("insert %d: %d %.300s", i, got.status, got.body)
		}
	}
	got := ask(t, "GET", s.url+"/people?id=gte.1000&order=id", "", headers...)
	compareJSON(t, got.body, string(body))
	if got := ask(t, "DELETE", s.url+"/people?id=gte.1000", "", append(headers, "Prefer", "count=exact")...); got.header.Get("Content-Range") != "*/3000" {
		t.Errorf("delete: %d %s", got.status, got.header.Get("Content-Range"))
	}
}

// checkNotes checks that a role sees its own notes.
func (c *core) checkNotes(t testing.TB, s *tarn, role int) {
	t.Helper()
	got := ask(t, "GET", s.url+"/notes?select=owner,body&order=id", "", c.as(t, role)...)
	compareJSON(t, got.body, fmt.Sprintf(`[{"owner":%q,"body":"note 1"},{"owner":%[1]q,"body":"note 2"}]`, c.roles[role]))
}

func compareJSON(t testing.TB, got, want string) {
	t.Helper()
	var g, w any
	if err := json.Unmarshal([]byte(want), &w); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(got), &g); err != nil {
		t.Fatalf("no JSON: %s", got)
	}
	if diff := cmp.Diff(w, g); diff != "" {
		t.Errorf("wanted (-), got (+):\n%s", diff)
	}
}

func TestCore(t *testing.T) {
	c := newCore(t, pgtest.New(t))
	s := c.serve(t)
	c.check(t, s, coreReads())
	c.check(t, s, coreWrites())
	c.checkLarge(t, s)
}
