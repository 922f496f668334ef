package token_test

import (
	"crypto/elliptic"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tarn-data/tarn/internal/fault"
	"github.com/tarn-data/tarn/internal/token"
)

// verifier makes one that knows the signers' keys, and has an anonymous role.
func verifier(t testing.TB, change func(*token.VerifierOptions), of ...*signer) *token.Verifier {
	t.Helper()
	opt := token.VerifierOptions{
		RoleClaim: roleClaim(t, "$.role"), AnonRole: "anon", CacheMaxEntries: 100, Now: newClock().now,
	}
	if len(of) > 0 {
		opt.Keys = newKeys(t, keySet(t, of...))
	}
	if change != nil {
		change(&opt)
	}
	return token.NewVerifier(opt)
}

// refusal returns the parts of a fault that a client sees.
func refusal(t testing.TB, err error) string {
	t.Helper()
	var f *fault.Error
	if !errors.As(err, &f) {
		t.Fatalf("not a fault: %v", err)
	}
	s := fmt.Sprintf("%d %s %s", f.Kind, f.Code, f.Message)
	if f.Details != nil {
		s += fmt.Sprintf(" (%s)", f.Details)
	}
	for _, h := range f.Headers {
		s += " " + h.Name + ": " + h.Value
	}
	return s
}

func invalid(code, message, details string) string {
	s := "401 " + code + " " + message
	if details != "" {
		s += " (" + details + ")"
	}
	return s + ` WWW-Authenticate: Bearer error="invalid_token", error_description="` + message + `"`
}

func TestEveryAlgorithm(t *testing.T) {
	all := signers()
	everybody := verifier(t, nil, all...)
	for _, s := range all {
		t.Run(s.alg, func(t *testing.T) {
			good := s.sign(t, `{"role":"author","sub":"me"}`)
			for name, v := range map[string]*token.Verifier{
				"alone": verifier(t, nil, s),
				"all":   everybody,
				"alg": verifier(t, func(o *token.VerifierOptions) {
					jwk := map[string]any{"alg": s.alg, "use": "sig"}
					maps.Copy(jwk, s.jwk)
					o.Keys = newKeys(t, encode(t, jwk)) // a key that is no set
				}),
			} {
				id, err := v.Verify(good, true)
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				want := token.Identity{Name: "me", Role: "author", Claims: `{"role":"author","sub":"me"}`}
				if diff := cmp.Diff(want, *id); diff != "" {
					t.Errorf("%s: %s", name, diff)
				}
			}
			parts := strings.Split(good, ".")
			other := s.sign(t, `{"role":"admin","sub":"me"}`)
			for name, bad := range map[string]string{
				"payload of another": parts[0] + "." + strings.Split(other, ".")[1] + "." + parts[2],
				"short signature":    good[:len(good)-4],
				"no signature":       parts[0] + "." + parts[1] + ".",
				"header":             b64([]byte(`{"alg":"`+s.alg+`"}`)) + "." + parts[1] + "." + parts[2],
				"first bit":          parts[0] + "." + parts[1] + "." + flip(parts[2]),
			} {
				_, err := everybody.Verify(bad, true)
				if err == nil {
					t.Fatalf("%s: verified", name)
				}
				want := invalid("PGRST301", "No suitable key or wrong key type", "None of the keys was able to decode the JWT")
				if diff := cmp.Diff(want, refusal(t, err)); diff != "" {
					t.Errorf("%s: %s", name, diff)
				}
			}
		})
	}
}

// flip changes the first character of an encoded signature.
func flip(s string) string {
	if s[0] == 'A' {
		return "B" + s[1:]
	}
	return "A" + s[1:]
}

