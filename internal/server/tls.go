package server

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"
)

// TLSOptions say how the API is encrypted: with certificates of files, or with those that an authority issues by ACME. With
// neither it isn't.
type TLSOptions struct {
	CertFile string // certificate and those that it is signed by, PEM
	KeyFile  string

	Domains   []string // to ask certificates for
	Email     string   // that the authority may write to
	Directory string   // the authority's address; empty for Let's Encrypt

	Plain2 bool // HTTP/2 also without encryption, as from a proxy
}

// config makes what a listener needs; nil for no encryption. Certificates by ACME are kept in a folder.
func (o *TLSOptions) config(dir string, log *slog.Logger) (*tls.Config, error) {
	switch {
	case o.CertFile != "" && len(o.Domains) > 0:
		return nil, errors.New("certificates are either of files or by ACME, not both")
	case (o.CertFile == "") != (o.KeyFile == ""):
		return nil, errors.New("a certificate and its key belong together: one of the files isn't named")
	case o.CertFile != "":
		c := &certificate{certFile: o.CertFile, keyFile: o.KeyFile, now: time.Now, log: log}
		if err := c.load(); err != nil {
			return nil, fmt.Errorf("certificate: %w", err)
		}
		return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.get}, nil
	case len(o.Domains) > 0:
		m := &autocert.Manager{
			Prompt: autocert.AcceptTOS, Cache: autocert.DirCache(filepath.Join(dir, "acme")),
			HostPolicy: autocert.HostWhitelist(o.Domains...), Email: o.Email,
		}
		if o.Directory != "" {
			m.Client = &acme.Client{DirectoryURL: o.Directory}
		}
		cfg := m.TLSConfig()
		cfg.MinVersion = tls.VersionTLS12
		return cfg, nil
	}
	return nil, nil //nolint:nilnil // nothing is asked for
}

// certificate is a certificate of files, which are read anew when they have changed. Connections that are open already
// aren't concerned.
type certificate struct {
	certFile, keyFile string
	now               func() time.Time
	log               *slog.Logger

	mu      sync.Mutex
	loaded  *tls.Certificate
	stamp   stamp
	checked time.Time
}

// stamp tells versions of the two files apart.
type stamp struct {
	cert, key         time.Time
	certSize, keySize int64
}

// checkEvery is how often the files are looked at, at most.
const checkEvery = time.Second

// get implements tls.Config.GetCertificate.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := c.now(); now.Sub(c.checked) >= checkEvery {
		c.checked = now
		if s, err := c.look(); err == nil && s != c.stamp {
			c.renew(s)
		}
	}
	return c.loaded, nil
}

// renew takes other files over. What can't be used, maybe since only one of them is there yet, is left for the next time.
func (c *certificate) renew(s stamp) {
	loaded, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		c.log.Warn("the new certificate can't be used: the old one stays in force", "file", c.certFile, "error", err)
		return
	}
	c.loaded, c.stamp = &loaded, s
	c.log.Info("certificate reloaded", "file", c.certFile, "expires", loaded.Leaf.NotAfter)
}

func (c *certificate) load() error {
	s, err := c.look()
	if err != nil {
		return err
	}
	loaded, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return err
	}
	c.loaded, c.stamp, c.checked = &loaded, s, c.now()
	return nil
}

func (c *certificate) look() (stamp, error) {
	cert, err := os.Stat(c.certFile)
	if err != nil {
		return stamp{}, err
	}
	key, err := os.Stat(c.keyFile)
	if err != nil {
		return stamp{}, err
	}
	return stamp{cert.ModTime(), key.ModTime(), cert.Size(), key.Size()}, nil
}
