package token_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"hash"
	"maps"
	"math/big"
	"sync"
	"testing"
	"time"

	"github.com/tarn-data/tarn/internal/token"
)

const secret = "reallyreallyreallyreallyverysafe"

// start is when the tests begin, by their own clock.
var start = time.Unix(1_700_000_000, 0)

// clock is a clock that tests set.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: start} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// signer signs by an algorithm with the standard library alone, to have something to compare with.
type signer struct {
	alg  string
	key  any
	jwk  map[string]any // that verifies
	kid  string         // empty for none
	size int            // of each half of an ECDSA signature
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func encode(t testing.TB, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// sign makes a token of a payload.
func (s *signer) sign(t testing.TB, payload string) string {
	t.Helper()
	header := map[string]any{"alg": s.alg, "typ": "JWT"}
	if s.kid != "" {
		header["kid"] = s.kid
	}
	return s.signHeader(t, string(encode(t, header)), payload)
}

func (s *signer) signHeader(t testing.TB, header, payload string) string {
	t.Helper()
	signed := b64([]byte(header)) + "." + b64([]byte(payload))
	return signed + "." + b64(s.signature(t, []byte(signed)))
}

func (s *signer) signature(t testing.TB, signed []byte) []byte {
	t.Helper()
	hashes := map[string]struct {
		id crypto.Hash
		of func() hash.Hash
	}{
		"256": {crypto.SHA256, sha256.New}, "384": {crypto.SHA384, sha512.New384}, "512": {crypto.SHA512, sha512.New},
	}
	h := hashes[s.alg[2:]]
	var digest []byte
	if h.of != nil {
		sum := h.of()
		sum.Write(signed)
		digest = sum.Sum(nil)
	}
	var out []byte
	var err error
	switch s.alg[:2] {
	case "HS":
		mac := hmac.New(h.of, s.key.([]byte))
		mac.Write(signed)
		return mac.Sum(nil)
	case "RS":
		out, err = rsa.SignPKCS1v15(rand.Reader, s.key.(*rsa.PrivateKey), h.id, digest)
	case "PS":
		out, err = rsa.SignPSS(rand.Reader, s.key.(*rsa.PrivateKey), h.id, digest,
			&rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
	case "ES":
		var r, v *big.Int
		if r, v, err = ecdsa.Sign(rand.Reader, s.key.(*ecdsa.PrivateKey), digest); err == nil {
			out = make([]byte, 2*s.size)
			r.FillBytes(out[:s.size])
			v.FillBytes(out[s.size:])
		}
	default:
		out = ed25519.Sign(s.key.(ed25519.PrivateKey), signed)
	}
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func hmacSigner(alg string) *signer {
	return &signer{alg: alg, key: []byte(secret), jwk: map[string]any{"kty": "oct", "k": b64([]byte(secret))}}
}

// signers has one for each algorithm. Making the keys takes a while.
var signers = sync.OnceValue(func() []*signer {
	all := []*signer{hmacSigner("HS256"), hmacSigner("HS384"), hmacSigner("HS512")}
	r, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	public := map[string]any{"kty": "RSA", "n": b64(r.N.Bytes()), "e": "AQAB"}
	for _, alg := range []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"} {
		all = append(all, &signer{alg: alg, key: r, jwk: public})
	}
	for alg, curve := range map[string]elliptic.Curve{
		"ES256": elliptic.P256(), "ES384": elliptic.P384(), "ES512": elliptic.P521(),
	} {
		all = append(all, ecSigner(alg, curve))
	}
	edPublic, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic(err)
	}
	return append(all, &signer{
		alg: "EdDSA", key: ed, jwk: map[string]any{"kty": "OKP", "crv": "Ed25519", "x": b64(edPublic)},
	})
})

func ecSigner(alg string, curve elliptic.Curve) *signer {
	k, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		panic(err)
	}
	point, err := k.PublicKey.Bytes()
	if err != nil {
		panic(err)
	}
	size := len(point) / 2
	return &signer{alg: alg, key: k, size: size, jwk: map[string]any{
		"kty": "EC", "crv": curve.Params().Name, "x": b64(point[1 : 1+size]), "y": b64(point[1+size:]),
	}}
}

// with returns the signer under a key id, which its JSON Web Key has too.
func (s *signer) with(kid string) *signer {
	c := *s
	c.kid = kid
	c.jwk = map[string]any{"kid": kid}
	maps.Copy(c.jwk, s.jwk)
	return &c
}

func keySet(t testing.TB, of ...*signer) []byte {
	t.Helper()
	keys := []any{}
	for _, s := range of {
		keys = append(keys, s.jwk)
	}
	return encode(t, map[string]any{"keys": keys})
}

func newKeys(t testing.TB, text []byte) *token.Keys {
	t.Helper()
	keys, err := token.NewKeys(text)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func roleClaim(t testing.TB, expr string) token.RoleClaim {
	t.Helper()
	r, err := token.ParseRoleClaim(expr)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// ecPrivate returns the private octets of an ECDSA key.
func ecPrivate(t testing.TB, s *signer) []byte {
	t.Helper()
	d, err := s.key.(*ecdsa.PrivateKey).Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func unb64(t testing.TB, s string) []byte {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
