package oauth

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"github.com/tarn-data/tarn/internal/endpoint"
	"github.com/tarn-data/tarn/internal/fault"
)

// introspection is what the service tells of a token (RFC 7662).
type introspection struct {
	Active   bool   `json:"active"`
	Scope    string `json:"scope,omitempty"`
	ClientID string `json:"client_id,omitempty"`
	Username string `json:"username,omitempty"`
	Type     string `json:"token_type,omitempty"`
	Subject  string `json:"sub,omitempty"`
	Issuer   string `json:"iss,omitempty"`
	Audience any    `json:"aud,omitempty"`
	ID       string `json:"jti,omitempty"`
	IssuedAt int64  `json:"iat,omitempty"`
	Expires  int64  `json:"exp,omitempty"`
}

// signedClaims are the claims of an access token of the service.
type signedClaims struct {
	Issuer   string `json:"iss"`
	Audience any    `json:"aud"`
	ClientID string `json:"client_id"`
	IssuedAt int64  `json:"iat"`
	Expires  int64  `json:"exp"`
	Scope    string `json:"scope"`
}

// introspect tells a client whether a token is good, and what for.
func (s *Service) introspect(w http.ResponseWriter, r *http.Request, c *endpoint.Call) error {
	form, err := readForm(r)
	if err != nil {
		return err
	}
	id, err := s.confidential(r, form)
	if err != nil {
		return err
	}
	c.Params = map[string]any{"client_id": printable(id)}
	out, err := s.look(r, id, form.Get("token"))
	if err != nil {
		return err
	}
	return writeSecret(w, out)
}

func (s *Service) look(r *http.Request, clientID, text string) (introspection, error) {
	if strings.HasPrefix(text, refreshPrefix) {
		session, expires, err := s.opt.Store.Refresh(r.Context(), digestOf(text))
		if err != nil || session == nil || session.ClientID != clientID {
			return introspection{}, err
		}
		return introspection{
			Active: true, Scope: strings.Join(session.Scopes, " "), ClientID: session.ClientID, Username: session.Principal,
			Type: "refresh_token", Subject: session.Principal, Issuer: s.issuer(r), Expires: expires.Unix(),
		}, nil
	}
	id, err := s.opt.Verifier.Verify(text, true)
	if err != nil {
		return introspection{}, ifUnavailable(err)
	}
	account, err := s.opt.Directory.Account(r.Context(), id.Name)
	if err != nil || account == nil || !account.Active {
		return introspection{}, err
	}
	var claims signedClaims
	if err := json.Unmarshal([]byte(id.Claims), &claims); err != nil {
		return introspection{}, err
	}
	return introspection{
		Active: true, Scope: claims.Scope, ClientID: claims.ClientID, Username: id.Name, Type: "Bearer", Subject: id.Name,
		Issuer: claims.Issuer, Audience: claims.Audience, ID: id.ID, IssuedAt: claims.IssuedAt, Expires: claims.Expires,
	}, nil
}

// ifUnavailable keeps only errors that don't say something of the token.
func ifUnavailable(err error) error {
	if fault.From(err).Kind >= fault.Internal {
		return err
	}
	return nil
}

// confidential returns the client or service principal that authenticates with a secret.
func (s *Service) confidential(r *http.Request, form url.Values) (string, error) {
	given, err := credentialsOf(r, form)
	if err != nil {
		return "", err
	}
	if given.secret == "" || given.id == "" || len(given.secret) > maxParameter || len(given.id) > maxParameter {
		return "", given.refused()
	}
	c, err := s.client(r.Context(), given.id)
	if err != nil {
		return "", err
	}
	if c != nil {
		if c.secret == nil || !s.authenticates(c, given.secret) {
			return "", given.refused()
		}
		return c.id, nil
	}
	account, err := s.opt.Secrets.VerifySecret(r.Context(), given.id, given.secret)
	if err != nil {
		if fault.From(err).Kind == fault.Unauthenticated {
			return "", given.refused()
		}
		return "", err
	}
	return account.Name, nil
}

// revoke takes back a token of the client's own (RFC 7009). Of a refresh token, that ends the session.
func (s *Service) revoke(w http.ResponseWriter, r *http.Request, c *endpoint.Call) error {
	form, err := readForm(r)
	if err != nil {
		return err
	}
	given, err := credentialsOf(r, form)
	if err != nil {
		return err
	}
	id := given.id
	if known, err := s.client(r.Context(), id); err != nil {
		return err
	} else if known != nil {
		if !s.authenticates(known, given.secret) {
			return given.refused()
		}
	} else if id, err = s.confidential(r, form); err != nil {
		return err
	}
	c.Params = map[string]any{"client_id": printable(id)}
	if err := s.takeBack(r, id, form.Get("token")); err != nil {
		return err
	}
	return writeSecret(w, endpoint.Response{Status: http.StatusOK})
}

func (s *Service) takeBack(r *http.Request, clientID, text string) error {
	if strings.HasPrefix(text, refreshPrefix) {
		session, _, err := s.opt.Store.Refresh(r.Context(), digestOf(text))
		if err != nil || session == nil || session.ClientID != clientID {
			return err
		}
		return s.endSession(r.Context(), session.ID)
	}
	id, err := s.opt.Verifier.Verify(text, true)
	if err != nil {
		return ifUnavailable(err) // it is no good already
	}
	var claims signedClaims
	if err := json.Unmarshal([]byte(id.Claims), &claims); err != nil {
		return err
	}
	if claims.ClientID != clientID {
		return nil // nor does the client learn whether it is good
	}
	return s.opt.Store.Revoke(r.Context(), id.ID, s.opt.Now().Add(accessLifetime))
}

// userinfo tells who the token's principal is.
func (s *Service) userinfo(w http.ResponseWriter, _ *http.Request, c *endpoint.Call) error {
	scopes := c.Scopes
	if len(scopes) == 0 || containsAll(scopes) {
		scopes = []string{scopeProfile, scopeEmail}
	}
	out := profile(c.Account, scopes)
	out["sub"] = c.Account.Name
	return writeSecret(w, out)
}

func containsAll(scopes []string) bool { return within([]string{allAPIs}, scopes) }
