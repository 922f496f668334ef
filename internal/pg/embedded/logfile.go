package embedded

import (
	"io"
	"os"
	"path/filepath"
)

// maxLog is the size at which the server's log is put aside. One older log is kept.
const maxLog = 16 << 20

// logfile is what the server writes to its standard error. The server holds it open across restarts of this process'
// parts, so it is cut in place and not renamed.
type logfile struct{ *os.File }

func openLog(dataDir string) (logfile, error) {
	f, err := os.OpenFile(filepath.Join(dataDir, "postgres.log"), os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	return logfile{f}, err
}

// rotate copies a log that is too large to postgres.log.1 and empties it.
func (l logfile) rotate() error {
	info, err := l.Stat()
	if err != nil || info.Size() < maxLog {
		return err
	}
	old, err := os.OpenFile(l.Name()+".1", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(old, io.NewSectionReader(l, 0, info.Size()))
	if closeErr := old.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	return l.Truncate(0)
}

// size is where the next line will be written.
func (l logfile) size() int64 {
	info, err := l.Stat()
	if err != nil {
		return 0
	}
	return info.Size()
}

// since returns the last lines that were written after offset.
func (l logfile) since(offset int64) string {
	const most = 16 << 10
	start := max(offset, l.size()-most)
	text, _ := io.ReadAll(io.NewSectionReader(l, start, most))
	return lastLines(string(text), 5)
}
