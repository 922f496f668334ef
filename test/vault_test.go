package test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tarn-data/tarn/internal/pg/embedded"
)

// marker is what the secrets of a run begin with, so that they are found wherever they are.
const marker = "tarnhush-"

// hunt looks for secrets: for what they begin with, plain and encoded, and for the rest of each.
type hunt struct {
	forms [][]byte
	rest  map[string]bool
}

func newHunt(secrets []string) *hunt {
	h := &hunt{rest: map[string]bool{}}
	h.forms = append(h.forms, []byte(marker), []byte(hex.EncodeToString([]byte(marker))), []byte(strings.ToUpper(hex.EncodeToString([]byte(marker)))))
	for shift := range 3 { // as base64 has it, wherever it begins
		text := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", shift) + marker))
		h.forms = append(h.forms, []byte(text[4:len(text)-4]))
	}
	for _, s := range secrets {
		h.rest[strings.TrimPrefix(s, marker)] = true
	}
	return h
}

const restLen = 26

// in tells what is found in some data; empty for nothing.
func (h *hunt) in(data []byte) string {
	for _, f := range h.forms {
		if i := bytes.Index(data, f); i >= 0 {
			return string(data[max(0, i-60):min(len(data), i+80)])
		}
	}
	run := 0
	for i, c := range data {
		if (c < 'A' || c > 'Z') && (c < '2' || c > '7') {
			run = 0
			continue
		}
		if run++; run >= restLen && h.rest[string(data[i+1-restLen:i+1])] {
			return "the rest of a secret"
		}
	}
	return ""
}

// TestSecretsAreNowhere uses a thousand secrets in all ways there are, with a change of the root key and a kill in between,
// and then looks for them in all that the server has written or said.
func TestSecretsAreNowhere(t *testing.T) {
	t.Parallel()
	const total = 1000
	secrets := make([]string, total)
	for i := range secrets {
		secrets[i] = marker + rand.Text()
	}
	h := newHunt(secrets)
	if h.in([]byte("x"+secrets[7])) == "" || h.in([]byte("x"+secrets[7][len(marker):])) == "" || h.in([]byte(base64.StdEncoding.EncodeToString([]byte("ab:"+secrets[7])))) == "" {
		t.Fatal("the hunt finds nothing")
	}
	dir, listen, admin := dataDir(t), freeAddress(t), freeAddress(t)
	begin := func() *tarn {
		s := start(t, nil, "serve", "--data-dir", dir, "--listen", listen, "--admin-listen", admin, "--outbound", "http://"+listen,
			"--rate-limit", "100000", "--rate-burst", "100000", "--log-level", "debug")
		s.dir, s.url, s.admin = dir, "http://"+listen, "http://"+admin
		s.waitReady(t)
		return s
	}
	s := begin()
	bearer := "Bearer " + s.token(t, "admin")
	var said syncBuffer
	use := func(from, to int) {
		var wg sync.WaitGroup
		for w := range 8 {
			wg.Go(func() {
				for i := from + w; i < to; i += 8 {
					for _, a := range s.useSecret(t, bearer, i, secrets[i]) {
						_, _ = fmt.Fprintln(&said, a.status, a.header, a.body)
					}
				}
			})
		}
		wg.Wait()
	}
	use(0, total/2)
	rotated := ask(t, http.MethodPost, s.url+"/api/2.0/tarn/vault/rotate", "", "Authorization", bearer)
	if rotated.status != http.StatusOK {
		t.Fatal(rotated)
	}
	s.kill(t)
	log := s.log.String()
	s = begin()
	use(total/2, total)
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		status := ask(t, http.MethodGet, s.url+"/api/2.0/tarn/vault/status", "", "Authorization", bearer)
		if strings.Contains(status.body, `"secrets_to_rewrap":0`) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("secrets are left with the old root key: ", status.body)
		}
	}
	metrics := ask(t, http.MethodGet, s.admin+"/metrics", "")
	audit := ask(t, http.MethodGet, s.url+"/api/2.0/tarn/audit?max_results=1000", "", "Authorization", bearer)
	for what, text := range map[string]string{
		"answers": said.String(), "metrics": metrics.body, "audit log": audit.body, "dump": s.dump(t), "log": log + s.log.String(),
	} {
		if len(text) < 1000 {
			t.Errorf("%s: only %d bytes", what, len(text))
		}
		if found := h.in([]byte(text)); found != "" {
			t.Errorf("%s: %q", what, found)
		}
	}
	s.stop(t)
	files := 0
	if err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() || strings.Contains(path, "/runtime/") {
			return err
		}
		data, err := os.ReadFile(path)
		if found := h.in(data); found != "" {
			t.Errorf("%s: %q", path, found)
		}
		files++
		return err
	}); err != nil || files < 100 {
		t.Error(files, err)
	}
}

