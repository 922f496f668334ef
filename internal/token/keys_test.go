package token_test

import (
	"crypto/elliptic"
	"strings"
	"testing"

	"github.com/tarn-data/tarn/internal/token"
)

func TestNewKeysRefuses(t *testing.T) {
	for _, c := range []struct{ secret, want string }{
		{"", "at least 32 characters"},
		{strings.Repeat("x", 31), "at least 32 characters"},
		{`[]`, "at least 32 characters"},
		{`{}`, "no key"},
		{`{"keys":[]}`, "no key"},
		{`{"keys":5}`, "not a valid JSON Web Key"},
		{`{"keys":[5]}`, "not a valid JSON Web Key"},
		{`{"kty":"oct"}`, "not a valid JSON Web Key"},
		{`{"kty":"oct","k":""}`, "not a valid JSON Web Key"},
		{`{"kty":"oct","k":"!"}`, "not a valid JSON Web Key"},
		{`{"kty":"oct","k":"AAAA","kid":5}`, "not a valid JSON Web Key"},
		{`{"kty":"oct","k":"AAAA","use":"enc"}`, "no key"},
		{`{"kty":"oct","k":"AAAA","alg":"A128KW"}`, "no key"},
		{`{"kty":"RSA","e":"AQAB"}`, "not a valid JSON Web Key"},
		{`{"kty":"EC","crv":"P-256","x":"AAAA","y":"AAAA"}`, "not a valid JSON Web Key"},
		{`{"kty":"EC","crv":"secp256k1","x":"AAAA","y":"AAAA"}`, "no key"},
		{`{"kty":"OKP","crv":"Ed25519","x":"AAAA"}`, "not a valid JSON Web Key"},
		{`{"kty":"OKP","crv":"X25519","x":"AAAA"}`, "no key"},
		{`{"kty":"strange"}`, "no key"},
	} {
		if _, err := token.NewKeys([]byte(c.secret)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %s", c.secret, err, c.want)
		}
	}
}

// TestKeysOfNoUse has keys in a set that can't verify tokens, beside one that can.
func TestKeysOfNoUse(t *testing.T) {
	s := hmacSigner("HS384")
	set := `{"keys":[{"kty":"strange"},{"kty":"OKP","crv":"X25519","x":"AAAA"},{"kty":"RSA","use":"enc"},` +
		string(encode(t, s.jwk)) + `]}`
	v := verifier(t, func(o *token.VerifierOptions) { o.Keys = newKeys(t, []byte(set)) })
	if _, err := v.Verify(s.sign(t, `{}`), true); err != nil {
		t.Error(err)
	}
}

// TestPrivateKey gives a private key, of which the public part verifies.
func TestPrivateKey(t *testing.T) {
	s := ecSigner("ES256", elliptic.P256())
	s.jwk["d"] = b64(ecPrivate(t, s))
	v := verifier(t, nil, s)
	if _, err := v.Verify(s.sign(t, `{}`), true); err != nil {
		t.Error(err)
	}
}

func FuzzNewKeys(f *testing.F) {
	for _, s := range signers() {
		f.Add(encode(f, s.jwk))
	}
	f.Add([]byte(`{"keys":[{"kty":"oct","k":"AAAA","alg":"HS256","use":"sig","kid":"x"}]}`))
	bearer := hmacSigner("HS256").sign(f, `{}`)
	f.Fuzz(func(t *testing.T, text []byte) {
		keys, err := token.NewKeys(text)
		if err != nil {
			return
		}
		v := verifier(t, func(o *token.VerifierOptions) { o.Keys = keys })
		if _, err := v.Verify(bearer, true); err == nil && string(text) != secret {
			var known bool
			for _, s := range signers()[:3] {
				known = known || strings.Contains(string(text), s.jwk["k"].(string))
			}
			if !known {
				t.Fatalf("%q verifies what it did not sign", text)
			}
		}
	})
}
