package connector_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tarn-data/tarn/internal/auth"
	"github.com/tarn-data/tarn/internal/connector"
	"github.com/tarn-data/tarn/internal/fault"
	"github.com/tarn-data/tarn/internal/gateway"
	"github.com/tarn-data/tarn/internal/outbound"
	"github.com/tarn-data/tarn/internal/vault"
)

// tokens are who calls, by their token.
type tokens struct{}

func (tokens) AuthenticateCall(_ context.Context, h http.Header) (*auth.Credential, error) {
	refused := fault.New(fault.Unauthenticated, "UNAUTHENTICATED", "Invalid Token")
	claims := map[string]string{
		"Bearer app":    `{"sub":"a","scope":"table-data","irisAppId":"app-1"}`,
		"Bearer all":    `{"sub":"a","scope":"all-apis sql","irisAppId":"app-1"}`,
		"Bearer no-app": `{"sub":"a","scope":"table-data"}`,
		"Bearer scope":  `{"sub":"a","scope":"sql","irisAppId":"app-1"}`,
		"Bearer path":   `{"sub":"a","scope":"table-data","irisAppId":"../app-2"}`,
	}[h.Get("Authorization")]
	if h.Get("Authorization") == "Bearer stranger" {
		return nil, refused.WithCause(auth.NoAccountError{})
	}
	if claims == "" {
		return nil, refused
	}
	return &auth.Credential{Account: &auth.Account{Name: "a", Active: true}, Claims: claims}, nil
}

// secrets are a vault that fails as often as it is told.
type secrets struct {
	paths map[connector.Path]map[string]vault.Secret
	fails atomic.Int32
	reads atomic.Int32
	epoch atomic.Uint64
	life  atomic.Int64
}

func (s *secrets) Epoch() (uint64, time.Duration) {
	return s.epoch.Load(), time.Duration(s.life.Load())
}

func (s *secrets) Read(_ context.Context, p connector.Path, _ ...string) (map[string]vault.Secret, error) {
	s.reads.Add(1)
	if s.fails.Add(-1) >= 0 {
		return nil, fault.New(fault.Unavailable, "", "the vault is sealed")
	}
	return s.paths[p], nil
}

// workspace is one whose answers a test may change.
type workspace struct {
	*http.ServeMux

	mu     sync.Mutex
	tokens int // how many it gave
	token  http.HandlerFunc
	table  http.HandlerFunc
	rows   http.HandlerFunc
}

const secret = "s3cr3t/with+signs"

func (w *workspace) set(change func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change()
}

func newWorkspace(t *testing.T) (*workspace, *httptest.Server) {
	t.Helper()
	w := &workspace{ServeMux: http.NewServeMux()}
	var host string
	w.token = func(rw http.ResponseWriter, r *http.Request) {
		id, given, _ := r.BasicAuth()
		id, _ = url.QueryUnescape(id)
		given, _ = url.QueryUnescape(given)
		if id != "client" || given != secret {
			rw.WriteHeader(http.StatusUnauthorized)
			_, _ = io.WriteString(rw, `{"error":"invalid_client","error_description":"Client authentication failed for `+given+`"}`)
			return
		}
		w.tokens++
		_, _ = fmt.Fprintf(rw, `{"access_token":"t%d","token_type":"Bearer","expires_in":3600}`, w.tokens)
	}
	w.table = func(rw http.ResponseWriter, r *http.Request) {
		if name := r.PathValue("name"); name != "cat.sch.tab" {
			rw.WriteHeader(http.StatusNotFound)
			_, _ = io.WriteString(rw, `{"error_code":"NOT_FOUND","message":"Synced table '`+name+`' not found."}`)
			return
		}
		rw.Header().Set("X-Databricks-Org-Id", "42")
		_, _ = io.WriteString(rw, `{"effective_database_instance_name":"inst","effective_logical_database_name":"db"}`)
	}
	w.rows = func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Content-Range", "0-0/1")
		rw.Header().Set("Content-Type", "application/json; charset=utf-8")
		rw.Header().Set("Set-Cookie", "no=1")
		rw.WriteHeader(http.StatusPartialContent)
		_, _ = fmt.Fprintf(rw, `[{"query":%q,"prefer":%q}]`, r.URL.RawQuery, r.Header.Get("Prefer"))
	}
	call := func(h *http.HandlerFunc) http.HandlerFunc {
		return func(rw http.ResponseWriter, r *http.Request) {
			w.mu.Lock()
			defer w.mu.Unlock()
			(*h)(rw, r)
		}
	}
	w.HandleFunc("POST /oidc/v1/token", call(&w.token))
	w.HandleFunc("GET /api/2.0/database/synced_tables/{name}", call(&w.table))
	w.HandleFunc("GET /api/2.0/database/instances/inst", func(rw http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(rw, `{"read_write_dns":"`+host+`"}`)
	})
	w.HandleFunc("/api/2.0/workspace/42/rest/db/sch/tab", call(&w.rows))
	server := httptest.NewServer(w)
	t.Cleanup(server.Close)
	host = strings.TrimPrefix(server.URL, "http://")
	return w, server
}