// TestConfusedAlgorithms signs with what is public as if it were a secret, and with keys of the wrong size.
func TestConfusedAlgorithms(t *testing.T) {
	all := signers()
	byAlg := map[string]*signer{}
	for _, s := range all {
		byAlg[s.alg] = s
	}
	v := verifier(t, nil, byAlg["RS256"], byAlg["ES256"], byAlg["EdDSA"])
	noKey := invalid("PGRST301", "No suitable key or wrong key type", "No suitable key was found to decode the JWT")
	for _, s := range []*signer{byAlg["RS256"], byAlg["ES256"], byAlg["EdDSA"]} {
		public := encode(t, s.jwk)
		for _, forged := range []*signer{
			{alg: "HS256", key: public}, {alg: "HS256", key: []byte(fmt.Sprint(s.jwk["n"]))}, {alg: "HS512", key: []byte{}},
		} {
			_, err := v.Verify(forged.sign(t, `{"role":"admin"}`), true)
			if diff := cmp.Diff(noKey, refusal(t, err)); diff != "" {
				t.Error(diff)
			}
		}
	}
	// The curve has to be that of the algorithm.
	wrong := ecSigner("ES256", elliptic.P384())
	if _, err := verifier(t, nil, wrong).Verify(wrong.sign(t, `{"role":"admin"}`), true); refusal(t, err) != noKey {
		t.Error(err)
	}
	// A key for one algorithm is not for another.
	rs256 := *byAlg["RS256"]
	rs256.jwk = map[string]any{"alg": "RS256", "kty": "RSA", "e": "AQAB", "n": byAlg["RS256"].jwk["n"]}
	if _, err := verifier(t, nil, &rs256).Verify(byAlg["RS512"].sign(t, `{"role":"admin"}`), true); refusal(t, err) != noKey {
		t.Error(err)
	}
	// A secret that is text is for HS256.
	secretOnly := func(o *token.VerifierOptions) { o.Keys = newKeys(t, []byte(secret)) }
	if _, err := verifier(t, secretOnly).Verify(byAlg["HS256"].sign(t, `{}`), true); err != nil {
		t.Error(err)
	}
	if _, err := verifier(t, secretOnly).Verify(byAlg["HS512"].sign(t, `{}`), true); refusal(t, err) != noKey {
		t.Error(err)
	}
}

func TestMalformedTokens(t *testing.T) {
	s := hmacSigner("HS256")
	v := verifier(t, nil, s)
	malformed := invalid("PGRST301", "JWT cryptographic operation failed", "")
	none := b64([]byte(`{"typ":"JWT","alg":"none"}`))
	parts := strings.Split(s.sign(t, `{}`), ".")
	for _, c := range []struct{ bearer, want string }{
		{"", invalid("PGRST301", "Empty JWT is sent in Authorization header", "")},
		{"a", invalid("PGRST301", "Expected 3 parts in JWT; got 1", "")},
		{"a.b", invalid("PGRST301", "Expected 3 parts in JWT; got 2", "")},
		{"a.b.c.d.e", invalid("PGRST301", "Expected 3 parts in JWT; got 5", "")},
		{"..", malformed},
		{"quifquirndsjagnrgniur.fonvoienqhhdj.iuqvnvhojah", malformed},
		{none + ".e30.", invalid("PGRST301", "Wrong or unsupported encoding algorithm",
			"JWT is unsecured but expected 'alg' was not 'none'")},
		{none + ".e30." + parts[2], invalid("PGRST301", "Wrong or unsupported encoding algorithm",
			"JWT is unsecured but expected 'alg' was not 'none'")},
		{none + ".!." + parts[2], malformed},
		{parts[0] + ".!." + parts[2], malformed},
		{parts[0] + "." + parts[1] + ".!", malformed},
		{parts[0] + "." + parts[1] + "." + parts[2] + "=", malformed},
		{s.signHeader(t, `{"alg":"None"}`, `{}`), malformed},
		{s.signHeader(t, `{"alg":"ES256K"}`, `{}`), malformed},
		{s.signHeader(t, `{"alg":256}`, `{}`), malformed},
		{s.signHeader(t, `{"ALG":"HS256"}`, `{}`), malformed},
		{s.signHeader(t, `{"alg":"HS256","kid":5}`, `{}`), malformed},
		{s.signHeader(t, `{"alg":"HS256","typ":[]}`, `{}`), malformed},
		{s.signHeader(t, `{"alg":"HS256","crit":["b64"],"b64":false}`, `{}`), malformed},
		{s.signHeader(t, `{"alg":"HS256","enc":"A128GCM"}`, `{}`), malformed},
		{s.signHeader(t, `{"alg":"HS256"} {}`, `{}`), malformed},
		{s.signHeader(t, `["HS256"]`, `{}`), malformed},
		{s.signHeader(t, `null`, `{}`), malformed},
		{s.sign(t, `not an object`), invalid("PGRST303", "Parsing claims failed", "")},
		{s.sign(t, `[]`), invalid("PGRST303", "Parsing claims failed", "")},
		{s.sign(t, `null`), invalid("PGRST303", "Parsing claims failed", "")},
		{s.sign(t, `{} {}`), invalid("PGRST303", "Parsing claims failed", "")},
		{s.sign(t, "{\"role\":\"\xff\"}"), invalid("PGRST303", "Parsing claims failed", "")},
	} {
		for range 2 { // the second time, the cache might know
			_, err := v.Verify(c.bearer, true)
			if err == nil {
				t.Errorf("%s: verified", c.bearer)
			} else if diff := cmp.Diff(c.want, refusal(t, err)); diff != "" {
				t.Errorf("%s: %s", c.bearer, diff)
			}
		}
	}
	for _, header := range []string{`{"alg":"HS256"}`, ` {"alg":"HS256","kid":null,"typ":null,"cty":"x","more":[1]} `} {
		if _, err := v.Verify(s.signHeader(t, header, `{}`), true); err != nil {
			t.Errorf("%s: %v", header, err)
		}
	}
}

