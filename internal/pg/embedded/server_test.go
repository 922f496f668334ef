package embedded

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"go.uber.org/goleak"
)

// holdDir names the data directory in which a child of the test holds a server until it is killed.
const holdDir = "TARN_TEST_HOLD_DIR"

// binDir names the folder of the server programs to test with, if not those that Find finds.
const binDir = "TARN_TEST_POSTGRES_BIN"

func TestMain(m *testing.M) {
	if dir := os.Getenv(holdDir); dir != "" {
		hold(dir)
	}
	goleak.VerifyTestMain(m)
}

func hold(dir string) {
	s, err := Start(context.Background(), Options{DataDir: dir, BinDir: os.Getenv(binDir)})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(s.serverPID())
	select {}
}

func attempt(t *testing.T, dir string) error {
	t.Helper()
	s, err := Start(t.Context(), Options{DataDir: dir, BinDir: os.Getenv(binDir)})
	if err == nil {
		stop(t, s)
	}
	return err
}

// serverPID is the pid in the cluster's pid file.
func (s *Server) serverPID() int {
	var pid int
	data, _ := os.ReadFile(filepath.Join(s.layout.cluster, "postmaster.pid"))
	_, _ = fmt.Sscan(string(data), &pid)
	return pid
}

func start(t *testing.T, opt Options) *Server {
	t.Helper()
	opt.BinDir = os.Getenv(binDir)
	s, err := Start(t.Context(), opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, s) })
	return s
}

func stop(t *testing.T, s *Server) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := s.Stop(ctx); err != nil {
		t.Errorf("stop: %v", err)
	}
}

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

func value[T any](t *testing.T, conn *pgx.Conn, sql string, args ...any) T {
	t.Helper()
	var v T
	if err := conn.QueryRow(t.Context(), sql, args...).Scan(&v); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return v
}

func run(t *testing.T, conn *pgx.Conn, sql string) {
	t.Helper()
	if _, err := conn.PgConn().Exec(t.Context(), sql).ReadAll(); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// dataDir is a folder to be made where the account that runs the server may go.
func dataDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "data")
}

