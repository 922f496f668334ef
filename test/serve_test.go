package test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jwk"
	"github.com/lestrrat-go/jwx/v3/jwt"

	"github.com/tarn-data/tarn/internal/pg/embedded"
	"github.com/tarn-data/tarn/internal/pgtest"
	"github.com/tarn-data/tarn/internal/server"
	"github.com/tarn-data/tarn/internal/token"
)

const firstQuery = restPath + "/clients?select=id&order=id"

// TestServeSurvives kills what can be killed without notice, and finds everything there again.
func TestServeSurvives(t *testing.T) {
	dir := dataDir(t)
	s := serve(t, dir, "--sample")
	bearerToken := s.token(t, "user@databricks.com")
	bearer := []string{"Authorization", "Bearer " + bearerToken, "Content-Type", "application/json"}
	insert := ask(t, "POST", s.url+restPath+"/clients", `{"name":"kept","email":"kept@example.com"}`, bearer...)
	if insert.status != http.StatusCreated {
		t.Fatalf("%d %s", insert.status, insert.body)
	}
	want := `[{"id":1},{"id":2},{"id":3},{"id":4}]`

	t.Run("a second process is refused", func(t *testing.T) {
		out, err := tryRun(t, "", "serve", "--data-dir", dir, "--listen", freeAddress(t), "--admin-listen", freeAddress(t))
		if err == nil || !strings.Contains(out, strconv.Itoa(s.cmd.Process.Pid)) {
			t.Errorf("%v: %s", err, out)
		}
	})
	t.Run("PostgreSQL killed", func(t *testing.T) {
		address, err := embedded.Locate(dir)
		if err != nil {
			t.Fatal(err)
		}
		pid := postmaster(t, address)
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		compareRows(t, s.eventually(t, firstQuery, bearer), want)
		if postmaster(t, address) == pid {
			t.Error("it is the same process")
		}
		compareRows(t, s.eventually(t, firstQuery, bearer), want)
	})
	t.Run("Tarn killed", func(t *testing.T) {
		s.kill(t)
		s = serve(t, dir)
		compareRows(t, s.eventually(t, firstQuery, bearer), want)
	})
	t.Run("stopped and started", func(t *testing.T) {
		s.stop(t)
		s = serve(t, dir)
		compareRows(t, s.eventually(t, firstQuery, bearer), want)
	})
}

// postmaster returns the process of the server.
func postmaster(t testing.TB, a embedded.Address) int {
	t.Helper()
	var (
		out []byte
		err error
	)
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		out, err = exec.Command("psql", "-XAtc", "SELECT pg_read_file('postmaster.pid', 0, 10)", a.URL("postgres")).CombinedOutput()
		if err == nil { // it may be about to be started again
			break
		}
	}
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	pid, err := strconv.Atoi(strings.Fields(string(out))[0])
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// eventually asks until the answer is a success.
func (s *tarn) eventually(t testing.TB, path string, headers []string) string {
	t.Helper()
	var got answer
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if got = ask(t, "GET", s.url+path, "", headers...); got.status == http.StatusOK {
			return got.body
		}
	}
	t.Fatalf("%s: %d %s", path, got.status, got.body)
	return ""
}

func TestServeRefuses(t *testing.T) {
	s := serve(t, dataDir(t), "--sample")
	user := s.token(t, "user@databricks.com")
	s.psql(t, `CREATE DATABASE other; CREATE ROLE nobody_granted LOGIN;
		SELECT databricks_create_role('boss@example.com', 'USER'); ALTER ROLE "boss@example.com" CREATEROLE;
		GRANT "boss@example.com" TO authenticator; GRANT USAGE ON SCHEMA public TO "boss@example.com"; GRANT SELECT ON clients TO "boss@example.com"`)
	if version, err := strconv.Atoi(strings.TrimSpace(s.psql(t, "SHOW server_version_num"))); err != nil || version < 160000 {
		s.psql(t, `GRANT db_owner TO authenticator`) // later versions refuse this themselves
	}
	s.psql(t, `NOTIFY pgrst, 'reload schema'`)
	expired := expiredToken(t, s.dir)
	cases := []struct {
		name, path, token string
		status            int
		code, message     string
	}{
		{name: "no token", path: firstQuery, status: 401, code: "PGRST302", message: "Anonymous access is disabled"},
		{name: "malformed token", path: firstQuery, token: "x", status: 401, code: "PGRST301"},
		{name: "token without signature", path: firstQuery, token: "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ1c2VyQGRhdGFicmlja3MuY29tIn0.", status: 401, code: "PGRST301"},
		{name: "token of another lakebase", path: firstQuery, token: foreignToken(t), status: 401, code: "PGRST301"},
		{name: "expired token", path: firstQuery, token: expired, status: 401, code: "PGRST303", message: "JWT expired"},
		{name: "role that is not there", path: firstQuery, token: s.token(t, "stranger@example.com"), status: 401, code: "22023"},
		{name: "role that is not granted", path: firstQuery, token: s.token(t, "nobody_granted"), status: 403, code: "42501"},
		{name: "authenticator itself", path: firstQuery, token: s.token(t, "authenticator"), status: 403, code: "42501"},
		{name: "role with CREATEROLE", path: firstQuery, token: s.token(t, "boss@example.com"), status: 403, code: "42501", message: `permission denied to grant role "boss@example.com"`},
		{name: "database that is not there", path: "/api/2.0/workspace/1/rest/nope/public/t", token: user, status: 404, code: "3D000"},
		{name: "database that is not enabled", path: "/api/2.0/workspace/1/rest/other/public/t", token: user, status: 404, code: "PGRST000"},
		{name: "database, without a token", path: "/api/2.0/workspace/1/rest/nope/public/t", status: 401, code: "PGRST302"},
		{name: "schema that is not exposed", path: "/api/2.0/workspace/1/rest/databricks_postgres/pg_catalog/pg_roles", token: user, status: 406, code: "PGRST106"},
		{name: "workspace that is no number", path: "/api/2.0/workspace/x/rest/databricks_postgres/public/clients", token: user, status: 404, code: "PGRST125"},
	}
	if s.psql(t, "SELECT pg_has_role('authenticator', 'db_owner', 'member')") == "t\n" {
		cases = append(cases, cases[8])
		last := &cases[len(cases)-1]
		last.name, last.token, last.message = "the database's owner", s.token(t, "db_owner"), `permission denied to grant role "db_owner"`
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var headers []string
			if c.token != "" {
				headers = []string{"Authorization", "Bearer " + c.token}
			}
			got := ask(t, "GET", s.url+c.path, "", headers...)
			if got.status != c.status {
				t.Errorf("wanted %d, got %d %s", c.status, got.status, got.body)
			}
			checkError(t, got, c.code)
			if c.message != "" && !strings.Contains(got.body, strings.ReplaceAll(c.message, `"`, `\"`)) {
				t.Errorf("wanted %s in %s", c.message, got.body)
			}
			if got.status == 401 && got.header.Get("WWW-Authenticate") == "" {
				t.Error("no WWW-Authenticate")
			}
		})
	}
}