// useSecret uses a secret in one of many ways, some of which fail.
func (s *tarn) useSecret(t *testing.T, bearer string, i int, secret string) []answer {
	call := func(want int, method, path, body string) answer {
		a := ask(t, method, s.url+path, body, "Authorization", bearer, "Content-Type", "application/json")
		if a.status != want {
			t.Errorf("%s %s: %d %s", method, path, a.status, a.body)
		}
		return a
	}
	vendor := fmt.Sprintf("/reltio/api/tenants/t%d/interactions/database-configs", i)
	connection := fmt.Sprintf(`{"connectionName": "c", "workspaceUrl": %q, "warehouseId": "w", "clientId": "client", "clientSecret": %q}`, s.url, secret)
	switch i % 10 {
	case 0, 1, 2:
		return []answer{call(http.StatusOK, http.MethodPut, fmt.Sprintf("/api/2.0/tarn/vault/apps/a%d/credentials/key", i), fmt.Sprintf(`{"value": %q}`, secret))}
	case 3:
		at := fmt.Sprintf("/api/2.0/tarn/vault/accounts/t%d/apps/a/credentials", i)
		return []answer{
			call(http.StatusOK, http.MethodPut, at+"/key", fmt.Sprintf(`{"value": %q}`, secret)), call(http.StatusOK, http.MethodGet, at, ""),
			call(http.StatusOK, http.MethodGet, at+"/key/versions", ""), call(http.StatusOK, http.MethodDelete, at+"/key", ""),
		}
	case 4, 5: // it is sent to the token service, which refuses it
		return []answer{
			call(http.StatusOK, http.MethodPost, vendor+"/databricks/oauth/credentials", connection),
			call(http.StatusOK, http.MethodPost, vendor+"/c/test", ""), call(http.StatusOK, http.MethodGet, vendor, ""),
		}
	case 6:
		path := fmt.Sprintf("/api/2.0/tarn/connections/t%d/c", i)
		return []answer{
			call(http.StatusOK, http.MethodPost, "/api/2.0/tarn/connections", fmt.Sprintf(`{"tenant": "t%d", "name": "c", "workspace_url": %q, "warehouse_id": "w"}`, i, s.url)),
			call(http.StatusOK, http.MethodPut, path+"/credentials", fmt.Sprintf(`{"client_id": "x", "client_secret": %q}`, secret)),
			call(http.StatusOK, http.MethodPost, path+"/revoke", ""), call(http.StatusOK, http.MethodDelete, path, ""),
		}
	case 7:
		return []answer{
			call(http.StatusBadRequest, http.MethodPost, vendor+"/databricks/oauth/credentials", fmt.Sprintf(`{"clientSecret": [%q]}`, secret)),
			call(http.StatusBadRequest, http.MethodPost, vendor+"/databricks/oauth/credentials", fmt.Sprintf(`{"clientSecret": {%q: 1}}`, secret)),
			call(http.StatusBadRequest, http.MethodPost, vendor+"/databricks/oauth/credentials", `{"clientSecret": "`+secret),
			call(http.StatusBadRequest, http.MethodPost, vendor+"/databricks/oauth/credentials", strings.Replace(connection, "http://", "ht tp://", 1)),
		}
	case 8:
		return []answer{
			call(http.StatusNotFound, http.MethodPost, vendor+"/none/databricks/oauth/credentials", fmt.Sprintf(`{"clientId": "x", "clientSecret": %q}`, secret)),
			call(http.StatusBadRequest, http.MethodPut, "/api/2.0/tarn/vault/apps/a/credentials/key", fmt.Sprintf(`{"value": {%q: %q}}`, secret, secret)),
			call(http.StatusNotFound, http.MethodPost, "/api/2.0/tarn/nothing", secret),
		}
	default:
		basic := "Basic " + base64.StdEncoding.EncodeToString([]byte("client:"+secret))
		return []answer{
			ask(t, http.MethodPost, s.url+"/oidc/v1/token", "grant_type=client_credentials&scope=all-apis", "Authorization", basic, "Content-Type", "application/x-www-form-urlencoded"),
			ask(t, http.MethodPost, s.url+"/oidc/v1/token", "grant_type=client_credentials&client_id=client&client_secret="+secret, "Content-Type", "application/x-www-form-urlencoded"),
			ask(t, http.MethodGet, s.url+"/api/2.0/tarn/vault/status", "", "Authorization", "Bearer "+secret),
		}
	}
}

