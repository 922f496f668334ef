package pgtest

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
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

// private is a server that lives as long as this process.
type private struct {
	url   string
	alive *os.File // the write end of the watcher's standard input, which nothing but the end of the process closes
}

// startServer starts a private server on a copy of a prepared cluster and returns the URL of its superuser.
func startServer() (p private, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	as, err := embedded.NewAccount("")
	if err != nil {
		return p, err
	}
	in, err := embedded.Find(ctx, os.Getenv("TARN_TEST_POSTGRES_BIN"), 0)
	if err != nil {
		return p, err
	}
	prepared, err := prepare(ctx, in, as)
	if err != nil {
		return p, err
	}
	dir, err := os.MkdirTemp("/tmp", "tarn-test-")
	if err != nil {
		return p, err
	}
	defer func() {
		if err != nil {
			_ = os.RemoveAll(dir)
		}
	}()
	if err := as.Take(dir); err != nil {
		return p, err
	}
	rt := embedded.OpenRuntime(in, as, filepath.Join(prepared, "runtime"))
	cluster := filepath.Join(dir, "cluster")
	if out, err := rt.Exec(ctx, "/bin/cp", "-R", filepath.Join(prepared, "cluster"), cluster).CombinedOutput(); err != nil {
		return p, fmt.Errorf("copy cluster: %w: %s", err, out)
	}
	if p.alive, err = launch(rt, dir, cluster); err != nil {
		return p, err
	}
	p.url = "postgresql:///postgres?user=" + superuser + "&host=" + url.QueryEscape(dir)
	return p, ready(ctx, p.url, filepath.Join(dir, "log"))
}

// launch starts the server. Its socket is in a folder that only its account can enter, so it trusts who comes.
func launch(rt embedded.Runtime, dir, cluster string) (alive *os.File, err error) {
	server := rt.Command(context.Background(), "postgres", "-D", cluster, "-k", dir,
		"-c", "listen_addresses=", "-c", "max_connections=300", "-c", "shared_buffers=32MB",
		"-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off", "-c", "autovacuum=off",
		"-c", "wal_level=minimal", "-c", "max_wal_senders=0")
	watcher := rt.Exec(context.Background(), "/bin/sh", append([]string{"-c", watch, "sh", dir}, server.Args...)...)
	end, alive, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer func() { _ = end.Close() }()
	watcher.Stdin = end
	return alive, watcher.Start()
}

// ready waits until the server takes connections.
func ready(ctx context.Context, server, log string) error {
	for {
		conn, err := pgx.Connect(ctx, server)
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
	if err := rt.InitDB(ctx, cluster, superuser, "--no-sync", "--wal-segsize=1"); err != nil {
		return err
	}
	return as.WriteFile(filepath.Join(cluster, "pg_hba.conf"), []byte("local all all trust\n"))
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
