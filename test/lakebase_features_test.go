package test

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jwk"
	"github.com/lestrrat-go/jwx/v3/jwt"
)

// features is a lakebase with two databases: of the sample, where all features are turned on, and of plain, which has no
// settings but those of the Lakebase documentation.
type features struct {
	*tarn
	bearer string
	key    jwk.Key // of the issuers
}

const (
	plainPath      = "/api/2.0/workspace/1/rest/plain/public"
	strictIssuer   = "https://login.example.com"
	lenientIssuer  = "https://idp.example.com"
	strictAudience = "https://data.example.com"
)

func serveFeatures(t *testing.T) *features {
	t.Helper()
	key, issuer := publishKey(t)
	s := serve(t, dataDir(t), "--sample",
		"--issuer", strictIssuer+"="+issuer+"/jwks.json#"+strictAudience, "--issuer", lenientIssuer+"="+issuer+"/jwks.json")
	s.psql(t, sql(t, "features.sql"))
	s.psql(t, `CREATE DATABASE plain`)
	_, enable, _ := strings.Cut(sql(t, "1_enable.sql"), ";") // the role is there already
	s.psqlIn(t, "plain", enable+`
		CREATE TABLE notes (id int PRIMARY KEY); GRANT ALL ON notes TO "user@databricks.com"`)
	return &features{s, "Bearer " + s.token(t, "user@databricks.com"), key}
}

