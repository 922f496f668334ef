package server

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tarn-data/tarn/internal/gateway"
	"github.com/tarn-data/tarn/internal/pgtest"
	"github.com/tarn-data/tarn/internal/ratelimit"
	"github.com/tarn-data/tarn/internal/token"
)

// testGateway is a platform with its gateway, without a listener.
type testGateway struct {
	*platform
	http.Handler
	admin string // a token
}

func newTestGateway(t testing.TB, change func(*ServeOptions, *gateway.Options)) *testGateway {
	t.Helper()
	opt := ServeOptions{
		Version: "test",
		DataDir: t.TempDir(), StateURL: pgtest.New(t).URL, AdminUser: "admin", VaultKeys: []string{"dir"},
		Out: io.Discard, Log: slog.New(slog.DiscardHandler),
		Gateway: GatewayOptions{Limit: ratelimit.Limit{Rate: 1e6, Burst: 1e6}},
	}
	var options gateway.Options
	if change != nil {
		change(&opt, &options)
	}
	p, err := openPlatform(t.Context(), opt, opt.StateURL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.close)
	ws, err := p.state.Workspace(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if options.Routes == nil {
		options.Routes = p.routes(ws)
	}
	options.Auth = p.creds.auth
	options.Doors, options.Guards = []gateway.Guard{&p.guards.gate}, []gateway.Guard{p.guards.limiter, scopes{}}
	options.Recorder, options.Observer = p.audit, p.guards.watch
	options.WorkspaceID, options.Now, options.NewID = strconv.FormatInt(ws.ID, 10), time.Now, gateway.NewIDs("test").Next
	options.Source, options.Log = remoteAddress, opt.Log
	g := &testGateway{platform: p}
	if g.Handler, err = gateway.New(options); err != nil {
		t.Fatal(err)
	}
	if g.admin, err = p.creds.keys.Mint(token.Claims{Subject: "admin", Lifetime: time.Hour}); err != nil {
		t.Fatal(err)
	}
	return g
}

// call makes a call as the administrator from an address, and reads a JSON object.
func (g *testGateway) call(t testing.TB, from, method, path, body string) (status int, out map[string]any) {
	t.Helper()
	r := httptest.NewRequestWithContext(context.WithoutCancel(t.Context()), method, path, strings.NewReader(body))
	r.RemoteAddr = from + ":4711"
	r.Header.Set("Authorization", "Bearer "+g.admin)
	w := httptest.NewRecorder()
	g.Handler.ServeHTTP(w, r)
	if w.Body.Len() > 0 {
		if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
			t.Fatalf("%s %s: %s", method, path, w.Body)
		}
	}
	return w.Code, out
}

const accessLists = "/api/2.0/ip-access-lists"

func TestIPAccessLists(t *testing.T) {
	g := newTestGateway(t, nil)
	const here = "198.51.100.1"
	expect := func(from, method, path, body string, status int, code string) map[string]any {
		t.Helper()
		got, out := g.call(t, from, method, path, body)
		if got != status || code != "" && out["error_code"] != code {
			t.Fatalf("%s %s %s: %d %v, want %d %s", method, path, body, got, out, status, code)
		}
		return out
	}
	id := func(out map[string]any) string { return out["ip_access_list"].(map[string]any)["list_id"].(string) }

	for _, body := range []string{
		`{"list_type":"ALLOW","ip_addresses":["198.51.100.0/24"]}`,
		`{"label":"x","list_type":"allow","ip_addresses":["198.51.100.0/24"]}`,
		`{"label":"x","list_type":"ALLOW"}`,
		`{"label":"x","list_type":"ALLOW","ip_addresses":["nowhere"]}`,
		`{"label":"x","list_type":"ALLOW","ip_addresses":["1.2.3.4/33"]}`,
	} {
		expect(here, "POST", accessLists, body, 400, "INVALID_PARAMETER_VALUE")
	}
	many, err := json.Marshal(strings.Split(strings.Repeat("192.0.2.1 ", 1000)+"192.0.2.1", " "))
	if err != nil {
		t.Fatal(err)
	}
	expect(here, "POST", accessLists, `{"label":"x","list_type":"BLOCK","ip_addresses":`+string(many)+`}`, 400, "QUOTA_EXCEEDED")
	expect(here, "POST", accessLists, `{"label":"x","list_type":"BLOCK","ip_addresses":["198.51.0.0/16"]}`, 400, "INVALID_STATE")
	expect(here, "POST", accessLists, `{"label":"x","list_type":"ALLOW","ip_addresses":["192.0.2.1"]}`, 400, "INVALID_STATE")

	office := expect(here, "POST", accessLists, `{"label":"office","list_type":"ALLOW","ip_addresses":["198.51.100.0/24"],"more":1}`, 200, "")
	list := office["ip_access_list"].(map[string]any)
	if list["address_count"] != 1.0 || list["enabled"] != true || list["created_at"].(float64) == 0 || list["created_by"].(float64) == 0 {
		t.Errorf("made %v", list)
	}
	other := id(expect(here, "POST", accessLists, `{"label":"home","list_type":"ALLOW","ip_addresses":["203.0.113.9"]}`, 200, ""))
	expect("192.0.2.1", "GET", accessLists+"/"+id(office), "", 200, "") // not enforced yet

	expect(here, "PATCH", "/api/2.0/workspace-conf", `{"enableIpAccessLists":"perhaps"}`, 400, "INVALID_PARAMETER_VALUE")
	expect(here, "PATCH", "/api/2.0/workspace-conf", `{"noSuchKey":"true"}`, 400, "INVALID_PARAMETER_VALUE")
	expect("192.0.2.1", "PATCH", "/api/2.0/workspace-conf", `{"enableIpAccessLists":"true"}`, 400, "INVALID_STATE")
	expect(here, "PATCH", "/api/2.0/workspace-conf", `{"enableIpAccessLists":"true"}`, 204, "")
	eventually(t, func() bool { return g.guards.gate.Enforced() })
	if out := expect(here, "GET", "/api/2.0/workspace-conf?keys=enableIpAccessLists,maxTokenLifetimeDays", "", 200, ""); out["enableIpAccessLists"] != "true" || len(out) != 2 {
		t.Errorf("settings are %v", out)
	}
	expect("192.0.2.1", "GET", accessLists, "", 403, "PERMISSION_DENIED")
	expect("192.0.2.1", "GET", "/.well-known/databricks-config", "", 403, "PERMISSION_DENIED")

	// Nothing locks out who does it.
	expect(here, "DELETE", accessLists+"/"+id(office), "", 400, "INVALID_STATE")
	expect(here, "PATCH", accessLists+"/"+id(office), `{"enabled":false}`, 400, "INVALID_STATE")
	expect(here, "PUT", accessLists+"/"+id(office), `{"label":"office","list_type":"BLOCK","ip_addresses":["198.51.100.0/24"],"enabled":true}`, 400, "INVALID_STATE")
	expect(here, "DELETE", accessLists+"/"+other, "", 200, "")
	expect(here, "DELETE", accessLists+"/"+other, "", 404, "RESOURCE_DOES_NOT_EXIST")
	expect(here, "PATCH", accessLists+"/"+id(office), `{"ip_addresses":["198.51.100.0/24","192.0.2.1"]}`, 200, "")
	eventually(t, func() bool {
		status, _ := g.call(t, "192.0.2.1", "GET", accessLists, "")
		return status == 200
	})
	if all := expect(here, "GET", accessLists, "", 200, "")["ip_access_lists"].([]any); len(all) != 1 {
		t.Errorf("there are %v", all)
	}
}

