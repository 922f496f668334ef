package kv_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tarn-data/tarn/internal/credential"
	"github.com/tarn-data/tarn/internal/credential/credentialtest"
	"github.com/tarn-data/tarn/internal/credential/kv"
)

// TestServer tests with a real server of HashiCorp Vault or OpenBao, whose address and token TARN_TEST_VAULT names:
// http://127.0.0.1:8200,TOKEN. It must have a key-value store (version 2) at secret.
func TestServer(t *testing.T) {
	address, token, ok := strings.Cut(os.Getenv("TARN_TEST_VAULT"), ",")
	if !ok {
		t.Skip("TARN_TEST_VAULT names no server")
	}
	b := open(t, fmt.Sprintf("%s/secret/test-%d", address, time.Now().UnixNano()), "token:"+secretFile(t, token))
	credentialtest.Run(t, b)
}

func TestContract(t *testing.T) {
	t.Parallel()
	r := newRecorded(t)
	credentialtest.Run(t, open(t, r.URL+"/secret/tarn", "token:"+secretFile(t, "root")))
}

func secretFile(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte(text+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func open(t *testing.T, address, login string) *kv.Backend {
	t.Helper()
	how, err := kv.ParseLogin(login)
	if err != nil {
		t.Fatal(err)
	}
	b, err := kv.New(kv.Options{Address: address, Login: how, Sleep: sleep, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// A token that is renewed, one that can't be and one that is taken back; and a server that fails now and then.
func TestLogins(t *testing.T) {
	t.Parallel()
	r := newRecorded(t)
	app := "approle:role:" + secretFile(t, "hush")
	b := open(t, r.URL+"/secret/tarn", app)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); b.Run(ctx) }()
	defer func() { stop(); <-done }()
	at := credential.Path{App: "app"}
	if _, err := b.Put(ctx, at, "id", "v", "me"); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		r.revoke()
		if got, err := b.Read(ctx, at, "id"); err != nil || got["id"] != "v" {
			t.Fatal(err)
		}
	}
	for deadline := time.Now().Add(20 * time.Second); r.count("renew") == 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the token was not renewed")
		}
	}
	r.fail(2)
	if got, err := b.Read(ctx, at, "id"); err != nil || got["id"] != "v" {
		t.Error("a server that fails twice:", err)
	}
	r.fail(100)
	if _, err := b.Read(ctx, at, "id"); err == nil || errors.Is(err, credential.ErrNoPath) || strings.Contains(err.Error(), "hush") {
		t.Error("a server that fails:", err)
	}
	r.fail(0)
	wrong := open(t, r.URL+"/secret/tarn", "approle:role:"+secretFile(t, "wrong"))
	if _, err := wrong.Read(ctx, at, "id"); err == nil || strings.Contains(err.Error(), "wrong") {
		t.Error(err)
	}
	for _, bad := range []string{"", "token", "token:", "approle:x", "kubernetes:", "kubernetes::x", "kubernetes:x:", "userpass:x:y"} {
		if _, err := kv.ParseLogin(bad); err == nil {
			t.Error(bad)
		}
	}
	for _, bad := range []string{"", "ftp://h/secret", "https://h", "https://u:p@h/secret", "h/secret"} {
		if _, err := kv.New(kv.Options{Address: bad}); err == nil {
			t.Error(bad)
		}
	}
}

// A pod logs in with the token of its service account, which Kubernetes replaces from time to time.
func TestKubernetes(t *testing.T) {
	t.Parallel()
	r := newRecorded(t)
	r.pod = "pod-token-1"
	file := secretFile(t, r.pod)
	at := credential.Path{App: "app"}
	for mount, ok := range map[string]bool{"": true, "@k8s-prod": true, "@elsewhere": false} {
		b := open(t, r.URL+"/secret/tarn", "kubernetes:tarn:"+file+mount)
		if _, err := b.Put(t.Context(), at, "id", "v", "me"); (err == nil) != ok {
			t.Errorf("mount %q: %v", mount, err)
		}
	}
	b := open(t, r.URL+"/secret/tarn", "kubernetes:tarn:"+file)
	read := func(step string, good bool) {
		t.Helper()
		got, err := b.Read(t.Context(), at, "id")
		if (err == nil) != good || good && got["id"] != "v" || err != nil && strings.Contains(err.Error(), "pod-token") {
			t.Error(step, got, err)
		}
	}
	read("the first token", true)
	r.replacePod("pod-token-2")
	read("a token that isn't good any more", false)
	if err := os.WriteFile(file, []byte("pod-token-2"), 0o600); err != nil {
		t.Fatal(err)
	}
	read("the next one", true)
	if _, err := open(t, r.URL+"/secret/tarn", "kubernetes:other:"+file).Read(t.Context(), at, "id"); err == nil || strings.Contains(err.Error(), "pod-token") {
		t.Error("another role:", err)
	}
	if _, err := open(t, r.URL+"/secret/tarn", "kubernetes:tarn:"+file+".none").Read(t.Context(), at, "id"); !errors.Is(err, os.ErrNotExist) {
		t.Error("no file:", err)
	}
}