// psqlIn runs SQL as the owner in a database.
func (s *tarn) psqlIn(t testing.TB, database, sql string) string {
	t.Helper()
	return run(t, sql, "psql", "--data-dir", s.dir, "-d", database, "--", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1")
}

func (f *features) get(t testing.TB, path string, headers ...string) answer {
	t.Helper()
	return f.send(t, "GET", restPath+path, "", headers...)
}

func (f *features) send(t testing.TB, method, path, body string, headers ...string) answer {
	t.Helper()
	headers = append([]string{"Authorization", f.bearer, "Content-Type", "application/json"}, headers...)
	return ask(t, method, f.url+path, body, headers...)
}

// wants are what an answer must be. Headers of it are patterns, and empty for those that must not be there.
type wants struct {
	status  int
	body    string
	headers map[string]string
}

func (a answer) check(t testing.TB, w wants) {
	t.Helper()
	if a.status != w.status {
		t.Errorf("wanted %d, got %d %s", w.status, a.status, a.body)
	}
	if w.body != "" && a.body != w.body {
		t.Errorf("wanted %s\ngot %s", w.body, a.body)
	}
	for name, pattern := range w.headers {
		values := a.header.Values(name)
		if pattern == "" && len(values) > 0 {
			t.Errorf("wanted no %s, got %q", name, values)
		}
		if got := strings.Join(values, "|"); !regexp.MustCompile("^(?:" + pattern + ")$").MatchString(got) {
			t.Errorf("wanted %s: %s, got %q", name, pattern, got)
		}
	}
}

// TestLakebaseFeatures uses what the Lakebase documentation lists as not supported there, row by row.
func TestLakebaseFeatures(t *testing.T) {
	f := serveFeatures(t)
	ok := func(body string) wants { return wants{status: 200, body: body} }

	t.Run("computed relationships", func(t *testing.T) {
		f.get(t, "/projects?select=id,open_tasks(title)&id=eq.1").check(t,
			ok("[{\"id\":1,\"open_tasks\":[{\"title\":\"Design Homepage\"}, \n {\"title\":\"User Testing\"}]}]"))
		f.get(t, "/projects?select=id,customer(name)&id=eq.3").check(t, ok(`[{"id":3,"customer":{"name":"TechStart Inc"}}]`))
		f.get(t, "/projects?select=id,...customer(name)&order=customer(name),id&limit=2").check(t,
			ok("[{\"id\":1,\"name\":\"Acme Corp\"}, \n {\"id\":2,\"name\":\"Acme Corp\"}]"))
		// In place of the foreign key's, which would have the one that is only planned as well.
		f.get(t, "/clients?select=id,projects(id)&id=eq.1").check(t, ok(`[{"id":1,"projects":[{"id":1}]}]`))
	})

	t.Run("inner join embedding", func(t *testing.T) {
		f.get(t, "/tasks?select=id,projects(name)&projects.status=eq.completed&order=id").check(t, wants{status: 200, headers: map[string]string{
			"Content-Range": `0-5/\*`, // without it, rows are left as they are
		}})
		f.get(t, "/tasks?select=id,projects!inner(name)&projects.status=eq.completed").check(t,
			ok(`[{"id":4,"projects":{"name":"API Integration"}}]`))
	})

	t.Run("custom media type handlers", func(t *testing.T) {
		f.get(t, "/rpc/logo", "Accept", "image/png").check(t, wants{200, "\x89PNG\r\n\x1a\n", map[string]string{"Content-Type": "image/png"}})
		f.get(t, "/rpc/greeting?name=a%26b", "Accept", "text/xml").check(t, wants{200, "<hello>a&amp;b</hello>", map[string]string{"Content-Type": "text/xml; charset=utf-8"}})
		f.get(t, "/clients?order=id&limit=1", "Accept", "text/vcard").check(t, wants{
			200, "BEGIN:VCARD\nFN:Acme Corp\nEND:VCARD\n", map[string]string{"Content-Type": "text/vcard"},
		})
		f.get(t, "/events?select=id", "Accept", "application/x-ndjson").check(t, wants{200, "{\"id\":1}\n", map[string]string{"Content-Type": "application/x-ndjson"}})
		f.get(t, "/tasks", "Accept", "text/vcard").check(t, wants{status: 406})
	})

	t.Run("stripped nulls", func(t *testing.T) {
		f.get(t, "/tasks?select=id,actual_hours&id=in.(1,5)&order=id", "Accept", "application/vnd.pgrst.array+json;nulls=stripped").check(t, wants{
			200, `[{"id":1,"actual_hours":8.00},{"id":5}]`, map[string]string{"Content-Type": `application/vnd\.pgrst\.array\+json;nulls=stripped; charset=utf-8`},
		})
		f.get(t, "/tasks?select=id,actual_hours&id=eq.5", "Accept", "application/vnd.pgrst.object+json;nulls=stripped").check(t, wants{
			200, `{"id":5}`, map[string]string{"Content-Type": `application/vnd\.pgrst\.object\+json;nulls=stripped; charset=utf-8`},
		})
	})

	t.Run("GeoJSON", func(t *testing.T) { f.geoJSON(t) })

	t.Run("planned and estimated count", func(t *testing.T) {
		for _, c := range []struct{ path, count, want string }{
			{"/readings?a=eq.1&b=eq.1&limit=3", "exact", "0-2/500"},
			{"/readings?a=eq.1&b=eq.1&limit=3", "planned", "0-2/250"},
			{"/readings?a=eq.1&b=eq.1&limit=3", "estimated", "0-2/250"},
			{"/readings?id=lt.4&limit=2", "estimated", "0-1/3"}, // few enough to be counted
		} {
			f.get(t, c.path, "Prefer", "count="+c.count).check(t, wants{status: 206, headers: map[string]string{
				"Content-Range": c.want, "Preference-Applied": "count=" + c.count,
			}})
		}
	})

	t.Run("timezone preference", func(t *testing.T) {
		f.get(t, "/events?select=at", "Prefer", "timezone=America/Los_Angeles").check(t, wants{
			200, `[{"at":"2024-07-01T05:00:00-07:00"}]`, map[string]string{"Preference-Applied": "timezone=America/Los_Angeles"},
		})
		f.get(t, "/events?select=at").check(t, ok(`[{"at":"2024-07-01T12:00:00+00:00"}]`))
		f.get(t, "/events?select=at", "Prefer", "timezone=-4").check(t, ok(`[{"at":"2024-07-01T08:00:00-04:00"}]`))
		for _, handling := range []string{"strict", "lenient"} { // PostgreSQL knows its time zones, and refuses others
			got := f.get(t, "/events?select=at", "Prefer", "handling="+handling+", timezone=Jupiter/Red_Spot")
			got.check(t, wants{status: 400})
			checkError(t, got, "22023")
		}
	})

	t.Run("transaction control", func(t *testing.T) {
		insert := func(path, end string, applied string) {
			t.Helper()
			f.send(t, "POST", path, `{"id": 77}`, "Prefer", "return=representation, tx="+end).check(t, wants{
				status: 201, headers: map[string]string{"Preference-Applied": applied},
			})
		}
		insert(restPath+"/events", "rollback", "return=representation, tx=rollback")
		f.get(t, "/events?select=id&id=eq.77").check(t, ok(`[]`))
		insert(restPath+"/events", "commit", "return=representation, tx=commit")
		f.get(t, "/events?select=id&id=eq.77").check(t, ok(`[{"id":77}]`))
		// Where it isn't turned on, clients don't decide.
		insert(plainPath+"/notes", "rollback", "return=representation")
		f.send(t, "GET", plainPath+"/notes", "").check(t, ok(`[{"id":77}]`))
	})

	t.Run("preference handling", func(t *testing.T) {
		got := f.get(t, "/clients?select=id", "Prefer", "handling=strict, color=red")
		got.check(t, wants{status: 400})
		checkError(t, got, "PGRST122")
		if !strings.Contains(got.body, "color=red") {
			t.Errorf("%s doesn't say which", got.body)
		}
		f.get(t, "/clients?select=id&id=eq.1", "Prefer", "handling=lenient, color=red").check(t, wants{
			200, `[{"id":1}]`, map[string]string{"Preference-Applied": "handling=lenient"},
		})
		f.send(t, "PATCH", restPath+"/tasks?id=lt.4", `{"status":"x"}`, "Prefer", "handling=strict, max-affected=2").check(t, wants{status: 400})
		f.get(t, "/tasks?status=eq.x").check(t, ok(`[]`))
	})

	t.Run("execution plans", func(t *testing.T) {
		f.get(t, "/readings?id=eq.1", "Accept", "application/vnd.pgrst.plan").check(t, wants{status: 200, headers: map[string]string{
			"Content-Type": `application/vnd\.pgrst\.plan\+text; for="application/json"; charset=utf-8`,
		}})
		got := f.get(t, "/readings?id=eq.1", "Accept", `application/vnd.pgrst.plan+json; for="application/json"; options=analyze|verbose`)
		got.check(t, wants{status: 200})
		var plans []struct {
			Plan struct {
				Output []string `json:"Output"`
				Rows   *float64 `json:"Actual Rows"`
			}
		}
		if err := json.Unmarshal([]byte(got.body), &plans); err != nil || len(plans) != 1 || plans[0].Plan.Output == nil || plans[0].Plan.Rows == nil {
			t.Errorf("%v: %s", err, got.body)
		}
		got = f.send(t, "GET", plainPath+"/notes", "", "Accept", "application/vnd.pgrst.plan")
		got.check(t, wants{status: 406})
		checkError(t, got, "PGRST107")
	})

	t.Run("Server-Timing", func(t *testing.T) {
		dur := `;dur=\d+\.\d`
		f.get(t, "/clients").check(t, wants{status: 200, headers: map[string]string{
			"Server-Timing": "jwt" + dur + ", parse" + dur + ", plan" + dur + ", transaction" + dur + ", response" + dur,
		}})
		f.send(t, "GET", plainPath+"/notes", "").check(t, wants{status: 200, headers: map[string]string{"Server-Timing": ""}})
	})

	t.Run("trace header propagation", func(t *testing.T) {
		for path, status := range map[string]int{"/clients": 200, "/nothing": 404, "/clients?select=nothing": 400} {
			f.get(t, path, "X-Request-Id", "r-1").check(t, wants{status: status, headers: map[string]string{"X-Request-Id": "r-1"}})
		}
		f.get(t, "/rpc/request_id", "X-Request-Id", "r-2").check(t, ok(`"r-2"`))
		f.send(t, "GET", plainPath+"/notes", "", "X-Trace", "t-1").check(t, wants{status: 200, headers: map[string]string{"X-Trace": ""}})
	})

	t.Run("application settings", func(t *testing.T) {
		f.get(t, "/rpc/app_setting?name=region").check(t, ok(`"eu"`))
		f.get(t, "/rpc/app_setting?name=limit").check(t, ok(`"50"`))
		f.get(t, "/rpc/app_setting?name=other").check(t, ok(`null`))
	})

	t.Run("pre-request function", func(t *testing.T) {
		f.get(t, "/rpc/checked").check(t, ok(`"user@databricks.com"`))
		got := f.get(t, "/clients", "X-Api-Version", "1")
		got.check(t, wants{status: 410, headers: map[string]string{"X-Api-Versions": "2"}})
		checkError(t, got, "gone")
	})

	t.Run("JWT configuration", func(t *testing.T) { f.issuers(t) })

	t.Run("settings changed", func(t *testing.T) { f.changeSettings(t) })
}

// geoJSON asks for GeoJSON without PostGIS, and with it where the server has it.
func (f *features) geoJSON(t *testing.T) {
	const accept = "application/geo+json"
	got := f.get(t, "/clients", "Accept", accept)
	got.check(t, wants{status: 406})
	checkError(t, got, "PGRST107")
	f.get(t, "/events?select=id", "Accept", accept+", application/json").check(t, wants{200, `[{"id":1}]`, nil})
	out, err := tryRun(t, "", "psql", "--data-dir", f.dir, "--superuser", "--", "-c", "CREATE EXTENSION postgis")
	if err != nil {
		t.Skipf("there is no PostGIS: %s", out)
	}
	f.psql(t, `CREATE TABLE places (id int PRIMARY KEY, name text, at geometry(Point, 4326));
		INSERT INTO places VALUES (1, 'Bern', ST_SetSRID(ST_MakePoint(7.44, 46.95), 4326)); GRANT SELECT ON places TO "user@databricks.com"`)
	f.waitRelation(t, strings.TrimPrefix(f.bearer, "Bearer "), "places")
	got = f.get(t, "/places", "Accept", accept)
	got.check(t, wants{status: 200, headers: map[string]string{"Content-Type": `application/geo\+json; charset=utf-8`}})
	var collection struct {
		Type     string
		Features []struct {
			Type       string
			Geometry   struct{ Coordinates []float64 }
			Properties map[string]any
		}
	}
	if err := json.Unmarshal([]byte(got.body), &collection); err != nil || collection.Type != "FeatureCollection" || len(collection.Features) != 1 {
		t.Fatalf("%v: %s", err, got.body)
	}
	if one := collection.Features[0]; one.Properties["name"] != "Bern" || len(one.Geometry.Coordinates) != 2 || one.Geometry.Coordinates[0] != 7.44 {
		t.Errorf("%s", got.body)
	}
}

// publishKey makes an RSA key and serves its public half, as an issuer does.
func publishKey(t testing.TB) (private jwk.Key, url string) {
	t.Helper()
	raw, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	if private, err = jwk.Import(raw); err != nil {
		t.Fatal(err)
	}
	if err := private.Set(jwk.KeyIDKey, "rsa-1"); err != nil {
		t.Fatal(err)
	}
	public, err := private.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]any{"keys": []any{public}})
	}))
	t.Cleanup(server.Close)
	return private, server.URL
}

