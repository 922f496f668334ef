package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tarn-data/tarn/internal/pgtest"
	"github.com/tarn-data/tarn/internal/store"
	"github.com/tarn-data/tarn/internal/vault"
)

func openState(t *testing.T, url string) *store.DB {
	t.Helper()
	db, err := store.Open(t.Context(), store.Options{URL: url, AppName: "test", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	return db
}

// clock is a time that passes when the test says so.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Now()} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

type place struct {
	state *store.DB
	dir   string
	keys  []string
	env   map[string]string
	clock *clock
}

func (p place) open(t *testing.T) (*vault.Sealer, error) {
	t.Helper()
	sources, err := vault.ParseSources(p.keys, vault.SourceOptions{Dir: p.dir, Env: func(name string) string { return p.env[name] }})
	if err != nil {
		t.Fatal(err)
	}
	if p.clock == nil {
		p.clock = newClock()
	}
	return vault.Open(t.Context(), vault.Options{Store: p.state, Sources: sources, Now: p.clock.Now, Log: slog.New(slog.DiscardHandler)})
}

func (p place) mustOpen(t *testing.T) *vault.Sealer {
	t.Helper()
	s, err := p.open(t)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// put keeps a sealed value where the store has such.
func put(t *testing.T, conn *pgx.Conn, name string, sealed []byte) {
	t.Helper()
	_, err := conn.Exec(t.Context(), `WITH s AS (INSERT INTO tarn.vault_secrets (account, app, name, latest_version) VALUES ('', 'app', $1, 1) RETURNING id)
		INSERT INTO tarn.vault_secret_versions (secret, version, sealed, made_by) SELECT id, 1, $2, 'test' FROM s`, name, sealed)
	if err != nil {
		t.Fatal(err)
	}
}

func get(t *testing.T, conn *pgx.Conn, name string) (sealed []byte) {
	t.Helper()
	err := conn.QueryRow(t.Context(), "SELECT sealed FROM tarn.vault_secret_versions v JOIN tarn.vault_secrets s ON s.id = v.secret WHERE name = $1", name).Scan(&sealed)
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

func TestSealAndOpen(t *testing.T) {
	t.Parallel()
	p := place{state: openState(t, pgtest.New(t).URL), dir: filepath.Join(t.TempDir(), "vault")}
	s := p.mustOpen(t)
	aad := vault.Bind("test", "tenant", "name", "1")
	for _, secret := range [][]byte{nil, []byte("s"), bytes.Repeat([]byte("long"), 100_000)} {
		sealed, err := s.Seal(t.Context(), aad, secret)
		if err != nil {
			t.Fatal(err)
		}
		again, err := s.Seal(t.Context(), aad, secret)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Equal(sealed, again) {
			t.Error("sealed twice the same")
		}
		opened, err := s.Open(t.Context(), aad, sealed)
		if err != nil || !bytes.Equal(opened, secret) {
			t.Errorf("%d bytes: %v", len(secret), err)
		}
		for _, other := range [][]byte{nil, vault.Bind("test", "other", "name", "1"), vault.Bind("test", "tenantname", "", "1"), vault.Bind("test", "tenant", "name", "2")} {
			if _, err := s.Open(t.Context(), other, sealed); err == nil {
				t.Errorf("opened as %q", other)
			}
		}
	}
	sealed, err := s.Seal(t.Context(), aad, []byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range sealed {
		damaged := bytes.Clone(sealed)
		damaged[i] ^= 1
		if _, err := s.Open(t.Context(), aad, damaged); err == nil {
			t.Errorf("opened with byte %d changed", i)
		}
		if _, err := s.Open(t.Context(), aad, sealed[:i]); err == nil {
			t.Errorf("opened the first %d bytes", i)
		}
	}
	files, err := os.ReadDir(p.dir)
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	if info, err := files[0].Info(); err != nil || info.Mode() != 0o600 {
		t.Error(info.Mode(), err)
	}
}

func TestManyProcessesBegin(t *testing.T) {
	t.Parallel()
	p := place{state: openState(t, pgtest.New(t).URL), dir: filepath.Join(t.TempDir(), "vault")}
	const n = 16
	var wg sync.WaitGroup
	sealers := make([]*vault.Sealer, n)
	for i := range n {
		wg.Go(func() {
			var err error
			if sealers[i], err = p.open(t); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if t.Failed() {
		return
	}
	sealed, err := sealers[0].Seal(t.Context(), nil, []byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range sealers {
		if text, err := s.Open(t.Context(), nil, sealed); err != nil || string(text) != "secret" {
			t.Error(err)
		}
	}
	if files, err := os.ReadDir(p.dir); err != nil || len(files) != 1 {
		t.Errorf("%d key files are left: %v", len(files), err)
	}
}

func TestRootKeyMissing(t *testing.T) {
	t.Parallel()
	p := place{state: openState(t, pgtest.New(t).URL), dir: filepath.Join(t.TempDir(), "vault")}
	p.mustOpen(t)
	elsewhere := p
	elsewhere.dir = filepath.Join(t.TempDir(), "vault")
	_, err := elsewhere.open(t)
	wrong, ok := errors.AsType[*vault.KeyError](err)
	if !ok || !strings.Contains(wrong.Hint(), p.dir) {
		t.Fatal(err)
	}
	if err := os.CopyFS(elsewhere.dir, os.DirFS(p.dir)); err != nil {
		t.Fatal(err)
	}
	elsewhere.mustOpen(t)
	name := filepath.Join(elsewhere.dir, wrong.ID.String()+".key")
	if err := os.WriteFile(name, []byte("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := elsewhere.open(t); err == nil || !strings.Contains(err.Error(), "another key than its name says") {
		t.Error(err)
	}
}

// Processes seal and open all the time while root keys change; one that wraps anew is stopped in between.
func TestRotation(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	clock := newClock()
	p := place{state: openState(t, db.URL), dir: filepath.Join(t.TempDir(), "vault"), clock: clock}
	a, conn := p.mustOpen(t), db.Conn(t)
	p.state = openState(t, db.URL)
	b := p.mustOpen(t)
	const n = 240
	for i := range n {
		name := fmt.Sprint("secret", i)
		sealed, err := []*vault.Sealer{a, b}[i%2].Seal(t.Context(), vault.Bind(name), []byte("value of "+name))
		if err != nil {
			t.Fatal(err)
		}
		put(t, conn, name, sealed)
	}
	before, err := a.Status(t.Context())
	if err != nil || len(before) != 1 || before[0].Values != n {
		t.Fatal(before, err)
	}
	id, err := a.Rotate(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	// b doesn't know of it yet, seals with the old key, and opens what a seals with the new one.
	late, err := b.Seal(t.Context(), vault.Bind("late"), []byte("value of late"))
	if err != nil {
		t.Fatal(err)
	}
	fresh, err := a.Seal(t.Context(), vault.Bind("fresh"), []byte("value of fresh"))
	if err != nil {
		t.Fatal(err)
	}
	if text, err := b.Open(t.Context(), vault.Bind("fresh"), fresh); err != nil || string(text) != "value of fresh" {
		t.Error(err)
	}
	stopped, stop := context.WithCancel(t.Context())
	go func() {
		defer stop()
		for stopped.Err() == nil { // as soon as something is done
			if s, err := a.Status(t.Context()); err != nil || s[len(s)-1].Values > 0 {
				return
			}
		}
	}()
	_ = a.Rewrap(stopped) // the process is gone in the middle
	put(t, conn, "late", late)
	clock.pass(time.Minute)
	var after []vault.KeyStatus
	for range 100 { // another goes on, as soon as the server has noticed
		if err := b.Rewrap(t.Context()); err != nil {
			t.Fatal(err)
		}
		if after, err = b.Status(t.Context()); err != nil || after[0].Values == 0 {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if err != nil || len(after) != 2 || after[0].Values != 0 || after[1].Values != n+1 || after[1].ID != id || !after[1].Primary {
		t.Fatalf("%+v %v", after, err)
	}
	for i := range n + 1 {
		name := fmt.Sprint("secret", i)
		if i == n {
			name = "late"
		}
		text, err := a.Open(t.Context(), vault.Bind(name), get(t, conn, name))
		if err != nil || string(text) != "value of "+name {
			t.Errorf("%s: %v", name, err)
		}
	}
	db.Exec(t, "UPDATE tarn.vault_root_keys SET made_at = made_at - interval '1 minute'")
	if err := b.Rewrap(t.Context()); err != nil {
		t.Fatal(err)
	}
	if after, err = b.Status(t.Context()); err != nil || after[0].Retired == nil || after[1].Retired != nil {
		t.Errorf("%+v %v", after, err)
	}
	if err := os.Remove(filepath.Join(p.dir, before[0].ID.String()+".key")); err != nil {
		t.Fatal(err)
	}
	p.mustOpen(t) // the old key isn't needed any more
}

func TestRotateAtOnce(t *testing.T) {
	t.Parallel()
	p := place{state: openState(t, pgtest.New(t).URL), dir: filepath.Join(t.TempDir(), "vault")}
	var sealers []*vault.Sealer
	for range 8 {
		sealers = append(sealers, p.mustOpen(t))
	}
	var wg sync.WaitGroup
	for _, s := range sealers {
		wg.Go(func() {
			if _, err := s.Rotate(t.Context()); err != nil {
				if _, ok := errors.AsType[*vault.RotateError](err); !ok {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	s, err := sealers[0].Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	primary := 0
	for _, k := range s {
		if k.Primary {
			primary++
		}
	}
	if primary != 1 || len(s) < 2 {
		t.Errorf("%+v", s)
	}
}

// From a key file to a variable of the environment and to another one.
func TestRotateToConfiguredKeys(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	p := place{
		state: openState(t, db.URL), dir: filepath.Join(t.TempDir(), "vault"),
		env: map[string]string{"ONE": "MTExMTExMTExMTExMTExMTExMTExMTExMTExMTExMTE=", "TWO": "MjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjI="},
	}
	s := p.mustOpen(t)
	sealed, err := s.Seal(t.Context(), nil, []byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	put(t, db.Conn(t), "x", sealed)
	for _, keys := range [][]string{{"dir", "env:ONE"}, {"env:ONE", "env:TWO"}} {
		p.keys = keys
		s = p.mustOpen(t)
		if _, err := s.Rotate(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := s.Rewrap(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Rotate(t.Context()); err == nil {
		t.Error("there is no key to change to")
	}
	p.keys = []string{"env:TWO"}
	s = p.mustOpen(t)
	if text, err := s.Open(t.Context(), nil, get(t, db.Conn(t), "x")); err != nil || string(text) != "secret" {
		t.Error(err)
	}
	for _, keys := range [][]string{{"env:ONE"}, {"env:NONE"}} {
		p.keys = keys
		if _, err := p.open(t); err == nil {
			t.Errorf("opened with %s", keys)
		}
	}
}
