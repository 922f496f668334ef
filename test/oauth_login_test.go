package test

import (
	"bufio"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jwk"
	"golang.org/x/oauth2"
)

// TestExternalLogin has people of one server log in to others by it.
func TestExternalLogin(t *testing.T) {
	t.Parallel()
	provider := serveTokens(t, "--rate-limit", "0", "--signing-algorithm", "RS256")
	var metadata struct {
		Algorithms []string `json:"id_token_signing_alg_values_supported"`
	}
	decode(t, ask(t, "GET", provider.url+"/oidc/.well-known/openid-configuration", ""), http.StatusOK, &metadata)
	keys, err := jwk.Parse([]byte(ask(t, "GET", provider.url+"/oidc/jwks.json", "").body))
	if err != nil || !slices.Equal(metadata.Algorithms, []string{"RS256"}) || keys.Len() == 0 {
		t.Fatal(metadata, keys, err)
	}
	if first, ok := keys.Key(0); !ok || first.KeyType() != jwa.RSA() || keys.Len() != 1 {
		t.Error("tokens are signed with", keys)
	}
	var config struct {
		AccountID string `json:"account_id"`
	}
	decode(t, ask(t, "GET", provider.url+"/.well-known/databricks-config", ""), http.StatusOK, &config)
	const password = "correct horse battery"
	for _, name := range []string{"ann@example.com", "bob@example.com", "cyd@example.com", "eve@evil.example"} {
		var user struct{ ID string }
		decode(t, provider.call(t, provider.admin, "POST", "/api/2.0/preview/scim/v2/Users", `{"userName":"`+name+`"}`), http.StatusCreated, &user)
		if got := provider.call(t, provider.admin, "PUT", "/api/2.0/tarn/users/"+user.ID+"/password", `{"password":"`+password+`"}`); got.status != http.StatusOK {
			t.Fatal(got)
		}
	}
	address, makes := freeAddress(t), freeAddress(t)
	var app struct {
		ID     string `json:"client_id"`
		Secret string `json:"client_secret"`
	}
	apps := "/api/2.0/accounts/" + config.AccountID + "/oauth2/custom-app-integrations"
	decode(t, provider.call(t, provider.admin, "POST", apps, `{"name":"The other one","confidential":true,"redirect_urls":["http://`+address+`/oidc/v1/callback","http://`+makes+`/oidc/v1/callback"]}`),
		http.StatusOK, &app)
	relying := func(address string, args ...string) *tokenService {
		s := &tokenService{tarn: serve(t, dataDir(t), append([]string{
			"--listen", address, "--url", "http://" + address, "--rate-limit", "0", "--login-issuer", provider.url + "/oidc",
			"--login-client-id", app.ID, "--login-client-secret", app.Secret, "--login-domain", "example.com", "--login-title", "Example",
		}, args...)...)}
		s.url = "http://" + address
		s.admin = s.adminToken(t)
		return s
	}
	s := relying(address)
	var user struct{ ID string }
	decode(t, s.call(t, s.admin, "POST", "/api/2.0/preview/scim/v2/Users", `{"userName":"ann@example.com"}`), http.StatusCreated, &user)

	asked := map[string]bool{}
	// It follows a person from the client to the provider and back to the server.
	follow := func(b *browser, s *tokenService, name string) page {
		c := s.client("databricks-cli", "", cliRedirect, "all-apis")
		p := b.get(c.AuthCodeURL("s", oauth2.S256ChallengeOption(oauth2.GenerateVerifier())))
		link := regexp.MustCompile(`href="(/oidc/v1/external[^"]*)"`).FindStringSubmatch(p.body)
		if link == nil || !strings.Contains(p.body, "Log in with Example") {
			t.Fatal(p.body)
		}
		p = b.get(s.url + strings.NewReplacer("&amp;", "&", "&#43;", "+").Replace(link[1]))
		p = b.get(p.location) // the provider's login page
		p = b.post(provider.url+p.action(), url.Values{"form": {p.field("form")}, "user": {name}, "password": {password}})
		p = b.get(p.location)
		if first := !asked[name]; first != strings.Contains(p.body, "The other one") { // which isn't the provider's own
			t.Fatal("consent is asked for once:", name, p)
		} else if !first {
			return p
		}
		asked[name] = true
		return b.post(provider.url+p.action(), url.Values{"form": {p.field("form")}, "answer": {"allow"}})
	}
	b := newBrowser(t)
	back := follow(b, s, "ann@example.com")
	if !strings.HasPrefix(back.location, s.url+"/oidc/v1/callback?") {
		t.Fatal(back)
	}
	if p := newBrowser(t).get(back.location); p.status != http.StatusForbidden {
		t.Error("another browser logged in:", p.status)
	}
	b = newBrowser(t)
	p := b.get(follow(b, s, "ann@example.com").location)
	p = b.get(p.location)
	if u, err := url.Parse(p.location); err != nil || u.Host != "localhost:8020" || u.Query().Get("code") == "" {
		t.Error("came back with", p.status, p.location, p.body)
	}
	if again := b.get(back.location); again.status != http.StatusForbidden {
		t.Error("an answer was taken twice:", again.status)
	}
	for name, why := range map[string]string{"bob@example.com": "no user bob@example.com", "eve@evil.example": "may not log in"} {
		b := newBrowser(t)
		if p := b.get(follow(b, s, name).location); p.status != http.StatusForbidden || !strings.Contains(p.body, why) {
			t.Error(name, p.status, p.body)
		}
	}

	t.Run("makes users", func(t *testing.T) {
		s := relying(makes, "--login-create", "--login-group", "analysts", "--login-entitlement", "allow-cluster-create", "--login-link", "never")
		if p := newBrowser(t); p.get(follow(p, s, "cyd@example.com").location).status != http.StatusServiceUnavailable {
			t.Error("the group isn't there yet")
		}
		for path, body := range map[string]string{"Groups": `{"displayName":"analysts"}`, "Users": `{"userName":"ann@example.com"}`} {
			if got := s.call(t, s.admin, "POST", "/api/2.0/preview/scim/v2/"+path, body); got.status != http.StatusCreated {
				t.Fatal(got)
			}
		}
		for range 2 { // the second time, the user is there
			b := newBrowser(t)
			p := b.get(follow(b, s, "cyd@example.com").location)
			p = b.get(p.location)
			if u, err := url.Parse(p.location); err != nil || u.Host != "localhost:8020" || u.Query().Get("code") == "" {
				t.Error("came back with", p.status, p.location, p.body)
			}
		}
		var found struct {
			Resources []struct {
				Groups, Entitlements []struct{ Value, Display string }
			}
		}
		decode(t, s.call(t, s.admin, "GET", "/api/2.0/preview/scim/v2/Users?filter=userName+eq+%22cyd@example.com%22", ""), http.StatusOK, &found)
		if len(found.Resources) != 1 {
			t.Fatal(found)
		}
		if u := found.Resources[0]; len(u.Groups) != 2 || u.Groups[0].Display != "analysts" || len(u.Entitlements) != 1 || u.Entitlements[0].Value != "allow-cluster-create" {
			t.Error(u)
		}
		for name, why := range map[string]string{"ann@example.com": "no user ann@example.com", "eve@evil.example": "may not log in"} {
			b := newBrowser(t)
			if p := b.get(follow(b, s, name).location); p.status != http.StatusForbidden || !strings.Contains(p.body, why) {
				t.Error(name, p.status, p.body)
			}
		}
	})
}

