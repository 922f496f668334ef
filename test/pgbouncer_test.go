package test

import (
	"cmp"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tarn-data/tarn/internal/pg/embedded"
	"github.com/tarn-data/tarn/internal/pgtest"
)

// pgbouncer is a running PgBouncer.
type pgbouncer struct{ host, port string }

// url is that of a database as PgBouncer offers it to a role.
func (b *pgbouncer) url(role string, db *pgtest.DB) string {
	return fmt.Sprintf("postgresql://%s@%s/%s", url.PathEscape(role), net.JoinHostPort(b.host, b.port), db.Name)
}

// startPgBouncer starts the PgBouncer that TARN_TEST_PGBOUNCER names, or that is installed, in transaction mode before a
// database. It has fewer connections to the server than clients have to it.
func startPgBouncer(t *testing.T, db *pgtest.DB, login string) *pgbouncer {
	t.Helper()
	path, err := exec.LookPath(cmp.Or(os.Getenv("TARN_TEST_PGBOUNCER"), "pgbouncer"))
	if err != nil {
		t.Skip("PgBouncer is not installed: apt-get install pgbouncer")
	}
	b := &pgbouncer{}
	out, err := exec.Command(path, "--version").Output()
	if err != nil {
		t.Fatal(err)
	}
	version := regexp.MustCompile(`PgBouncer 1\.(\d+)`).FindSubmatch(out)
	if version == nil {
		t.Fatalf("not a version of PgBouncer that is known here: %s", out)
	}
	if b.host, b.port, err = net.SplitHostPort(freeAddress(t)); err != nil {
		t.Fatal(err)
	}
	server, err := pgx.ParseConfig(db.RoleURL(t, login))
	if err != nil {
		t.Fatal(err)
	}
	settings := []string{
		"[databases]", fmt.Sprintf("* = host=%s port=%d", server.Host, server.Port),
		"[pgbouncer]", "listen_addr = " + b.host, "listen_port = " + b.port, "unix_socket_dir =",
		"auth_type = trust", "auth_file = users.txt", "pool_mode = transaction", "default_pool_size = 3",
	}
	if minor, err := strconv.Atoi(string(version[1])); err == nil && minor >= 21 { // then it may know of prepared statements
		settings = append(settings, "max_prepared_statements = 200")
	}
	dir := dataDir(t)
	for name, text := range map[string]string{
		"pgbouncer.ini": strings.Join(settings, "\n") + "\n",
		"users.txt":     fmt.Sprintf("%q %q\n", login, server.Password),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	args := []string{"-q", "pgbouncer.ini"}
	if os.Geteuid() == 0 { // as whom it refuses to run
		as, err := embedded.NewAccount("")
		if err != nil {
			t.Fatal(err)
		}
		args = append([]string{"-u", as.Name}, args...)
	}
	log := &syncBuffer{}
	cmd := exec.Command(path, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("PgBouncer wrote:\n%s", log)
		}
	})
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		conn, err := net.Dial("tcp", net.JoinHostPort(b.host, b.port))
		if err == nil {
			_ = conn.Close()
			return b
		}
		if time.Now().After(deadline) {
			t.Fatalf("PgBouncer doesn't listen: %v\n%s", err, log)
		}
	}
}

// TestPgBouncer has a Data API reach its database through PgBouncer in transaction mode, where each transaction may be on
// another connection to the server, which other clients use in turn.
func TestPgBouncer(t *testing.T) {
	t.Run("unnamed statements", func(t *testing.T) {
		c, s := serveThroughPgBouncer(t, false)
		c.check(t, s, coreReads())
		c.check(t, s, coreWrites())
		c.checkLarge(t, s)
		c.checkAtOnce(t, s)
		c.db.Exec(t, `CREATE TABLE api.fresh (id int); GRANT SELECT ON api.fresh TO PUBLIC`)
		if err := s.cmd.Process.Signal(syscall.SIGUSR1); err != nil {
			t.Fatal(err)
		}
		compareRows(t, s.eventually(t, "/fresh", nil), `[]`)
	})
	// A PgBouncer that doesn't know of statements has clients find on their connections what others have made. They must
	// never mistake one for another.
	t.Run("named statements", func(t *testing.T) {
		c, s := serveThroughPgBouncer(t, true)
		c.check(t, s, coreReads())
		c.check(t, s, coreWrites())
		c.checkLarge(t, s)
		c.checkAtOnce(t, s)
	})
	t.Run("channel", func(t *testing.T) { // which is of no use, and does no harm
		c, s := serveThroughPgBouncer(t, false, "PGRST_DB_CHANNEL_ENABLED=true")
		c.check(t, s, coreReads())
	})
}

func serveThroughPgBouncer(t *testing.T, named bool, environ ...string) (*core, *tarn) {
	t.Helper()
	c := newCore(t, pgtest.New(t))
	b := startPgBouncer(t, c.db, c.login)
	return c, c.serve(t, append([]string{
		"PGRST_DB_URI=" + b.url(c.login, c.db), "PGRST_DB_CHANNEL_ENABLED=false", "PGRST_DB_POOL=8",
		"PGRST_DB_PREPARED_STATEMENTS=" + strconv.FormatBool(named),
	}, environ...)...)
}

// checkAtOnce has all roles ask at once, for rows that only they see, with functions that change the session in between.
func (c *core) checkAtOnce(t *testing.T, s *tarn) {
	t.Helper()
	var roles sync.WaitGroup
	for role := range c.roles {
		headers := append([]string{"Content-Type", "application/json"}, c.as(t, role)...)
		headers = append(headers, "Prefer", "return=representation, handling=strict, max-affected=2, tx=rollback")
		roles.Go(func() {
			for i := range 30 {
				c.checkNotes(t, s, role)
				switch i % 3 {
				case 0:
					if got := ask(t, "POST", s.url+"/rpc/remember", `{"what":"me"}`, headers[:4]...); got.status != 204 {
						t.Errorf("remember: %d %s", got.status, got.body)
					}
				case 1:
					if got := ask(t, "GET", s.url+"/rpc/recall", "", headers[:4]...); got.status != 200 || got.body != `""` {
						t.Errorf("recall: %d %s", got.status, got.body)
					}
				case 2:
					got := ask(t, "PATCH", s.url+"/notes", `{"body":"gone"}`, headers...)
					if got.status != 200 || strings.Count(got.body, c.roles[role]) != 2 {
						t.Errorf("update: %d %s", got.status, got.body)
					}
				}
			}
		})
	}
	roles.Wait()
}
