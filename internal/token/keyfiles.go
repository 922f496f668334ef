package token

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

const keySuffix = ".jwk"

// KeyFiles is a directory with a file for each key: number-id.jwk, readable for its owner only. It is made if it isn't there.
type KeyFiles string

// SigningKeys implements KeyStore.
func (d KeyFiles) SigningKeys(context.Context) ([]StoredKey, error) {
	if err := os.MkdirAll(string(d), 0o700); err != nil {
		return nil, err
	}
	files, err := os.ReadDir(string(d))
	if err != nil {
		return nil, err
	}
	var keys []StoredKey
	for _, f := range files {
		number, ok := keyNumber(f.Name())
		if !ok {
			continue
		}
		path := filepath.Join(string(d), f.Name())
		text, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue // retired since the directory was read
		}
		if err != nil {
			return nil, err
		}
		keys = append(keys, StoredKey{Number: number, Text: text, From: path})
	}
	return keys, nil
}

// keyNumber reads the number in a file's name; false if it is not that of a key.
func keyNumber(file string) (int, bool) {
	name, ok := strings.CutSuffix(file, keySuffix)
	if !ok || strings.HasPrefix(file, ".") {
		return 0, false
	}
	number, _, ok := strings.Cut(name, "-")
	n, err := strconv.Atoi(number)
	return n, ok && err == nil && n > 0
}

// AddSigningKey implements KeyStore. After a crash there is the whole file, or none.
func (d KeyFiles) AddSigningKey(_ context.Context, k StoredKey) (bool, error) {
	name := fmt.Sprintf("%04d-%s%s", k.Number, k.ID, keySuffix)
	return true, d.save(filepath.Join(string(d), name), k.Text)
}

func (d KeyFiles) save(path string, text []byte) error {
	f, err := os.CreateTemp(string(d), ".new-*") // with mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return d.sync()
}

// RemoveSigningKey implements KeyStore.
func (d KeyFiles) RemoveSigningKey(_ context.Context, k StoredKey) error {
	if err := os.Remove(k.From); err != nil {
		return err
	}
	return d.sync()
}

// sync makes what happened to the directory last.
func (d KeyFiles) sync() error {
	f, err := os.Open(string(d))
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