// dump is a dump of the state, as an administrator of the database would make it.
func (s *tarn) dump(t *testing.T) string {
	t.Helper()
	address, err := embedded.Locate(s.dir)
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(address.BinDir, "pg_dump")
	if _, err := os.Stat(program); err != nil {
		if program, err = exec.LookPath("pg_dump"); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, program, "-d", address.URL(embedded.StoreDatabase)).Output()
	if err != nil || !bytes.Contains(out, []byte("vault_secret_versions")) {
		t.Fatal(err)
	}
	return string(out)
}

// TestConnectionToAnother connects a tenant to a workspace, which is a Tarn of its own, with a service principal of that.
func TestConnectionToAnother(t *testing.T) {
	t.Parallel()
	there := serve(t, dataDir(t))
	root := []string{"Authorization", "Bearer " + there.token(t, "admin"), "Content-Type", "application/json"}
	var principal struct {
		ID            string `json:"id"`
		ApplicationID string `json:"applicationId"`
	}
	decodeAnswer(t, ask(t, http.MethodPost, there.url+"/api/2.0/preview/scim/v2/ServicePrincipals",
		`{"schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServicePrincipal"], "displayName": "reader"}`, root...), &principal)
	var known struct {
		AccountID string `json:"account_id"`
	}
	decodeAnswer(t, ask(t, http.MethodGet, there.url+"/.well-known/databricks-config", ""), &known)
	newSecret := func() string {
		var made struct {
			Secret string `json:"secret"`
		}
		decodeAnswer(t, ask(t, http.MethodPost, there.url+"/api/2.0/accounts/"+known.AccountID+"/servicePrincipals/"+principal.ID+"/credentials/secrets", "{}", root...), &made)
		return made.Secret
	}
	here := serve(t, dataDir(t), "--outbound", there.url)
	bearer := []string{"Authorization", "Bearer " + here.token(t, "admin"), "Content-Type", "application/json"}
	base := here.url + "/reltio/api/tenants/ce5627DYnQ6abcD/interactions/database-configs"
	test := func() (connected bool, message string) {
		var out struct {
			Result struct {
				Connected bool   `json:"connected"`
				Message   string `json:"message"`
			} `json:"result"`
		}
		decodeAnswer(t, ask(t, http.MethodPost, base+"/c/test", "", bearer...), &out)
		return out.Result.Connected, out.Result.Message
	}
	if a := ask(t, http.MethodPost, base+"/databricks/oauth/credentials", fmt.Sprintf(`{"connectionName": "c", "workspaceUrl": %q, "warehouseId": "w", "clientId": %q, "clientSecret": "wrong"}`,
		there.url, principal.ApplicationID), bearer...); a.status != http.StatusOK {
		t.Fatal(a)
	}
	if ok, message := test(); ok || !strings.Contains(message, "token") {
		t.Error(ok, message)
	}
	for range 2 { // the secret is replaced by another
		if a := ask(t, http.MethodPost, base+"/c/databricks/oauth/credentials", fmt.Sprintf(`{"clientId": %q, "clientSecret": %q}`, principal.ApplicationID, newSecret()), bearer...); a.status != http.StatusOK {
			t.Fatal(a)
		}
		if ok, message := test(); !ok || !strings.HasPrefix(message, "Connection successful") {
			t.Error(ok, message)
		}
	}
	if a := ask(t, http.MethodGet, base+"/c", "", bearer...); !strings.Contains(a.body, `"status":"ACTIVE"`) {
		t.Error(a.body)
	}
	there.stop(t)
	if ok, message := test(); ok || !strings.Contains(message, "the host refused the connection") {
		t.Error(ok, message)
	}
}

func decodeAnswer(t *testing.T, a answer, out any) {
	t.Helper()
	if a.status >= http.StatusBadRequest {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if err := json.Unmarshal([]byte(a.body), out); err != nil {
		t.Fatalf("%v: %s", err, a.body)
	}
}

// TestVaultElsewhere starts a server without the root key of its state.
func TestVaultElsewhere(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	s := serve(t, dir)
	s.stop(t)
	if err := os.RemoveAll(filepath.Join(dir, "vault")); err != nil {
		t.Fatal(err)
	}
	out, err := tryRun(t, "", "serve", "--data-dir", dir, "--listen", freeAddress(t), "--admin-listen", freeAddress(t))
	if err == nil || !strings.Contains(out, "sealed with root key") || !strings.Contains(out, "hint: ") {
		t.Error(err, out)
	}
}
