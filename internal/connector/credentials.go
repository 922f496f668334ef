package connector

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/tarn-data/tarn/internal/fault"
	"github.com/tarn-data/tarn/internal/vault"
	"github.com/tarn-data/tarn/internal/workspace"
)

type credentials = workspace.Credentials

// source says where a request's credentials are to be had.
type source struct {
	direct  *credentials // given with the request; nil if they are in the vault
	account string       // empty for the app's own
	id      string       // names in the vault
	secret  string
}

// source reads the headers. Which of the two ways it is, the ones that are there decide.
func (c *Connector) source(h http.Header) (source, error) {
	id, secret := h.Get("X-Client-Id"), h.Get("X-Client-Secret")
	if id != "" && secret != "" {
		if !c.opt.Direct {
			return source{}, fault.New(fault.Denied, "", "Credentials in headers are not enabled").
				WithHint("Store them in the vault, or have an administrator enable it: tarn serve --connector-direct.")
		}
		return source{direct: &credentials{ClientID: id, Secret: vault.Secret(secret)}}, nil
	}
	s := source{account: h.Get("X-Account-Id"), id: h.Get("X-Client-Id-Key-Name"), secret: h.Get("X-Client-Secret-Key-Name")}
	for name, value := range map[string]string{"x-client-id-key-name": s.id, "x-client-secret-key-name": s.secret} {
		if value == "" {
			return s, bad("Required request header '" + name + "' is not present")
		}
	}
	own := false
	if text := h.Get("X-Allow-Use-App-Secret"); text != "" {
		var err error
		if own, err = strconv.ParseBool(text); err != nil {
			return s, bad("Request header 'x-allow-use-app-secret' must be true or false")
		}
	}
	switch {
	case own:
		s.account = ""
	case s.account == "":
		return s, bad("Request header 'x-account-id' is missing while 'x-allow-use-app-secret' is false or not provided")
	case len(s.account) > 255 || strings.ContainsAny(s.account, "/\\\x00") || s.account == "." || s.account == "..":
		return s, bad("Request header 'x-account-id' is not an account's id")
	}
	return s, nil
}

const (
	vaultTries = 3
	vaultPause = 100 * time.Millisecond
)

// credentials returns what to log in with.
func (c *Connector) credentials(ctx context.Context, q query) (credentials, error) {
	if q.credentials.direct != nil {
		return *q.credentials.direct, nil
	}
	var (
		secrets map[string]vault.Secret
		err     error
	)
	for try := range vaultTries {
		if try > 0 {
			if err := c.opt.Sleep(ctx, vaultPause<<try); err != nil {
				return credentials{}, err
			}
		}
		if secrets, err = c.opt.Vault.Read(ctx, Path{App: q.app, Account: q.credentials.account}, q.credentials.id, q.credentials.secret); err == nil {
			break
		}
	}
	switch {
	case err != nil:
		return credentials{}, fault.New(fault.Internal, "", "Failed to read secrets from vault: "+reason(err)).WithCause(err)
	case secrets == nil:
		return credentials{}, unauthorized("Vault path was not found")
	}
	id, secret := secrets[q.credentials.id], secrets[q.credentials.secret]
	switch {
	case id == "":
		return credentials{}, unauthorized("Vault does not contain client id")
	case secret == "":
		return credentials{}, unauthorized("Vault does not contain client secret")
	}
	return credentials{ClientID: id.Reveal(), Secret: secret}, nil
}
