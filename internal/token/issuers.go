package token

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"sync/atomic"
	"time"
)

// IssuerConfig describes an issuer whose tokens are trusted.
type IssuerConfig struct {
	Issuer   string // as its tokens say it
	JWKSURL  string // where it publishes its keys; https, unless the host is this machine. Empty to ask the issuer
	Audience string // that its tokens have to be for; empty for any
}

// IssuersOptions say which issuers there are, and how their keys are fetched. The times have defaults.
type IssuersOptions struct {
	Issuers   []IssuerConfig
	Transport http.RoundTripper // nil for http.DefaultTransport
	Now       func() time.Time

	Timeout  time.Duration // of a fetch: 5 s
	TTL      time.Duration // how long keys are used until they are fetched again: 10 min
	Interval time.Duration // between fetches for a key that is not known yet, or after a failure: 30 s
	MaxStale time.Duration // how long keys are used that can't be fetched again: 24 h
}

// Issuers fetches and keeps the keys of issuers. Nothing is fetched until it is needed, and from nowhere but the
// configured addresses: redirects are not followed. It is safe for concurrent use.
type Issuers struct {
	byName  map[string]*issuer
	changes atomic.Uint64 // of keys that issuers withdrew
}

// NewIssuers makes a source of the keys of issuers.
func NewIssuers(opt IssuersOptions) (*Issuers, error) {
	opt.setDefaults()
	client := &http.Client{
		Transport:     opt.Transport,
		Timeout:       opt.Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	s := &Issuers{byName: make(map[string]*issuer, len(opt.Issuers))}
	for _, cfg := range opt.Issuers {
		if err := checkIssuer(cfg); err != nil {
			return nil, err
		}
		if s.byName[cfg.Issuer] != nil {
			return nil, fmt.Errorf("issuer %q is there twice", cfg.Issuer)
		}
		s.byName[cfg.Issuer] = &issuer{cfg: cfg, opt: opt, client: client, changes: &s.changes}
	}
	return s, nil
}

func (o *IssuersOptions) setDefaults() {
	for _, d := range []struct {
		at *time.Duration
		is time.Duration
	}{{&o.Timeout, 5 * time.Second}, {&o.TTL, 10 * time.Minute}, {&o.Interval, 30 * time.Second}, {&o.MaxStale, 24 * time.Hour}} {
		if *d.at == 0 {
			*d.at = d.is
		}
	}
}

func checkIssuer(cfg IssuerConfig) error {
	if cfg.Issuer == "" {
		return errors.New("an issuer has no name")
	}
	address := cfg.JWKSURL
	if address == "" {
		address = cfg.Issuer
	}
	return checkAddress(cfg.Issuer, address)
}

func checkAddress(issuer, address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil {
		return fmt.Errorf("the address of the keys of issuer %q is not valid", issuer)
	}
	if u.Scheme != "https" && !(u.Scheme == "http" && thisMachine(u.Hostname())) {
		return fmt.Errorf("the address of the keys of issuer %q is not https", issuer)
	}
	return nil
}

func thisMachine(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

func (s *Issuers) candidates(c *compact, name string) ([]candidate, error) {
	from := s.byName[name]
	if from == nil {
		return nil, nil
	}
	return from.candidates(c)
}

func (s *Issuers) generation() uint64 { return s.changes.Load() }