func TestKeyIDs(t *testing.T) {
	hs := hmacSigner("HS256")
	one, two := hs.with("one"), ecSigner("ES256", elliptic.P256()).with("two")
	v := verifier(t, nil, one, two, hs)
	for _, s := range []*signer{one, two, hs} {
		if _, err := v.Verify(s.sign(t, `{"role":"r"}`), true); err != nil {
			t.Errorf("%q: %v", s.kid, err)
		}
	}
	for _, s := range []*signer{hs.with("three"), one.with("two"), two.with("one")} {
		want := invalid("PGRST301", "No suitable key or wrong key type", "No suitable key was found to decode the JWT")
		if _, err := v.Verify(s.sign(t, `{"role":"r"}`), true); refusal(t, err) != want {
			t.Errorf("%q: %v", s.kid, err)
		}
	}
	// A key without a name is not that which the token names.
	if _, err := verifier(t, nil, hs).Verify(one.sign(t, `{}`), true); err == nil {
		t.Error("verified")
	}
}

func TestClaims(t *testing.T) {
	s := hmacSigner("HS256")
	now := start.Unix()
	at := func(seconds int64) string { return fmt.Sprint(now + seconds) }
	expired := invalid("PGRST303", "JWT expired", "")
	notYet := invalid("PGRST303", "JWT not yet valid", "")
	future := invalid("PGRST303", "JWT issued at future", "")
	notNumber := func(c string) string { return invalid("PGRST303", "The JWT '"+c+"' claim must be a number", "") }
	badAud := invalid("PGRST303", "The JWT 'aud' claim must be a string or an array of strings", "")
	notMe := invalid("PGRST303", "JWT not in audience", "")
	for _, c := range []struct{ claims, want string }{
		{`{}`, ""},
		{`{"exp":` + at(1) + `}`, ""},
		{`{"exp":` + at(-30) + `}`, ""},
		{`{"exp":` + at(-30) + `.9}`, ""},
		{`{"exp":` + at(-31) + `}`, expired},
		{`{"exp":` + at(-31) + `.9}`, expired},
		{`{"exp":0}`, expired},
		{`{"exp":-1}`, expired},
		{`{"exp":-9223372036854775808}`, expired},
		{`{"exp":-1e400}`, expired},
		{`{"exp":1e400}`, ""},
		{`{"exp":9223372036854775807}`, ""},
		{`{"exp":99999999999999999999}`, ""},
		{`{"exp":1.7e9}`, ""},
		{`{"exp":null}`, ""},
		{`{"exp":"invalid"}`, notNumber("exp")},
		{`{"exp":"` + at(60) + `"}`, notNumber("exp")},
		{`{"exp":true}`, notNumber("exp")},
		{`{"nbf":` + at(30) + `}`, ""},
		{`{"nbf":` + at(31) + `}`, notYet},
		{`{"nbf":9223372036854775807}`, notYet},
		{`{"nbf":` + at(31) + `.5}`, notYet},
		{`{"nbf":null}`, ""},
		{`{"nbf":[]}`, notNumber("nbf")},
		{`{"iat":` + at(30) + `}`, ""},
		{`{"iat":` + at(31) + `}`, future},
		{`{"iat":{}}`, notNumber("iat")},
		{`{"aud":"me"}`, ""},
		{`{"aud":["you","me"]}`, ""},
		{`{"aud":[]}`, ""},
		{`{"aud":null}`, ""},
		{`{"aud":""}`, notMe},
		{`{"aud":"ME"}`, notMe},
		{`{"aud":["you"]}`, notMe},
		{`{"aud":5}`, badAud},
		{`{"aud":{"me":"me"}}`, badAud},
		{`{"aud":["me",null]}`, badAud},
		// The first mistake counts: of exp, nbf, iat and aud, in this order.
		{`{"exp":"x","nbf":"x","iat":"x","aud":5}`, notNumber("exp")},
		{`{"exp":1,"nbf":"x","iat":"x","aud":5}`, expired},
		{`{"nbf":` + at(99) + `,"iat":"x","aud":5}`, notYet},
		{`{"iat":` + at(99) + `,"aud":5}`, future},
	} {
		v := verifier(t, func(o *token.VerifierOptions) { o.Audience = "me" }, s)
		for range 2 {
			_, err := v.Verify(s.sign(t, c.claims), true)
			switch {
			case c.want == "" && err != nil:
				t.Errorf("%s: %v", c.claims, err)
			case c.want != "" && err == nil:
				t.Errorf("%s: verified", c.claims)
			case c.want != "" && refusal(t, err) != c.want:
				t.Errorf("%s: %s", c.claims, cmp.Diff(c.want, refusal(t, err)))
			}
		}
	}
	any := verifier(t, nil, s)
	for _, aud := range []string{`"x"`, `""`, `["x","y"]`, `[]`, `null`} {
		if _, err := any.Verify(s.sign(t, `{"aud":`+aud+`}`), true); err != nil {
			t.Errorf("%s: %v", aud, err)
		}
	}
	if _, err := any.Verify(s.sign(t, `{"aud":5}`), true); refusal(t, err) != badAud {
		t.Error(err)
	}
	strict := verifier(t, func(o *token.VerifierOptions) { o.RequireExpiry = true }, s)
	if _, err := strict.Verify(s.sign(t, `{"role":"r"}`), true); err == nil || refusal(t, err) != invalid("PGRST303", "JWT has no expiry", "") {
		t.Error(err)
	}
	if _, err := strict.Verify(s.sign(t, `{"role":"r","exp":`+at(5)+`}`), true); err != nil {
		t.Error(err)
	}
}

