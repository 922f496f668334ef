package token

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/json"
	"fmt"

	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jwk"
	"github.com/lestrrat-go/jwx/v3/jws"
)

// key verifies signatures.
type key struct {
	id    string
	hasID bool
	alg   string // the only algorithm to use it with; empty for all that fit
	raw   any    // []byte, *rsa.PublicKey, *ecdsa.PublicKey or ed25519.PublicKey
	macs  macs   // of the octets that a symmetric one is
}

// algorithm returns the signature algorithm of a name, if tokens may be signed with it.
func algorithm(name string) (jwa.SignatureAlgorithm, bool) {
	switch name {
	case "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512",
		"ES256", "ES384", "ES512", "EdDSA":
		return jwa.LookupSignatureAlgorithm(name)
	}
	return jwa.EmptySignatureAlgorithm(), false
}

// fits tells whether the key may have signed the token. A token that names its key can only be signed by that one.
func (k *key) fits(c *compact) bool {
	if c.hasKid && (!k.hasID || k.id != c.kid) || k.alg != "" && k.alg != c.alg {
		return false
	}
	switch raw := k.raw.(type) {
	case []byte:
		return c.alg[:2] == "HS"
	case *rsa.PublicKey:
		return c.alg[:2] == "RS" || c.alg[:2] == "PS"
	case *ecdsa.PublicKey:
		return c.alg == curveAlgorithm(raw)
	case ed25519.PublicKey:
		return c.alg == "EdDSA"
	}
	return false
}

// curveAlgorithm returns the one algorithm that goes with the key's curve (RFC 7518, 3.4).
func curveAlgorithm(k *ecdsa.PublicKey) string {
	switch k.Curve.Params().Name {
	case "P-256":
		return "ES256"
	case "P-384":
		return "ES384"
	case "P-521":
		return "ES512"
	}
	return ""
}

// verifies tells whether the key signed the token, which it fits.
func (k *key) verifies(c *compact) bool {
	if secret, ok := k.raw.([]byte); ok {
		return k.macs.verify(secret, c)
	}
	alg, ok := algorithm(c.alg)
	if !ok {
		return false
	}
	v, err := jws.VerifierFor(alg)
	return err == nil && v.Verify(k.raw, []byte(c.signed), c.signature) == nil
}

// jwkHead is what of a JSON Web Key tells whether it is of use here.
type jwkHead struct {
	Type  string  `json:"kty"`
	Curve string  `json:"crv"`
	Use   string  `json:"use"`
	Alg   string  `json:"alg"`
	ID    *string `json:"kid"`
}

func (h *jwkHead) useful() bool {
	if _, known := algorithm(h.Alg); h.Alg != "" && !known || h.Use != "" && h.Use != "sig" {
		return false
	}
	switch h.Type {
	case "oct", "RSA":
		return true
	case "EC":
		return h.Curve == "P-256" || h.Curve == "P-384" || h.Curve == "P-521"
	case "OKP":
		return h.Curve == "Ed25519"
	}
	return false
}

// parseKey reads a JSON Web Key. It returns nil for one that is of no use here.
func parseKey(text []byte) (*key, error) {
	var head jwkHead
	if err := json.Unmarshal(text, &head); err != nil {
		return nil, errNotJWK
	}
	if !head.useful() {
		return nil, nil
	}
	raw, err := publicKey(text)
	if err != nil {
		return nil, err
	}
	k := &key{alg: head.Alg, raw: raw}
	if head.ID != nil {
		k.id, k.hasID = *head.ID, true
	}
	return k, nil
}

// publicKey returns the public part of a key, or the octets of a symmetric one. Errors don't say what is in the key.
func publicKey(text []byte) (any, error) {
	parsed, err := jwk.ParseKey(text)
	if err != nil {
		return nil, errNotJWK
	}
	public, err := parsed.PublicKey()
	if err != nil {
		return nil, errNotJWK
	}
	var raw any
	if err := jwk.Export(public, &raw); err != nil {
		return nil, errNotJWK
	}
	switch raw := raw.(type) {
	case []byte:
		if len(raw) == 0 {
			return nil, errNotJWK
		}
	case *rsa.PublicKey, *ecdsa.PublicKey, ed25519.PublicKey:
	default:
		return nil, fmt.Errorf("%w: %T", errNotJWK, raw)
	}
	return raw, nil
}

// same tells whether both verify the same tokens.
func (k *key) same(other *key) bool {
	public, ok := k.raw.(interface{ Equal(crypto.PublicKey) bool })
	return ok && public.Equal(other.raw) && k.id == other.id && k.hasID == other.hasID && k.alg == other.alg
}
