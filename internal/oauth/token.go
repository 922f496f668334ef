package oauth

import (
	"context"
	"errors"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/tarn-data/tarn/internal/auth"
	"github.com/tarn-data/tarn/internal/endpoint"
	"github.com/tarn-data/tarn/internal/fault"
	"github.com/tarn-data/tarn/internal/token"
)

// The kinds of grant.
const (
	grantCode        = "authorization_code"
	grantCredentials = "client_credentials"
	grantRefresh     = "refresh_token"
	grantExchange    = "urn:ietf:params:oauth:grant-type:token-exchange"
)

// tokens is what the service answers a grant with.
type tokens struct {
	Access  string `json:"access_token"`
	Type    string `json:"token_type"`
	Expires int64  `json:"expires_in"` // seconds
	Scope   string `json:"scope"`
	Refresh string `json:"refresh_token,omitempty"`
	ID      string `json:"id_token,omitempty"`
	Issued  string `json:"issued_token_type,omitempty"` // RFC 8693
}

// token serves the token endpoint.
func (s *Service) token(w http.ResponseWriter, r *http.Request, c *endpoint.Call) error {
	form, err := readForm(r)
	if err != nil {
		return err
	}
	given, err := credentialsOf(r, form)
	if err != nil {
		return err
	}
	kind := form.Get("grant_type")
	c.Params = map[string]any{"grant_type": printable(kind), "client_id": printable(given.id)}
	var out *tokens
	switch kind {
	case grantCredentials:
		out, err = s.byCredentials(r, form, given)
	case grantCode:
		out, err = s.byCode(r, form, given)
	case grantRefresh:
		out, err = s.byRefresh(r, form, given)
	case grantExchange:
		out, err = s.byExchange(r, form, given)
	case "":
		err = invalidRequest("grant_type is missing.")
	default:
		err = fault.New(fault.Invalid, "unsupported_grant_type", "The grant_type is not known.")
	}
	if err != nil {
		return err
	}
	c.Params["scope"] = out.Scope
	return writeSecret(w, out)
}

// readForm reads a form. Parameters that are there twice, or in the address, are refused: RFC 6749 wants the first, and
// addresses are logged.
func readForm(r *http.Request) (url.Values, error) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/x-www-form-urlencoded" {
		return nil, invalidRequest("The request has no form: its Content-Type must be application/x-www-form-urlencoded.")
	}
	if err := r.ParseForm(); err != nil {
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			return nil, fault.New(fault.TooLarge, "invalid_request", "The form is too large.")
		}
		return nil, invalidRequest("The form could not be read.").WithCause(err)
	}
	if r.URL.RawQuery != "" {
		return nil, invalidRequest("Parameters belong into the form, not into the address.")
	}
	return r.PostForm, once(r.PostForm)
}

func once(values url.Values) error {
	for name, each := range values {
		if len(each) > 1 {
			return invalidRequest("The parameter " + printable(name) + " is there twice.")
		}
	}
	return nil
}

// writeSecret writes what nobody on the way may keep.
func writeSecret(w http.ResponseWriter, out any) error {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Pragma", "no-cache")
	return endpoint.Write(w, out)
}

// byCredentials gives a service principal a token for its secret.
func (s *Service) byCredentials(r *http.Request, form url.Values, given clientCredentials) (*tokens, error) {
	if given.id == "" || given.secret == "" || len(given.id) > maxParameter || len(given.secret) > maxParameter {
		return nil, given.refused()
	}
	account, err := s.opt.Secrets.VerifySecret(r.Context(), given.id, given.secret)
	if err != nil {
		if f := fault.From(err); f.Kind == fault.Unauthenticated {
			return nil, given.refused()
		}
		return nil, err
	}
	scopes, err := s.scopesOf(form.Get("scope"), nil)
	if err != nil {
		return nil, err
	}
	scopes = slices.DeleteFunc(scopes, func(scope string) bool { return scope == scopeOffline }) // it can come again
	return s.access(r, account, &grantee{clientID: given.id, scopes: scopes, lifetime: accessLifetime})
}

// grantee is for whom a token is, besides its subject.
type grantee struct {
	clientID  string
	sessionID string // empty for none
	scopes    []string
	lifetime  time.Duration
}

// appClaim names the application to the connector: each service principal is one.
const appClaim = "irisAppId"

// access makes an access token.
func (s *Service) access(r *http.Request, account *auth.Account, to *grantee) (*tokens, error) {
	extra := map[string]any{"client_id": to.clientID}
	if account.Kind == auth.ServicePrincipal {
		extra[appClaim] = account.Name
	}
	if to.sessionID != "" {
		extra["sid"] = to.sessionID
	}
	if len(to.scopes) == 0 {
		return nil, invalidScope("")
	}
	text, err := s.opt.Keys.Mint(token.Claims{
		Issuer: s.issuer(r), Subject: account.Name, Scopes: to.scopes, Lifetime: to.lifetime, Extra: extra,
	})
	if err != nil {
		return nil, err
	}
	endpoint.CallFrom(r.Context()).Account = account // for the audit log
	return &tokens{
		Access: text, Type: "Bearer", Expires: int64(to.lifetime / time.Second), Scope: strings.Join(to.scopes, " "),
	}, nil
}

// account returns the account of a principal, if it is still the same one and active.
func (s *Service) account(ctx context.Context, name string, id int64) (*auth.Account, error) {
	account, err := s.opt.Directory.Account(ctx, name)
	if err != nil {
		return nil, err
	}
	if account == nil || !account.Active || account.ID != id {
		return nil, nil //nolint:nilnil // it is gone
	}
	return account, nil
}
