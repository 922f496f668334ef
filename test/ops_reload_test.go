package test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// TestReloadSettings changes the file under a running server.
func TestReloadSettings(t *testing.T) {
	site := newSite(t)
	secrets := filepath.Join(t.TempDir(), "secret")
	rotate := func(secret string) {
		t.Helper()
		if err := os.WriteFile(secrets, []byte(secret+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	rotate(strings.Repeat("wrong", 8))
	site.set(t, "db-config", "false", "jwt-secret", "@"+secrets)
	s := site.serve(t)
	author := []string{"Authorization", "Bearer " + site.token(t, site.author)}

	t.Run("rows", func(t *testing.T) {
		site.expect(t, s.url+"/items?select=id", `[{"id":1},{"id":2},{"id":3},{"id":4},{"id":5}]`)
		site.set(t, "db-max-rows", "2")
		s.reload(t)
		site.expect(t, s.url+"/items?select=id", `[{"id":1},{"id":2}]`)
	})
	t.Run("settings of the application", func(t *testing.T) {
		site.set(t, "app.settings.name", "Jane")
		s.reload(t)
		site.expect(t, s.url+"/rpc/setting?name=app.settings.name", `"Jane"`)
	})
	t.Run("secret in a file of its own", func(t *testing.T) {
		if got := ask(t, "GET", s.url+"/items", "", author...); got.status != 401 {
			t.Errorf("with the wrong secret: %d %s", got.status, got.body)
		}
		rotate(opsSecret)
		s.reloadSchema(t) // which is not about settings
		if got := ask(t, "GET", s.url+"/items", "", author...); got.status != 401 {
			t.Errorf("before the reload: %d %s", got.status, got.body)
		}
		s.reload(t)
		site.expect(t, s.url+"/rpc/setting?name=role", `"`+site.author+`"`, author...)
		rotate(strings.Repeat("wrong", 8))
		before := strings.Count(s.log.String(), "settings reloaded")
		site.notify(t, "reload config")
		s.awaitLog(t, "settings reloaded", before+1)
		if got := ask(t, "GET", s.url+"/items", "", author...); got.status != 401 {
			t.Errorf("a token is remembered that nobody would verify now: %d %s", got.status, got.body)
		}
	})
	t.Run("schemas", func(t *testing.T) {
		site.db.Exec(t, fmt.Sprintf(`CREATE SCHEMA other; CREATE TABLE other.things (); GRANT USAGE ON SCHEMA other TO %q; GRANT SELECT ON other.things TO %[1]q`, site.anon))
		site.set(t, "db-schemas", "other,api")
		s.reload(t)
		site.expect(t, s.url+"/things", `[]`)
		site.expect(t, s.url+"/items?id=eq.1&select=id", `[{"id":1}]`, "Accept-Profile", "api")
		site.set(t, "db-schemas", "api")
		s.reload(t)
	})
	t.Run("what is no good", func(t *testing.T) {
		good := site.settings["jwt-role-claim-key"]
		for _, bad := range [][]string{{"jwt-role-claim-key", "nonsense"}, {"db-tx-end", "never"}, {"db-schemas", "pg_catalog"}, {"jwt-secret", "short"}} {
			old := site.settings[bad[0]]
			before := strings.Count(s.log.String(), "no good")
			site.set(t, append(bad, "db-max-rows", "1")...)
			s.reload(t)
			s.awaitLog(t, "no good, and the old ones stay in force", before+1)
			site.expect(t, s.url+"/items?select=id", `[{"id":1},{"id":2}]`)
			site.set(t, bad[0], old)
		}
		site.set(t, "jwt-role-claim-key", good)
		if err := os.Rename(site.file, site.file+".gone"); err != nil {
			t.Fatal(err)
		}
		s.reload(t)
		site.expect(t, s.url+"/items?select=id", `[{"id":1},{"id":2}]`)
		if got := s.ready(); got != 200 {
			t.Errorf("/ready: %d", got)
		}
		site.set(t)
		s.reload(t)
		site.expect(t, s.url+"/items?select=id", `[{"id":1}]`)
	})
	t.Run("what can't change", func(t *testing.T) {
		_, port, _ := strings.Cut(freeAddress(t), ":")
		site.set(t, "db-uri", "postgresql://nobody@127.0.0.1:1/none", "server-port", port, "db-pool", "77", "db-max-rows", "3")
		s.reload(t)
		s.reloadSchema(t)
		site.expect(t, s.url+"/items?select=id", `[{"id":1},{"id":2},{"id":3}]`)
		if m := ask(t, "GET", s.admin+"/metrics", "").body; !strings.Contains(m, "pgrst_db_pool_max 10\n") {
			t.Error("the pool has another size")
		}
	})
}

// TestReloadWithinDatabase changes the settings that the database holds.
func TestReloadWithinDatabase(t *testing.T) {
	site := newSite(t)
	site.db.Exec(t, fmt.Sprintf(`
		CREATE FUNCTION api.pre_config() RETURNS void LANGUAGE sql AS $$ SELECT set_config('pgrst.db_max_rows', '4', true), set_config('pgrst.db_schemas', 'api', true) $$;
		GRANT USAGE ON SCHEMA api TO %q`, site.login))
	site.set(t, "db-pre-config", "api.pre_config", "db-schemas", "public")
	s := site.serve(t)
	set := func(sql string) { site.db.Exec(t, fmt.Sprintf(sql, site.login)) }
	reloaded := func(payload, logged string) {
		t.Helper()
		before := strings.Count(s.log.String(), logged)
		site.notify(t, payload)
		s.awaitLog(t, logged, before+1)
	}
	site.expect(t, s.url+"/items?select=id", `[{"id":1},{"id":2},{"id":3},{"id":4}]`)
	set(`ALTER ROLE %q SET pgrst.db_max_rows = 3`)
	reloaded("reload config", "settings reloaded")
	site.expect(t, s.url+"/items?select=id", `[{"id":1},{"id":2},{"id":3}]`)
	set(`ALTER ROLE %q SET pgrst.db_max_rows = 2`)
	reloaded("reload schema", "settings reloaded") // goes together
	site.expect(t, s.url+"/items?select=id", `[{"id":1},{"id":2}]`)
	set(`ALTER ROLE %q SET pgrst.db_max_rows = 1`)
	reloaded("", "schema cache loaded")
	site.expect(t, s.url+"/items?select=id", `[{"id":1}]`)

	t.Run("what is no good", func(t *testing.T) {
		set(`ALTER ROLE %q SET pgrst.jwt_role_claim_key = 'nonsense'`)
		reloaded("reload config", "no good")
		site.expect(t, s.url+"/items?select=id", `[{"id":1}]`)
		set(`ALTER ROLE %q RESET pgrst.jwt_role_claim_key`)
		site.db.Exec(t, `CREATE OR REPLACE FUNCTION api.pre_config() RETURNS void LANGUAGE plpgsql AS $$ BEGIN RAISE 'not now'; END $$`)
		reloaded("reload config", "not now")
		site.expect(t, s.url+"/items?select=id", `[{"id":1}]`)
		if got := s.ready(); got != 200 {
			t.Errorf("/ready: %d", got)
		}
	})
	t.Run("what is for others", func(t *testing.T) {
		before := s.log.String()
		site.notify(t, "nothing")
		site.notify(t, "reload config") // after which the other has been heard
		s.awaitLog(t, `payload="reload config"`, strings.Count(before, `payload="reload config"`)+1)
		if after := s.log.String()[len(before):]; strings.Contains(after, "nothing") {
			t.Errorf("heeded:\n%s", after)
		}
	})
}

// TestReloadRoles changes the settings of roles: that of the login role reach connections that are open already.
func TestReloadRoles(t *testing.T) {
	site := newSite(t)
	site.db.Exec(t, fmt.Sprintf(`ALTER ROLE %q SET statement_timeout = '5s'`, site.anon))
	s := site.serve(t)
	site.expect(t, s.url+"/rpc/setting?name=statement_timeout", `"5s"`)
	site.expect(t, s.url+"/rpc/setting?name=work_mem", `"4MB"`)
	site.db.Exec(t, fmt.Sprintf(`ALTER ROLE %q SET statement_timeout = '8s'; ALTER ROLE %q SET work_mem = '5MB'`, site.anon, site.login))
	before := strings.Count(s.log.String(), "settings reloaded")
	site.notify(t, "reload config")
	s.awaitLog(t, "settings reloaded", before+1)
	site.expect(t, s.url+"/rpc/setting?name=statement_timeout", `"8s"`)
	s.reloadSchema(t)
	await(t, "setting of the login role", func() bool {
		return ask(t, "GET", s.url+"/rpc/setting?name=work_mem", "").body == `"5MB"`
	})
	var wg sync.WaitGroup
	wg.Go(func() {
		site.expect(t, s.url+"/rpc/nap?seconds=0.3", `1`) // goes on while connections are replaced
	})
	s.reloadSchema(t)
	wg.Wait()
}

// TestReloadListener changes whether and where notifications are heard.
func TestReloadListener(t *testing.T) {
	site := newSite(t)
	channel := site.settings["db-channel"]
	site.set(t, "db-channel-enabled", "false")
	s := site.serve(t)
	heard := func(channel, payload string) int {
		t.Helper()
		site.db.Exec(t, fmt.Sprintf("NOTIFY %q, '%s'", channel, payload))
		return strings.Count(s.log.String(), "msg=notified")
	}
	if strings.Contains(s.log.String(), "listening for notifications") {
		t.Error("listens from the beginning")
	}
	site.set(t, "db-channel-enabled", "true")
	s.reload(t)
	s.awaitLog(t, `msg="listening for notifications" channel=`+channel+` `, 1)
	site.notify(t, "reload schema")
	s.awaitLog(t, "msg=notified", 1)

	site.set(t, "db-channel", channel+"_2")
	s.reload(t)
	s.awaitLog(t, `msg="listening for notifications" channel=`+channel+`_2 `, 1)
	heard(channel, "reload schema")
	site.notify(t, "reload schema")
	s.awaitLog(t, "msg=notified", 2)
	if n := heard(channel, "reload schema"); n != 2 {
		t.Errorf("%d notifications are heard, also of the old channel", n)
	}
	site.set(t, "db-channel-enabled", "false")
	s.reload(t)
	watcher := site.db.Conn(t)
	listeners := func() (n int) {
		const query = `SELECT count(*) FROM pg_stat_activity WHERE usename = $1 AND query LIKE 'LISTEN%'`
		if err := watcher.QueryRow(t.Context(), query, site.login).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	await(t, "nobody listens", func() bool { return listeners() == 0 })
	if got := s.ready(); got != 200 {
		t.Errorf("/ready: %d", got)
	}
}

// TestSchemaCacheStays holds that a snapshot that can't be replaced goes on to be served.
func TestSchemaCacheStays(t *testing.T) {
	site := newSite(t)
	site.db.Exec(t, "CREATE SCHEMA extra")
	site.set(t, "db-extra-search-path", "extra")
	s := site.serve(t)
	site.db.Exec(t, "DROP SCHEMA extra")
	site.notify(t, "reload schema")
	s.awaitLog(t, `error="schema \"extra\" does not exist"`, 1)
	await(t, "not ready", func() bool { return s.ready() == 503 })
	site.expect(t, s.url+"/items?select=id&id=eq.1", `[{"id":1}]`)
	if m := ask(t, "GET", s.admin+"/metrics", "").body; !strings.Contains(m, `pgrst_schema_cache_loads_total{status="FAIL"} 1`) {
		t.Errorf("metrics:\n%s", m)
	}
	s.awaitLog(t, `msg="trying again" in=2s`, 1) // ever longer
	site.db.Exec(t, "CREATE SCHEMA extra")
	s.reloadSchema(t)
	await(t, "ready", func() bool { return s.ready() == 200 })
}

// TestNotificationsInBursts holds that the last change is seen, however many there are, and that few loads do.
func TestNotificationsInBursts(t *testing.T) {
	site := newSite(t)
	s := site.serve(t)
	const many = 30
	conn := site.db.Conn(t)
	for i := range many {
		change := fmt.Sprintf("CREATE TABLE api.burst_%d (); GRANT SELECT ON api.burst_%[1]d TO %q; NOTIFY %q, 'reload schema'",
			i, site.anon, site.settings["db-channel"])
		if _, err := conn.PgConn().Exec(t.Context(), change).ReadAll(); err != nil {
			t.Fatal(err)
		}
	}
	await(t, "the last relation", func() bool { return ask(t, "GET", fmt.Sprintf("%s/burst_%d", s.url, many-1), "").status == 200 })
	if n := strings.Count(s.log.String(), "schema cache loaded"); n > many/2 {
		t.Errorf("%d loads for %d notifications", n, many)
	}
}
