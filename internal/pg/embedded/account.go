package embedded

import (
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// Account is the user of the operating system that the server runs as. PostgreSQL refuses to be run by root.
type Account struct {
	Name     string
	uid, gid int
	switched bool // it isn't the user who runs this process
}

// NewAccount returns the account to run the server as: the user of this process, unless that is root. Then it is the
// user of the given name, or postgres, or nobody.
func NewAccount(name string) (Account, error) {
	self, err := user.Current()
	if err != nil {
		return Account{}, fmt.Errorf("PostgreSQL needs a user with a name: %w", err)
	}
	if os.Geteuid() != 0 {
		if name != "" && name != self.Username {
			return Account{}, fmt.Errorf("only root can run PostgreSQL as %q; this is %q", name, self.Username)
		}
		return account(self, false)
	}
	names := []string{"postgres", "nobody"}
	if name != "" {
		names = []string{name}
	}
	for _, name := range names {
		if u, err := user.Lookup(name); err == nil {
			return account(u, true)
		}
	}
	return Account{}, fmt.Errorf("PostgreSQL can't be run by root, and there is no user %v to run it as", names)
}

func account(u *user.User, switched bool) (Account, error) {
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return Account{}, fmt.Errorf("user %s: %w", u.Username, err)
	}
	gid, err := strconv.Atoi(u.Gid)
	if err != nil {
		return Account{}, fmt.Errorf("user %s: %w", u.Username, err)
	}
	if uid == 0 {
		return Account{}, fmt.Errorf("PostgreSQL can't be run by %s, who is root", u.Username)
	}
	return Account{Name: u.Username, uid: uid, gid: gid, switched: switched}, nil
}

// sysProcAttr makes a command run as the account, in a session of its own: a Ctrl-C at the terminal is Tarn's to
// handle.
func (a Account) sysProcAttr() *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setsid: true}
	if a.switched {
		attr.Credential = &syscall.Credential{Uid: uint32(a.uid), Gid: uint32(a.gid)} //nolint:gosec // from the user database
	}
	return attr
}

// Mkdir makes a folder that the account alone may use. One that is there must be such a folder already.
func (a Account) Mkdir(dir string) error {
	err := os.Mkdir(dir, 0o700)
	if err == nil && a.switched {
		err = os.Lchown(dir, a.uid, a.gid)
	}
	if !os.IsExist(err) {
		return err
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !info.IsDir() || info.Mode().Perm()&0o077 != 0 || !ok || int(owner.Uid) != a.uid {
		return fmt.Errorf("%s must be a folder of mode 0700 that belongs to %s", dir, a.Name)
	}
	return nil
}

// WriteFile writes a file that the account alone may read.
func (a Account) WriteFile(path string, data []byte) error {
	next := path + ".new"
	_ = os.Remove(next)
	f, err := os.OpenFile(next, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if a.switched {
		err = f.Chown(a.uid, a.gid)
	}
	if err == nil {
		_, err = f.Write(data)
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	return os.Rename(next, path)
}

// reach tells whether the account can enter a folder, and if not, which one stops it.
func (a Account) reach(dir string) error {
	if !a.switched {
		return nil
	}
	for ; ; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		if err != nil {
			return err
		}
		if owner, ok := info.Sys().(*syscall.Stat_t); ok && !a.enters(info, owner) {
			return fmt.Errorf("PostgreSQL runs as %s, who can't enter %s (mode %v): choose another data directory or `chmod o+x` it",
				a.Name, dir, info.Mode().Perm())
		}
		if dir == filepath.Dir(dir) {
			return nil
		}
	}
}

func (a Account) enters(info os.FileInfo, owner *syscall.Stat_t) bool {
	switch perm := info.Mode().Perm(); {
	case int(owner.Uid) == a.uid:
		return perm&0o100 != 0
	case int(owner.Gid) == a.gid:
		return perm&0o010 != 0
	default:
		return perm&0o001 != 0
	}
}

// Take gives a folder or file to the account alone.
func (a Account) Take(path string) error {
	if a.switched {
		if err := os.Lchown(path, a.uid, a.gid); err != nil {
			return err
		}
	}
	return os.Chmod(path, 0o700)
}
