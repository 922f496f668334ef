package token

import (
	"crypto/sha256"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// Stats counts what verifiers did. Several may share one.
type Stats struct {
	Lookups   atomic.Int64 // in the cache
	Hits      atomic.Int64
	Evictions atomic.Int64
}

// VerifierOptions say what a verifier accepts.
type VerifierOptions struct {
	Keys            Source // nil for none: no token can be verified
	Audience        string // that tokens have to be for; empty for any
	RoleClaim       RoleClaim
	AnonRole        string               // role of who has no token, or one without a role; empty for none
	RequireExpiry   bool                 // refuse tokens that are good for ever
	Revoked         func(*Identity) bool // tells whether a token of Tarn's own was taken back; nil if none can be
	CacheMaxEntries int                  // 0 for no cache
	Now             func() time.Time
	Stats           *Stats // nil if nobody asks
}

// Verifier verifies tokens. It is safe for concurrent use.
type Verifier struct {
	opt        VerifierOptions
	anonymous  *verified // who has no token
	headers    headers
	cache      *cache        // nil for none
	generation atomic.Uint64 // of the keys that verified what is in the cache
}

// verified is a token whose signature is right. Its claims have to be checked each time.
type verified struct {
	claims     *claimSet
	identity   *Identity // nil if refusal is not
	refusal    error     // why the bearer can't be identified
	audience   string    // that the token has to be for as well
	generation uint64
	until      time.Time // when the signature has to be verified again; zero for never
}

// NewVerifier makes a verifier.
func NewVerifier(opt VerifierOptions) *Verifier {
	if opt.Stats == nil {
		opt.Stats = new(Stats)
	}
	v := &Verifier{opt: opt}
	v.anonymous = v.identify(&claimSet{all: map[string]any{}}, false)
	if opt.CacheMaxEntries > 0 {
		v.cache = newCache(opt.CacheMaxEntries, opt.Stats)
	}
	return v
}

// Verify tells who bears a token; present says whether there is one at all. Errors are faults.
func (v *Verifier) Verify(bearer string, present bool) (*Identity, error) {
	if !present {
		return v.anonymous.identity, v.anonymous.refusal
	}
	if v.opt.Keys == nil {
		return nil, lacksSecret()
	}
	now := v.opt.Now()
	t, err := v.lookup(bearer, now)
	if err != nil {
		return nil, err
	}
	if err := v.check(t, now); err != nil {
		return nil, err
	}
	if v.opt.Revoked != nil && t.identity != nil && t.identity.Own && v.opt.Revoked(t.identity) {
		return nil, badClaims("JWT revoked")
	}
	return t.identity, t.refusal
}

// lookup finds the token in the cache, or else verifies its signature.
func (v *Verifier) lookup(bearer string, now time.Time) (*verified, error) {
	if v.cache == nil {
		return v.verify(bearer)
	}
	generation := v.opt.Keys.generation()
	if before := v.generation.Load(); before != generation && v.generation.CompareAndSwap(before, generation) {
		v.cache.clear() // rather than let what is of no use any more fill it
	}
	var room [1 << 10]byte // which most tokens fit into
	d := digest(sha256.Sum256(append(room[:0], bearer...)))
	t, ok := v.cache.get(d)
	if ok && t.generation == generation && (t.until.IsZero() || now.Before(t.until)) {
		v.opt.Stats.Hits.Add(1)
		return t, nil
	}
	t, err := v.verify(bearer)
	if err != nil {
		return nil, err
	}
	v.cache.put(d, t)
	return t, nil
}

// verify takes a token apart and verifies its signature.
func (v *Verifier) verify(bearer string) (*verified, error) {
	generation := v.opt.Keys.generation() // before the keys are asked for, so as to miss no change
	c, err := parseCompact(bearer, &v.headers)
	if err != nil {
		return nil, err
	}
	claims, ok := parseClaims(c.payload)
	issuer := ""
	if ok {
		issuer = claims.text("iss")
	}
	found, err := v.opt.Keys.candidates(c, issuer)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, noKey(noSuitableKey)
	}
	for _, by := range found {
		if !by.key.verifies(c) {
			continue
		}
		if !ok {
			return nil, badClaims("Parsing claims failed")
		}
		t := v.identify(claims, by.own)
		claims.all = nil // which takes most of the memory of what is kept
		t.audience, t.generation, t.until = by.audience, generation, by.until
		return t, nil
	}
	return nil, noKey(noKeyDecodes)
}

func (v *Verifier) check(t *verified, now time.Time) error {
	if err := t.claims.check(now, v.opt.Audience); err != nil {
		return err
	}
	// An issuer signs for many. Where one is trusted for an audience only, a token for nobody in particular won't do.
	if t.audience != "" && !slices.Contains(t.claims.aud, t.audience) {
		return badClaims("JWT not in audience")
	}
	if v.opt.RequireExpiry && !t.claims.exp.set {
		return badClaims("JWT has no expiry")
	}
	return nil
}

// identify tells who bears a token with these claims. Only a token that Tarn signed itself can make an administrator.
func (v *Verifier) identify(c *claimSet, own bool) *verified {
	role, ok := v.opt.RoleClaim.Role(c.all)
	if !ok {
		role = v.opt.AnonRole
	}
	switch {
	case !ok && role == "":
		return &verified{claims: c, refusal: tokenRequired()}
	case role == "" || role == "none" || strings.ContainsRune(role, 0): // none stands for the login role
		return &verified{claims: c, refusal: badClaims("The role in the JWT is not the name of a role")}
	}
	admin, _ := c.all[adminClaim].(bool)
	return &verified{claims: c, identity: &Identity{
		Name:      c.text("sub"),
		Role:      role,
		Claims:    c.withRole(role),
		Scopes:    c.scopes(),
		ID:        c.text("jti"),
		Session:   c.text("sid"),
		Own:       own,
		Admin:     admin && own,
		Anonymous: role == v.opt.AnonRole,
	}}
}
