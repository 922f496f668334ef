package oauth

import (
	"context"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/tarn-data/tarn/internal/fault"
)

// client is a program that people let act for them.
type client struct {
	id        string
	name      string
	secret    *Digest // nil for one that can't keep any
	redirects []string
	scopes    []string // that it may ask for; nil for all
	access    time.Duration
	refresh   time.Duration
	trusted   bool // people needn't be asked whether it may act for them
}

// knownClients are those that need not be registered. They run on the person's own machine: only there may a code go.
func knownClients() []client {
	return []client{
		{id: "databricks-cli", name: "Databricks CLI", redirects: []string{"http://localhost", "http://localhost/", "http://127.0.0.1", "http://127.0.0.1/"}, trusted: true},
		{id: "tarn-cli", name: "Tarn's commands", redirects: []string{"http://127.0.0.1/callback"}, trusted: true},
	}
}

// client returns a client by its id; nil if there is none.
func (s *Service) client(ctx context.Context, id string) (*client, error) {
	for _, c := range knownClients() {
		if c.id == id {
			c.access, c.refresh = accessLifetime, refreshLifetime
			return &c, nil
		}
	}
	if id == "" || len(id) > maxParameter {
		return nil, nil //nolint:nilnil // there is none
	}
	app, err := s.opt.Store.AppByClient(ctx, id)
	if err != nil || app == nil {
		return nil, err
	}
	c := &client{
		id: app.ClientID, name: app.Name, secret: app.Secret, redirects: app.RedirectURLs, scopes: app.Scopes,
		access: accessLifetime, refresh: refreshLifetime,
	}
	if app.AccessTTL > 0 {
		c.access = app.AccessTTL
	}
	if app.RefreshTTL > 0 {
		c.refresh = app.RefreshTTL
	}
	return c, nil
}

// redirectsTo tells whether codes may go to an address. It must be a registered one, character by character; but on the
// person's own machine a program listens on whichever port is free (RFC 8252, 7.3).
func (c *client) redirectsTo(address string) bool {
	if slices.Contains(c.redirects, address) {
		return true
	}
	u, err := url.Parse(address)
	if err != nil || !loopback(u) || u.User != nil || u.Fragment != "" || u.Opaque != "" || u.Port() == "" {
		return false
	}
	portless := *u
	if portless.Host = u.Hostname(); strings.Contains(portless.Host, ":") {
		portless.Host = "[" + portless.Host + "]"
	}
	// What was parsed must be all that there is: else a browser might read the address in another way.
	return u.String() == address && slices.Contains(c.redirects, portless.String())
}

func loopback(u *url.URL) bool {
	addr, err := netip.ParseAddr(u.Hostname())
	return u.Scheme == "http" && (u.Hostname() == "localhost" || err == nil && addr.IsLoopback())
}

// authenticates tells whether a secret is the client's. One that has none needs to give none. For a client that isn't there it
// does the same as for one that is.
func (s *Service) authenticates(c *client, secret string) bool {
	given, want := digestOf(secret), Digest{}
	if c != nil && c.secret != nil {
		want = *c.secret
	}
	same := s.compare(given[:], want[:]) == 1
	return c != nil && (c.secret == nil || same)
}

// clientCredentials are what a request to the token service says of the client that makes it.
type clientCredentials struct {
	id, secret string
	basic      bool
}

// credentialsOf reads them from the header or from the form, but not from both.
func credentialsOf(r *http.Request, form url.Values) (clientCredentials, error) {
	id, secret, basic := r.BasicAuth()
	if !basic {
		if r.Header.Get("Authorization") != "" {
			return clientCredentials{}, invalidRequest("Clients authenticate with HTTP Basic, or with client_id and client_secret.")
		}
		return clientCredentials{id: form.Get("client_id"), secret: form.Get("client_secret")}, nil
	}
	if form.Has("client_secret") {
		return clientCredentials{}, invalidRequest("A client authenticates in one way, not in two.")
	}
	// RFC 6749, 2.3.1: both are form-encoded first. Those who don't do it send nothing that would change.
	for _, part := range []*string{&id, &secret} {
		if decoded, err := url.QueryUnescape(*part); err == nil {
			*part = decoded
		}
	}
	if named := form.Get("client_id"); named != "" && named != id {
		return clientCredentials{}, invalidRequest("client_id is not that of the client which authenticates.")
	}
	return clientCredentials{id: id, secret: secret, basic: true}, nil
}

// identify returns the client that makes a request, once it has shown that it is the one.
func (s *Service) identify(ctx context.Context, given clientCredentials) (*client, error) {
	c, err := s.client(ctx, given.id)
	if err != nil {
		return nil, err
	}
	if !s.authenticates(c, given.secret) {
		return nil, given.refused()
	}
	return c, nil
}

func (given clientCredentials) refused() *fault.Error {
	f := fault.New(fault.Unauthenticated, "invalid_client", "The client or its secret is not known.")
	if given.basic {
		return f.WithHeader("WWW-Authenticate", `Basic realm="tarn"`)
	}
	return f
}