func TestServer(t *testing.T) {
	dir := dataDir(t)
	s := start(t, Options{DataDir: dir, Logins: []string{"authenticator"}})

	t.Run("who may log in", func(t *testing.T) {
		run(t, connect(t, s.OwnerURL(UserDatabase)), `CREATE ROLE authenticator LOGIN NOINHERIT; CREATE ROLE other LOGIN PASSWORD 'right'`)
		host := fmt.Sprintf("127.0.0.1:%d", s.Port)
		for _, c := range []struct {
			name, url, user, code string
		}{
			{"superuser at the socket", s.URL("postgres"), Superuser, ""},
			{"owner at the socket", s.OwnerURL(UserDatabase), "db_owner", ""},
			{"authenticator at the socket", s.RoleURL("authenticator", UserDatabase), "authenticator", ""},
			{"owner at the host", s.HostURL(UserDatabase), "db_owner", ""},
			{"another with its password", "postgresql://other:right@" + host + "/" + UserDatabase, "other", ""},
			{"another without password", s.RoleURL("other", UserDatabase), "", "28P01"},
			{"owner with a wrong password", "postgresql://db_owner:wrong@" + host + "/" + UserDatabase, "", "28P01"},
			{"superuser at the host", "postgresql://tarn:any@" + host + "/postgres", "", "28000"},
			{"owner at Tarn's database", s.OwnerURL(StoreDatabase), "", "42501"},
		} {
			conn, err := pgx.Connect(t.Context(), c.url)
			if err == nil {
				if got := value[string](t, conn, "SELECT current_user"); got != c.user {
					t.Errorf("%s: logged in as %q, want %q", c.name, got, c.user)
				}
				_ = conn.Close(t.Context())
			}
			var pg *pgconn.PgError
			if errors.As(err, &pg); (err != nil) != (c.code != "") || (pg != nil && pg.Code != c.code) {
				t.Errorf("%s: %v, want code %q", c.name, err, c.code)
			}
		}
	})

	t.Run("owner is no superuser", func(t *testing.T) {
		conn := connect(t, s.OwnerURL(UserDatabase))
		if value[bool](t, conn, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") {
			t.Error("it is")
		}
		if got := value[string](t, conn, "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()"); got != "db_owner" {
			t.Errorf("owner = %q", got)
		}
		if got := value[string](t, conn, "SHOW server_encoding") + " " + value[string](t, conn, "SHOW timezone"); got != "UTF8 UTC" {
			t.Errorf("encoding and zone = %s", got)
		}
		if got := value[string](t, conn, "SELECT upper('é')"); got != "É" {
			t.Errorf("upper('é') = %q", got)
		}
	})

	t.Run("files are private", func(t *testing.T) {
		for _, name := range []string{"postgres", "run", "owner.password", "address.json", "postgres.log", "lock"} {
			info, err := os.Stat(filepath.Join(dir, name))
			if err != nil || info.Mode().Perm()&0o077 != 0 {
				t.Errorf("%s: %v, %v", name, info.Mode(), err)
			}
		}
		log, err := os.ReadFile(filepath.Join(dir, "postgres.log"))
		if err != nil || bytes.Contains(log, []byte(s.password)) || len(log) == 0 {
			t.Errorf("log of %d bytes, %v; it must not have the password", len(log), err)
		}
	})

	t.Run("other processes find it", func(t *testing.T) {
		got, err := Locate(dir)
		if err != nil || got != s.Address {
			t.Errorf("Locate = %+v, %v, want %+v", got, err, s.Address)
		}
		if _, err := Locate(t.TempDir()); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("Locate of nothing: %v", err)
		}
	})

	t.Run("a second one is refused", func(t *testing.T) {
		err := attempt(t, dir)
		if !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), fmt.Sprintf("locked by process %d", os.Getpid())) {
			t.Errorf("err = %v", err)
		}
	})

	t.Run("it is started again when killed", func(t *testing.T) {
		pid := s.serverPID()
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		eventually(t, func() error {
			conn, err := pgx.Connect(t.Context(), s.URL("postgres"))
			if err != nil {
				return err
			}
			defer func() { _ = conn.Close(t.Context()) }()
			if again := s.serverPID(); again == pid {
				return fmt.Errorf("pid is still %d", pid)
			}
			return nil
		})
	})

	t.Run("it keeps its port and data", func(t *testing.T) {
		port, pid := s.Port, s.serverPID()
		run(t, connect(t, s.OwnerURL(UserDatabase)), "CREATE TABLE kept ()")
		stop(t, s)
		if alive(pid) {
			t.Error("the server outlived Stop")
		}
		if _, err := os.Stat(s.SocketDir); !os.IsNotExist(err) {
			t.Errorf("socket folder is left: %v", err)
		}
		again := start(t, Options{DataDir: dir})
		defer stop(t, again)
		if again.Port != port {
			t.Errorf("port = %d, was %d", again.Port, port)
		}
		value[int](t, connect(t, again.OwnerURL(UserDatabase)), "SELECT count(*)::int FROM kept")
	})

	t.Run("a stranger has the pid of a killed server", func(t *testing.T) {
		stranger := exec.Command("sleep", "60")
		if err := stranger.Start(); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = stranger.Process.Kill(); _ = stranger.Wait() }()
		pidFile := fmt.Appendf(nil, "%d\n%s\n1\n0\n", stranger.Process.Pid, s.layout.cluster)
		if err := s.layout.account.WriteFile(filepath.Join(s.layout.cluster, "postmaster.pid"), pidFile); err != nil {
			t.Fatal(err)
		}
		stop(t, start(t, Options{DataDir: dir}))
		if !alive(stranger.Process.Pid) {
			t.Error("the stranger was stopped")
		}
	})

	t.Run("an orphan is stopped", func(t *testing.T) {
		log, err := openLog(dir)
		if err != nil {
			t.Fatal(err)
		}
		s.logfile = log
		if err := s.layout.account.Mkdir(s.SocketDir); err != nil {
			t.Fatal(err)
		}
		orphan := s.command()
		if err := orphan.Start(); err != nil {
			t.Fatal(err)
		}
		_ = log.Close()
		go func() { _ = orphan.Wait() }()
		eventually(t, func() error { return pingErr(t, s.URL("postgres")) })
		again := start(t, Options{DataDir: dir})
		defer stop(t, again)
		if servesFrom(t.Context(), orphan.Process.Pid, s.layout.cluster) {
			t.Error("the orphan runs")
		}
	})

	t.Run("another major version is refused", func(t *testing.T) {
		version := filepath.Join(s.layout.cluster, "PG_VERSION")
		was, err := os.ReadFile(version)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.layout.account.WriteFile(version, []byte("9\n")); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = s.layout.account.WriteFile(version, was) }()
		err = attempt(t, dir)
		if !errors.Is(err, ErrNoPostgres) || !strings.Contains(err.Error(), "that runs version 9: found ") {
			t.Errorf("err = %v", err)
		}
	})

	t.Run("a server that fails says why", func(t *testing.T) {
		conf := filepath.Join(s.layout.cluster, "postgresql.conf")
		was, err := os.ReadFile(conf)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.layout.account.WriteFile(conf, append(bytes.Clone(was), "\nwork_mem = 'much'\n"...)); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = s.layout.account.WriteFile(conf, was) }()
		err = attempt(t, dir)
		if err == nil || !strings.Contains(err.Error(), "work_mem") {
			t.Errorf("err = %v", err)
		}
	})
}

