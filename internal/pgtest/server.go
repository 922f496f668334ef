package pgtest

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	neturl "net/url"
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

// alive is the write end of the watcher's standard input. It is never closed but by the end of the process.
var alive *os.File

// startServer starts a private server on a copy of a prepared cluster and returns the URL of its superuser.
func startServer() (url string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	as, err := embedded.NewAccount("")
	if err != nil {
		return "", err
	}
	in, err := embedded.Find(ctx, os.Getenv("TARN_TEST_POSTGRES_BIN"), 0)
	if err != nil {
		return "", err
	}
	prepared, err := prepare(ctx, in, as)
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp("/tmp", "tarn-test-")
	if err != nil {
		return "", err
	}
	defer func() {
		if err != nil {
			_ = os.RemoveAll(dir)
		}
	}()
	if err := as.Take(dir); err != nil {
		return "", err
	}
	rt := embedded.OpenRuntime(in, as, filepath.Join(prepared, "runtime"))
	cluster := filepath.Join(dir, "cluster")
	if out, err := rt.Exec("/bin/cp", "-R", filepath.Join(prepared, "cluster"), cluster).CombinedOutput(); err != nil {
		return "", fmt.Errorf("copy cluster: %w: %s", err, out)
	}
	if err := launch(rt, dir, cluster); err != nil {
		return "", err
	}
	url = "postgresql:///postgres?user=" + superuser + "&host=" + neturl.QueryEscape(dir)
	return url, ready(ctx, url, filepath.Join(dir, "log"))
}

// launch starts the server. Its socket is in a folder that only its account can enter, so it trusts who comes.
func launch(rt embedded.Runtime, dir, cluster string) error {
	server := rt.Command("postgres", "-D", cluster, "-k", dir,
		"-c", "listen_addresses=", "-c", "max_connections=300", "-c", "shared_buffers=32MB",
		"-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off", "-c", "autovacuum=off",
		"-c", "wal_level=minimal", "-c", "max_wal_senders=0")
	watcher := rt.Exec("/bin/sh", append([]string{"-c", watch, "sh", dir}, server.Args...)...)
	end, writer, err := os.Pipe()
	if err != nil {
		return err
	}
	defer func() { _ = end.Close() }()
	alive, watcher.Stdin = writer, end
	return watcher.Start()
}

// ready waits until the server takes connections.
func ready(ctx context.Context, url, log string) error {
	for {
		conn, err := pgx.Connect(ctx, url)
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
	fmt.Fprintf(hash, "%+v\n", in)
	for _, dir := range []fs.FS{databricksauth.Files(), os.DirFS(filepath.Join(in.ShareDir, "extension"))} {
		entries, err := fs.ReadDir(dir, ".")
		if err != nil {
			return "", err
		}
		for _, entry := range entries {
			fmt.Fprintln(hash, entry.Name())
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
