package vault

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// keyDir is a directory of key files, each named for its key's id. Several processes may share it.
type keyDir string

const keySuffix = ".key"

func (d keyDir) path(id ID) string { return filepath.Join(string(d), id.String()+keySuffix) }

// first takes a key that is there, for example after the database was made anew, or makes one.
func (d keyDir) first(ctx context.Context) (wrapper, func() error, error) {
	files, err := os.ReadDir(string(d))
	if err != nil && !isNotThere(err) {
		return nil, nil, err
	}
	for _, f := range files {
		name, ok := strings.CutSuffix(f.Name(), keySuffix)
		id, err := ParseID(name)
		if !ok || err != nil {
			continue
		}
		if w, err := d.find(ctx, id); w != nil || err != nil {
			return w, func() error { return nil }, err
		}
	}
	w, err := d.make()
	if err != nil {
		return nil, nil, err
	}
	return w, func() error { return os.Remove(d.path(w.id())) }, nil
}

func (d keyDir) find(_ context.Context, id ID) (wrapper, error) {
	w, err := readKeyFile(d.path(id))
	if isNotThere(err) {
		return nil, nil //nolint:nilnil // as the interface has it
	}
	if err == nil && w.id() != id {
		err = fmt.Errorf("%s holds another key than its name says", d.path(id))
	}
	if err != nil {
		return nil, err
	}
	return w, nil
}

func (d keyDir) newest(context.Context, func(ID) bool) (wrapper, error) { return d.make() }

// make makes a key file, such that after a crash there is the whole file or none.
func (d keyDir) make() (wrapper, error) {
	if err := os.MkdirAll(string(d), 0o700); err != nil {
		return nil, err
	}
	key := randomKey()
	defer clear(key)
	w, err := newLocalKey(key, "")
	if err != nil {
		return nil, err
	}
	w.from = "the file " + d.path(w.own)
	f, err := os.CreateTemp(string(d), ".new-*") // with mode 0600
	if err != nil {
		return nil, err
	}
	_, err = f.WriteString(base64.StdEncoding.EncodeToString(key) + "\n")
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), d.path(w.own))
	}
	if err != nil {
		return nil, errors.Join(err, os.Remove(f.Name()))
	}
	return w, d.sync()
}

// sync makes what happened to the directory last.
func (d keyDir) sync() error {
	f, err := os.Open(string(d))
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
