package apiclient

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/tarn-data/tarn/internal/config"
)

// ClientID is what Tarn's own commands are known as to a token service.
const ClientID = "tarn-cli"

// credential finds the server to talk to, and what to authenticate with.
func credential(ctx context.Context, cfg *config.Client, plain *http.Client) (string, oauth2.TokenSource, error) {
	explicit := cfg.Token != "" || cfg.ClientID != "" && cfg.ClientSecret != ""
	if cfg.Host == "" || !explicit || cfg.Profile != "" {
		return loggedIn(ctx, cfg)
	}
	host, err := normal(cfg.Host)
	if err != nil {
		return "", nil, err
	}
	if cfg.Token != "" {
		return host, oauth2.StaticTokenSource(&oauth2.Token{AccessToken: cfg.Token}), nil
	}
	endpoint, err := discover(ctx, plain, host)
	if err != nil {
		return "", nil, err
	}
	return host, (&clientcredentials.Config{
		ClientID: cfg.ClientID, ClientSecret: cfg.ClientSecret, TokenURL: endpoint.TokenURL, Scopes: []string{"all-apis"},
		AuthStyle: oauth2.AuthStyleInHeader,
	}).TokenSource(ctx), nil
}

// loggedIn uses what a login left.
func loggedIn(ctx context.Context, cfg *config.Client) (string, oauth2.TokenSource, error) {
	profiles := Profiles{File: cfg.Profiles}
	p, err := profiles.find(cfg.Profile, cfg.Host)
	if err != nil {
		return "", nil, err
	}
	return p.Host, oauth2.ReuseTokenSource(nil, &refresher{ctx: ctx, profiles: profiles, name: p.Name}), nil
}

// refresher takes the token of a profile, and renews it there if it is old.
type refresher struct {
	ctx      context.Context //nolint:containedctx // a token source has no other way
	profiles Profiles
	name     string
}

// Token implements oauth2.TokenSource. Of several commands at once, one renews: a refresh token is good once.
func (r *refresher) Token() (*oauth2.Token, error) {
	var token *oauth2.Token
	err := r.profiles.update(func(all *profilesFile) error {
		p := all.Profiles[r.name]
		if p == nil {
			return notLoggedIn("there is no profile " + r.name)
		}
		cfg := oauth2.Config{ClientID: ClientID, Endpoint: oauth2.Endpoint{TokenURL: p.TokenURL, AuthStyle: oauth2.AuthStyleInParams}}
		var err error
		if token, err = cfg.TokenSource(r.ctx, p.Token).Token(); err != nil {
			return err
		}
		p.Token = token
		return nil
	})
	return token, err
}

// discover asks a server where it makes tokens.
func discover(ctx context.Context, plain *http.Client, host string) (oauth2.Endpoint, error) {
	const path, most = "/oidc/.well-known/oauth-authorization-server", 1 << 20
	var found struct {
		Authorization string `json:"authorization_endpoint"`
		Token         string `json:"token_endpoint"`
	}
	fail := func(err error) (oauth2.Endpoint, error) {
		return oauth2.Endpoint{}, &Error{Message: "can't find out where " + host + " makes tokens: " + err.Error(), hint: "Is this the address of a Tarn?"}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, host+path, nil)
	if err != nil {
		return fail(err)
	}
	res, err := plain.Do(req)
	if err != nil {
		return fail(err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return fail(fmt.Errorf("it answered %s", res.Status))
	}
	if err := json.NewDecoder(io.LimitReader(res.Body, most)).Decode(&found); err != nil {
		return fail(err)
	}
	if found.Authorization == "" || found.Token == "" {
		return fail(errors.New("it doesn't say"))
	}
	return oauth2.Endpoint{AuthURL: found.Authorization, TokenURL: found.Token, AuthStyle: oauth2.AuthStyleInParams}, nil
}
