package apiclient

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/oauth2"
)

// Profiles are what logins left: a file that only its owner may read.
type Profiles struct{ File string }

// Profile is one login.
type Profile struct {
	Name     string        `json:"-"`
	Host     string        `json:"host"`
	TokenURL string        `json:"token_url"`
	Token    *oauth2.Token `json:"token"`
}

type profilesFile struct {
	Current  string              `json:"current"`
	Profiles map[string]*Profile `json:"profiles"`
}

func notLoggedIn(why string) error {
	return &Error{Message: why, hint: "Log in with tarn login --host ADDRESS, or set DATABRICKS_HOST and DATABRICKS_TOKEN."}
}

// find returns a profile by its name or by its host; without either, the one that was logged in last.
func (s Profiles) find(name, host string) (*Profile, error) {
	all, err := s.read()
	if err != nil {
		return nil, err
	}
	switch {
	case name != "":
	case host != "":
		if host, err = normal(host); err != nil {
			return nil, err
		}
		for n, p := range all.Profiles {
			if p.Host == host && (name == "" || n == all.Current) {
				name = n
			}
		}
		if name == "" {
			return nil, notLoggedIn("you are not logged in to " + host)
		}
	default:
		if name = all.Current; name == "" {
			return nil, notLoggedIn("you are not logged in")
		}
	}
	p := all.Profiles[name]
	if p == nil {
		return nil, notLoggedIn("there is no profile " + name)
	}
	p.Name = name
	return p, nil
}

// Save keeps a login, and makes it the one to use.
func (s Profiles) Save(p Profile) error {
	return s.update(func(all *profilesFile) error {
		all.Profiles[p.Name], all.Current = &p, p.Name
		return nil
	})
}

func (s Profiles) read() (*profilesFile, error) {
	all := &profilesFile{}
	text, err := os.ReadFile(s.File)
	if err == nil {
		err = json.Unmarshal(text, all)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("profiles: %s: %w", s.File, err)
	}
	if all.Profiles == nil {
		all.Profiles = map[string]*Profile{}
	}
	return all, nil
}

// update changes the profiles while no other process does.
func (s Profiles) update(change func(*profilesFile) error) error {
	if err := os.MkdirAll(filepath.Dir(s.File), 0o700); err != nil {
		return err
	}
	lock, err := os.OpenFile(s.File+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = lock.Close() }() // which unlocks it
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return fmt.Errorf("lock the profiles: %w", err)
	}
	all, err := s.read()
	if err != nil {
		return err
	}
	if err := change(all); err != nil {
		return err
	}
	text, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(s.File), ".profiles-*") // with mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), s.File)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