// issuers has tokens of two issuers, one of which is trusted for one audience only.
func (f *features) issuers(t *testing.T) {
	for _, c := range []struct {
		name, issuer string
		audience     []string
		status       int
		code         string
	}{
		{"for the audience", strictIssuer, []string{"other", strictAudience}, 200, ""},
		{"for another audience", strictIssuer, []string{"other"}, 401, "PGRST303"},
		{"for no audience", strictIssuer, nil, 401, "PGRST303"},
		{"of an issuer for any audience", lenientIssuer, []string{"other"}, 200, ""},
		{"of an unknown issuer", "https://evil.example.com", []string{strictAudience}, 401, "PGRST301"},
	} {
		unsigned, err := jwt.NewBuilder().Issuer(c.issuer).Audience(c.audience).Subject("user@databricks.com").
			Expiration(time.Now().Add(time.Hour)).Build()
		if err != nil {
			t.Fatal(err)
		}
		signed, err := jwt.Sign(unsigned, jwt.WithKey(jwa.RS256(), f.key))
		if err != nil {
			t.Fatal(err)
		}
		got := f.get(t, "/clients?select=id", "Authorization", "Bearer "+string(signed))
		if got.status != c.status {
			t.Errorf("%s: wanted %d, got %d %s", c.name, c.status, got.status, got.body)
		}
		if c.code != "" {
			checkError(t, got, c.code)
		}
	}
}

