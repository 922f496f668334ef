package token

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/lestrrat-go/jwx/v3/jws"
)

const adminClaim = "admin"

// Claims say what a minted token holds.
type Claims struct {
	Issuer   string // empty for the keyring's
	Subject  string
	Audience []string // empty for the keyring's
	Scopes   []string
	Admin    bool
	Lifetime time.Duration
	IDToken  bool           // tells a client who logged in, and is no good for calls
	Extra    map[string]any // further claims, by name
}

// Mint signs a token with the newest key that may.
func (k *Keyring) Mint(c Claims) (string, error) {
	now := k.opt.Now()
	if c.Issuer == "" {
		c.Issuer = k.opt.Issuer
	}
	if len(c.Audience) == 0 && k.opt.Audience != "" {
		c.Audience = []string{k.opt.Audience}
	}
	payload, err := c.encode(now)
	if err != nil {
		return "", err
	}
	key, headers := k.signer(k.held.Load().signing, now), jws.NewHeaders()
	alg, ok := algorithm(key.public.alg)
	if !ok {
		return "", fmt.Errorf("key %s is for no algorithm", key.public.id)
	}
	typ := accessType
	if c.IDToken {
		typ = "JWT"
	}
	if err := headers.Set("typ", typ); err != nil {
		return "", err
	}
	// The key's id goes into the header by itself.
	signed, err := jws.Sign(payload, jws.WithKey(alg, key.private, jws.WithProtectedHeaders(headers)))
	return string(signed), err
}

// accessType is the type of tokens for calls (RFC 9068), which ID tokens are not.
const accessType = "at+jwt"

func isAccessToken(typ string) bool {
	return strings.TrimPrefix(strings.ToLower(typ), "application/") == accessType
}

func (c Claims) encode(now time.Time) ([]byte, error) {
	if c.Subject == "" || c.Lifetime < time.Second {
		return nil, errors.New("a token needs a subject and a lifetime of a second at least")
	}
	all := map[string]any{
		"iss": c.Issuer,
		"sub": c.Subject,
		"iat": now.Unix(),
		"exp": now.Add(c.Lifetime).Unix(),
	}
	if !c.IDToken {
		all["jti"] = rand.Text()
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