// world is a connector before a workspace.
type world struct {
	*testing.T

	workspace *workspace
	host      string
	vault     *secrets
	api       *httptest.Server
}

func newWorld(t *testing.T, change func(*connector.Options)) *world {
	t.Helper()
	ws, server := newWorkspace(t)
	w := &world{T: t, workspace: ws, host: strings.TrimPrefix(server.URL, "http://"), vault: &secrets{paths: map[connector.Path]map[string]vault.Secret{
		{App: "app-1", Account: "acc"}: {"id": "client", "secret": secret, "wrong": "nope", "lonely": "client"},
		{App: "app-1"}:                 {"id": "client", "secret": secret},
		{App: "../app-2"}:              {"id": "client", "secret": secret},
	}}}
	rules, err := outbound.ParseRules([]string{"http://" + w.host})
	if err != nil {
		t.Fatal(err)
	}
	opt := connector.Options{
		Vault: w.vault, HTTP: outbound.New(outbound.Options{Rules: rules}), Direct: true, MaxPerApp: 10, Now: time.Now,
		Sleep: func(context.Context, time.Duration) error { return nil },
	}
	if change != nil {
		change(&opt)
	}
	gw, err := gateway.New(gateway.Options{
		Routes: connector.New(opt).Routes(), Auth: tokens{}, WorkspaceID: "1", Now: time.Now, NewID: func() string { return "id" },
		Source: func(*http.Request) netip.Addr { return netip.Addr{} }, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	w.api = httptest.NewServer(gw)
	t.Cleanup(w.api.Close)
	return w
}

// answer is what an answer says besides its body.
type answer struct {
	StatusCode int
	Header     http.Header
}

// ask asks for the table with headers of the form "name: value", which replace the usual ones.
func (w *world) ask(method, query string, headers ...string) (answer, string) {
	w.Helper()
	return w.askFor(method, w.host+"/cat/tab"+query, headers...)
}

func (w *world) askFor(method, path string, headers ...string) (answer, string) {
	w.Helper()
	req, err := http.NewRequestWithContext(w.Context(), method, w.api.URL+"/public/api/databricks-postgrest/v1beta1/table-data/"+path, nil)
	if err != nil {
		w.Fatal(err)
	}
	for _, h := range append([]string{
		"Authorization: Bearer app", "Accept-Profile: sch", "x-client-id-key-name: id", "x-client-secret-key-name: secret", "x-account-id: acc",
	}, headers...) {
		name, value, _ := strings.Cut(h, ": ")
		if req.Header.Set(name, value); value == "" {
			req.Header.Del(name)
		}
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		w.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		w.Fatal(err)
	}
	return answer{res.StatusCode, res.Header}, string(body)
}

func TestRows(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	const query = "?select=a,b(c)&a=in.(%221%22,2)&order=a.desc&limit=10&x=%2B+%20"
	for _, way := range [][]string{
		nil,
		{"Authorization: Bearer all"},
		{"x-account-id: ", "x-allow-use-app-secret: true"},
		{"x-client-id: client", "x-client-secret: " + secret, "x-account-id: "},
		{"x-client-id: client"}, // alone it doesn't count
	} {
		res, body := w.ask("GET", query, append(way, "Prefer: count=exact")...)
		want := `[{"query":"` + query[1:] + `","prefer":"count=exact"}]`
		if res.StatusCode != http.StatusPartialContent || body != want || res.Header.Get("Content-Range") != "0-0/1" ||
			res.Header.Get("Content-Type") != "application/json; charset=utf-8" || res.Header.Get("Set-Cookie") != "" {
			t.Errorf("%v: %d %v %s", way, res.StatusCode, res.Header, body)
		}
	}
	res, body := w.ask("HEAD", query)
	if res.StatusCode != http.StatusPartialContent || body != "" || res.Header.Get("Content-Range") != "0-0/1" {
		t.Error(res, body)
	}
	w.workspace.set(func() {
		if w.workspace.tokens != 1 {
			t.Error("tokens:", w.workspace.tokens)
		}
	})
}

// TestErrors has a line for each that is documented, with what causes it.
func TestErrors(t *testing.T) {
	t.Parallel()
	answer := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	for _, c := range []struct {
		name    string
		headers []string
		cause   func(*world)
		status  int
		message string
	}{
		{"no token", []string{"Authorization: "}, nil, 401, "Full authentication is required to access this resource"},
		{"bad token", []string{"Authorization: Bearer x"}, nil, 401, "Full authentication is required to access this resource"},
		{"scope", []string{"Authorization: Bearer scope"}, nil, 403, "Access Denied"},
		{"no principal", []string{"Authorization: Bearer stranger"}, nil, 401, "Unable to get trackunitToken."},
		{"no app", []string{"Authorization: Bearer no-app"}, nil, 401, "Token does not contain App Id"},
		{"an app that isn't one", []string{"Authorization: Bearer path"}, nil, 401, "Token does not contain App Id"},
		{"no account", []string{"x-account-id: "}, nil, 400, "Request header 'x-account-id' is missing while 'x-allow-use-app-secret' is false or not provided"},
		{"no account, said", []string{"x-account-id: ", "x-allow-use-app-secret: false"}, nil, 400, "Request header 'x-account-id' is missing while 'x-allow-use-app-secret' is false or not provided"},
		{"neither", []string{"x-allow-use-app-secret: maybe"}, nil, 400, "Request header 'x-allow-use-app-secret' must be true or false"},
		{"no schema", []string{"Accept-Profile: "}, nil, 400, "Required request header 'Accept-Profile' is not present"},
		{"no key name", []string{"x-client-id-key-name: "}, nil, 400, "Required request header 'x-client-id-key-name' is not present"},
		{"no path", []string{"x-account-id: other"}, nil, 401, "Vault path was not found"},
		{"no id", []string{"x-client-id-key-name: other"}, nil, 401, "Vault does not contain client id"},
		{"no secret", []string{"x-client-secret-key-name: other"}, nil, 401, "Vault does not contain client secret"},
		{"the vault fails", nil, func(w *world) { w.vault.fails.Store(3) }, 500, "Failed to read secrets from vault: the vault is sealed"},
		{"bad credentials", []string{"x-client-secret-key-name: wrong"}, nil, 401,
			"Failed to get OAuth Databricks token. Status code: 401. Message: Client authentication failed for [REDACTED]"},
		{"empty token", nil, func(w *world) { w.workspace.token = answer(200, `{"access_token":""}`) }, 401, "Failed to get OAuth Databricks token - empty response"},
		{"no answer of sense", nil, func(w *world) { w.workspace.token = answer(200, `<html>`) }, 500, "Failed to generate OAuth token"},
		{"no synced table", []string{"Accept-Profile: other"}, nil, 500, "Synced table 'cat.other.tab' not found."},
		{"may not know of it", nil, func(w *world) {
			w.workspace.table = answer(403, `{"error_code":"PERMISSION_DENIED","message":"You have no privileges."}`)
		}, 500, "You have no privileges."},
		{"may not read", nil, func(w *world) {
			w.workspace.rows = answer(403, `{"code":"42501","message":"permission denied for table tab"}`)
		}, 403, "permission denied for table tab"},
		{"bad query", nil, func(w *world) {
			w.workspace.rows = answer(400, `{"code":"42703","message":"column x does not exist"}`)
		}, 400, "column x does not exist"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, nil)
			if c.cause != nil {
				w.workspace.set(func() { c.cause(w) })
			}
			res, text := w.ask("GET", "", c.headers...)
			var body struct {
				Status         int
				Error, Message string
			}
			if err := json.Unmarshal([]byte(text), &body); err != nil {
				t.Fatal(text, err)
			}
			if res.StatusCode != c.status || body.Message != c.message {
				t.Errorf("%d %s", res.StatusCode, text)
			}
			if body.Error != "" && (body.Status != c.status || body.Error != http.StatusText(c.status)) {
				t.Error(text)
			}
			if strings.Contains(text, secret) {
				t.Error("tells the secret")
			}
		})
	}
}

func TestVaultIsAskedAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.vault.fails.Store(2)
	if res, body := w.ask("GET", ""); res.StatusCode != http.StatusPartialContent || w.vault.reads.Load() != 3 {
		t.Error(res.StatusCode, body, w.vault.reads.Load())
	}
}

// TestVaultIsRead: what is remembered of the vault is good as long as the vault says so.
func TestVaultIsRead(t *testing.T) {
	t.Parallel()
	var ahead atomic.Int64
	w := newWorld(t, func(o *connector.Options) {
		o.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	})
	reads := func(step string, want int32, status int, headers ...string) {
		t.Helper()
		before := w.vault.reads.Load()
		if res, body := w.ask("GET", "", headers...); res.StatusCode != status {
			t.Error(step, res.StatusCode, body)
		}
		if n := w.vault.reads.Load() - before; n != want {
			t.Error(step, "reads the vault", n, "times")
		}
	}
	reads("a vault that tells of no changes", 1, http.StatusPartialContent)
	reads("again", 1, http.StatusPartialContent)
	w.vault.life.Store(int64(time.Minute))
	reads("one that does", 1, http.StatusPartialContent)
	reads("again", 0, http.StatusPartialContent)
	reads("another path", 1, http.StatusPartialContent, "x-account-id: ", "x-allow-use-app-secret: true")
	reads("another secret", 1, http.StatusUnauthorized, "x-client-secret-key-name: wrong")
	reads("which isn't remembered", 1, http.StatusUnauthorized, "x-client-secret-key-name: wrong")
	ahead.Store(int64(2 * time.Minute))
	reads("after its life", 1, http.StatusPartialContent)
	w.vault.epoch.Add(1)
	reads("in another epoch", 1, http.StatusPartialContent)
	reads("again", 0, http.StatusPartialContent)
	w.workspace.set(func() {
		rows := w.workspace.rows
		w.workspace.rows = func(rw http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") == "Bearer t1" {
				rw.WriteHeader(http.StatusUnauthorized)
				return
			}
			rows(rw, r)
		}
	})
	reads("a token that is refused", 1, http.StatusPartialContent)
	delete(w.vault.paths, connector.Path{App: "app-1", Account: "acc"})
	w.vault.epoch.Add(1)
	reads("credentials that are gone", 1, http.StatusUnauthorized)
}

