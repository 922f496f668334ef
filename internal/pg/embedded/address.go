package embedded

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Address says how to reach a cluster. It is kept in the data directory for processes that only connect.
type Address struct {
	SocketDir string `json:"socket_dir"`
	Port      int    `json:"port"`
	BinDir    string `json:"bin_dir"` // programs of the machine, such as psql
	Owner     string `json:"owner"`

	password string // the owner's, in a file of its own
}

// Superuser is the role of Tarn itself.
const Superuser = "tarn"

const loopback = "127.0.0.1"

// Locate reads the address of the cluster in a data directory, which may be running in another process.
func Locate(dataDir string) (Address, error) {
	var a Address
	data, err := os.ReadFile(addressFile(dataDir))
	if err != nil {
		return a, fmt.Errorf("no cluster was started in %s: %w", dataDir, err)
	}
	if err := json.Unmarshal(data, &a); err != nil {
		return a, fmt.Errorf("%s: %w", addressFile(dataDir), err)
	}
	password, err := os.ReadFile(passwordFile(dataDir))
	if err != nil {
		return a, err
	}
	a.password = strings.TrimSpace(string(password))
	return a, nil
}

// Running tells whether the cluster's server takes connections.
func (a Address) Running(ctx context.Context) bool {
	conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "unix", filepath.Join(a.SocketDir, ".s.PGSQL."+strconv.Itoa(a.Port)))
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}

// URL is the superuser's, over the socket. Like the other roles that Tarn logs in as there, it needs no password: the
// server asks the kernel who is connecting.
func (a Address) URL(database string) string { return a.RoleURL(Superuser, database) }

// OwnerURL is the owner's, over the socket.
func (a Address) OwnerURL(database string) string { return a.RoleURL(a.Owner, database) }

// RoleURL is a role's, over the socket.
func (a Address) RoleURL(role, database string) string {
	u := url.URL{Scheme: "postgresql", Path: "/" + database}
	// The driver and libpq read the query's values differently where a space is written as a plus.
	u.RawQuery = "host=" + escape(a.SocketDir) + "&port=" + strconv.Itoa(a.Port) + "&user=" + escape(role)
	return u.String()
}

// HostURL is the owner's over TCP, for programs of other users of this machine. It holds the password.
func (a Address) HostURL(database string) string {
	u := url.URL{
		Scheme: "postgresql",
		User:   url.UserPassword(a.Owner, a.password),
		Host:   net.JoinHostPort(loopback, strconv.Itoa(a.Port)),
		Path:   "/" + database,
	}
	return u.String()
}

func (a Address) save(dataDir string) error {
	data, err := json.MarshalIndent(a, "", "  ")
	if err != nil {
		return err
	}
	return writeFile(addressFile(dataDir), append(data, '\n'))
}

func addressFile(dataDir string) string  { return filepath.Join(dataDir, "address.json") }
func passwordFile(dataDir string) string { return filepath.Join(dataDir, "owner.password") }

func escape(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

// writeFile replaces a file of this process' user as a whole.
func writeFile(path string, data []byte) error {
	if err := os.WriteFile(path+".new", data, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// choosePort returns a free port: the one that is wanted, or if that is 0 the one of before, or if that is taken another.
func choosePort(ctx context.Context, wanted, before int) (int, error) {
	switch {
	case wanted != 0 && !free(ctx, wanted):
		return 0, fmt.Errorf("port %d is taken", wanted)
	case wanted != 0:
		return wanted, nil
	case before != 0 && free(ctx, before):
		return before, nil
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", loopback+":0")
	if err != nil {
		return 0, err
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port, nil
}

func free(ctx context.Context, port int) bool {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", net.JoinHostPort(loopback, strconv.Itoa(port)))
	if err != nil {
		return false
	}
	return l.Close() == nil
}
