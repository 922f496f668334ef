package dataapi

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/tarn-data/tarn/internal/fault"
)

// spool keeps in a file what is too large for memory of an answer that must not leave yet.
type spool struct {
	file    *os.File
	removed bool
}

// write adds a part.
func (s *spool) write(part []byte) error {
	if s.file == nil {
		f, err := os.CreateTemp("", "tarn-answer-*")
		if err != nil {
			return spoolFault(err)
		}
		// Where that is possible the file has no name from now on, so that nothing can leave it behind.
		s.file, s.removed = f, os.Remove(f.Name()) == nil
	}
	if _, err := s.file.Write(part); err != nil {
		return spoolFault(err)
	}
	return nil
}

func spoolFault(err error) error {
	return fault.New(fault.Internal, "PGRSTX00", "The answer could not be kept until it was complete").
		WithHint("The server has no room for temporary files.").WithCause(fmt.Errorf("temporary file: %w", err))
}

// copyTo writes what is kept. A client that doesn't take it is given up.
func (s *spool) copyTo(w http.ResponseWriter) error {
	if _, err := s.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	control := http.NewResponseController(w)
	part := make([]byte, 64<<10)
	for {
		n, err := s.file.Read(part)
		if n > 0 {
			// Not every writer can do this; then the server's own limits hold.
			_ = control.SetWriteDeadline(time.Now().Add(stallTimeout))
			if _, err := w.Write(part[:n]); err != nil {
				return err
			}
		}
		if err == io.EOF {
			_ = control.SetWriteDeadline(time.Time{})
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// close forgets what is kept.
func (s *spool) close() {
	if s.file == nil {
		return
	}
	_ = s.file.Close()
	if !s.removed {
		_ = os.Remove(s.file.Name())
	}
	s.file = nil
}
