package oauth

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/tarn-data/tarn/internal/auth"
	"github.com/tarn-data/tarn/internal/token"
)

// byCode gives a client tokens for an authorization code. A code that comes again was stolen, by whoever came first or
// now: all that it gave is taken back, and that is for the store to do when it is asked for it.
func (s *Service) byCode(r *http.Request, form url.Values, given clientCredentials) (*tokens, error) {
	c, err := s.identify(r.Context(), given)
	if err != nil {
		return nil, err
	}
	code, err := s.opt.Store.TakeCode(r.Context(), digestOf(form.Get("code")))
	if err != nil {
		return nil, err
	}
	if !s.redeems(code, c, form) {
		if code != nil { // it is used up, and whoever has it isn't who asked for it
			if err := s.endSession(r.Context(), code.Session.ID); err != nil {
				return nil, err
			}
		}
		return nil, invalidGrant("The code is not good: it may have been used, have expired, or be another client's.")
	}
	out, err := s.forSession(r, c, &code.Session, code.Session.Scopes)
	if err != nil || !slices.Contains(code.Session.Scopes, scopeOpenID) {
		return out, err
	}
	out.ID, err = s.idToken(r, c, code)
	return out, err
}

// redeems tells whether a client may have what a code is good for.
func (s *Service) redeems(code *Code, c *client, form url.Values) bool {
	if code == nil || code.Session.ClientID != c.id || !s.opt.Now().Before(code.ExpiresAt) || form.Get("redirect_uri") != code.RedirectURI {
		return false
	}
	return matches(form.Get("code_verifier"), code.Challenge)
}

// matches tells whether a verifier is the one of a challenge (RFC 7636, S256).
func matches(verifier, challenge string) bool {
	const shortest, longest = 43, 128
	if len(verifier) < shortest || len(verifier) > longest {
		return false
	}
	sum := sha256.Sum256([]byte(verifier))
	return subtle.ConstantTimeCompare([]byte(base64.RawURLEncoding.EncodeToString(sum[:])), []byte(challenge)) == 1
}

// byRefresh gives a client new tokens for a refresh token.
func (s *Service) byRefresh(r *http.Request, form url.Values, given clientCredentials) (*tokens, error) {
	c, err := s.identify(r.Context(), given)
	if err != nil {
		return nil, err
	}
	session, err := s.opt.Store.TakeRefresh(r.Context(), digestOf(form.Get("refresh_token")), c.id)
	if err != nil {
		return nil, err
	}
	if session == nil {
		return nil, invalidGrant("The refresh token is not good: it may have been used, have expired, or have been taken back.")
	}
	scopes := session.Scopes
	if asked := strings.Fields(form.Get("scope")); len(asked) > 0 {
		if !within(asked, session.Scopes) {
			return nil, invalidScope(form.Get("scope"))
		}
		scopes = asked
	}
	return s.forSession(r, c, session, scopes)
}

// forSession makes the tokens of a session: of all its scopes, or of some.
func (s *Service) forSession(r *http.Request, c *client, session *Session, scopes []string) (*tokens, error) {
	account, err := s.account(r.Context(), session.Principal, session.PrincipalID)
	if err != nil {
		return nil, err
	}
	if account == nil {
		return nil, invalidGrant("Who gave this right isn't there any more, or isn't active.")
	}
	out, err := s.access(r, account, &grantee{clientID: c.id, sessionID: session.ID, scopes: scopes, lifetime: c.access})
	if err != nil || !slices.Contains(session.Scopes, scopeOffline) {
		return out, err
	}
	expires := s.opt.Now().Add(c.refresh)
	if session.ExpiresAt.Before(expires) {
		expires = session.ExpiresAt
	}
	secret, digest := newSecret(refreshPrefix)
	out.Refresh = secret
	return out, s.opt.Store.AddRefresh(r.Context(), digest, session.ID, expires)
}

// refreshPrefix is what refresh tokens begin with, so that they are known when they are found where they shouldn't be.
const refreshPrefix = "tarn_refresh_"

// idToken tells a client who logged in.
func (s *Service) idToken(r *http.Request, c *client, code *Code) (string, error) {
	account, err := s.account(r.Context(), code.Session.Principal, code.Session.PrincipalID)
	if err != nil {
		return "", err
	}
	extra := profile(account, code.Session.Scopes)
	extra["auth_time"] = code.Session.LoginAt.Unix()
	if code.Nonce != "" {
		extra["nonce"] = code.Nonce
	}
	return s.opt.Keys.Mint(token.Claims{
		Issuer: s.issuer(r), Subject: account.Name, Audience: []string{c.id}, Lifetime: time.Hour, IDToken: true, Extra: extra,
	})
}

// profile is what clients may know of a principal. Administrators made the user names, and so vouch for the addresses.
func profile(account *auth.Account, scopes []string) map[string]any {
	out := map[string]any{}
	if slices.Contains(scopes, scopeProfile) {
		out["name"], out["preferred_username"] = account.DisplayName, account.Name
	}
	if slices.Contains(scopes, scopeEmail) && strings.Contains(account.Name, "@") {
		out["email"], out["email_verified"] = account.Name, true
	}
	return out
}

// endSession ends a session whatever becomes of the request.
func (s *Service) endSession(ctx context.Context, id string) error {
	return s.opt.Store.EndSession(context.WithoutCancel(ctx), id)
}