func TestOwnerWithAnOddName(t *testing.T) {
	dir := filepath.Join(dataDir(t), strings.Repeat("long", 25))
	const odd = `o"w 'n@x+é`
	s := start(t, Options{DataDir: dir, Owner: odd})
	if strings.HasPrefix(s.SocketDir, dir) {
		t.Errorf("socket folder %s is too long", s.SocketDir)
	}
	for _, url := range []string{s.OwnerURL(UserDatabase), s.HostURL(UserDatabase)} {
		if got := value[string](t, connect(t, url), "SELECT current_user"); got != odd {
			t.Errorf("current_user = %q", got)
		}
	}
}

func TestServerThatKeepsFailingIsGivenUp(t *testing.T) {
	few := patience{first: time.Millisecond, longest: 10 * time.Millisecond, calm: time.Hour, failures: 2}
	s, err := startWith(t.Context(), Options{DataDir: dataDir(t), BinDir: os.Getenv(binDir)}, few)
	if err != nil {
		t.Fatal(err)
	}
	conf := filepath.Join(s.layout.cluster, "postgresql.conf")
	if err := s.layout.account.WriteFile(conf, []byte("work_mem = 'much'\n")); err != nil {
		t.Fatal(err)
	}
	if err := s.Err(); err != nil {
		t.Errorf("a server that runs has failed: %v", err)
	}
	if err := syscall.Kill(s.serverPID(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	select {
	case <-s.Done():
	case <-time.After(20 * time.Second):
		t.Fatal("it is not given up")
	}
	if err := s.Err(); err == nil || !strings.Contains(err.Error(), "work_mem") {
		t.Errorf("Err = %v", err)
	}
	if err := s.Stop(t.Context()); err == nil {
		t.Error("Stop hides the failure")
	}
}

func TestFolderThatTheServerCannotEnter(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root runs the server as another user")
	}
	closed := filepath.Join(dataDir(t), "closed")
	if err := os.MkdirAll(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	err := attempt(t, filepath.Join(closed, "data"))
	if err == nil || !strings.Contains(err.Error(), "can't enter "+closed+" ") {
		t.Errorf("err = %v", err)
	}
}

// TestKilledTarn has a process killed that runs a server, and starts the server anew.
func TestKilledTarn(t *testing.T) {
	dir := dataDir(t)
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), holdDir+"="+dir)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	var pid int
	if _, err := fmt.Fscan(out, &pid); err != nil {
		t.Fatal(err)
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait()
	s := start(t, Options{DataDir: dir, Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
	if servesFrom(t.Context(), pid, s.layout.cluster) {
		t.Errorf("server %d runs on", pid)
	}
	if got := value[string](t, connect(t, s.URL(UserDatabase)), "SELECT current_user"); got != Superuser {
		t.Errorf("current_user = %q", got)
	}
}

func pingErr(t *testing.T, url string) error {
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		return err
	}
	return conn.Close(t.Context())
}

func eventually(t *testing.T, check func() error) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}
