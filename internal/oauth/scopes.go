package oauth

import (
	"slices"
	"strings"
)

// The scopes that mean something to the service itself.
const (
	scopeOffline = "offline_access" // a refresh token
	scopeOpenID  = "openid"         // an ID token
	scopeProfile = "profile"
	scopeEmail   = "email"
)

// scopesOf reads the scopes that a client asks for, in their order, each once.
func (s *Service) scopesOf(text string, c *client) ([]string, error) {
	asked := strings.Fields(text)
	if len(asked) == 0 {
		asked = []string{allAPIs}
		if c != nil && c.scopes != nil && !slices.Contains(c.scopes, allAPIs) {
			asked = c.scopes
		}
	}
	known := s.scopes()
	var out []string
	for _, scope := range asked {
		if !slices.Contains(known, scope) || c != nil && c.scopes != nil && !slices.Contains(c.scopes, scope) {
			return nil, invalidScope(scope)
		}
		if !slices.Contains(out, scope) {
			out = append(out, scope)
		}
	}
	return out, nil
}

const allAPIs = "all-apis"

// scopes are all that there are.
func (s *Service) scopes() []string {
	return append([]string{allAPIs, scopeOffline, scopeOpenID, scopeProfile, scopeEmail}, s.opt.Scopes...)
}

// within tells whether all scopes are among others.
func within(scopes, others []string) bool {
	return !slices.ContainsFunc(scopes, func(scope string) bool { return !slices.Contains(others, scope) })
}
