package test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tarn-data/tarn/internal/pgtest"
)

const (
	opsSecret   = "a secret that has more than 32 characters"
	opsPassword = "hush-hush-hush" // which nobody must see; the server trusts who comes
)

// site is a database and a file of settings, with which a Data API is operated.
type site struct {
	db       *pgtest.DB
	anon     string // roles
	author   string
	login    string
	file     string
	settings map[string]string
}

const siteSchema = `
	CREATE SCHEMA api;
	CREATE TABLE api.items (id int PRIMARY KEY, name text);
	INSERT INTO api.items SELECT i, 'item ' || i FROM generate_series(1, 5) i;
	CREATE TABLE api.parts (id int PRIMARY KEY, item_id int REFERENCES api.items);
	CREATE FUNCTION api.nap(seconds float8) RETURNS int LANGUAGE sql AS $$ SELECT 1 FROM pg_sleep(seconds) $$;
	CREATE FUNCTION api.setting(name text) RETURNS text LANGUAGE sql AS $$ SELECT current_setting(name, true) $$;
	CREATE FUNCTION api.fail() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RAISE 'out of order' USING ERRCODE = 'PT500'; END $$;
	CREATE FUNCTION api.check_request() RETURNS void LANGUAGE sql AS $$ $$;`

func newSite(t testing.TB) *site {
	t.Helper()
	db := pgtest.New(t)
	s := &site{db: db, anon: db.Role(t, "NOLOGIN"), author: db.Role(t, "NOLOGIN"), login: db.Role(t, "LOGIN NOINHERIT")}
	db.Exec(t, siteSchema+fmt.Sprintf(`GRANT %q, %q TO %q; GRANT USAGE ON SCHEMA api TO %[1]q, %[2]q; GRANT ALL ON api.items, api.parts TO %[1]q, %[2]q`,
		s.anon, s.author, s.login))
	s.file = filepath.Join(t.TempDir(), "tarn.conf")
	s.settings = map[string]string{
		"db-uri":       strings.Replace(db.RoleURL(t, s.login), "password=tarn-test", "password="+opsPassword, 1),
		"db-schemas":   "api",
		"db-anon-role": s.anon,
		"db-channel":   db.Name,
		"jwt-secret":   opsSecret,
		"server-host":  "127.0.0.1",
	}
	s.set(t)
	return s
}

