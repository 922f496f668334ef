package token

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jws"
)

const adminClaim = "admin"

// Claims say what a minted token holds.
type Claims struct {
	Subject  string
	Audience []string // empty for any
	Scopes   []string
	Admin    bool
	Lifetime time.Duration
	Extra    map[string]any // further claims, by name
}

// Mint signs a token with the newest key.
func (k *Keyring) Mint(c Claims) (string, error) {
	payload, err := c.encode(k.opt.Issuer, k.opt.Now())
	if err != nil {
		return "", err
	}
	signing := k.held.Load().signing
	newest := signing[len(signing)-1]
	headers := jws.NewHeaders()
	if err := headers.Set("typ", "JWT"); err != nil {
		return "", err
	}
	// The key's id goes into the header by itself.
	signed, err := jws.Sign(payload, jws.WithKey(jwa.ES256(), newest.private, jws.WithProtectedHeaders(headers)))
	return string(signed), err
}

func (c Claims) encode(issuer string, now time.Time) ([]byte, error) {
	if c.Subject == "" || c.Lifetime < time.Second {
		return nil, errors.New("a token needs a subject and a lifetime of a second at least")
	}
	all := map[string]any{
		"iss": issuer,
		"sub": c.Subject,
		"iat": now.Unix(),
		"exp": now.Add(c.Lifetime).Unix(),
		"jti": rand.Text(),
	}
	switch len(c.Audience) {
	case 0:
	case 1:
		all["aud"] = c.Audience[0]
	default:
		all["aud"] = c.Audience
	}
	if len(c.Scopes) > 0 {
		all["scope"] = strings.Join(c.Scopes, " ")
	}
	if c.Admin {
		all[adminClaim] = true
	}
	for name, v := range c.Extra {
		switch name {
		case "iss", "sub", "aud", "iat", "nbf", "exp", "jti", "scope", "scp", adminClaim:
			return nil, fmt.Errorf("claim %q can't be an extra one", name)
		}
		all[name] = v
	}
	return json.Marshal(all)
}