func TestIdentities(t *testing.T) {
	s := hmacSigner("HS256")
	v := verifier(t, nil, s)
	for _, c := range []struct {
		claims string
		want   token.Identity
	}{
		{`{"role":"r"}`, token.Identity{Role: "r", Claims: `{"role":"r"}`}},
		{`{"sub":"s","z":[1.0,"<>&"],"a":{"b":null}}`, token.Identity{
			Name: "s", Role: "anon", Anonymous: true, Claims: `{"a":{"b":null},"role":"anon","sub":"s","z":[1.0,"<>&"]}`,
		}},
		{`{"role":12345678901234567890.5}`, token.Identity{Role: "12345678901234567890.5", Claims: `{"role":"12345678901234567890.5"}`}},
		{`{"role":{"a":["<x>"]}}`, token.Identity{Role: `{"a":["<x>"]}`, Claims: `{"role":"{\"a\":[\"<x>\"]}"}`}},
		{`{"role":null}`, token.Identity{Role: "null", Claims: `{"role":"null"}`}},
		{`{"role":"r","scope":"a  b","admin":true}`, token.Identity{
			Role: "r", Scopes: []string{"a", "b"}, Claims: `{"admin":true,"role":"r","scope":"a  b"}`,
		}},
		{`{"role":"r","scp":["a","b"]}`, token.Identity{
			Role: "r", Scopes: []string{"a", "b"}, Claims: `{"role":"r","scp":["a","b"]}`,
		}},
	} {
		id, err := v.Verify(s.sign(t, c.claims), true)
		if err != nil {
			t.Errorf("%s: %v", c.claims, err)
		} else if diff := cmp.Diff(c.want, *id); diff != "" {
			t.Errorf("%s: %s", c.claims, diff)
		}
		if err == nil && !json.Valid([]byte(id.Claims)) {
			t.Error(id.Claims)
		}
	}
	noRole := invalid("PGRST303", "The role in the JWT is not the name of a role", "")
	for _, role := range []string{`none`, ``, `a\u0000b`} {
		if _, err := v.Verify(s.sign(t, `{"role":"`+role+`"}`), true); err == nil || refusal(t, err) != noRole {
			t.Errorf("%q: %v", role, err)
		}
	}
}

