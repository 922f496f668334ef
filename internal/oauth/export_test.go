package oauth

import (
	"context"
	"net/http"
	"net/url"
)

// DigestOf is what is kept of a secret.
func DigestOf(secret string) *Digest {
	d := digestOf(secret)
	return &d
}

// Compared has each comparison of a client's secret counted.
func (s *Service) Compared(count *int) {
	compare := s.compare
	s.compare = func(x, y []byte) int { *count++; return compare(x, y) }
}

// Identify tells whether a client is who it says.
func (s *Service) Identify(ctx context.Context, id, secret string, basic bool) error {
	_, err := s.identify(ctx, clientCredentials{id, secret, basic})
	return err
}

// RedirectsTo tells whether a client with these addresses may be answered at one.
func RedirectsTo(registered []string, address string) bool {
	return (&client{redirects: registered}).redirectsTo(address)
}

// CredentialsOf are what a request says of its client.
func CredentialsOf(r *http.Request, form url.Values) (id, secret string, err error) {
	c, err := credentialsOf(r, form)
	return c.id, c.secret, err
}

// What the tests see of the package.
var (
	ReadForm    = readForm
	Matches     = matches
	IsChallenge = isChallenge
	Printable   = printable
	GoOn        = goOn
)

// ScopesOf reads the scopes that a client asks for, which may have some.
func (s *Service) ScopesOf(text string, allowed []string) ([]string, error) {
	return s.scopesOf(text, &client{scopes: allowed})
}
