package connection_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tarn-data/tarn/internal/auth"
	"github.com/tarn-data/tarn/internal/connection"
	"github.com/tarn-data/tarn/internal/endpoint"
	"github.com/tarn-data/tarn/internal/gateway"
	"github.com/tarn-data/tarn/internal/outbound"
	"github.com/tarn-data/tarn/internal/pgtest"
	"github.com/tarn-data/tarn/internal/store"
	"github.com/tarn-data/tarn/internal/vault"
	"github.com/tarn-data/tarn/internal/workspace"
)

// accounts are who there is. A caller says its name as the bearer token: how callers prove who they are is tested elsewhere.
type accounts map[string]*auth.Account

func (a accounts) AuthenticateCall(_ context.Context, h http.Header) (*auth.Credential, error) {
	_, name, _ := strings.Cut(h.Get("Authorization"), " ")
	if a[name] == nil {
		return nil, endpoint.Unauthenticated("Who are you?")
	}
	return &auth.Credential{Account: a[name]}, nil
}

func (a accounts) Account(_ context.Context, name string) (*auth.Account, error) { return a[name], nil }

func people() accounts {
	return accounts{
		"admin":  {ID: 1, Kind: auth.User, Name: "admin", Active: true, Admin: true},
		"ann":    {ID: 2, Kind: auth.User, Name: "ann", Active: true},
		"bob":    {ID: 3, Kind: auth.User, Name: "bob", Active: true, GroupNames: []string{"integrators"}},
		"robot":  {ID: 4, Kind: auth.ServicePrincipal, Name: "robot", Active: true},
		"nobody": {ID: 5, Kind: auth.User, Name: "nobody", Active: true},
	}
}

// world is an API of connections on a real state.
type world struct {
	db  *pgtest.DB
	api *httptest.Server
	log *lines
}

type lines struct {
	mu sync.Mutex
	bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.Buffer.Write(p)
}

func newWorld(t *testing.T, rules ...string) *world {
	t.Helper()
	return newWorldOf(t, 0, rules...)
}

// newWorldOf is a world in which a test of a connection may take so long.
func newWorldOf(t *testing.T, testTimeout time.Duration, rules ...string) *world {
	t.Helper()
	w := &world{db: pgtest.New(t), log: &lines{}}
	log := slog.New(slog.NewTextHandler(w.log, nil))
	state, err := store.Open(t.Context(), store.Options{URL: w.db.URL, AppName: "test", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(state.Close)
	sources, err := vault.ParseSources(nil, vault.SourceOptions{Dir: filepath.Join(t.TempDir(), "vault")})
	if err != nil {
		t.Fatal(err)
	}
	sealer, err := vault.Open(t.Context(), vault.Options{Store: state, Sources: sources, Now: time.Now, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := outbound.ParseRules(append(rules, outbound.Default()...))
	if err != nil {
		t.Fatal(err)
	}
	out := outbound.New(outbound.Options{Rules: parsed, Timeout: 20 * time.Second, MaxBody: 1 << 20})
	t.Cleanup(out.Close)
	s := connection.NewService(connection.Options{
		Store: state, Sealer: sealer, Outbound: out, Workspace: workspace.New(out, hurry), Directory: people(), NewID: newID, Now: time.Now, Log: log,
		TestTimeout: testTimeout,
	})
	g, err := gateway.New(gateway.Options{
		Routes: append(s.Routes(), s.ReltioRoutes()...), Auth: people(), Now: time.Now, NewID: rand.Text, Log: log,
		Source: func(*http.Request) netip.Addr { return netip.Addr{} },
	})
	if err != nil {
		t.Fatal(err)
	}
	w.api = httptest.NewServer(g)
	t.Cleanup(w.api.Close)
	return w
}

// hurry waits for a tenth of the time.
func hurry(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d / 10):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:])
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// call makes a call and returns its status and body.
func (w *world) call(t *testing.T, who, method, path, body string) (int, map[string]any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, w.api.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+who)
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "hush-hush") {
		t.Errorf("%s %s shows a secret: %s", method, path, text)
	}
	var out map[string]any
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatalf("%s %s: %s", method, path, text)
	}
	return res.StatusCode, out
}

