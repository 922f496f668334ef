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

// pgbouncer is a running PgBouncer, and its version.
type pgbouncer struct {
	host, port   string
	major, minor int
}

// keepsStatements tells whether it knows of prepared statements in transaction mode, as it does since version 1.21.
func (b *pgbouncer) keepsStatements() bool { return b.major > 1 || b.minor >= 21 }

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
	version := regexp.MustCompile(`PgBouncer (\d+)\.(\d+)`).FindStringSubmatch(string(out))
	if version == nil {
		t.Fatalf("not a version of PgBouncer: %s", out)
	}
	b.major, _ = strconv.Atoi(version[1])
	b.minor, _ = strconv.Atoi(version[2])
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
	if b.keepsStatements() {
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
	c := newCore(t, pgtest.New(t))
	b := startPgBouncer(t, c.db, c.login)
	through := func(t *testing.T, prepared bool, more ...string) *tarn {
		return c.serve(t, append([]string{
			"PGRST_DB_URI=" + b.url(c.login, c.db), "PGRST_DB_CHANNEL_ENABLED=false", "PGRST_DB_POOL=8",
			"PGRST_DB_PREPARED_STATEMENTS=" + strconv.FormatBool(prepared),
		}, more...)...)
	}
	s := through(t, false)
	c.check(t, s, coreReads())
	c.check(t, s, coreWrites())
	t.Run("roles at once", func(t *testing.T) { c.checkAtOnce(t, s) })
	t.Run("reload without a channel", func(t *testing.T) {
		c.db.Exec(t, `CREATE TABLE api.fresh (id int); GRANT SELECT ON api.fresh TO PUBLIC`)
		if err := s.cmd.Process.Signal(syscall.SIGUSR1); err != nil {
			t.Fatal(err)
		}
		compareRows(t, s.eventually(t, "/fresh", nil), `[]`)
	})
	t.Run("channel left enabled", func(t *testing.T) { // which is of no use, and does no harm
		s := through(t, false, "PGRST_DB_CHANNEL_ENABLED=true")
		c.checkNotes(t, s, 0)
	})
	t.Run("prepared statements", func(t *testing.T) {
		if !b.keepsStatements() {
			t.Skipf("PgBouncer %d.%d doesn't know of them", b.major, b.minor)
		}
		s := through(t, true)
		c.check(t, s, coreReads())
		c.checkAtOnce(t, s)
	})
	t.Run("prepared statements against the advice", func(t *testing.T) {
		if b.keepsStatements() {
			t.Skip("this PgBouncer knows of them")
		}
		// Clients find statements on their connections that others have made. They must never mistake one for another.
		c.checkAtOnce(t, through(t, true))
	})
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
