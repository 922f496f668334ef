package cli

import (
	"errors"

	"github.com/tarn-data/tarn/internal/server"
)

// loginFlags say how people log in.
type loginFlags struct {
	URL               string   `name:"url" env:"TARN_URL" help:"Address by which clients know the server, such as https://tarn.example.com. If it isn't given, it is whichever they use."`
	LoginIssuer       string   `env:"TARN_LOGIN_ISSUER" help:"Let people log in with this OpenID Connect provider, too. The e-mail address that it vouches for is the name of a user."`
	LoginClientID     string   `env:"TARN_LOGIN_CLIENT_ID" help:"Id that the provider knows this server by. It comes back to /oidc/v1/callback."`
	LoginClientSecret string   `env:"TARN_LOGIN_CLIENT_SECRET" help:"Secret that goes with it. Better in the environment than on the command line."`
	LoginDomain       []string `env:"TARN_LOGIN_DOMAINS" help:"Only addresses of this domain may log in with the provider."`
	LoginLink         string   `default:"first" enum:"never,first,email" env:"TARN_LOGIN_LINK" help:"Which users that are there already people of the provider can become: never one; the one of their address if nobody did first; or whoever has that email address now."`
	LoginCreate       bool     `env:"TARN_LOGIN_CREATE" help:"Make a user for who logs in with the provider and isn't one yet. It needs --login-domain."`
	LoginGroup        []string `env:"TARN_LOGIN_GROUPS" help:"Group of which users that are made so are members, besides users."`
	LoginEntitlement  []string `env:"TARN_LOGIN_ENTITLEMENTS" help:"Entitlement that such users have, besides those of their groups."`
	LoginTitle        string   `env:"TARN_LOGIN_TITLE" help:"What the provider is called on the login page."`
}

func (f *loginFlags) options() (server.LoginOptions, error) {
	if f.URL != "" {
		if err := server.CheckURL(f.URL); err != nil {
			return server.LoginOptions{}, err
		}
	}
	if f.LoginIssuer != "" && (f.LoginClientID == "" || f.URL == "") {
		return server.LoginOptions{}, errors.New("--login-issuer needs --login-client-id, and --url to come back to")
	}
	if f.LoginCreate && (f.LoginIssuer == "" || len(f.LoginDomain) == 0) {
		return server.LoginOptions{}, errors.New("--login-create needs --login-issuer, and --login-domain: else anybody whom the provider knows would be a user")
	}
	if !f.LoginCreate && len(f.LoginGroup)+len(f.LoginEntitlement) > 0 {
		return server.LoginOptions{}, errors.New("--login-group and --login-entitlement are for users that --login-create makes")
	}
	return server.LoginOptions{
		Link: f.LoginLink, Create: f.LoginCreate, Groups: f.LoginGroup, Entitlements: f.LoginEntitlement,
		Issuer: f.LoginIssuer, ClientID: f.LoginClientID, ClientSecret: f.LoginClientSecret, Title: f.LoginTitle, Domains: f.LoginDomain,
	}, nil
}