// eventually waits for what is to become so.
func eventually(t testing.TB, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !so(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it did not become so")
		}
	}
}

func TestRateLimitRules(t *testing.T) {
	g := newTestGateway(t, nil)
	const here, path = "198.51.100.1", "/api/2.0/rate-limits"
	for _, body := range []string{
		`{}`, `{"endpoint":"*"}`, `{"endpoint":"a","requests_per_second":1}`, `{"endpoint":"a.b.*","requests_per_second":-1}`,
		`{"endpoint":"*","scope":"NOBODY","requests_per_second":1}`, `{"endpoint":"*","scope":"WORKSPACE","principal":"a","requests_per_second":1}`,
		`{"endpoint":"*","requests_per_second":1,"burst":0}`, `{"endpoint":"*","requests_per_second":1e9}`,
	} {
		if status, out := g.call(t, here, "POST", path, body); status != 400 || out["error_code"] != "INVALID_PARAMETER_VALUE" {
			t.Errorf("%s: %d %v", body, status, out)
		}
	}
	limit := `{"endpoint":"ipAccessLists.*","principal":"admin","requests_per_second":0.001,"burst":2,"comment":"slow"}`
	status, made := g.call(t, here, "POST", path, limit)
	if status != 200 || made["scope"] != "PRINCIPAL" || made["burst"] != 2.0 {
		t.Fatalf("%d %v", status, made)
	}
	if status, out := g.call(t, here, "POST", path, limit); status != 400 || out["error_code"] != "RESOURCE_ALREADY_EXISTS" {
		t.Errorf("%d %v", status, out)
	}
	var refused map[string]any
	eventually(t, func() bool {
		status, refused = g.call(t, here, "GET", accessLists, "")
		return status == http.StatusTooManyRequests
	})
	if refused["error_code"] != "REQUEST_LIMIT_EXCEEDED" {
		t.Errorf("refused with %v", refused)
	}
	one := path + "/" + made["limit_id"].(string)
	if status, out := g.call(t, here, "PATCH", one, `{"requests_per_second":0}`); status != 200 || out["requests_per_second"] != 0.0 || out["comment"] != "slow" {
		t.Errorf("%d %v", status, out)
	}
	eventually(t, func() bool {
		status, _ := g.call(t, here, "GET", accessLists, "")
		return status == 200
	})
	if status, out := g.call(t, here, "DELETE", one, ""); status != 200 || len(out) != 0 {
		t.Errorf("%d %v", status, out)
	}
	if status, _ := g.call(t, here, "GET", one, ""); status != 404 {
		t.Errorf("%d", status)
	}
	if status, out := g.call(t, here, "GET", path, ""); status != 200 || len(out["rate_limits"].([]any)) != 0 {
		t.Errorf("%d %v", status, out)
	}
}

// TestGuessersAreLimited: who tries one token after the other is limited by address.
func TestGuessersAreLimited(t *testing.T) {
	g := newTestGateway(t, func(o *ServeOptions, _ *gateway.Options) { o.Gateway.Limit = ratelimit.Limit{Rate: 0.001, Burst: 3} })
	statuses := ""
	for range 5 {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, accessLists, bytes.NewReader(nil))
		r.Header.Set("Authorization", "Bearer guessed")
		w := httptest.NewRecorder()
		g.Handler.ServeHTTP(w, r)
		statuses += strconv.Itoa(w.Code) + " "
	}
	if statuses != "401 401 401 429 429 " {
		t.Errorf("answered %s", statuses)
	}
}
