package token

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// maxJWKS is the most bytes that are read of a set of keys.
const maxJWKS = 1 << 20

// issuer keeps the keys of one issuer.
type issuer struct {
	cfg     IssuerConfig
	opt     IssuersOptions
	client  *http.Client
	changes *atomic.Uint64
	current atomic.Pointer[fetched] // nil until the first fetch succeeds

	mu      sync.Mutex // held by who fetches
	next    time.Time  // no fetch before then
	failure error      // of the last fetch
}

// fetched is the keys that an issuer published.
type fetched struct {
	keys []*key
	etag string
	at   time.Time
}

// candidates returns the keys that may have signed the token. It fetches them if there are none yet, if they are old,
// or if the token names one that isn't there.
func (i *issuer) candidates(c *compact) ([]candidate, error) {
	now := i.opt.Now()
	have := i.current.Load()
	if have != nil && now.Sub(have.at) < i.opt.TTL {
		if found := i.fitting(have, c); len(found) > 0 || !c.hasKid {
			return found, nil
		}
	}
	err := i.refresh(now, have)
	have = i.current.Load()
	if have == nil || now.Sub(have.at) > i.opt.MaxStale {
		return nil, keysUnavailable(err)
	}
	return i.fitting(have, c), nil
}

func (i *issuer) fitting(have *fetched, c *compact) []candidate {
	var found []candidate
	for _, k := range have.keys {
		if k.fits(c) {
			found = append(found, candidate{key: k, audience: i.cfg.Audience, until: have.at.Add(i.opt.TTL)})
		}
	}
	return found
}

// refresh fetches the keys, unless that was tried just now. One fetch serves all who wait for it; who has keys of some
// age does not wait. The error is that of the last fetch.
func (i *issuer) refresh(now time.Time, have *fetched) error {
	if have == nil || now.Sub(have.at) < i.opt.TTL {
		i.mu.Lock()
	} else if !i.mu.TryLock() {
		return nil
	}
	defer i.mu.Unlock()
	if i.current.Load() != have || now.Before(i.next) {
		return i.failure
	}
	i.next = now.Add(i.opt.Interval)
	got, err := i.fetch(have)
	i.failure = err
	if err != nil {
		return err
	}
	got.at = now
	i.current.Store(got)
	if have != nil && withdrawn(have.keys, got.keys) {
		i.changes.Add(1)
	}
	return nil
}

// withdrawn tells whether a key of before is missing now.
func withdrawn(before, now []*key) bool {
	for _, b := range before {
		there := false
		for _, n := range now {
			there = there || n.same(b)
		}
		if !there {
			return true
		}
	}
	return false
}

// fetch fetches the keys; have, if it isn't nil, is what is there already.
func (i *issuer) fetch(have *fetched) (*fetched, error) {
	address := i.cfg.JWKSURL
	if address == "" {
		var err error
		if address, err = i.discover(); err != nil {
			return nil, err
		}
	}
	etag := ""
	if have != nil {
		etag = have.etag
	}
	body, etag, err := i.get(address, etag)
	if err != nil {
		return nil, err
	}
	if body == nil && have != nil {
		return &fetched{keys: have.keys, etag: have.etag}, nil
	}
	keys, err := parsePublished(body)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", address, err)
	}
	return &fetched{keys: keys, etag: etag}, nil
}

// discover asks the issuer where its keys are (OpenID Connect Discovery).
func (i *issuer) discover() (string, error) {
	address := strings.TrimSuffix(i.cfg.Issuer, "/") + "/.well-known/openid-configuration"
	body, _, err := i.get(address, "")
	if err != nil {
		return "", err
	}
	var said struct {
		Issuer  string `json:"issuer"`
		JWKSURL string `json:"jwks_uri"`
	}
	if err := json.Unmarshal(body, &said); err != nil {
		return "", fmt.Errorf("%s: %w", address, err)
	}
	if said.Issuer != i.cfg.Issuer {
		return "", fmt.Errorf("%s is of issuer %q", address, said.Issuer)
	}
	return said.JWKSURL, checkAddress(i.cfg.Issuer, said.JWKSURL)
}

// get reads a document, and its tag; nil if it is still the one with the tag.
func (i *issuer) get(address, etag string) ([]byte, string, error) {
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, address, nil)
	if err != nil {
		return nil, "", err
	}
	req.Header.Set("Accept", "application/jwk-set+json, application/json")
	if etag != "" {
		req.Header.Set("If-None-Match", etag)
	}
	resp, err := i.client.Do(req)
	if err != nil {
		return nil, "", err
	}
	defer func() { _ = resp.Body.Close() }() // what was read of it is all that counts
	switch {
	case resp.StatusCode == http.StatusNotModified && etag != "":
		return nil, etag, nil
	case resp.StatusCode != http.StatusOK:
		return nil, "", fmt.Errorf("%s answered %s", address, resp.Status)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxJWKS+1))
	if err != nil {
		return nil, "", err
	}
	if len(body) > maxJWKS {
		return nil, "", fmt.Errorf("%s answered with more than %d bytes", address, maxJWKS)
	}
	return body, resp.Header.Get("ETag"), nil
}

// parsePublished reads a set of public keys. What is of no use in it is left out: one odd key must not lock out those
// whose key is good. Symmetric keys can't be meant, since all the world would know them.
func parsePublished(text []byte) ([]*key, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(text, &set); err != nil || set.Keys == nil {
		return nil, errors.New("not a JSON Web Key Set")
	}
	var keys []*key
	for _, text := range set.Keys {
		k, err := parseKey(text)
		if err != nil || k == nil {
			continue
		}
		if _, symmetric := k.raw.([]byte); !symmetric {
			keys = append(keys, k)
		}
	}
	return keys, nil
}
