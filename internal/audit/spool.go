package audit

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// spool holds what isn't in the store yet, where it outlives the process: what was written to a file is the kernel's,
// whatever happens to who wrote it. There are two files: one takes new entries while the other one's are stored.
//
// The first line of a file is its header. Each other line is a mark, a key, a space and a record: + for a call that began,
// = for one that ended.
type spool struct {
	dir    string
	header header
	lock   *os.File // held as long as the process lives
	files  [2]*os.File
	now    int   // which file takes new entries
	size   int64 // its
}

// header says which batch of which writer a file has.
type header struct {
	Writer string `json:"writer"`
	Batch  int64  `json:"batch"`
}

const (
	markBegin = '+'
	markEnd   = '='
	lockName  = ".lock"
)

// newSpool makes a spool under a name that nobody else has.
func newSpool(dir, writer string) (*spool, error) {
	s := &spool{dir: dir, header: header{Writer: writer}}
	// It gets its name only when it is locked: others take what isn't locked for a dead process'.
	making := filepath.Join(dir, writer+".new")
	var err error
	if s.lock, err = os.OpenFile(making, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600); err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(s.lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(err, s.lock.Close())
	}
	if err := os.Rename(making, filepath.Join(dir, writer+lockName)); err != nil {
		return nil, errors.Join(err, s.lock.Close())
	}
	for i := range s.files {
		if s.files[i], err = os.OpenFile(s.path(i), os.O_CREATE|os.O_EXCL|os.O_APPEND|os.O_RDWR, 0o600); err != nil {
			return nil, errors.Join(err, s.close())
		}
	}
	s.now = 1
	if err := s.swap(nil); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

func (s *spool) path(i int) string {
	return filepath.Join(s.dir, s.header.Writer+"."+strconv.Itoa(i))
}

// add appends an entry. If it can't the file is as before.
func (s *spool) add(mark byte, key uint64, record []byte) error {
	return s.write(appendLine(make([]byte, 0, len(record)+24), mark, key, record))
}

func appendLine(line []byte, mark byte, key uint64, record []byte) []byte {
	line = append(line, mark)
	line = strconv.AppendUint(line, key, 36)
	line = append(line, ' ')
	line = append(line, record...)
	return append(line, '\n')
}

func (s *spool) write(text []byte) error {
	file := s.files[s.now]
	if _, err := file.Write(text); err != nil {
		return errors.Join(err, file.Truncate(s.size))
	}
	s.size += int64(len(text))
	return nil
}

// swap has the other file take new entries, under the next batch's number. It begins with the calls that are under way.
func (s *spool) swap(underWay map[uint64][]byte) error {
	next := spool{header: s.header, files: s.files, now: 1 - s.now}
	next.header.Batch++
	text, err := json.Marshal(next.header)
	if err != nil {
		return err
	}
	text = append(text, '\n')
	for key, record := range underWay {
		text = appendLine(text, markBegin, key, record)
	}
	if err := s.clear(); err != nil {
		return err
	}
	if err := next.write(text); err != nil {
		return err
	}
	s.header, s.now, s.size = next.header, next.now, next.size
	return nil
}

// clear empties the file that doesn't take new entries.
func (s *spool) clear() error { return s.files[1-s.now].Truncate(0) }

// close lets go of the files, which stay.
func (s *spool) close() error {
	var errs []error
	for _, f := range s.files {
		if f != nil {
			errs = append(errs, f.Close())
		}
	}
	return errors.Join(append(errs, s.lock.Close())...)
}

// remove lets go of the files, and of what is in them.
func (s *spool) remove() error {
	return errors.Join(os.Remove(s.path(0)), os.Remove(s.path(1)), os.Remove(filepath.Join(s.dir, s.header.Writer+lockName)), s.close())
}

// spooled is what a file has.
type spooled struct {
	header
	begun map[uint64][]byte
	ended map[uint64]bool
	ends  [][]byte // in their order
}

// readSpooled reads a file. What isn't whole at its end was never answered.
func readSpooled(r io.Reader) (*spooled, error) {
	in := bufio.NewReader(r)
	s := &spooled{begun: map[uint64][]byte{}, ended: map[uint64]bool{}}
	first, err := in.ReadBytes('\n')
	if errors.Is(err, io.EOF) {
		return nil, nil //nolint:nilnil // an empty file has nothing
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(first, &s.header); err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	for {
		line, err := in.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return s, nil
		}
		if err != nil {
			return nil, err
		}
		if line[0] != markBegin && line[0] != markEnd {
			return nil, fmt.Errorf("a line is not an entry: %.40q", line)
		}
		name, record, ok := bytes.Cut(line[1:len(line)-1], []byte(" "))
		key, err := strconv.ParseUint(string(name), 36, 64)
		if !ok || err != nil {
			return nil, fmt.Errorf("a line is not an entry: %.40q", line)
		}
		if line[0] == markBegin {
			s.begun[key] = record
			continue
		}
		s.ended[key] = true
		s.ends = append(s.ends, record)
	}
}