// TestLoginCommand has a person log in with tarn login, and use what it leaves.
func TestLoginCommand(t *testing.T) {
	t.Parallel()
	s := serveTokens(t)
	program, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	command := func(args ...string) *exec.Cmd {
		cmd := exec.CommandContext(t.Context(), program, args...)
		cmd.Env = []string{"HOME=" + home, "PATH=" + os.Getenv("PATH")}
		return cmd
	}
	login := command("login", "--host", s.url, "--no-browser")
	said, err := login.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := login.Start(); err != nil {
		t.Fatal(err)
	}
	address := ""
	lines := bufio.NewScanner(said)
	for address == "" && lines.Scan() {
		if line := strings.TrimSpace(lines.Text()); strings.HasPrefix(line, "http") {
			address = line
		}
	}
	b := newBrowser(t)
	back := b.logIn(address, "admin", s.password)
	if wrong := b.get(strings.Replace(back.location, "state=", "state=x", 1)); wrong.status != http.StatusNotFound {
		t.Error("the command took an answer to somebody else:", wrong.status)
	}
	if p := b.get(back.location); !strings.Contains(p.body, "You are logged in") {
		t.Error(p)
	}
	if err := login.Wait(); err != nil {
		t.Fatal(err)
	}
	profiles := filepath.Join(home, ".config", "tarn", "profiles.json")
	if info, err := os.Stat(profiles); err != nil || info.Mode().Perm() != 0o600 {
		t.Error(info, err)
	}
	made, err := command("token", "create", "--comment", "from the command line").Output()
	if err != nil {
		t.Fatal(err)
	}
	personal := strings.TrimSpace(string(made))
	if s.me(t, personal) != http.StatusOK {
		t.Error(personal)
	}
	// The access token is old: it is renewed, by one of several commands at once.
	expire(t, profiles)
	var waiting []*exec.Cmd
	for range 3 {
		cmd := command("token", "list", "--json")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		waiting = append(waiting, cmd)
	}
	for _, cmd := range waiting {
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	}
	list, err := command("token", "list").Output()
	if err != nil || !strings.Contains(string(list), "from the command line") {
		t.Fatal(string(list), err)
	}
	for line := range strings.Lines(string(list)) {
		if strings.Contains(line, "from the command line") {
			if out, err := command("token", "delete", strings.Fields(line)[0]).CombinedOutput(); err != nil {
				t.Error(string(out), err)
			}
		}
	}
	eventually(t, func() bool { return s.me(t, personal) == http.StatusUnauthorized })

	// Another password ends the login: its access token and its refresh token, and the one of the browser.
	var me struct{ ID string }
	decode(t, s.call(t, s.admin, "GET", "/api/2.0/preview/scim/v2/Me", ""), http.StatusOK, &me)
	if got := s.call(t, s.admin, "PUT", "/api/2.0/tarn/users/"+me.ID+"/password", `{"password":"another password"}`); got.status != http.StatusOK {
		t.Fatal(got)
	}
	eventually(t, func() bool { return command("token", "list").Run() != nil })
	expire(t, profiles)
	if out, err := command("token", "list").CombinedOutput(); err == nil || !strings.Contains(string(out), "tarn login") {
		t.Error(string(out), err)
	}
	if p := b.get(address); p.field("form") == "" {
		t.Error("the browser is still logged in:", p)
	}
}

// expire makes the access token of all profiles an old one.
func expire(t testing.TB, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var all struct {
		Current  string                    `json:"current"`
		Profiles map[string]map[string]any `json:"profiles"`
	}
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	for _, p := range all.Profiles {
		p["token"].(map[string]any)["expiry"] = time.Now().Add(-time.Hour)
	}
	if text, err = json.Marshal(all); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
}
