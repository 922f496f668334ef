package server

import (
	"archive/zip"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path"
	"path/filepath"
	"time"

	"github.com/tarn-data/tarn/internal/audit"
	"github.com/tarn-data/tarn/internal/auth"
	"github.com/tarn-data/tarn/internal/endpoint"
	"github.com/tarn-data/tarn/internal/store"
)

// The parts of a backup, which is a zip archive.
const (
	manifestPart = "manifest.json"
	tableParts   = "tables/"
	keyParts     = "vault/"
)

// BackupOptions say what is backed up, or restored, and where.
type BackupOptions struct {
	Version string
	State   StateOptions
	File    string
	Keys    bool   // whether the root keys that Tarn made are part of the backup
	Replace bool   // whether a state that is there may be replaced
	By      string // who does it, for the audit log
}

// Backup writes the whole of Tarn's own state, as it is at one moment, into a file. Secrets in it stay sealed.
func Backup(ctx context.Context, opt BackupOptions) (m *store.Manifest, err error) {
	err = opt.State.with(ctx, func(stateURL string) error {
		state, err := store.Connect(ctx, store.Options{URL: stateURL, AppName: appName})
		if err != nil {
			return err
		}
		defer state.Close()
		err = WriteWhole(opt.File, func(w io.Writer) error {
			out := zip.NewWriter(w)
			if m, err = writeBackup(ctx, out, state, opt); err != nil {
				return err
			}
			return out.Close()
		})
		if err != nil {
			return err
		}
		_, err = note(ctx, state, "backup", opt.By, map[string]any{"head": m.Audit.String(), "rootKeys": opt.Keys})
		return err
	})
	return m, err
}

func writeBackup(ctx context.Context, out *zip.Writer, state *store.DB, opt BackupOptions) (*store.Manifest, error) {
	m, err := state.Dump(ctx, func(table string) (io.Writer, error) { return out.Create(tableParts + table) })
	if err != nil {
		return nil, err
	}
	if opt.Keys {
		if err := addKeys(out, vaultDir(opt.State.DataDir)); err != nil {
			return nil, err
		}
	}
	m.Version = opt.Version
	w, err := out.Create(manifestPart)
	if err != nil {
		return nil, err
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return m, enc.Encode(m)
}

func addKeys(out *zip.Writer, dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("root keys: %w", err)
	}
	for _, e := range entries {
		if !e.Type().IsRegular() {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return err
		}
		w, err := out.Create(keyParts + e.Name())
		if err != nil {
			return err
		}
		if _, err := w.Write(text); err != nil {
			return err
		}
	}
	return nil
}

// Restored says what a restore did.
type Restored struct {
	*store.Manifest

	Lost audit.Head // what this machine knew of the audit log; later than the backup's if records are lost
}

// Restore makes the state of a backup.
func Restore(ctx context.Context, opt BackupOptions) (r *Restored, err error) {
	in, err := zip.OpenReader(opt.File)
	if err != nil {
		return nil, fmt.Errorf("%s is not a backup: %w", opt.File, err)
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	r = &Restored{Manifest: &store.Manifest{}}
	if err := readManifest(&in.Reader, r.Manifest); err != nil {
		return nil, fmt.Errorf("%s is not a backup: %w", opt.File, err)
	}
	if r.Lost, err = audit.ReadAnchor(AuditDir(opt.State.DataDir)); err != nil {
		return nil, err
	}
	err = opt.State.with(ctx, func(stateURL string) error {
		target := store.Options{URL: stateURL, AppName: appName, Log: slog.New(slog.DiscardHandler)}
		err := store.Load(ctx, target, r.Manifest, opt.Replace, func(table string) (io.ReadCloser, error) { return in.Open(tableParts + table) })
		if err != nil {
			return err
		}
		if err := restoreKeys(&in.Reader, vaultDir(opt.State.DataDir)); err != nil {
			return fmt.Errorf("the state is restored, but not the root keys: %w", err)
		}
		return noteRestore(ctx, target, opt, r)
	})
	return r, err
}

func readManifest(in *zip.Reader, m *store.Manifest) error {
	f, err := in.Open(manifestPart)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // it was only read
	return json.NewDecoder(f).Decode(m)
}

// restoreKeys writes the keys that a backup has. One that is there already stays.
func restoreKeys(in *zip.Reader, dir string) error {
	for _, part := range in.File {
		if path.Dir(part.Name)+"/" != keyParts {
			continue
		}
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
		if err := restoreKey(part, filepath.Join(dir, path.Base(part.Name))); err != nil {
			return err
		}
	}
	return nil
}

func restoreKey(part *zip.File, file string) error {
	if _, err := os.Lstat(file); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	in, err := part.Open()
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }() // it was only read
	const most = 1 << 20
	return WriteWhole(file, func(w io.Writer) error {
		_, err := io.Copy(w, io.LimitReader(in, most))
		return err
	})
}

// noteRestore begins the audit log anew where the backup's ends.
func noteRestore(ctx context.Context, target store.Options, opt BackupOptions, r *Restored) error {
	state, err := store.Connect(ctx, target)
	if err != nil {
		return err
	}
	defer state.Close()
	params := map[string]any{"made": r.Made.UTC().Format(time.RFC3339), "head": r.Audit.String()}
	if r.Lost.Sequence > 0 {
		params["known"] = r.Lost.String()
	}
	head, err := note(ctx, state, "restore", opt.By, params)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(AuditDir(opt.State.DataDir), 0o700); err != nil {
		return err
	}
	return audit.WriteAnchor(AuditDir(opt.State.DataDir), head)
}

// note records what was done by a command.
func note(ctx context.Context, state *store.DB, action, by string, params map[string]any) (audit.Head, error) {
	return audit.Note(ctx, state.Audit(), rand.Text(), &endpoint.Call{
		ID: rand.Text(), Start: time.Now(), Route: &endpoint.Route{Service: "state", Action: action},
		Account: &auth.Account{Name: by}, UserAgent: "tarn", Params: params, Status: 200,
	})
}
