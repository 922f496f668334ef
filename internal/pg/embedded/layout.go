package embedded

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// oldest is the oldest major version that knows trusted extensions and all that Tarn asks of a server.
const oldest = 14

// longestSocket is how long the path of a socket may be on every system.
const longestSocket = 100

// layout is where a data directory has what.
type layout struct {
	account Account
	dataDir string
	cluster string // PostgreSQL's own files
	runtime string // the private tree
	sockets string
}

// newLayout makes the data directory if there is none.
func newLayout(dataDir string, as Account) (layout, error) {
	mode := os.FileMode(0o700)
	if as.switched {
		mode = 0o711
	}
	if err := os.MkdirAll(dataDir, mode); err != nil {
		return layout{}, err
	}
	dir, err := filepath.Abs(dataDir)
	if err == nil {
		dir, err = filepath.EvalSymlinks(dir)
	}
	if err == nil {
		err = as.reach(dir)
	}
	if err != nil {
		return layout{}, err
	}
	return layout{
		account: as,
		dataDir: dir,
		cluster: filepath.Join(dir, "postgres"),
		runtime: filepath.Join(dir, "runtime"),
		sockets: socketDir(dir),
	}, nil
}

// socketDir is in the data directory unless the path of a socket there would be too long.
func socketDir(dataDir string) string {
	dir := filepath.Join(dataDir, "run")
	if len(dir)+len("/.s.PGSQL.65535") <= longestSocket {
		return dir
	}
	return fmt.Sprintf("/tmp/tarn-%x", sha256.Sum256([]byte(dataDir)))[:len("/tmp/tarn-")+16]
}

// version is the major version of the cluster, or 0 if there is none yet.
func (l layout) version() (int, error) {
	text, err := os.ReadFile(filepath.Join(l.cluster, "PG_VERSION"))
	if os.IsNotExist(err) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	major, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0, fmt.Errorf("%s isn't a data directory of PostgreSQL: %w", l.cluster, err)
	}
	return major, nil
}

// accepts tells whether a server of the cluster takes connections, which it writes into its pid file.
func (l layout) accepts(pid int) bool {
	const stateLine = 7
	text, err := os.ReadFile(l.pidFile())
	lines := strings.Split(string(text), "\n")
	return err == nil && len(lines) > stateLine && lines[0] == strconv.Itoa(pid) && strings.TrimSpace(lines[stateLine]) == "ready"
}

func (l layout) pidFile() string { return filepath.Join(l.cluster, "postmaster.pid") }
