package token

import (
	"bytes"
	"encoding/json"
	"errors"
)

var (
	errNotJWK      = errors.New("not a valid JSON Web Key")
	errNoKey       = errors.New("no key in the JWT secret can verify tokens")
	errShortSecret = errors.New("The JWT secret must be at least 32 characters long.") //nolint:staticcheck // as PostgREST says it
)

const minSecret = 32 // octets of a key that isn't a JSON Web Key

// Keys is a fixed set of keys that verify tokens, from whoever.
type Keys struct{ keys []*key }

// NewKeys reads keys from a secret: a JSON Web Key, a set of them, or else the octets of an HS256 key.
func NewKeys(secret []byte) (*Keys, error) {
	var object map[string]json.RawMessage
	if json.Unmarshal(secret, &object) != nil || object == nil {
		if len(secret) < minSecret {
			return nil, errShortSecret
		}
		return &Keys{[]*key{{alg: "HS256", raw: bytes.Clone(secret)}}}, nil
	}
	var each []json.RawMessage
	if set, ok := object["keys"]; !ok {
		each = []json.RawMessage{secret}
	} else if err := json.Unmarshal(set, &each); err != nil {
		return nil, errNotJWK
	}
	keys, err := parseKeys(each)
	if err != nil {
		return nil, err
	}
	if len(keys) == 0 {
		return nil, errNoKey
	}
	return &Keys{keys}, nil
}

// NewPublished reads the public keys of an issuer.
func NewPublished(set []byte) (*Keys, error) {
	keys, err := parsePublished(set)
	if err != nil {
		return nil, err
	}
	if len(keys) == 0 {
		return nil, errNoKey
	}
	return &Keys{keys}, nil
}

// UnverifiedIssuer is the issuer that a token says it is of, which anybody can say.
func UnverifiedIssuer(bearer string) (string, bool) {
	c, err := parseCompact(bearer, &headers{})
	if err != nil {
		return "", false
	}
	claims, ok := parseClaims(c.payload)
	if !ok {
		return "", false
	}
	issuer := claims.text("iss")
	return issuer, issuer != ""
}

func parseKeys(each []json.RawMessage) ([]*key, error) {
	var keys []*key
	for _, text := range each {
		k, err := parseKey(text)
		if err != nil {
			return nil, err
		}
		if k != nil {
			keys = append(keys, k)
		}
	}
	return keys, nil
}

//nolint:unparam // other sources may fail
func (s *Keys) candidates(c *compact, _ string) ([]candidate, error) {
	var found []candidate
	for _, k := range s.keys {
		if k.fits(c) {
			found = append(found, candidate{key: k})
		}
	}
	return found, nil
}

func (*Keys) generation() uint64 { return 0 }
