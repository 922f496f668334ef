package identity_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tarn-data/tarn/internal/auth"
	"github.com/tarn-data/tarn/internal/control/identity"
	"github.com/tarn-data/tarn/internal/endpoint"
	"github.com/tarn-data/tarn/internal/gateway"
	"github.com/tarn-data/tarn/internal/pgtest"
	"github.com/tarn-data/tarn/internal/store"
)

// byName believes who a caller says to be: how that is proved is tested elsewhere.
type byName struct{ directory auth.Directory }

func (b byName) AuthenticateCall(ctx context.Context, h http.Header) (*auth.Credential, error) {
	a, err := b.directory.Account(ctx, h.Get("X-Test-User"))
	if err != nil || a == nil || !a.Active {
		return nil, endpoint.Unauthenticated("nobody").WithCause(err)
	}
	return &auth.Credential{Account: a}, nil
}

type recordedRoles struct {
	mu            sync.Mutex
	made, retired []string
	fail          error
}

func (r *recordedRoles) Make(_ context.Context, name string, _ auth.Kind) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.made = append(r.made, name)
	return r.fail
}

func (r *recordedRoles) Retire(_ context.Context, name string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.retired = append(r.retired, name)
	return r.fail
}

const accountID = "7f28a622-2d2c-41f4-bd1b-e4059022ca63"

type site struct {
	t     *testing.T
	http  *httptest.Server
	state *store.DB
	db    *pgtest.DB
	roles *recordedRoles
	as    string
}