// expiredToken is a token of the lakebase's own from two hours ago.
func expiredToken(t testing.TB, dir string) string {
	t.Helper()
	before := func() time.Time { return time.Now().Add(-2 * time.Hour) }
	at, err := embedded.Locate(dir)
	if err != nil {
		t.Fatal(err)
	}
	text, err := server.Sign(t.Context(), server.SignOptions{
		ServeOptions: server.ServeOptions{
			DataDir: dir, StateURL: at.RoleURL(embedded.StoreRole, embedded.StoreDatabase), VaultKeys: []string{"dir"}, Log: slog.New(slog.DiscardHandler),
		},
		Claims: token.Claims{Subject: "user@databricks.com", Lifetime: time.Hour}, Now: before,
	})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func newKey(t testing.TB) (private, public jwk.Key) {
	t.Helper()
	raw, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if private, err = jwk.Import(raw); err != nil {
		t.Fatal(err)
	}
	if err := private.Set(jwk.KeyIDKey, "key-1"); err != nil {
		t.Fatal(err)
	}
	if public, err = private.PublicKey(); err != nil {
		t.Fatal(err)
	}
	return private, public
}

func sign(t testing.TB, key jwk.Key, issuer, subject string) string {
	t.Helper()
	unsigned, err := jwt.NewBuilder().Issuer(issuer).Subject(subject).Expiration(time.Now().Add(time.Hour)).Build()
	if err != nil {
		t.Fatal(err)
	}
	signed, err := jwt.Sign(unsigned, jwt.WithKey(jwa.ES256(), key))
	if err != nil {
		t.Fatal(err)
	}
	return string(signed)
}

func foreignToken(t testing.TB) string {
	t.Helper()
	private, _ := newKey(t)
	return sign(t, private, "tarn", "user@databricks.com")
}

// TestServeIssuers has tokens of another issuer verified by the keys that it publishes.
func TestServeIssuers(t *testing.T) {
	private, public := newKey(t)
	issuer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]any{"keys": []any{public}})
	}))
	defer issuer.Close()
	s := serve(t, dataDir(t), "--sample", "--issuer", "https://login.example.com="+issuer.URL+"/jwks.json")
	good := sign(t, private, "https://login.example.com", "user@databricks.com")
	if got := ask(t, "GET", s.url+firstQuery, "", "Authorization", "Bearer "+good); got.status != 200 {
		t.Errorf("%d %s", got.status, got.body)
	}
	bad := sign(t, private, "https://elsewhere.example.com", "user@databricks.com")
	if got := ask(t, "GET", s.url+firstQuery, "", "Authorization", "Bearer "+bad); got.status != 401 {
		t.Errorf("%d %s", got.status, got.body)
	}
}

// TestServeOwnPostgres serves from a PostgreSQL that Tarn doesn't run, readied by tarn init.
func TestServeOwnPostgres(t *testing.T) {
	db := pgtest.New(t)
	t.Cleanup(func() {
		admin := strings.Replace(db.URL, "/"+db.Name, "/postgres", 1)
		_, _ = exec.Command("psql", admin, "-c", "DROP ROLE IF EXISTS authenticator").CombinedOutput()
	})
	out := run(t, "", "init", "--postgres", db.URL, "--database", db.Name)
	_, rest, ok := strings.Cut(out, "tarn serve --postgres '")
	if !ok {
		t.Fatalf("tarn init says: %s", out)
	}
	url, _, _ := strings.Cut(rest, "'")
	again := run(t, "", "init", "--postgres", db.URL, "--database", db.Name)
	if strings.Contains(again, "made   the role") {
		t.Errorf("the second time: %s", again)
	}
	db.Exec(t, `CREATE TABLE things (id int); INSERT INTO things VALUES (7)`)
	role := db.Role(t, "NOLOGIN")
	db.Exec(t, `GRANT "`+role+`" TO authenticator; GRANT SELECT ON things TO "`+role+`"`)
	s := serve(t, dataDir(t), "--postgres", url)
	got := ask(t, "GET", s.url+"/api/2.0/workspace/1/rest/"+db.Name+"/public/things", "", "Authorization", "Bearer "+s.token(t, role))
	if got.status != 200 {
		t.Fatalf("%d %s", got.status, got.body)
	}
	compareRows(t, got.body, `[{"id":7}]`)
	s.stop(t)
	db.Exec(t, `DROP OWNED BY authenticator`)
}
