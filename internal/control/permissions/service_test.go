package permissions_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/tarn-data/tarn/internal/auth"
	"github.com/tarn-data/tarn/internal/control/permissions"
	"github.com/tarn-data/tarn/internal/endpoint"
	"github.com/tarn-data/tarn/internal/fault"
	"github.com/tarn-data/tarn/internal/gateway"
	"github.com/tarn-data/tarn/internal/pgtest"
	"github.com/tarn-data/tarn/internal/store"
)

// byName believes who a caller says to be: how that is proved is tested elsewhere.
type byName struct{ directory auth.Directory }

func (b byName) AuthenticateCall(ctx context.Context, h http.Header) (*auth.Credential, error) {
	a, err := b.directory.Account(ctx, h.Get("X-Test-User"))
	if err != nil || a == nil {
		return nil, endpoint.Unauthenticated("nobody").WithCause(err)
	}
	return &auth.Credential{Account: a}, nil
}

// tree is a source of objects: what each inherits from.
type tree map[string][]permissions.Object

func (t tree) Parents(_ context.Context, id string) ([]permissions.Object, error) {
	parents, ok := t[id]
	if !ok {
		return nil, permissions.ErrNoObject
	}
	return parents, nil
}

type site struct {
	t         *testing.T
	url       string
	service   *permissions.Service
	directory auth.Directory
	as        string
}