// must makes a call that has to succeed.
func (w *world) must(t *testing.T, who, method, path, body string) map[string]any {
	t.Helper()
	status, out := w.call(t, who, method, path, body)
	if status != http.StatusOK {
		t.Fatalf("%s %s: %d %v", method, path, status, out)
	}
	return out
}

func reltio(tenant, rest string) string {
	return "/reltio/api/tenants/" + tenant + "/interactions/database-configs" + rest
}

const combined = "/databricks/oauth/credentials"

// body is a request's body; what is changed is pairs of a field and its JSON, or an empty text to leave the field out.
func body(changed ...string) string {
	fields := map[string]string{
		"connectionName": `"databricks-connection-01"`,
		"workspaceUrl":   `"https://adb-1234567890123456.7.azuredatabricks.net"`,
		"warehouseId":    `"ab1c2d3ef5g6h7i8"`,
		"clientId":       `"a1b2c3d4-e5f6-7890-abcd-ef1234567890"`,
		"clientSecret":   `"hush-hush"`,
	}
	for i := 0; i < len(changed); i += 2 {
		fields[changed[i]] = changed[i+1]
	}
	var parts []string
	for name, value := range fields {
		if value != "" {
			parts = append(parts, fmt.Sprintf("%q: %s", name, value))
		}
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

func TestCreateAndStore(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	before := time.Now().UnixMilli()
	out := w.must(t, "admin", http.MethodPost, reltio("ce5627DYnQ6abcD", combined), body())
	result, ok := out["result"].(map[string]any)
	if !ok || len(out) != 2 || len(result) != 5 || out["successful"] != true ||
		result["connectionName"] != "databricks-connection-01" || result["status"] != "success" ||
		result["message"] != "Databricks M2M OAuth credentials stored successfully" {
		t.Fatal(out)
	}
	if at, ok := result["timestamp"].(float64); !ok || int64(at) < before || int64(at) > time.Now().UnixMilli() {
		t.Error(result["timestamp"])
	}
	if id, ok := result["connectionId"].(string); !ok || len(id) != len("f7956383-eb65-4298-b716-c6f808aa6744") || strings.Count(id, "-") != 4 {
		t.Error(result["connectionId"])
	}
	got := w.must(t, "admin", http.MethodGet, reltio("ce5627DYnQ6abcD", "/databricks-connection-01"), "")["result"].(map[string]any)
	if got["status"] != "PENDING" || got["connectionId"] != result["connectionId"] {
		t.Error(got)
	}
}

// The error table, row for row, with what must be there before.
func TestErrorTable(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const (
		active   = "An active Databricks connection already exists for the tenant."
		sameName = "A Databricks connection with the same name already exists for the tenant."
		noURL    = "The workspaceUrl field is null or empty."
		noHouse  = "The warehouseId field is null or empty."
		noClient = "The clientId or clientSecret field is null or empty."
		badURL   = "The workspaceUrl format is invalid."
	)
	for i, c := range []struct {
		name    string
		prepare func(tenant string)
		body    string
		message string
	}{
		{"active exists", func(tenant string) {
			w.must(t, "admin", http.MethodPost, reltio(tenant, combined), body("connectionName", `"other"`))
		}, body(), active},
		{"active exists, of the same name", func(tenant string) {
			w.must(t, "admin", http.MethodPost, reltio(tenant, combined), body())
		}, body(), active},
		{"active exists without credentials", func(tenant string) {
			w.must(t, "admin", http.MethodPost, reltio(tenant, "/"), `{"connection_name": "c", "database_type": "DATABRICKS", "databricks_config":
				{"workspace": {"workspace_url": "https://adb-xxx.cloud.databricks.com"}, "warehouse": {"warehouse_id": "w"}}}`)
		}, body(), active},
		{"same name", func(tenant string) {
			w.must(t, "admin", http.MethodPost, reltio(tenant, combined), body())
			w.must(t, "admin", http.MethodPost, reltio(tenant, "/databricks-connection-01/revoke"), "")
		}, body(), sameName},
		{"workspaceUrl missing", nil, body("workspaceUrl", ""), noURL},
		{"workspaceUrl null", nil, body("workspaceUrl", "null"), noURL},
		{"workspaceUrl empty", nil, body("workspaceUrl", `""`), noURL},
		{"workspaceUrl blank", nil, body("workspaceUrl", `" "`), noURL},
		{"warehouseId missing", nil, body("warehouseId", ""), noHouse},
		{"warehouseId null", nil, body("warehouseId", "null"), noHouse},
		{"warehouseId empty", nil, body("warehouseId", `""`), noHouse},
		{"clientId missing", nil, body("clientId", ""), noClient},
		{"clientId null", nil, body("clientId", "null"), noClient},
		{"clientId empty", nil, body("clientId", `""`), noClient},
		{"clientSecret missing", nil, body("clientSecret", ""), noClient},
		{"clientSecret null", nil, body("clientSecret", "null"), noClient},
		{"clientSecret empty", nil, body("clientSecret", `""`), noClient},
		{"no URL", nil, body("workspaceUrl", `"workspace"`), badURL},
		{"no scheme", nil, body("workspaceUrl", `"adb-1.7.azuredatabricks.net"`), badURL},
		{"http", nil, body("workspaceUrl", `"http://adb-1.7.azuredatabricks.net"`), badURL},
		{"ftp", nil, body("workspaceUrl", `"ftp://adb-1.7.azuredatabricks.net"`), badURL},
		{"no host", nil, body("workspaceUrl", `"https://"`), badURL},
		{"user", nil, body("workspaceUrl", `"https://u:p@adb-1.7.azuredatabricks.net"`), badURL},
		{"path", nil, body("workspaceUrl", `"https://adb-1.7.azuredatabricks.net/sql"`), badURL},
		{"query", nil, body("workspaceUrl", `"https://adb-1.7.azuredatabricks.net/?o=1"`), badURL},
		{"fragment", nil, body("workspaceUrl", `"https://adb-1.7.azuredatabricks.net#x"`), badURL},
		{"space", nil, body("workspaceUrl", `"https://adb 1.7.azuredatabricks.net"`), badURL},
		{"newline", nil, body("workspaceUrl", `"https://adb-1.7.azuredatabricks.net\nx"`), badURL},
		{"port", nil, body("workspaceUrl", `"https://adb-1.7.azuredatabricks.net:x"`), badURL},
		{"decimal address", nil, body("workspaceUrl", `"https://2130706433"`), badURL},
		{"connectionName empty", nil, body("connectionName", `""`), "The connectionName field is null or empty."},
		{"connectionName odd", nil, body("connectionName", `"a/b"`), "The connectionName format is invalid."},
		{"host not allowed", nil, body("workspaceUrl", `"https://example.com"`), "The workspaceUrl leads to a host that this server may not connect to."},
		{"port not allowed", nil, body("workspaceUrl", `"https://adb-1.7.azuredatabricks.net:22"`), "The workspaceUrl leads to a host that this server may not connect to."},
		{"loopback", nil, body("workspaceUrl", `"https://127.0.0.1"`), "The workspaceUrl leads to a host that this server may not connect to."},
		{"wrong type", nil, body("clientSecret", `{"hush-hush": "hush-hush"}`), "The value of 'clientSecret' can't be object."},
		{"not JSON", nil, `{"clientSecret": "hush-hush`, "The request's body is not a JSON object of the expected form."},
	} {
		t.Run(c.name, func(t *testing.T) {
			tenant := fmt.Sprint("tenant", i)
			if c.prepare != nil {
				c.prepare(tenant)
			}
			status, out := w.call(t, "admin", http.MethodPost, reltio(tenant, combined), c.body)
			result, ok := out["result"].(map[string]any)
			if status != http.StatusBadRequest || !ok || out["successful"] != false || result["message"] != c.message || result["status"] != "error" {
				t.Errorf("%d %v", status, out)
			}
		})
	}
	if log := w.log.String(); strings.Contains(log, "hush-hush") {
		t.Error("the log has the secret")
	}
}

// Many create at the same time: the database lets one through.
func TestOneActiveConnection(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const n = 24
	var wg sync.WaitGroup
	statuses := make([]int, n)
	for i := range n {
		wg.Go(func() {
			statuses[i], _ = w.call(t, "admin", http.MethodPost, reltio("t", combined), body("connectionName", fmt.Sprintf(`"c%d"`, i)))
		})
	}
	wg.Wait()
	made := 0
	for _, s := range statuses {
		switch s {
		case http.StatusOK:
			made++
		case http.StatusBadRequest:
		default:
			t.Error(s)
		}
	}
	if made != 1 {
		t.Errorf("%d were made", made)
	}
}

func TestCredentialsReplacedAndRevoked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.must(t, "admin", http.MethodPost, reltio("t", ""), `{"connection_name": "c", "database_type": "DATABRICKS", "databricks_config":
		{"workspace": {"workspace_url": "https://adb-xxx.cloud.databricks.com", "workspace_id": "7", "region": "us-east-1", "cloud_provider": "AWS"}, "warehouse": {"warehouse_id": "w"}, "catalog": "main"}}`)
	got := w.must(t, "admin", http.MethodPost, reltio("t", "/c/test"), "")["result"].(map[string]any)
	if got["connected"] != false || got["failedStep"] != "credentials" {
		t.Error(got)
	}
	for range 2 {
		w.must(t, "admin", http.MethodPost, reltio("t", "/c"+combined), `{"clientId": "id", "clientSecret": "hush-hush"}`)
	}
	for _, bad := range []string{`{"clientId": "id"}`, `{"clientSecret": "hush-hush"}`, `{}`, ""} {
		if status, out := w.call(t, "admin", http.MethodPost, reltio("t", "/c"+combined), bad); status != http.StatusBadRequest {
			t.Error(status, out)
		}
	}
	one := w.must(t, "admin", http.MethodGet, "/api/2.0/tarn/connections/t/c", "")
	if one["credentials_version"] != 2.0 || one["client_id"] != "id" || one["catalog"] != "main" || one["test_passed"] != nil || one["test_message"] != nil {
		t.Error(one)
	}
	w.must(t, "admin", http.MethodPost, reltio("t", "/c/revoke"), "")
	var sealed []byte
	if err := w.db.Conn(t).QueryRow(t.Context(), "SELECT sealed FROM tarn.connections").Scan(&sealed); err != nil || sealed != nil {
		t.Error("the secret is kept", err)
	}
	w.must(t, "admin", http.MethodPost, reltio("t", combined), body())
	if status, out := w.call(t, "admin", http.MethodPost, reltio("t", "/c"+combined), `{"clientId": "id", "clientSecret": "hush-hush"}`); status != http.StatusBadRequest {
		t.Error("a second one is active", out)
	}
	w.must(t, "admin", http.MethodDelete, reltio("t", "/databricks-connection-01"), "")
	w.must(t, "admin", http.MethodPost, reltio("t", "/c"+combined), `{"clientId": "id", "clientSecret": "hush-hush"}`)
	all := w.must(t, "admin", http.MethodGet, reltio("t", ""), "")["result"].([]any)
	if len(all) != 1 || all[0].(map[string]any)["status"] != "PENDING" {
		t.Error(all)
	}
}

// Of a tenant that isn't granted, nothing can be told from the answers.
func TestTenants(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, tenant := range []string{"one", "two"} {
		w.must(t, "admin", http.MethodPost, reltio(tenant, combined), body())
	}
	grants := "/api/2.0/tarn/tenants/one/grants"
	for _, to := range []string{`{"user_name": "ann"}`, `{"group_name": "integrators"}`, `{"service_principal_name": "robot"}`} {
		w.must(t, "admin", http.MethodPut, grants, to)
	}
	for _, bad := range []string{`{}`, `{"user_name": "robot"}`, `{"user_name": "none"}`, `{"user_name": "ann", "group_name": "x"}`} {
		if status, out := w.call(t, "admin", http.MethodPut, grants, bad); status < 400 || status >= 500 {
			t.Error(bad, status, out)
		}
	}
	if status, _ := w.call(t, "ann", http.MethodPut, grants, `{"user_name": "nobody"}`); status != http.StatusForbidden {
		t.Error("ann may grant", status)
	}
	if n := len(w.must(t, "admin", http.MethodGet, grants, "")["grants"].([]any)); n != 3 {
		t.Error(n)
	}
	for _, who := range []string{"ann", "bob", "robot"} {
		if n := len(w.must(t, who, http.MethodGet, "/api/2.0/tarn/connections", "")["connections"].([]any)); n != 1 {
			t.Error(who, n)
		}
		w.must(t, who, http.MethodGet, reltio("one", "/databricks-connection-01"), "")
		w.must(t, who, http.MethodPost, reltio("one", "/databricks-connection-01"+combined), `{"clientId": "id", "clientSecret": "hush-hush"}`)
		for _, call := range []struct{ method, rest, body string }{
			{http.MethodGet, "/databricks-connection-01", ""},
			{http.MethodPost, "/databricks-connection-01" + combined, `{"clientId": "id", "clientSecret": "hush-hush"}`},
			{http.MethodPost, "/databricks-connection-01" + combined, `{}`},
			{http.MethodPost, "/databricks-connection-01/test", ""},
			{http.MethodPost, "/databricks-connection-01/revoke", ""},
			{http.MethodDelete, "/databricks-connection-01", ""},
			{http.MethodPost, combined, body()},
			{http.MethodGet, "", ""},
		} {
			status, there := w.call(t, who, call.method, reltio("two", call.rest), call.body)
			same, notThere := w.call(t, who, call.method, reltio("nothing", call.rest), call.body)
			if status != same || said(there) != said(notThere) || (status == http.StatusOK) != (call.rest == "") {
				t.Errorf("%s %s %s: %d %v, %d %v", who, call.method, call.rest, status, there, same, notThere)
			}
		}
	}
	w.must(t, "admin", http.MethodDelete, grants+"?user_name=ann", "")
	w.must(t, "admin", http.MethodDelete, grants+"?group_name=integrators", "")
	for _, who := range []string{"ann", "bob"} {
		if status, _ := w.call(t, who, http.MethodGet, reltio("one", "/databricks-connection-01"), ""); status != http.StatusNotFound {
			t.Error(who, status)
		}
	}
	if status, _ := w.call(t, "admin", http.MethodDelete, grants+"?user_name=ann", ""); status != http.StatusNotFound {
		t.Error(status)
	}
}

// said is what is said of a result, without what differs from call to call.
func said(out map[string]any) string {
	if r, ok := out["result"].(map[string]any); ok {
		return fmt.Sprint(r["message"], r["errorCode"], r["recommendedAction"])
	}
	return fmt.Sprint(out["result"])
}

// station is a workspace as far as a test of a connection asks it.
type station struct {
	token     func(w http.ResponseWriter, r *http.Request)
	statement func(w http.ResponseWriter, r *http.Request)
}

func (s station) start(t *testing.T) string {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("POST /oidc/v1/token", s.token)
	if s.statement != nil {
		mux.HandleFunc("/api/2.0/sql/statements", s.statement)
		mux.HandleFunc("/api/2.0/sql/statements/{id}", s.statement)
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, `{"error_code": "ENDPOINT_NOT_FOUND", "message": "No API found"}`)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL
}

func says(status int, text string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, text)
	}
}

