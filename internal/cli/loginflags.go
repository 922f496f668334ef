package cli

import (
	"errors"

	"github.com/tarn-data/tarn/internal/server"
)

// loginFlags say how people log in.
type loginFlags struct {
	URL               string   `name:"url" env:"TARN_URL" help:"Address by which clients know the server, such as https://tarn.example.com. If it isn't given, it is whichever they use."`
	LoginIssuer       string   `env:"TARN_LOGIN_ISSUER" help:"Let people log in with this OpenID Connect provider, too. What it says is their e-mail address must be the name of a user."`
	LoginClientID     string   `env:"TARN_LOGIN_CLIENT_ID" help:"Id that the provider knows this server by. It comes back to /oidc/v1/callback."`
	LoginClientSecret string   `env:"TARN_LOGIN_CLIENT_SECRET" help:"Secret that goes with it. Better in the environment than on the command line."`
	LoginDomain       []string `env:"TARN_LOGIN_DOMAINS" help:"Only addresses of this domain may log in with the provider."`
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
	return server.LoginOptions{
		Issuer: f.LoginIssuer, ClientID: f.LoginClientID, ClientSecret: f.LoginClientSecret, Title: f.LoginTitle, Domains: f.LoginDomain,
	}, nil
}