// changeSettings has settings changed while the database is served. Whose tokens are good is not among them.
func (f *features) changeSettings(t *testing.T) {
	secret := filepath.Join(f.dir, "secret")
	if err := os.WriteFile(secret, []byte("this secret must not be read, long as it is"), 0o644); err != nil {
		t.Fatal(err)
	}
	f.psqlIn(t, "plain", `
		CREATE FUNCTION app_setting(name text) RETURNS text STABLE LANGUAGE sql AS $$ SELECT current_setting('app.settings.' || name, true) $$;
		CREATE OR REPLACE FUNCTION pgrst.pre_config() RETURNS void LANGUAGE sql AS $$
			SELECT set_config('pgrst.db_schemas', 'public', true), set_config('pgrst.server_trace_header', 'X-Trace', true),
				set_config('pgrst.app_settings', '{"region": "us"}', true), set_config('pgrst.db_anon_role', 'user@databricks.com', true),
				set_config('pgrst.jwt_secret', '@`+secret+`', true), set_config('pgrst.jwt_aud', 'nobody', true),
				set_config('pgrst.jwt_role_claim_key', '$.nothing', true) $$;
		NOTIFY pgrst, 'reload config'`)
	var got answer
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if got = f.send(t, "GET", plainPath+"/notes", "", "X-Trace", "t-1"); got.header.Get("X-Trace") != "" {
			break
		}
	}
	got.check(t, wants{200, `[{"id":77}]`, map[string]string{"X-Trace": "t-1"}})
	f.send(t, "GET", plainPath+"/rpc/app_setting?name=region", "").check(t, wants{200, `"us"`, nil})
	if anonymous := ask(t, "GET", f.url+plainPath+"/notes", ""); anonymous.status != 401 {
		t.Errorf("anonymous: %d %s", anonymous.status, anonymous.body)
	}
	// Of a superuser, they may be the login role's own, and go before the function's.
	run(t, `ALTER ROLE authenticator IN DATABASE plain SET "app.settings.region" = 'asia'; NOTIFY pgrst, 'reload config'`,
		"psql", "--data-dir", f.dir, "-d", "plain", "--superuser", "--", "-X", "-q")
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if got = f.send(t, "GET", plainPath+"/rpc/app_setting?name=region", ""); got.body == `"asia"` {
			return
		}
	}
	t.Errorf("%d %s", got.status, got.body)
}