func TestWithoutToken(t *testing.T) {
	s := hmacSigner("HS256")
	id, err := verifier(t, nil, s).Verify("", false)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(token.Identity{Role: "anon", Claims: `{"role":"anon"}`, Anonymous: true}, *id); diff != "" {
		t.Error(diff)
	}
	noAnon := verifier(t, func(o *token.VerifierOptions) { o.AnonRole = "" }, s)
	const want = "401 PGRST302 Anonymous access is disabled WWW-Authenticate: Bearer"
	if _, err := noAnon.Verify("", false); err == nil || refusal(t, err) != want {
		t.Error(err)
	}
	if _, err := noAnon.Verify(s.sign(t, `{"sub":"x"}`), true); err == nil || refusal(t, err) != want {
		t.Error(err)
	}
	// Of a token that does not hold, that comes first.
	if _, err := noAnon.Verify(s.sign(t, `{"exp":1}`), true); err == nil || refusal(t, err) != invalid("PGRST303", "JWT expired", "") {
		t.Error(err)
	}
	noKeys := verifier(t, nil)
	if _, err := noKeys.Verify("", false); err != nil {
		t.Error(err)
	}
	for _, bearer := range []string{"", "x", s.sign(t, `{}`)} {
		if _, err := noKeys.Verify(bearer, true); err == nil || refusal(t, err) != "500 PGRST300 Server lacks JWT secret" {
			t.Error(err)
		}
	}
}

func FuzzVerify(f *testing.F) {
	s := hmacSigner("HS256")
	f.Add(s.sign(f, `{"role":"r","exp":1700000000,"aud":["x"]}`), `{"role":"r","exp":1e3}`)
	f.Add("a.b.c", `[]`)
	v := verifier(f, func(o *token.VerifierOptions) { o.Audience = "me" }, s)
	f.Fuzz(func(t *testing.T, bearer, claims string) {
		// What comes from outside is refused, but for the seed.
		if id, err := v.Verify(bearer, true); err == nil && !strings.HasPrefix(bearer, "eyJ") {
			t.Fatalf("%q: %+v", bearer, id)
		} else if err != nil {
			refusal(t, err)
		}
		id, err := v.Verify(s.sign(t, claims), true)
		if err != nil {
			refusal(t, err)
			return
		}
		var object map[string]any
		if err := json.Unmarshal([]byte(id.Claims), &object); err != nil || object["role"] != id.Role {
			t.Fatalf("%q: %q (%v)", claims, id.Claims, err)
		}
	})
}