// newSite serves the API on a state with the administrator root.
func newSite(t *testing.T) *site {
	t.Helper()
	t.Parallel()
	db, log := pgtest.New(t), slog.New(slog.DiscardHandler)
	state, err := store.Open(t.Context(), store.Options{URL: db.URL, AppName: "test", Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(state.Close)
	if _, err := state.Bootstrap(t.Context(), "root", "hash", func() error { return nil }); err != nil {
		t.Fatal(err)
	}
	directory := state.Directory(time.Now)
	passwords, err := identity.NewPasswords(state, directory, identity.Cost{Memory: 64, Passes: 1, Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	s := &site{t: t, state: state, db: db, roles: &recordedRoles{}, as: "root"}
	service := &identity.Service{
		Store: state, Directory: directory, Roles: s.roles, AccountID: accountID, Passwords: passwords, Secrets: identity.NewSecrets(state, directory),
	}
	g, err := gateway.New(gateway.Options{
		Routes: service.Routes(), Auth: byName{directory}, WorkspaceID: "1234", Now: time.Now, NewID: func() string { return "id" },
		Source: func(*http.Request) netip.Addr { return netip.AddrFrom4([4]byte{127, 0, 0, 1}) }, Log: log,
	})
	if err != nil {
		t.Fatal(err)
	}
	s.http = httptest.NewServer(g)
	t.Cleanup(s.http.Close)
	return s
}

type answer struct {
	status int
	header http.Header
	text   string
	body   map[string]any
}

func (a answer) str(name string) string {
	s, _ := a.body[name].(string)
	return s
}

// call calls and expects a status.
func (s *site) call(status int, method, path, body string) answer {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.http.URL+path, bytes.NewBufferString(body))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("X-Test-User", s.as)
	res, err := s.http.Client().Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	a := answer{status: res.StatusCode, header: res.Header, text: string(text)}
	if len(text) > 0 {
		if err := json.Unmarshal(text, &a.body); err != nil {
			s.t.Fatalf("%s %s: %s", method, path, text)
		}
	}
	if res.StatusCode != status {
		s.t.Fatalf("%s %s %s: %d %s, want %d", method, path, body, res.StatusCode, text, status)
	}
	return a
}

const base = "/api/2.0/preview/scim/v2/"

func (s *site) user(name string) string {
	s.t.Helper()
	return s.call(201, "POST", base+"Users", fmt.Sprintf(`{"userName":%q}`, name)).str("id")
}

func (s *site) group(name string, members ...string) string {
	s.t.Helper()
	var list []string
	for _, m := range members {
		list = append(list, fmt.Sprintf(`{"value":%q}`, m))
	}
	return s.call(201, "POST", base+"Groups", fmt.Sprintf(`{"displayName":%q,"members":[%s]}`, name, strings.Join(list, ","))).str("id")
}

// found are the names of those that a filter finds.
func (s *site) found(kind, filter string) string {
	s.t.Helper()
	list := s.call(200, "GET", base+kind+"?sortBy=displayName&filter="+url.QueryEscape(filter), "")
	var names []string
	for _, r := range list.body["Resources"].([]any) {
		names = append(names, r.(map[string]any)["displayName"].(string))
	}
	return strings.Join(names, " ")
}

func TestUsers(t *testing.T) {
	s := newSite(t)
	made := s.call(201, "POST", base+"Users", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"ann@example.com",
		"name":{"givenName":"Ann","familyName":"Lee"},"entitlements":[{"value":"allow-cluster-create"}],"roles":[{"value":"arn:x"}],"unknown":1}`)
	id := made.str("id")
	want := `"emails":[{"value":"ann@example.com","type":"work","primary":true}]`
	if !strings.Contains(made.text, want) || made.body["active"] != true || made.str("displayName") != "ann@example.com" {
		t.Errorf("made %s", made.text)
	}
	got := s.call(200, "GET", base+"Users/"+id, "")
	if got.text != made.text || got.header.Get("X-Databricks-Org-Id") != "1234" {
		t.Errorf("got %s\nmade %s", got.text, made.text)
	}
	if !strings.Contains(got.text, `"groups":[{"value":"2","display":"users","$ref":"Groups/2","type":"direct"}]`) {
		t.Errorf("groups: %s", got.text)
	}
	again := s.call(409, "POST", base+"Users", `{"userName":"ANN@example.com"}`)
	if again.str("scimType") != "uniqueness" || again.str("status") != "409" {
		t.Errorf("conflict: %s", again.text)
	}
	s.call(200, "PATCH", base+"Users/"+id, `{"Operations":[{"op":"replace","path":"active","value":"false"},{"op":"add","value":{"roles":[{"value":"r2"}]}},
		{"op":"remove","path":"entitlements[value eq \"allow-cluster-create\"]"},{"op":"Add","path":"entitlements","value":[{"value":"workspace-access"}]}]}`)
	got = s.call(200, "GET", base+"Users/"+id, "")
	if got.body["active"] != false || !strings.Contains(got.text, `"roles":[{"value":"arn:x"},{"value":"r2"}]`) ||
		!strings.Contains(got.text, `"entitlements":[{"value":"workspace-access"}]`) {
		t.Errorf("changed %s", got.text)
	}
	got = s.call(200, "PUT", base+"Users/"+id, `{"userName":"other@example.com","active":true,"displayName":"Ann"}`)
	if got.str("userName") != "ann@example.com" || got.body["active"] != true || got.str("displayName") != "Ann" || !strings.Contains(got.text, `"roles":[]`) {
		t.Errorf("replaced %s", got.text)
	}
	for body, kind := range map[string]string{
		`{"userName":""}`: "invalidValue", `{}`: "invalidValue", `{"userName":"a\u0000b"}`: "invalidValue", `{"userName":" a"}`: "invalidValue",
		`{"userName":"` + strings.Repeat("x", 300) + `"}`:                   "invalidValue",
		`{"userName":"b","entitlements":[{"value":"god"}]}`:                 "invalidValue",
		`{"userName":"b","emails":[{"value":"no address"}]}`:                "invalidValue",
		`{"userName":"b","active":"perhaps"}`:                               "invalidValue",
		`{"userName":"b","externalId":"` + strings.Repeat("x", 2000) + `"}`: "invalidValue",
	} {
		if a := s.call(400, "POST", base+"Users", body); a.str("scimType") != kind {
			t.Errorf("%.60s: %s", body, a.text)
		}
	}
	s.call(204, "DELETE", base+"Users/"+id, "")
	for _, wrong := range []string{id, "0", "-1", "x", "99999999999999999999", "1"} {
		if a := s.call(404, "GET", base+"Users/"+wrong, ""); a.str("status") != "404" {
			t.Errorf("%s: %s", wrong, a.text)
		}
	}
	if fmt.Sprint(s.roles.made, s.roles.retired) != "[ann@example.com] [ann@example.com]" {
		t.Errorf("roles: %v %v", s.roles.made, s.roles.retired)
	}
}

func TestRoleFails(t *testing.T) {
	s := newSite(t)
	s.roles.fail = endpoint.Invalid("no")
	s.call(400, "POST", base+"Users", `{"userName":"ann"}`)
	s.roles.fail = nil
	id := s.user("ann") // nothing was left of the first attempt
	s.roles.fail = endpoint.InvalidState("no")
	s.call(400, "DELETE", base+"Users/"+id, "")
	s.call(200, "GET", base+"Users/"+id, "")
}

func TestMe(t *testing.T) {
	s := newSite(t)
	me := s.call(200, "GET", base+"Me", "")
	if me.str("userName") != "root" || !strings.Contains(me.text, `"display":"admins"`) || me.header.Get("X-Databricks-Org-Id") != "1234" {
		t.Errorf("%v %s", me.header, me.text)
	}
	s.call(200, "GET", "/api/2.0/scim/v2/Me", "")
	if me := s.call(200, "GET", base+"Me?attributes=userName", ""); len(me.body) != 3 {
		t.Errorf("only the name: %s", me.text)
	}
}

// TestMeIsOfNow changes who calls: though Me is kept in memory, it says so at once.
func TestMeIsOfNow(t *testing.T) {
	s := newSite(t)
	id := s.user("ann")
	me := func() string {
		s.as = "ann"
		defer func() { s.as = "root" }()
		return s.call(200, "GET", base+"Me", "").text
	}
	if first := me(); first != me() || !strings.Contains(first, `"id":"`+id+`"`) {
		t.Errorf("me: %s", first)
	}
	change := func(method, path, body, want string, there bool) {
		t.Helper()
		s.call(200, method, base+path, body)
		if got := me(); strings.Contains(got, want) != there {
			t.Errorf("after %s %s %s: %s", method, path, body, got)
		}
	}
	patch := func(op string) string { return `{"Operations":[` + op + `]}` }
	change("PATCH", "Users/"+id, patch(`{"op":"replace","path":"displayName","value":"Ann Lee"}`), `"displayName":"Ann Lee"`, true)
	change("PATCH", "Users/"+id, patch(`{"op":"add","path":"entitlements","value":[{"value":"allow-cluster-create"}]}`), "allow-cluster-create", true)
	inner := s.group("inner", id)
	if !strings.Contains(me(), `"display":"inner"`) {
		t.Error("ann doesn't know of the new group")
	}
	outer := s.group("outer", inner)
	if !strings.Contains(me(), `"display":"outer"`) {
		t.Error("ann doesn't know of the group around hers")
	}
	change("PATCH", "Groups/"+outer, patch(`{"op":"replace","path":"displayName","value":"around"}`), `"display":"around"`, true)
	change("PATCH", "Groups/"+outer, patch(`{"op":"remove","path":"members"}`), `"display":"around"`, false)
	s.call(204, "DELETE", base+"Groups/"+inner, "")
	if strings.Contains(me(), "inner") {
		t.Error("ann is in a group that isn't there")
	}
	s.call(200, "PATCH", base+"Users/"+id, patch(`{"op":"replace","path":"active","value":false}`))
	s.as = "ann"
	s.call(401, "GET", base+"Me", "")
}

func TestServicePrincipals(t *testing.T) {
	s := newSite(t)
	made := s.call(201, "POST", base+"ServicePrincipals", `{"displayName":"robot"}`)
	if len(made.str("applicationId")) != 36 || made.body["active"] != true {
		t.Errorf("made %s", made.text)
	}
	id := made.str("id")
	const app = "0F9B1F2E-1111-4222-8333-444455556666"
	given := s.call(201, "POST", base+"ServicePrincipals", `{"applicationId":"`+app+`"}`)
	if given.str("applicationId") != strings.ToLower(app) {
		t.Errorf("given %s", given.text)
	}
	s.call(400, "POST", base+"ServicePrincipals", `{"applicationId":"robot"}`)
	s.call(409, "POST", base+"ServicePrincipals", `{"applicationId":"`+strings.ToLower(app)+`"}`)
	s.call(200, "PUT", base+"ServicePrincipals/"+id, `{"displayName":"robot 2","roles":[{"value":"xyz"}]}`)
	s.call(200, "PATCH", base+"ServicePrincipals/"+id, `{"Operations":[{"op":"replace","path":"active","value":"false"}]}`)
	if got := s.call(200, "GET", base+"ServicePrincipals/"+id, ""); got.body["active"] != false || !strings.Contains(got.text, "xyz") {
		t.Errorf("got %s", got.text)
	}
	if got := s.found("ServicePrincipals", `applicationId eq "`+app+`"`); got != strings.ToLower(app) {
		t.Errorf("found %q", got)
	}
}

func TestGroups(t *testing.T) {
	s := newSite(t)
	ann, bob := s.user("ann"), s.user("bob")
	inner := s.group("inner", ann)
	outer := s.group("outer", inner, bob)
	got := s.call(200, "GET", base+"Users/"+ann, "")
	if !strings.Contains(got.text, `"display":"outer","$ref":"Groups/`+outer+`","type":"indirect"`) {
		t.Errorf("ann: %s", got.text)
	}
	got = s.call(200, "GET", base+"Groups/"+outer, "")
	if !strings.Contains(got.text, `{"value":"`+inner+`","display":"inner","$ref":"Groups/`+inner+`"}`) {
		t.Errorf("outer: %s", got.text)
	}
	// In a circle, be it a small one.
	for _, m := range []string{outer, inner} {
		a := s.call(400, "PATCH", base+"Groups/"+inner, `{"Operations":[{"op":"add","path":"members","value":[{"value":"`+m+`"}]}]}`)
		if a.str("scimType") != "invalidValue" {
			t.Errorf("%s", a.text)
		}
	}
	s.call(400, "PATCH", base+"Groups/"+inner, `{"Operations":[{"op":"add","path":"members","value":[{"value":"424242"}]}]}`)
	got = s.call(200, "PATCH", base+"Groups/"+outer, `{"Operations":[{"op":"remove","path":"members[value eq \"`+bob+`\"]"}]}`)
	if strings.Contains(got.text, "bob") || !strings.Contains(got.text, "inner") {
		t.Errorf("without bob: %s", got.text)
	}
	s.call(200, "PUT", base+"Groups/"+outer, `{"displayName":"renamed"}`)
	if got := s.call(200, "GET", base+"Groups/"+outer, ""); got.str("displayName") != "renamed" || !strings.Contains(got.text, `"members":[]`) {
		t.Errorf("replaced: %s", got.text)
	}
	s.call(409, "POST", base+"Groups", `{"displayName":"Renamed"}`)
	for _, fixed := range []string{"1", "2"} {
		s.call(400, "DELETE", base+"Groups/"+fixed, "")
		s.call(400, "PATCH", base+"Groups/"+fixed, `{"Operations":[{"op":"replace","path":"displayName","value":"x"}]}`)
	}
	s.call(400, "PATCH", base+"Groups/2", `{"Operations":[{"op":"remove","path":"members[value eq \"`+ann+`\"]"}]}`)
	s.call(200, "PATCH", base+"Groups/2", `{"Operations":[{"op":"add","path":"entitlements","value":[{"value":"allow-cluster-create"}]}]}`)
	s.call(204, "DELETE", base+"Groups/"+inner, "")
}

// TestCircles has many try to make circles at once.
func TestCircles(t *testing.T) {
	s := newSite(t)
	const n = 6
	var groups []string
	for i := range n {
		groups = append(groups, s.group(fmt.Sprint("g", i)))
	}
	var group sync.WaitGroup
	for i := range n {
		group.Go(func() { // each joins the next one; the last to come would close the circle
			body := `{"Operations":[{"op":"add","path":"members","value":"` + groups[(i+1)%n] + `"}]}`
			req, err := http.NewRequestWithContext(t.Context(), "PATCH", s.http.URL+base+"Groups/"+groups[i], strings.NewReader(body))
			if err != nil {
				t.Error(err)
				return
			}
			req.Header.Set("X-Test-User", "root")
			res, err := s.http.Client().Do(req)
			if err != nil {
				t.Error(err)
				return
			}
			_ = res.Body.Close()
		})
	}
	group.Wait()
	var edges int
	if err := s.db.Conn(t).QueryRow(t.Context(), "SELECT count(*) FROM tarn.members m JOIN tarn.principals p ON p.id = m.member_id WHERE p.kind = 'Group'").Scan(&edges); err != nil || edges != n-1 {
		t.Errorf("%d of %d edges, %v", edges, n, err)
	}
}

func TestLastAdmin(t *testing.T) {
	s := newSite(t)
	me := s.call(200, "GET", base+"Me", "").str("id")
	refuse := func(why string) {
		t.Helper()
		for method, path := range map[string]string{"DELETE": "Users/" + me, "PATCH": "Users/" + me, "PUT": "Groups/1"} {
			body := `{"displayName":"admins","members":[],"Operations":[{"op":"replace","path":"active","value":false}]}`
			if a := s.call(400, method, base+path, body); a.str("scimType") != "mutability" {
				t.Errorf("%s: %s %s: %s", why, method, path, a.text)
			}
		}
	}
	refuse("the last one")
	bob := s.user("bob")
	team := s.group("team", bob)
	s.call(200, "PATCH", base+"Groups/1", `{"Operations":[{"op":"add","path":"members","value":[{"value":"`+team+`"}]}]}`)
	refuse("oneself")
	s.as = "bob" // who administers through the team
	s.call(400, "PATCH", base+"Groups/"+team, `{"Operations":[{"op":"remove","path":"members"}]}`)
	s.call(400, "DELETE", base+"Groups/"+team, "")
	s.call(204, "DELETE", base+"Users/"+me, "")
	s.call(400, "DELETE", base+"Users/"+bob, "")
	s.as = "root"
	s.call(401, "GET", base+"Me", "")
}

func TestWhoMay(t *testing.T) {
	s := newSite(t)
	ann := s.user("ann")
	s.call(200, "PATCH", base+"Users/"+ann, `{"Operations":[{"op":"add","path":"roles","value":"arn:secret"}]}`)
	s.as = "ann"
	for _, path := range []string{"Users", "Groups", "ServicePrincipals"} {
		s.call(403, "POST", base+path, `{"userName":"x","displayName":"x"}`)
		s.call(200, "GET", base+path, "")
		s.call(403, "GET", "/api/2.0/accounts/"+accountID+"/scim/v2/"+path, "")
		for _, method := range []string{"PUT", "PATCH", "DELETE"} {
			s.call(403, method, base+path+"/"+ann, `{}`)
		}
	}
	if got := s.call(200, "GET", base+"Users/"+ann, ""); strings.Contains(got.text, "arn:secret") {
		t.Errorf("what others may not see: %s", got.text)
	}
	if got := s.call(200, "GET", base+"Me", ""); !strings.Contains(got.text, "arn:secret") {
		t.Errorf("who I am: %s", got.text)
	}
	s.call(403, "GET", base+"Users?filter="+url.QueryEscape(`roles co "arn"`), "")
	s.call(403, "GET", base+"Users?sortBy=externalId", "")
	s.as = "nobody"
	s.call(401, "GET", base+"Me", "")
}

func TestAccountPaths(t *testing.T) {
	s := newSite(t)
	ann := s.user("ann")
	got := s.call(200, "GET", "/api/2.0/accounts/"+accountID+"/scim/v2/Users/"+ann, "")
	if got.str("account_id") != accountID {
		t.Errorf("%s", got.text)
	}
	s.call(200, "PATCH", "/api/2.1/accounts/"+accountID+"/scim/v2/Users/"+ann, `{"Operations":[{"op":"add","value":{"roles":[{"value":"account_admin"}]}}]}`)
	s.call(404, "GET", "/api/2.0/accounts/other/scim/v2/Users/"+ann, "")
	s.call(404, "POST", "/api/2.0/accounts/other/scim/v2/Users", `{"userName":"x"}`)
}

func TestFilters(t *testing.T) {
	s := newSite(t)
	for _, body := range []string{
		`{"userName":"ann@example.com","displayName":"Ann","externalId":"X1","entitlements":[{"value":"allow-cluster-create"}],"name":{"familyName":"Lee"}}`,
		`{"userName":"bob@example.org","displayName":"Bob","active":false,"emails":[{"value":"b@home","type":"home"},{"value":"b@work","type":"work"}]}`,
		`{"userName":"o'hara%_\\","displayName":"O'Hara %_"}`,
	} {
		s.call(201, "POST", base+"Users", body)
	}
	ann := s.call(200, "GET", base+"Users?filter="+url.QueryEscape(`userName eq "ann@example.com"`), "").body["Resources"].([]any)[0].(map[string]any)["id"].(string)
	s.group("team", ann)
	for filter, want := range map[string]string{
		`userName eq "ANN@EXAMPLE.COM"`:                                 "Ann",
		`userName ne "root" and not (userName co "example")`:            "O'Hara %_",
		`userName sw "o'hara%_\\"`:                                      "O'Hara %_",
		`displayName ew "_"`:                                            "O'Hara %_",
		`displayName co "%"`:                                            "O'Hara %_",
		`active eq false`:                                               "Bob",
		`active eq "False"`:                                             "Bob",
		`active ne false and emails pr`:                                 "Ann",
		`externalId eq "X1"`:                                            "Ann",
		`externalId eq "x1"`:                                            "",
		`externalId pr`:                                                 "Ann",
		`not (externalId pr) and emails pr`:                             "Bob",
		`emails[type eq "work" and value eq "b@work"]`:                  "Bob",
		`emails[type eq "home" and value eq "b@work"]`:                  "",
		`emails.type eq "home"`:                                         "Bob",
		`emails co "@example"`:                                          "Ann",
		`entitlements eq "allow-cluster-create"`:                        "Ann",
		`groups.display eq "team"`:                                      "Ann",
		`name.familyName eq "lee"`:                                      "Ann",
		`name.familyName eq null and displayName eq "Bob"`:              "Bob",
		`id eq "` + ann + `"`:                                           "Ann",
		`displayName gt "a" and displayName lt "b"`:                     "Ann",
		`meta.created gt "2020-01-01T00:00:00Z" and displayName ge "O"`: "O'Hara %_ root",
		`displayName eq "x" or displayName eq 'Bob'`:                    "Bob",
		`urn:ietf:params:scim:schemas:core:2.0:User:userName sw "ann"`:  "Ann",
	} {
		if got := s.found("Users", filter); got != want {
			t.Errorf("%s: %q, want %q", filter, got, want)
		}
	}
	if got := s.found("Groups", `members.value eq "`+ann+`" and displayName ne "users"`); got != "team" {
		t.Errorf("groups of ann: %q", got)
	}
	for _, filter := range []string{
		`nothing eq "x"`, `password pr`, `active eq 5`, `active gt true`, `meta.created gt "soon"`, `meta.created co "2020-01-01T00:00:00Z"`,
		`emails[nothing eq "x"]`, `emails.nothing eq "x"`, `userName[value eq "x"]`, `emails[groups[value eq "x"]]`, `userName gt null`, `userName`,
	} {
		if a := s.call(400, "GET", base+"Users?filter="+url.QueryEscape(filter), ""); a.str("scimType") != "invalidFilter" {
			t.Errorf("%s: %s", filter, a.text)
		}
	}
}

// TestInjection sends what would be SQL if it were pasted anywhere.
func TestInjection(t *testing.T) {
	s := newSite(t)
	s.user("ann")
	for _, evil := range []string{`' OR '1'='1`, `'; DROP TABLE tarn.principals; --`, `") OR 1=1 --`, `$1`, `\'`, `%`, `_`, `x' UNION SELECT hash FROM passwords --`} {
		quoted, err := json.Marshal(evil)
		if err != nil {
			t.Fatal(err)
		}
		for _, op := range []string{"eq", "co", "sw", "ew"} {
			for _, attr := range []string{"userName", "displayName", "emails.value", "externalId", "id", "roles"} {
				if got := s.found("Users", attr+" "+op+" "+string(quoted)); got != "" {
					t.Errorf("%s %s %s found %q", attr, op, quoted, got)
				}
			}
		}
		s.call(400, "GET", base+"Users?filter="+url.QueryEscape(evil), "")
		s.call(400, "GET", base+"Users?sortBy="+url.QueryEscape(evil), "")
		s.call(200, "GET", base+"Users?sortOrder="+url.QueryEscape(evil)+"&attributes="+url.QueryEscape(evil), "")
	}
	s.call(400, "GET", base+"Users?sortBy=p.id", "")
	if got := s.found("Users", `userName eq "ann"`); got != "ann" {
		t.Errorf("found %q", got)
	}
}

func TestPages(t *testing.T) {
	s := newSite(t)
	for i := range 5 {
		s.user(fmt.Sprint("user", i))
	}
	seen := map[string]bool{}
	start := 1
	for {
		page := s.call(200, "GET", fmt.Sprintf("%sUsers?startIndex=%d&count=2&sortBy=userName&sortOrder=descending&attributes=id,userName", base, start), "")
		list := page.body["Resources"].([]any)
		if page.body["totalResults"] != 6.0 || page.body["startIndex"] != float64(start) || page.body["itemsPerPage"] != float64(len(list)) {
			t.Errorf("page %s", page.text)
		}
		if len(list) == 0 {
			break
		}
		for _, r := range list {
			u := r.(map[string]any)
			if len(u) != 3 { // with the schemas
				t.Errorf("%v", u)
			}
			seen[u["userName"].(string)] = true
		}
		start += len(list)
	}
	if len(seen) != 6 {
		t.Errorf("seen %v", seen)
	}
	if none := s.call(200, "GET", base+"Users?count=0", ""); none.body["totalResults"] != 6.0 || len(none.body["Resources"].([]any)) != 0 {
		t.Errorf("none: %s", none.text)
	}
	s.call(200, "GET", base+"Users?startIndex=-5&count=-1", "")
	s.call(400, "GET", base+"Users?count=many", "")
}

func TestSecretRoutes(t *testing.T) {
	s := newSite(t)
	sp := s.call(201, "POST", base+"ServicePrincipals", `{"displayName":"robot"}`)
	for _, path := range []string{
		"/api/2.0/accounts/" + accountID + "/servicePrincipals/" + sp.str("id") + "/credentials/secrets",
		"/api/2.0/accounts/servicePrincipals/" + sp.str("id") + "/credentials/secrets",
	} {
		made := s.call(200, "POST", path, `{"lifetime":"3600s"}`)
		secret := made.str("secret")
		if !strings.HasPrefix(secret, "dose") || made.str("status") != "ACTIVE" || made.str("id") == "" || made.str("expire_time") == "" {
			t.Errorf("made %s", made.text)
		}
		list := s.call(200, "GET", path, "")
		if strings.Contains(list.text, secret) || !strings.Contains(list.text, made.str("secret_hash")) {
			t.Errorf("listed %s", list.text)
		}
		s.as = "root"
		s.call(200, "DELETE", path+"/"+made.str("id"), "")
		s.call(404, "DELETE", path+"/"+made.str("id"), "")
		for _, lifetime := range []string{"3600", "-1s", "0s", "xs", "99999999999s", "NaNs"} {
			s.call(400, "POST", path, `{"lifetime":"`+lifetime+`"}`)
		}
	}
	path := "/api/2.0/accounts/servicePrincipals/" + sp.str("id") + "/credentials/secrets"
	for range 5 {
		s.call(200, "POST", path, ``)
	}
	if a := s.call(400, "POST", path, ``); a.str("error_code") != "QUOTA_EXCEEDED" {
		t.Errorf("a sixth: %s", a.text)
	}
	ann := s.user("ann")
	s.call(404, "POST", "/api/2.0/accounts/servicePrincipals/"+ann+"/credentials/secrets", ``)
	s.as = "ann"
	s.call(403, "POST", path, ``)
	s.call(403, "GET", path, ``)
	s.as = sp.str("applicationId")
	s.call(200, "GET", path, ``)
}

func TestSetPassword(t *testing.T) {
	s := newSite(t)
	ann, bob := s.user("ann"), s.user("bob")
	path := func(id string) string { return "/api/2.0/tarn/users/" + id + "/password" }
	s.call(200, "PUT", path(ann), `{"password":"correct horse battery"}`)
	s.call(400, "PUT", path(ann), `{"password":"short"}`)
	s.call(404, "PUT", path("424242"), `{"password":"correct horse battery"}`)
	s.as = "ann"
	s.call(403, "PUT", path(bob), `{"password":"correct horse battery"}`)
	s.call(401, "PUT", path("me"), `{"password":"another good one"}`)
	s.call(200, "PUT", path("me"), `{"password":"another good one","old_password":"correct horse battery"}`)
	if hash, err := s.state.PasswordHash(t.Context(), "ann"); err != nil || strings.Contains(hash, "another") || !strings.HasPrefix(hash, "$argon2id$") {
		t.Errorf("%q, %v", hash, err)
	}
}
