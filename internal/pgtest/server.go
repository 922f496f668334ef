package pgtest

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tarn-data/tarn/internal/pg/databricksauth"
	"github.com/tarn-data/tarn/internal/pg/embedded"
)

const superuser = "postgres"

// watch runs the server until its standard input ends, which is when the test process does, however that happens. Then
// nothing is left: neither process nor folder.
const watch = `
dir=$1; shift
"$@" >"$dir/log" 2>&1 </dev/null &
server=$!
cat >/dev/null
kill -QUIT $server; wait $server
rm -rf "$dir"
`

// Options say how a server differs from the one that tests share.
type Options struct {
	BinDir   string            // of PostgreSQL's programs; empty for those that the tests use
	Port     int               // to listen on at the loopback address, beside the socket
	Settings []string          // name=value
	Access   string            // lines of pg_hba.conf for who comes over TCP
	Files    map[string][]byte // more files in the cluster's folder, which is the server's working directory
}

// Server is a private server. It lives no longer than this process.
type Server struct {
	URL string // logs in as a superuser, over the socket
	Dir string // of the socket

	alive   *os.File // the write end of the watcher's standard input: when it closes, the server ends
	watcher *exec.Cmd
}

// NewServer starts a server for the test, which stops it when it ends.
func NewServer(t testing.TB, opt Options) *Server {
	t.Helper()
	s, err := startServer(opt)
	if err != nil {
		t.Fatalf("PostgreSQL for the test: %v", err)
	}
	t.Cleanup(s.Stop)
	return s
}

// NewDB makes a database for the test, and drops it when the test ends.
func (s *Server) NewDB(t testing.TB) *DB {
	t.Helper()
	return newDB(t, s.URL)
}

// Stop ends the server at once, and removes all that it has.
func (s *Server) Stop() {
	_ = s.alive.Close()
	_ = s.watcher.Wait()
}

// startServer starts a private server on a copy of a prepared cluster.
func startServer(opt Options) (s *Server, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	as, err := embedded.NewAccount("")
	if err != nil {
		return nil, err
	}
	in, err := embedded.Find(ctx, cmp.Or(opt.BinDir, os.Getenv("TARN_TEST_POSTGRES_BIN")), 0)
	if err != nil {
		return nil, err
	}
	prepared, err := prepare(ctx, in, as)
	if err != nil {
		return nil, err
	}
	s = &Server{}
	if s.Dir, err = os.MkdirTemp("/tmp", "tarn-test-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = os.RemoveAll(s.Dir)
		}
	}()
	if err := as.Take(s.Dir); err != nil {
		return nil, err
	}
	rt := embedded.OpenRuntime(in, as, filepath.Join(prepared, "runtime"))
	cluster := filepath.Join(s.Dir, "cluster")
	if out, err := rt.Exec(ctx, "/bin/cp", "-R", filepath.Join(prepared, "cluster"), cluster).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("copy cluster: %w: %s", err, out)
	}
	if err := opt.write(as, cluster); err != nil {
		return nil, err
	}
	if err := s.launch(rt, cluster, opt.settings()); err != nil {
		return nil, err
	}
	s.URL = "postgresql:///postgres?user=" + superuser + "&host=" + url.QueryEscape(s.Dir)
	if opt.Port != 0 {
		s.URL += "&port=" + strconv.Itoa(opt.Port)
	}
	return s, s.ready(ctx)
}

// write writes what the cluster has beside what is prepared.
func (opt Options) write(as embedded.Account, cluster string) error {
	for name, data := range opt.Files {
		if err := as.WriteFile(filepath.Join(cluster, name), data); err != nil {
			return err
		}
	}
	return as.WriteFile(filepath.Join(cluster, "pg_hba.conf"), []byte(access+opt.Access))
}

// access lets in whoever comes over the socket, since only the server's account can enter its folder.
const access = "local all all trust\nlocal replication all trust\n"

// settings are those of the server, the last of a name counting.
func (opt Options) settings() []string {
	listen := []string{"listen_addresses="}
	if opt.Port != 0 {
		listen = []string{"listen_addresses=127.0.0.1", "port=" + strconv.Itoa(opt.Port)}
	}
	return slices.Concat([]string{
		"max_connections=300", "shared_buffers=32MB", "autovacuum=off", "wal_level=minimal", "max_wal_senders=0",
		"fsync=off", "synchronous_commit=off", "full_page_writes=off",
	}, listen, opt.Settings)
}

func (s *Server) launch(rt embedded.Runtime, cluster string, settings []string) error {
	args := []string{"-D", cluster, "-k", s.Dir}
	for _, setting := range settings {
		args = append(args, "-c", setting)
	}
	server := rt.Command(context.Background(), "postgres", args...)
	s.watcher = rt.Exec(context.Background(), "/bin/sh", append([]string{"-c", watch, "sh", s.Dir}, server.Args...)...)
	end, alive, err := os.Pipe()
	if err != nil {
		return err
	}
	defer func() { _ = end.Close() }()
	s.alive, s.watcher.Stdin = alive, end
	return s.watcher.Start()
}

// ready waits until the server takes connections.
func (s *Server) ready(ctx context.Context) error {
	log := filepath.Join(s.Dir, "log")
	for {
		conn, err := pgx.Connect(ctx, s.URL)
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-ctx.Done():
			text, _ := os.ReadFile(log)
			return fmt.Errorf("%w\n%s", err, text)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// prepare returns a folder with a private tree and an initialized cluster, which all test processes of the account
// share. It is made when there is none for this version and these extensions.
func prepare(ctx context.Context, in embedded.Install, as embedded.Account) (string, error) {
	home := filepath.Join("/tmp", "tarn-test-cache-"+as.Name)
	if err := as.Mkdir(home); err != nil {
		return "", err
	}
	mark, err := fingerprint(in)
	if err != nil {
		return "", err
	}
	dir := filepath.Join(home, mark)
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	draft, err := os.MkdirTemp(home, "draft-")
	if err != nil {
		return "", err
	}
	defer func() { _ = os.RemoveAll(draft) }()
	if err := initialize(ctx, in, as, draft); err != nil {
		return "", err
	}
	// Who renames first, wins; the others use what is there.
	if err := os.Rename(draft, dir); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	return dir, nil
}

func initialize(ctx context.Context, in embedded.Install, as embedded.Account, dir string) error {
	if err := as.Take(dir); err != nil {
		return err
	}
	rt, err := embedded.NewRuntime(in, as, filepath.Join(dir, "runtime"))
	if err != nil {
		return err
	}
	cluster := filepath.Join(dir, "cluster")
	if err := as.Mkdir(cluster); err != nil {
		return err
	}
	return rt.InitDB(ctx, cluster, superuser, "--no-sync", "--wal-segsize=1")
}

// fingerprint stands for all that a prepared cluster depends on.
func fingerprint(in embedded.Install) (string, error) {
	hash := sha256.New()
	hash.Write(fmt.Appendf(nil, "%+v\n", in))
	for _, dir := range []fs.FS{databricksauth.Files(), os.DirFS(filepath.Join(in.ShareDir, "extension"))} {
		entries, err := fs.ReadDir(dir, ".")
		if err != nil {
			return "", err
		}
		for _, entry := range entries {
			hash.Write([]byte(entry.Name() + "\n"))
		}
	}
	err := fs.WalkDir(databricksauth.Files(), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := fs.ReadFile(databricksauth.Files(), name)
		hash.Write(data)
		return err
	})
	return fmt.Sprintf("%d-%x", in.Major, hash.Sum(nil)[:8]), err
}