// goodToken gives a token to who has the secret.
func goodToken(w http.ResponseWriter, r *http.Request) {
	id, secret, _ := r.BasicAuth()
	if id != "a1b2c3d4-e5f6-7890-abcd-ef1234567890" || secret != "hush-hush" || r.FormValue("grant_type") != "client_credentials" {
		says(http.StatusUnauthorized, `{"error": "invalid_client", "error_description": "Client authentication failed for `+secret+`"}`)(w, r)
		return
	}
	says(http.StatusOK, `{"access_token": "good", "token_type": "Bearer", "expires_in": 3600}`)(w, r)
}

func goodStatement(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Header.Get("Authorization") != "Bearer good":
		says(http.StatusUnauthorized, `{}`)(w, r)
	case r.Method == http.MethodPost:
		says(http.StatusOK, `{"statement_id": "s1", "status": {"state": "PENDING"}}`)(w, r)
	case r.PathValue("id") == "s1":
		says(http.StatusOK, `{"statement_id": "s1", "status": {"state": "SUCCEEDED"}}`)(w, r)
	default:
		says(http.StatusNotFound, `{}`)(w, r)
	}
}

func TestTest(t *testing.T) {
	t.Parallel()
	closed := httptest.NewServer(nil)
	closed.Close()
	cases := map[string]struct {
		url     string
		connect bool
		step    string
		message string
	}{
		"all well":         {station{goodToken, goodStatement}.start(t), true, "", "Connection successful"},
		"no warehouses":    {station{goodToken, nil}.start(t), true, "", "Connection successful: the workspace gave a token; SELECT 1 was not tried, as the workspace has no SQL warehouses"},
		"wrong secret":     {station{says(401, `{"error": "invalid_client", "error_description": "no hush-hush here"}`), nil}.start(t), false, "token", "Connection failed: Unable to get an OAuth token from the workspace: the workspace answered with status 401, invalid_client, no [REDACTED] here"},
		"no token":         {station{says(200, `{}`), nil}.start(t), false, "token", "Connection failed: Unable to get an OAuth token from the workspace: the answer has no token"},
		"no JSON":          {station{says(200, `<html>`), nil}.start(t), false, "token", "Connection failed: Unable to get an OAuth token from the workspace: the answer is not JSON of the expected form"},
		"HTML":             {station{says(502, "<h1>\r\nbad</h1>"), nil}.start(t), false, "token", "Connection failed: Unable to get an OAuth token from the workspace: the workspace answered with status 502, <h1> bad</h1>"},
		"not there":        {closed.URL, false, "token", "Connection failed: Unable to get an OAuth token from the workspace: the host refused the connection"},
		"no warehouse":     {station{goodToken, says(404, `{"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "warehouse ab1c2d3ef5g6h7i8 does not exist"}`)}.start(t), false, "warehouse", "Connection failed: Unable to connect to SQL Warehouse: the workspace answered with status 404, RESOURCE_DOES_NOT_EXIST, warehouse ab1c2d3ef5g6h7i8 does not exist"},
		"statement failed": {station{goodToken, says(200, `{"statement_id": "x", "status": {"state": "FAILED", "error": {"message": "with good token"}}}`)}.start(t), false, "warehouse", "Connection failed: Unable to connect to SQL Warehouse: the statement is FAILED: with [REDACTED] token"},
		"redirected": {station{func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://169.254.169.254/latest", http.StatusTemporaryRedirect)
		}, nil}.start(t), false, "token", `Connection failed: Unable to get an OAuth token from the workspace: the answer leads to another host, "http://169.254.169.254"`},
	}
	var rules []string
	for _, c := range cases {
		rules = append(rules, c.url)
	}
	w := newWorld(t, rules...)
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tenant := strings.ReplaceAll(name, " ", "-")
			w.must(t, "admin", http.MethodPost, reltio(tenant, combined), body("workspaceUrl", fmt.Sprintf("%q", c.url)))
			out := w.must(t, "admin", http.MethodPost, reltio(tenant, "/databricks-connection-01/test"), "")
			for _, form := range []string{"result", "data"} {
				got := out[form].(map[string]any)
				if got["connected"] != c.connect || got["message"] != c.message || got["databaseType"] != "DATABRICKS" {
					t.Error(got)
				}
				if step, _ := got["failedStep"].(string); step != c.step {
					t.Error(step)
				}
			}
			status := map[bool]string{true: "ACTIVE", false: "PENDING"}[c.connect]
			one := w.must(t, "admin", http.MethodGet, "/api/2.0/tarn/connections/"+tenant+"/databricks-connection-01", "")
			if one["status"] != status || one["test_passed"] != c.connect || one["test_message"] != c.message {
				t.Error(one)
			}
		})
	}
}

// A row that is moved to another tenant, or led to another workspace, doesn't give its secret away.
func TestSealedToItsPlace(t *testing.T) {
	t.Parallel()
	var asked bool
	thief := station{func(http.ResponseWriter, *http.Request) { asked = true }, nil}.start(t)
	w := newWorld(t, thief)
	for name, change := range map[string]string{
		"tenant":                       "tenant = 'thief'",
		"workspace":                    "workspace_url = '" + thief + "', tenant = 'thief'",
		"workspace of the same tenant": "workspace_url = '" + thief + "'",
		"version":                      "version = 2",
		"id":                           "id = gen_random_uuid()",
	} {
		w.must(t, "admin", http.MethodPost, reltio("t", combined), body())
		w.db.Exec(t, "UPDATE tarn.connections SET "+change)
		tenant := "t"
		if strings.Contains(change, "tenant") {
			tenant = "thief"
		}
		if status, out := w.call(t, "admin", http.MethodPost, reltio(tenant, "/databricks-connection-01/test"), ""); status != http.StatusInternalServerError {
			t.Error(name, status, out)
		}
		w.db.Exec(t, "DELETE FROM tarn.connections")
	}
	if asked {
		t.Error("the thief was asked")
	}
}