func TestOnlyReads(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	for _, method := range []string{"POST", "PUT", "PATCH", "DELETE"} {
		res, body := w.ask(method, "")
		if res.StatusCode != http.StatusMethodNotAllowed || res.Header.Get("Allow") != "GET, HEAD" || !strings.Contains(body, `"status":405`) {
			t.Error(method, res.StatusCode, body)
		}
	}
}

// TestRevoked: a token that the workspace accepts no more is replaced once.
func TestRevoked(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	var good atomic.Value
	good.Store("Bearer t1")
	w.workspace.set(func() {
		rows := w.workspace.rows
		w.workspace.rows = func(rw http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != good.Load() {
				rw.WriteHeader(http.StatusUnauthorized)
				_, _ = io.WriteString(rw, `{"code":"PGRST301","message":"JWT expired"}`)
				return
			}
			rows(rw, r)
		}
	})
	if res, body := w.ask("GET", ""); res.StatusCode != http.StatusPartialContent {
		t.Fatal(res.StatusCode, body)
	}
	good.Store("Bearer t2")
	if res, body := w.ask("GET", ""); res.StatusCode != http.StatusPartialContent {
		t.Error(res.StatusCode, body)
	}
	good.Store("Bearer none")
	if res, body := w.ask("GET", ""); res.StatusCode != http.StatusUnauthorized || !strings.Contains(body, "JWT expired") {
		t.Error(res.StatusCode, body)
	}
}