// newSite has the users root, who administers, ann, and bob, who is in the group inner, which is in outer; a job, a
// cluster, and a notebook in a folder.
func newSite(t *testing.T) *site {
	t.Helper()
	t.Parallel()
	db, log := pgtest.New(t), slog.New(slog.DiscardHandler)
	state, err := store.Open(t.Context(), store.Options{URL: db.URL, AppName: "test", Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(state.Close)
	db.Exec(t, `SET search_path = tarn; INSERT INTO principals (id, kind, name) VALUES (10, 'User', 'root'), (11, 'User', 'ann'), (12, 'User', 'bob'),
		(20, 'Group', 'inner'), (21, 'Group', 'outer'), (30, 'ServicePrincipal', '0f9b1f2e-1111-4222-8333-444455556666');
		INSERT INTO members VALUES (1, 10), (20, 12), (21, 20), (2, 10), (2, 11), (2, 12)`)
	s := &site{t: t, directory: state.Directory(time.Now), as: "root"}
	s.service = &permissions.Service{Store: state, Sources: map[string]permissions.Source{
		"jobs": tree{"1": nil}, "clusters": tree{"c-1": nil}, "warehouses": tree{"w": nil},
		"directories": tree{"5": nil}, "notebooks": tree{"7": {{Type: "directories", ID: "5"}}},
	}}
	g, err := gateway.New(gateway.Options{
		Routes: s.service.Routes(), Auth: byName{s.directory}, WorkspaceID: "1234", Now: time.Now, NewID: func() string { return "id" },
		Source: func(*http.Request) netip.Addr { return netip.AddrFrom4([4]byte{127, 0, 0, 1}) }, Log: log,
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(g)
	t.Cleanup(server.Close)
	s.url = server.URL + "/api/2.0/permissions/"
	return s
}

// call calls as somebody and expects a status.
func (s *site) call(status int, as, method, path, list string) string {
	s.t.Helper()
	body := ""
	if list != "" {
		body = `{"access_control_list":[` + list + `]}`
	}
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, bytes.NewBufferString(body))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("X-Test-User", as)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != status {
		s.t.Fatalf("%s %s %s: %d %s, want %d", method, path, body, res.StatusCode, text, status)
	}
	return string(text)
}

func (s *site) may(name, objectType, id string, level permissions.Level) bool {
	s.t.Helper()
	a, err := s.directory.Account(s.t.Context(), name)
	if err != nil || a == nil {
		s.t.Fatal(name, err)
	}
	err = s.service.Check(s.t.Context(), a, objectType, id, level)
	if err != nil && fault.From(err).Kind != fault.Denied {
		s.t.Fatal(err)
	}
	return err == nil
}

func contains(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%s\nlacks %s", text, part)
		}
	}
}

func TestLevels(t *testing.T) {
	s := newSite(t)
	contains(t, s.call(200, "ann", "GET", "clusters/c-1/permissionLevels", ""), "CAN_ATTACH_TO", "CAN_RESTART", "CAN_MANAGE", "description")
	s.call(200, "ann", "GET", "authorization/tokens/permissionLevels", "")
	s.call(400, "root", "GET", "toys/1/permissionLevels", "")
	s.call(400, "root", "GET", "authorization/toys", "")
	s.call(404, "root", "GET", "clusters/c-2", "")
	s.call(404, "root", "GET", "clusters/c%00%ff", "")
	s.call(404, "root", "GET", "experiments/1", "") // nobody knows of any
}

func TestSetAndUpdate(t *testing.T) {
	s := newSite(t)
	got := s.call(200, "root", "PUT", "clusters/c-1", `{"user_name":"ann","permission_level":"CAN_RESTART"},{"group_name":"outer","permission_level":"CAN_ATTACH_TO"}`)
	contains(t, got, `"object_id":"/clusters/c-1","object_type":"cluster"`,
		`{"user_name":"ann","all_permissions":[{"permission_level":"CAN_RESTART","inherited":false}]}`,
		`{"group_name":"outer","all_permissions":[{"permission_level":"CAN_ATTACH_TO","inherited":false}]}`,
		`{"group_name":"admins","all_permissions":[{"permission_level":"CAN_MANAGE","inherited":true,"inherited_from_object":["/clusters/"]}]}`)
	for _, c := range []struct {
		who   string
		level permissions.Level
		want  bool
	}{
		{"root", permissions.Manage, true}, {"ann", permissions.Attach, true}, {"ann", permissions.Restart, true}, {"ann", permissions.Manage, false},
		{"bob", permissions.Attach, true}, {"bob", permissions.Restart, false},
	} {
		if got := s.may(c.who, "clusters", "c-1", c.level); got != c.want {
			t.Errorf("%s %s: %v", c.who, c.level, got)
		}
	}
	s.call(200, "bob", "GET", "clusters/c-1", "")
	s.call(403, "ann", "PUT", "clusters/c-1", `{"user_name":"ann","permission_level":"CAN_MANAGE"}`)
	got = s.call(200, "root", "PATCH", "clusters/c-1", `{"user_name":"ann","permission_level":"CAN_MANAGE"},{"service_principal_name":"0f9b1f2e-1111-4222-8333-444455556666","permission_level":"CAN_ATTACH_TO"}`)
	contains(t, got, `"outer"`, `{"user_name":"ann","all_permissions":[{"permission_level":"CAN_MANAGE","inherited":false}]}`, "service_principal_name")
	got = s.call(200, "ann", "PUT", "clusters/c-1", `{"user_name":"ann","permission_level":"CAN_MANAGE"},{"group_name":"admins","permission_level":"CAN_MANAGE"}`)
	if strings.Contains(got, "outer") || s.may("bob", "clusters", "c-1", permissions.Attach) {
		t.Errorf("replaced: %s", got)
	}
	s.call(403, "bob", "GET", "clusters/c-1", "")
	for list, status := range map[string]int{
		`{"user_name":"ann","permission_level":"CAN_FLY"}`:        400,
		`{"user_name":"ann","permission_level":"CAN_MANAGE_RUN"}`: 400,
		`{"user_name":"ann"}`:               400,
		`{"permission_level":"CAN_MANAGE"}`: 400,
		`{"user_name":"ann","group_name":"outer","permission_level":"CAN_MANAGE"}`:                                                           400,
		`{"user_name":"nobody","permission_level":"CAN_MANAGE"}`:                                                                             404,
		`{"user_name":"a\u0000","permission_level":"CAN_MANAGE"}`:                                                                            404,
		`{"user_name":"outer","permission_level":"CAN_MANAGE"}`:                                                                              404,
		`{"group_name":"admins","permission_level":"CAN_RESTART"}`:                                                                           400,
		`{"user_name":"ann","permission_level":"CAN_MANAGE"},{"user_name":"ann","permission_level":"CAN_RESTART"}`:                           400,
		strings.Repeat(`{"user_name":"ann","permission_level":"CAN_MANAGE"},`, 1000) + `{"user_name":"ann","permission_level":"CAN_MANAGE"}`: 400,
	} {
		s.call(status, "root", "PUT", "clusters/c-1", list)
	}
	contains(t, s.call(200, "root", "GET", "clusters/c-1", ""), `{"user_name":"ann","all_permissions":[{"permission_level":"CAN_MANAGE","inherited":false}]}`)
}

func TestOwners(t *testing.T) {
	s := newSite(t)
	ann, err := s.directory.Account(t.Context(), "ann")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.service.Created(t.Context(), "jobs", "1", ann); err != nil {
		t.Fatal(err)
	}
	contains(t, s.call(200, "ann", "GET", "jobs/1", ""), `{"user_name":"ann","all_permissions":[{"permission_level":"IS_OWNER","inherited":false}]}`)
	s.call(400, "ann", "PUT", "jobs/1", `{"user_name":"bob","permission_level":"CAN_VIEW"}`)
	s.call(400, "ann", "PUT", "jobs/1", `{"group_name":"outer","permission_level":"IS_OWNER"}`)
	s.call(400, "ann", "PATCH", "jobs/1", `{"user_name":"ann","permission_level":"CAN_VIEW"}`)
	s.call(400, "ann", "PUT", "jobs/1", `{"user_name":"ann","permission_level":"IS_OWNER"},{"user_name":"bob","permission_level":"IS_OWNER"}`)
	got := s.call(200, "ann", "PATCH", "jobs/1", `{"user_name":"bob","permission_level":"IS_OWNER"}`)
	contains(t, got, `{"user_name":"bob","all_permissions":[{"permission_level":"IS_OWNER","inherited":false}]}`,
		`{"user_name":"ann","all_permissions":[{"permission_level":"CAN_MANAGE","inherited":false}]}`)
	// A warehouse keeps its owner where nothing is said of one.
	s.call(200, "root", "PUT", "warehouses/w", `{"user_name":"ann","permission_level":"IS_OWNER"}`)
	contains(t, s.call(200, "ann", "PUT", "warehouses/w", `{"user_name":"bob","permission_level":"CAN_USE"},{"user_name":"ann","permission_level":"CAN_USE"}`),
		"IS_OWNER", "CAN_USE")
	if err := s.service.Deleted(t.Context(), "jobs", "1"); err != nil || s.may("bob", "jobs", "1", permissions.View) {
		t.Errorf("permissions outlive the job: %v", err)
	}
}

func TestInherited(t *testing.T) {
	s := newSite(t)
	s.call(200, "root", "PUT", "directories/5", `{"group_name":"inner","permission_level":"CAN_EDIT"}`)
	if !s.may("bob", "notebooks", "7", permissions.Run) || s.may("bob", "notebooks", "7", permissions.Manage) || s.may("ann", "notebooks", "7", permissions.Read) {
		t.Error("a notebook inherits otherwise")
	}
	contains(t, s.call(200, "bob", "GET", "notebooks/7", ""),
		`{"group_name":"inner","all_permissions":[{"permission_level":"CAN_EDIT","inherited":true,"inherited_from_object":["/directories/5"]}]}`)
	s.call(200, "root", "PUT", "notebooks/7", `{"group_name":"inner","permission_level":"CAN_READ"}`)
	contains(t, s.call(200, "bob", "GET", "notebooks/7", ""), `[{"permission_level":"CAN_READ","inherited":false},{"permission_level":"CAN_EDIT","inherited":true,`)
}

func TestTokens(t *testing.T) {
	s := newSite(t)
	if !s.may("ann", "authorization", "tokens", permissions.Use) {
		t.Error("to begin with, everybody may use tokens")
	}
	s.call(403, "ann", "GET", "authorization/tokens", "")
	s.call(403, "ann", "PUT", "authorization/tokens", `{"user_name":"ann","permission_level":"CAN_USE"}`)
	contains(t, s.call(200, "root", "GET", "authorization/passwords", ""), `"object_id":"/authorization/passwords","object_type":"passwords"`, `"users"`)
	s.call(200, "root", "PUT", "authorization/tokens", `{"user_name":"bob","permission_level":"CAN_USE"}`)
	if s.may("ann", "authorization", "tokens", permissions.Use) || !s.may("bob", "authorization", "tokens", permissions.Use) || !s.may("root", "authorization", "tokens", permissions.Use) {
		t.Error("tokens are for others")
	}
}
