package test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestSDKConformance runs integration tests of the Databricks SDK for Go against a server: those of sdk/names.txt, or those
// that TARN_TEST_SDK_RUN names, separated by commas. TARN_TEST_SDK is the SDK's test binary, which make sdk-conformance builds.
func TestSDKConformance(t *testing.T) {
	program := os.Getenv("TARN_TEST_SDK")
	if program == "" {
		t.Skip("make sdk-conformance runs this")
	}
	environ := serveSDK(t)
	var table []string
	count := map[string]int{}
	for _, name := range sdkTests(t) {
		started := time.Now()
		verdict, out := runSDKTest(t, program, name, environ)
		count[verdict]++
		table = append(table, fmt.Sprintf("%-5s %-60s %6.1f s", verdict, name, time.Since(started).Seconds()))
		t.Run(name, func(t *testing.T) {
			if verdict != "pass" {
				t.Errorf("%s\n%s", verdict, out)
			}
		})
	}
	fmt.Printf("%s\n%d pass, %d fail, %d skip\n", strings.Join(table, "\n"), count["pass"], count["fail"], count["skip"])
}

func sdkTests(t testing.TB) []string {
	t.Helper()
	if given := os.Getenv("TARN_TEST_SDK_RUN"); given != "" {
		return strings.Split(given, ",")
	}
	text, err := os.ReadFile(filepath.Join("sdk", "names.txt"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			names = append(names, line)
		}
	}
	return names
}

// serveSDK starts a server and returns what the SDK's tests want to find in their environment.
func serveSDK(t testing.TB) []string {
	t.Helper()
	s := serve(t, dataDir(t), "--sample")
	admin := s.adminToken(t)
	var config struct {
		WorkspaceID string `json:"workspace_id"`
	}
	decode(t, ask(t, "GET", s.url+"/.well-known/databricks-config", ""), 200, &config)
	id, secret := s.servicePrincipal(t, admin, "sdk")
	return []string{
		"CLOUD_ENV=aws", "CLOUD_PROVIDER=AWS", "DATABRICKS_HOST=" + s.url, "DATABRICKS_TOKEN=" + admin, "DATABRICKS_CONFIG_FILE=/dev/null",
		"THIS_WORKSPACE_ID=" + config.WorkspaceID, "TEST_METASTORE_ID=00000000-0000-0000-0000-000000000000",
		"TEST_DATABRICKS_CLIENT_ID=" + id, "TEST_DATABRICKS_CLIENT_SECRET=" + secret,
		"HOME=" + t.TempDir(), "PATH=" + os.Getenv("PATH"), "NO_PROXY=127.0.0.1",
	}
}

// adminToken makes a personal access token of the first administrator.
func (s *tarn) adminToken(t testing.TB) string {
	t.Helper()
	signed := strings.TrimSpace(run(t, "", "token", "create", "--data-dir", s.dir, "--admin"))
	var made struct {
		Value string `json:"token_value"`
	}
	decode(t, s.call(t, signed, "POST", "/api/2.0/token/create", `{"comment":"of a test"}`), 200, &made)
	return made.Value
}

// servicePrincipal makes a service principal with a secret, and returns what it logs in with.
func (s *tarn) servicePrincipal(t testing.TB, admin, name string) (id, secret string) {
	t.Helper()
	var principal struct {
		ID            string `json:"id"`
		ApplicationID string `json:"applicationId"`
	}
	decode(t, s.call(t, admin, "POST", "/api/2.0/preview/scim/v2/ServicePrincipals", `{"displayName":"`+name+`","active":true}`), 201, &principal)
	var config struct {
		AccountID string `json:"account_id"`
	}
	decode(t, ask(t, "GET", s.url+"/.well-known/databricks-config", ""), 200, &config)
	var made struct {
		Secret string `json:"secret"`
	}
	path := "/api/2.0/accounts/" + config.AccountID + "/servicePrincipals/" + principal.ID + "/credentials/secrets"
	decode(t, s.call(t, admin, "POST", path, `{}`), 200, &made)
	return principal.ApplicationID, made.Secret
}

// call calls an operation of the platform.
func (s *tarn) call(t testing.TB, token, method, path, body string, headers ...string) answer {
	t.Helper()
	return ask(t, method, s.url+path, body, append([]string{"Authorization", "Bearer " + token, "Content-Type", "application/json"}, headers...)...)
}

// decode reads an answer, which must have a status.
func decode(t testing.TB, got answer, status int, into any) {
	t.Helper()
	if got.status != status {
		t.Fatalf("wanted %d, got %d %s", status, got.status, got.body)
	}
	if err := json.Unmarshal([]byte(got.body), into); err != nil {
		t.Fatalf("%v: %s", err, got.body)
	}
}

// runSDKTest runs one test. Its working directory is empty: only tests that read files of the SDK's would miss them.
func runSDKTest(t testing.TB, program, name string, environ []string) (verdict, out string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, "-test.v", "-test.count=1", "-test.run", "^"+name+"$")
	cmd.Env, cmd.Dir = environ, t.TempDir()
	text, err := cmd.CombinedOutput()
	out = string(text)
	const most = 6000
	shown := out[max(0, len(out)-most):]
	switch {
	case strings.Contains(out, "--- SKIP: "+name):
		return "skip", shown
	case err == nil && strings.Contains(out, "--- PASS: "+name):
		return "pass", shown
	}
	return "fail", shown
}