// TestOneFetch: many who wait for one token cause one request for it, and a failure is asked for once.
func TestOneFetch(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	var asked atomic.Int32
	w.workspace.set(func() {
		token := w.workspace.token
		w.workspace.token = func(rw http.ResponseWriter, r *http.Request) {
			asked.Add(1)
			token(rw, r)
		}
	})
	all := func(headers ...string) {
		var wait sync.WaitGroup
		for range 8 {
			wait.Go(func() { w.ask("GET", "", headers...) })
		}
		wait.Wait()
	}
	all()
	if n := asked.Swap(0); n != 1 {
		t.Error("asked", n)
	}
	all("x-client-secret-key-name: wrong")
	if n := asked.Load(); n != 1 {
		t.Error("asked", n, "times for a failure")
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *connector.Options) { o.MaxPerApp, o.Direct = 1, false })
	if res, body := w.ask("GET", "", "x-client-id: client", "x-client-secret: "+secret); res.StatusCode != http.StatusForbidden || strings.Contains(body, secret) {
		t.Error(res.StatusCode, body)
	}
	begun, end := make(chan struct{}), make(chan struct{})
	w.workspace.set(func() {
		w.workspace.rows = func(http.ResponseWriter, *http.Request) { close(begun); <-end }
	})
	var wait sync.WaitGroup
	wait.Go(func() { w.ask("GET", "") })
	<-begun
	if res, body := w.ask("GET", ""); res.StatusCode != http.StatusTooManyRequests || res.Header.Get("Retry-After") == "" {
		t.Error(res.StatusCode, body)
	}
	close(end)
	wait.Wait()
}

// TestCutOff: an answer of which only a part arrives doesn't end as if it were whole.
func TestCutOff(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.workspace.set(func() {
		w.workspace.rows = func(rw http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(rw, `[{"a":1},`)
			_ = http.NewResponseController(rw).Flush()
			panic(http.ErrAbortHandler)
		}
	})
	req, err := http.NewRequestWithContext(t.Context(), "GET", w.api.URL+"/public/api/databricks-postgrest/v1beta1/table-data/"+w.host+"/cat/tab", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header = http.Header{"Authorization": {"Bearer app"}, "Accept-Profile": {"sch"}, "X-Client-Id": {"client"}, "X-Client-Secret": {secret}}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if body, err := io.ReadAll(res.Body); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%s %v", body, err)
	}
}

// TestNoOpenProxy: nothing leads to a host that isn't allowed.
func TestNoOpenProxy(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	var hit atomic.Bool
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hit.Store(true) }))
	t.Cleanup(other.Close)
	elsewhere := strings.TrimPrefix(other.URL, "http://")
	for _, host := range []string{
		elsewhere, "user@" + elsewhere, w.host + "%40" + elsewhere, elsewhere + "%2F..%2F" + w.host, elsewhere + "%3Fx", elsewhere + "%23" + w.host,
		"%5B::ffff:127.0.0.1%5D:1", "2130706433", "0x7f.1", "localhost", "127.1", "169.254.169.254", "metadata.google.internal",
		w.host + "%0d%0aHost:x", w.host + ".", "http:%2F%2F" + elsewhere,
	} {
		if res, body := w.askFor("GET", host+"/cat/tab"); res.StatusCode != http.StatusForbidden {
			t.Errorf("%s: %d %s", host, res.StatusCode, body)
		}
	}
	// Nor does what the workspace says.
	w.workspace.set(func() {
		w.workspace.rows = func(rw http.ResponseWriter, r *http.Request) { http.Redirect(rw, r, other.URL, http.StatusFound) }
	})
	if res, _ := w.ask("GET", ""); res.StatusCode < 300 {
		t.Error("followed")
	}
	for _, path := range []string{"/c.d/t", "/..%2Fx/t", "/c/t%3Fx", "/c/%00"} {
		if res, body := w.askFor("GET", w.host+path); res.StatusCode != http.StatusBadRequest && res.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %d %s", path, res.StatusCode, body)
		}
	}
	if hit.Load() {
		t.Error("another host was asked")
	}
}
