package audit

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
)

const anchorName = "anchor.json"

// WriteAnchor keeps a head on this machine: it tells when the log in the store is cut off or written anew.
func WriteAnchor(dir string, h Head) error {
	text, err := json.Marshal(h)
	if err != nil {
		return err
	}
	path := filepath.Join(dir, anchorName)
	f, err := os.CreateTemp(dir, anchorName+".*")
	if err != nil {
		return err
	}
	_, err = f.Write(append(text, '\n'))
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// ReadAnchor returns the head that was kept on this machine; a zero one if none was.
func ReadAnchor(dir string) (Head, error) {
	var h Head
	text, err := os.ReadFile(filepath.Join(dir, anchorName))
	if errors.Is(err, os.ErrNotExist) {
		return h, nil
	}
	if err != nil {
		return h, err
	}
	return h, json.Unmarshal(text, &h)
}
