package oauth_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tarn-data/tarn/internal/fault"
	"github.com/tarn-data/tarn/internal/oauth"
	"github.com/tarn-data/tarn/internal/pgtest"
	"github.com/tarn-data/tarn/internal/store"
)

// TestClientsTakeAsLong counts what is done to find out whether a client's secret is good: the same for a client that isn't
// there as for one that is. So how long it takes tells nothing.
func TestClientsTakeAsLong(t *testing.T) {
	t.Parallel()
	state, err := store.Open(t.Context(), store.Options{URL: pgtest.New(t).URL, AppName: "test", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(state.Close)
	s, err := oauth.New(oauth.Options{Store: state, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	const good = "a secret of the tests"
	digest := oauth.Digest{}
	for _, app := range []*oauth.App{
		{IntegrationID: "1", ClientID: "confidential", Name: "one", Secret: oauth.DigestOf(good), RedirectURLs: []string{}, Scopes: []string{}},
		{IntegrationID: "2", ClientID: "public", Name: "two", RedirectURLs: []string{}, Scopes: []string{}},
		{IntegrationID: "3", ClientID: "zeros", Name: "three", Secret: &digest, RedirectURLs: []string{}, Scopes: []string{}},
	} {
		if err := state.AddApp(t.Context(), app); err != nil {
			t.Fatal(err)
		}
	}
	compared := 0
	s.Compared(&compared)
	for _, c := range []struct {
		id, secret string
		good       bool
	}{
		{"confidential", good, true}, {"confidential", "wrong", false}, {"confidential", "", false}, {"confidential", strings.Repeat("x", 1000), false},
		{"unknown", good, false}, {"unknown", "", false}, {"", "", false}, {strings.Repeat("x", 5000), good, false}, {"zeros", "", false},
		{"public", "", true}, {"databricks-cli", "", true},
	} {
		for _, basic := range []bool{false, true} {
			compared = 0
			err := s.Identify(t.Context(), c.id, c.secret, basic)
			if (err == nil) != c.good || compared != 1 {
				t.Errorf("%.20s %.20s: %d comparisons, %v", c.id, c.secret, compared, err)
			}
			if f := fault.From(err); err != nil && (f.Code != "invalid_client" || f.Message != "The client or its secret is not known." || basic != (len(f.Headers) == 1)) {
				t.Errorf("%+v", f)
			}
		}
	}
}

func TestRedirectsTo(t *testing.T) {
	t.Parallel()
	registered := []string{"https://app.example.com/back?x=1", "http://localhost", "http://127.0.0.1/callback", "http://[::1]/callback", "com.example.app:/back"}
	for address, want := range map[string]bool{
		"https://app.example.com/back?x=1": true, "com.example.app:/back": true, "http://localhost": true,
		"http://localhost:8020": true, "http://127.0.0.1:1/callback": true, "http://[::1]:65535/callback": true,
		"https://app.example.com/back": false, "https://app.example.com/back?x=1&y": false, "https://app.example.com:443/back?x=1": false,
		"HTTPS://app.example.com/back?x=1": false, "http://localhost:8020/": false, "http://127.0.0.1:1/callback/../x": false,
		"http://127.0.0.1:1/callback?x": false, "http://127.0.0.1:1/callback#x": false, "http://u@127.0.0.1:1/callback": false,
		"http://127.0.0.2:1/callback": false, "https://127.0.0.1:1/callback": false, "http://localhost.example.com:1": false,
		"http://localhost:": false, "": false, "/": false, "//app.example.com/back?x=1": false,
	} {
		if got := oauth.RedirectsTo(registered, address); got != want {
			t.Errorf("%q: %t", address, got)
		}
	}
}

func TestCredentialsOf(t *testing.T) {
	t.Parallel()
	form := func(pairs ...string) url.Values {
		v := url.Values{}
		for i := 0; i < len(pairs); i += 2 {
			v.Set(pairs[i], pairs[i+1])
		}
		return v
	}
	for name, c := range map[string]struct {
		user, password string // by HTTP Basic, unless both are empty
		header         string
		form           url.Values
		id, secret     string
		refused        bool
	}{
		"form":            {form: form("client_id", "a", "client_secret", "b"), id: "a", secret: "b"},
		"public":          {form: form("client_id", "a"), id: "a"},
		"nothing":         {form: form()},
		"basic":           {user: "a", password: "b", form: form(), id: "a", secret: "b"},
		"basic, encoded":  {user: "a%3Ab", password: "x+y%25", form: form(), id: "a:b", secret: "x y%"},
		"basic, as it is": {user: "a", password: "100%", form: form(), id: "a", secret: "100%"},
		"the same twice":  {user: "a", password: "b", form: form("client_id", "a"), id: "a", secret: "b"},
		"another id":      {user: "a", password: "b", form: form("client_id", "c"), refused: true},
		"both ways":       {user: "a", password: "b", form: form("client_secret", "b"), refused: true},
		"a bearer token":  {header: "Bearer x", form: form("client_id", "a"), refused: true},
		"broken basic":    {header: "Basic !", form: form("client_id", "a"), refused: true},
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", nil)
		if c.user != "" {
			r.SetBasicAuth(c.user, c.password)
		}
		if c.header != "" {
			r.Header.Set("Authorization", c.header)
		}
		id, secret, err := oauth.CredentialsOf(r, c.form)
		if (err != nil) != c.refused || id != c.id || secret != c.secret {
			t.Errorf("%s: %q %q %v", name, id, secret, err)
		}
	}
}

func TestReadForm(t *testing.T) {
	t.Parallel()
	const kind = "application/x-www-form-urlencoded"
	for _, c := range []struct {
		address, kind, body string
		good                bool
	}{
		{"/", kind, "a=1&b=2", true}, {"/", kind + "; charset=utf-8", "a=1", true}, {"/", kind, "", true},
		{"/", "application/json", `{}`, false}, {"/", "", "a=1", false}, {"/?a=1", kind, "b=2", false}, {"/", kind, "a=1&a=2", false},
		{"/", kind, "a=1&a=1", false}, {"/", kind, "a=%zz", false},
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, c.address, strings.NewReader(c.body))
		r.Header.Set("Content-Type", c.kind)
		if _, err := oauth.ReadForm(r); (err == nil) != c.good || err != nil && fault.From(err).Code != "invalid_request" {
			t.Errorf("%+v: %v", c, err)
		}
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader("a="+strings.Repeat("x", 100)))
	r.Header.Set("Content-Type", kind)
	r.Body = http.MaxBytesReader(nil, r.Body, 10)
	if _, err := oauth.ReadForm(r); fault.From(err).Kind != fault.TooLarge {
		t.Error(err)
	}
}

// The example is that of RFC 7636, appendix B.
func TestChallenge(t *testing.T) {
	t.Parallel()
	const verifier, challenge = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
	if !oauth.Matches(verifier, challenge) || !oauth.IsChallenge(challenge) {
		t.Error("the standard's own isn't taken")
	}
	for _, bad := range []string{"", challenge, verifier + "x", verifier[:42], strings.Repeat("x", 129)} {
		if oauth.Matches(bad, challenge) {
			t.Error(bad)
		}
	}
	for _, bad := range []string{"", challenge[:42], challenge + "x", strings.Replace(challenge, "-", "+", 1), challenge[:42] + "="} {
		if oauth.IsChallenge(bad) {
			t.Error(bad)
		}
	}
	if oauth.Matches(verifier, verifier) {
		t.Error("plain is taken")
	}
}

func TestScopesOf(t *testing.T) {
	t.Parallel()
	s, err := oauth.New(oauth.Options{Scopes: []string{"sql"}, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		asked   string
		allowed []string
		want    string // empty if it is refused
	}{
		{"", nil, "all-apis"}, {"", []string{"sql", "openid"}, "sql openid"}, {"", []string{"sql", "all-apis"}, "all-apis"},
		{"sql  openid sql", nil, "sql openid"}, {"sql", []string{"sql"}, "sql"}, {"all-apis", []string{"sql"}, ""},
		{"root", nil, ""}, {"SQL", nil, ""}, {"sql root", nil, ""}, {"offline_access", []string{"sql"}, ""},
	} {
		got, err := s.ScopesOf(c.asked, c.allowed)
		if strings.Join(got, " ") != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%q of %v: %v %v", c.asked, c.allowed, got, err)
		}
	}
}

func TestPrintable(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"a\"b\\c\r\nd\x00é": "abcd", strings.Repeat("x", 200): strings.Repeat("x", 100), "": ""} {
		if got := oauth.Printable(in); got != want {
			t.Errorf("%q became %q", in, got)
		}
	}
}

// Who comes back from logging in is sent to this server only, and isn't asked to log in once more.
func TestGoOn(t *testing.T) {
	t.Parallel()
	for query, want := range map[string][]string{
		"client_id=a&prompt=login&max_age=0":      {"client_id"},
		"prompt=consent&client_id=a":              {"client_id", "prompt"},
		"redirect_uri=https%3A%2F%2Fevil.example": {"redirect_uri"},
		"%zz": nil, "//evil.example/?x=1": {"//evil.example/?x"},
	} {
		w := httptest.NewRecorder()
		oauth.GoOn(w, query)
		u, err := url.Parse(w.Header().Get("Location"))
		if err != nil || w.Code != http.StatusSeeOther || u.Host != "" || u.Path != "/oidc/v1/authorize" {
			t.Errorf("%q: %d %s %v", query, w.Code, u, err)
			continue
		}
		var names []string
		for name := range u.Query() {
			names = append(names, name)
		}
		if slices.Sort(names); !slices.Equal(names, want) {
			t.Errorf("%q: %v", query, names)
		}
	}
}
