package audit

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// adopt stores what processes have left behind that live no more.
func adopt(ctx context.Context, dir string, store Appender) (int, error) {
	locks, err := filepath.Glob(filepath.Join(dir, "*"+lockName))
	if err != nil {
		return 0, err
	}
	total := 0
	for _, path := range locks {
		n, err := adoptOne(ctx, path, store)
		total += n
		if err != nil {
			return total, fmt.Errorf("%s: %w", path, err)
		}
	}
	return total, nil
}

func adoptOne(ctx context.Context, path string, store Appender) (n int, err error) {
	lock, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		if errors.Is(err, os.ErrNotExist) { // someone else was faster
			err = nil
		}
		return 0, err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return 0, nil // its process lives
	}
	stem := strings.TrimSuffix(path, lockName)
	files := []string{stem + ".0", stem + ".1"}
	batches, err := leftBehind(files)
	if err != nil {
		return 0, err
	}
	for _, b := range batches {
		if _, err := store.Append(ctx, b); err != nil {
			return n, err
		}
		n += len(b.Entries)
	}
	for _, file := range append(files, path) {
		if err := os.Remove(file); err != nil && !errors.Is(err, os.ErrNotExist) {
			return n, err
		}
	}
	return n, nil
}

// leftBehind reads a spool's batches in their order. Calls that never ended go with the last one, as what they were when
// they began.
func leftBehind(files []string) ([]Batch, error) {
	var all []*spooled
	for _, path := range files {
		s, err := readFile(path)
		if err != nil {
			return nil, err
		}
		if s != nil {
			all = append(all, s)
		}
	}
	slices.SortFunc(all, func(a, b *spooled) int { return int(a.Batch - b.Batch) })
	var out []Batch
	begun, ended := map[uint64][]byte{}, map[uint64]bool{}
	for _, s := range all {
		maps.Copy(begun, s.begun)
		maps.Copy(ended, s.ended)
		b := Batch{Writer: s.Writer, Number: s.Batch}
		for _, text := range s.ends {
			if err := b.add(text); err != nil {
				return nil, err
			}
		}
		out = append(out, b)
	}
	for key, text := range begun {
		if !ended[key] {
			if err := out[len(out)-1].add(text); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

func (b *Batch) add(text []byte) error {
	e, err := ParseEntry(text)
	if err == nil {
		b.Entries = append(b.Entries, e)
	}
	return err
}

func readFile(path string) (*spooled, error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil //nolint:nilnil // a file that isn't there has nothing
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	return readSpooled(f)
}