// recorded answers as the documentation of the key-value store, version 2, and of the ways to log in says.
type recorded struct {
	*httptest.Server

	mu       sync.Mutex
	tokens   map[string]bool
	pod      string // token of a service account
	made     int
	failing  int
	counts   map[string]int
	versions map[string][]map[string]any // the data of each version of each path; nil for what is destroyed
}

func newRecorded(t *testing.T) *recorded {
	t.Helper()
	r := &recorded{tokens: map[string]bool{"root": true}, counts: map[string]int{}, versions: map[string][]map[string]any{}}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

func (r *recorded) revoke() { r.mu.Lock(); defer r.mu.Unlock(); clear(r.tokens) }

// replacePod has a service account use another token, and takes back what the one before brought.
func (r *recorded) replacePod(token string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pod = token
	clear(r.tokens)
}

func (r *recorded) fail(n int) { r.mu.Lock(); defer r.mu.Unlock(); r.failing = n }

func (r *recorded) count(what string) int { r.mu.Lock(); defer r.mu.Unlock(); return r.counts[what] }

func (r *recorded) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var in map[string]any
	_ = json.NewDecoder(req.Body).Decode(&in)
	status, out := r.answer(req, in)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(out)
}

func errs(texts ...string) map[string]any {
	if texts == nil {
		texts = []string{}
	}
	return map[string]any{"errors": texts}
}

const lease = 3

func (r *recorded) answer(req *http.Request, in map[string]any) (int, map[string]any) {
	if r.failing > 0 {
		r.failing--
		return http.StatusServiceUnavailable, errs("Vault is sealed")
	}
	p := strings.TrimPrefix(req.URL.Path, "/v1/")
	if p == "auth/approle/login" {
		if in["role_id"] != "role" || in["secret_id"] != "hush" {
			return http.StatusBadRequest, errs("invalid role or secret ID")
		}
		return r.login()
	}
	if p == "auth/kubernetes/login" || p == "auth/k8s-prod/login" {
		switch {
		case in["role"] != "tarn":
			return http.StatusBadRequest, errs(fmt.Sprintf("invalid role name %q", in["role"]))
		case in["jwt"] != r.pod:
			return http.StatusForbidden, errs("permission denied")
		}
		return r.login()
	}
	token := req.Header.Get("X-Vault-Token")
	if !r.tokens[token] {
		return http.StatusForbidden, errs("permission denied")
	}
	switch {
	case p == "auth/token/lookup-self":
		return http.StatusOK, map[string]any{"data": map[string]any{"ttl": 0, "renewable": false}}
	case p == "auth/token/renew-self":
		r.counts["renew"]++
		return http.StatusOK, map[string]any{"auth": map[string]any{"client_token": token, "renewable": true, "lease_duration": lease}}
	}
	kind, path, _ := strings.Cut(strings.TrimPrefix(p, "secret/"), "/")
	all := r.versions[path]
	switch kind + " " + req.Method {
	case "data GET":
		if len(all) == 0 || all[len(all)-1] == nil {
			return http.StatusNotFound, errs()
		}
		return http.StatusOK, map[string]any{"data": map[string]any{"data": all[len(all)-1], "metadata": version(len(all))}}
	case "data PUT", "data POST":
		if options, ok := in["options"].(map[string]any); ok && options["cas"] != nil && options["cas"] != float64(len(all)) {
			return http.StatusBadRequest, errs("check-and-set parameter did not match the current version")
		}
		r.versions[path] = append(all, in["data"].(map[string]any))
		return http.StatusOK, map[string]any{"data": version(len(all) + 1)}
	case "destroy PUT", "destroy POST":
		for _, v := range in["versions"].([]any) {
			all[int(v.(float64))-1] = nil
		}
		return http.StatusNoContent, nil
	case "metadata GET":
		if len(all) == 0 {
			return http.StatusNotFound, errs()
		}
		versions := map[string]any{}
		for i := range all {
			v := version(i + 1)
			v["destroyed"] = all[i] == nil
			versions[fmt.Sprint(i+1)] = v
		}
		return http.StatusOK, map[string]any{"data": map[string]any{
			"versions": versions, "current_version": len(all), "oldest_version": 0, "max_versions": 0, "cas_required": false, "delete_version_after": "0s",
			"created_time": "2026-01-01T00:00:00Z", "updated_time": "2026-01-01T00:00:00Z", "custom_metadata": nil,
		}}
	case "metadata DELETE":
		delete(r.versions, path)
		return http.StatusNoContent, nil
	}
	return http.StatusMethodNotAllowed, errs("unsupported operation")
}

// login gives a token.
func (r *recorded) login() (int, map[string]any) {
	r.made++
	token := fmt.Sprint("token", r.made)
	r.tokens[token] = true
	return http.StatusOK, map[string]any{"auth": map[string]any{"client_token": token, "renewable": true, "lease_duration": lease}}
}

func version(n int) map[string]any {
	return map[string]any{"version": n, "created_time": "2026-01-01T00:00:00Z", "deletion_time": "", "destroyed": false, "custom_metadata": nil}
}