// set changes settings in the file: names and values in turn. An empty value takes a setting out.
func (s *site) set(t testing.TB, settings ...string) {
	t.Helper()
	for i := 0; i < len(settings); i += 2 {
		s.settings[settings[i]] = settings[i+1]
	}
	var b strings.Builder
	for name, value := range s.settings {
		if value != "" {
			fmt.Fprintf(&b, "%s = \"%s\"\n", name, strings.NewReplacer(`\`, `\\`, `"`, `\"`, "$", "$$").Replace(value))
		}
	}
	if err := os.WriteFile(s.file, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
}

// launch starts a Data API, and doesn't wait for it. Ports are chosen unless the settings name them.
func (s *site) launch(t testing.TB, environ ...string) *tarn {
	t.Helper()
	for _, name := range []string{"server-port", "admin-server-port"} {
		if s.settings[name] == "" {
			_, port, err := net.SplitHostPort(freeAddress(t))
			if err != nil {
				t.Fatal(err)
			}
			s.set(t, name, port)
		}
	}
	p := start(t, environ, "data-api", s.file)
	p.url, p.admin = "http://127.0.0.1:"+s.settings["server-port"], "http://127.0.0.1:"+s.settings["admin-server-port"]
	return p
}

// serve starts a Data API and waits until it is ready.
func (s *site) serve(t testing.TB, environ ...string) *tarn {
	t.Helper()
	p := s.launch(t, environ...)
	p.waitReady(t)
	return p
}

// token is one of a role.
func (s *site) token(t testing.TB, role string) string {
	t.Helper()
	return signHS256(t, opsSecret, map[string]any{"role": role})
}

// notify sends a notification to the channel that is listened to.
func (s *site) notify(t testing.TB, payload string) {
	t.Helper()
	s.db.Exec(t, fmt.Sprintf("NOTIFY %q, '%s'", s.settings["db-channel"], payload))
}

// hold makes whoever reads the items wait until release is called. Held waits until so many do.
func (s *site) hold(t testing.TB) (held func(readers int), release func()) {
	t.Helper()
	tx, err := s.db.Conn(t).Begin(t.Context())
	if err == nil {
		_, err = tx.Exec(t.Context(), "LOCK TABLE api.items")
	}
	if err != nil {
		t.Fatal(err)
	}
	watcher := s.db.Conn(t)
	held = func(readers int) {
		t.Helper()
		await(t, "readers that wait", func() bool {
			const query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
			var n int
			if err := watcher.QueryRow(t.Context(), query).Scan(&n); err != nil {
				t.Fatal(err)
			}
			return n == readers
		})
	}
	release = func() {
		t.Helper()
		if err := tx.Rollback(t.Context()); err != nil {
			t.Error(err)
		}
	}
	return held, release
}

// await waits until something holds.
func await(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(15 * time.Second); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("in vain: %s", what)
		}
	}
}

// awaitLog waits until something was written, so many times.
func (s *tarn) awaitLog(t testing.TB, text string, times int) {
	t.Helper()
	await(t, fmt.Sprintf("%q, %d times in the log", text, times), func() bool { return strings.Count(s.log.String(), text) >= times })
}

// reload has the settings read anew and waits until they are in force, or refused.
func (s *tarn) reload(t testing.TB) {
	t.Helper()
	done := func() int {
		log := s.log.String()
		return strings.Count(log, "settings reloaded") + strings.Count(log, "new settings are no good")
	}
	before := done()
	s.signal(t, syscall.SIGUSR2)
	await(t, "settings reloaded", func() bool { return done() > before })
}

// reloadSchema has the schema cache loaded anew and waits for it.
func (s *tarn) reloadSchema(t testing.TB) {
	t.Helper()
	before := strings.Count(s.log.String(), "schema cache loaded")
	s.signal(t, syscall.SIGUSR1)
	s.awaitLog(t, "schema cache loaded", before+1)
}

func (s *tarn) signal(t testing.TB, signal syscall.Signal) {
	t.Helper()
	if err := s.cmd.Process.Signal(signal); err != nil {
		t.Fatal(err)
	}
}

// ends waits until the server has ended, and returns its exit status.
func (s *tarn) ends(t testing.TB) int {
	t.Helper()
	select {
	case err := <-s.done:
		s.done <- err
		return exitStatus(t, err)
	case <-time.After(15 * time.Second):
		t.Fatal("tarn does not end")
	}
	return 0
}

func exitStatus(t testing.TB, err error) int {
	t.Helper()
	if err == nil {
		return 0
	}
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok {
		t.Fatal(err)
	}
	return exit.ExitCode()
}

// ready is the status of the admin endpoint's answer; 0 for none.
func (s *tarn) ready() int { return status(s.admin + "/ready") }

func status(url string) int {
	got, err := fetch(http.DefaultClient, url)
	if err != nil {
		return 0
	}
	return got.status
}

// overSocket is a client that reaches everything over a unix socket.
func overSocket(path string) *http.Client {
	return &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", path)
		},
	}}
}

// expect checks what is answered, but for space.
func (s *site) expect(t testing.TB, url, want string, headers ...string) {
	t.Helper()
	if got := ask(t, "GET", url, "", headers...); strings.Join(strings.Fields(got.body), "") != want {
		t.Errorf("%s: %d %s, want %s", url, got.status, got.body, want)
	}
}

// command runs a command of tarn with the environment and returns what it prints and its exit status.
func command(t testing.TB, stdin string, environ []string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = append(slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "PG") }), environ...)
	var out, errs strings.Builder
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errs
	err = cmd.Run()
	return out.String(), errs.String(), exitStatus(t, err)
}

// fetch gets a page with a client of its own kind.
func fetch(client *http.Client, url string) (answer, error) {
	res, err := client.Get(url)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	return answer{res.StatusCode, res.Header, string(b)}, err
}
