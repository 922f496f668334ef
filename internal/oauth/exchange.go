package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/tarn-data/tarn/internal/auth"
	"github.com/tarn-data/tarn/internal/fault"
	"github.com/tarn-data/tarn/internal/token"
)

// byExchange gives whoever has a token of a trusted issuer one of the service (RFC 8693): a person by the account's
// policies, a service principal, which is named as the client, by its own.
func (s *Service) byExchange(r *http.Request, form url.Values, given clientCredentials) (*tokens, error) {
	const tokenType = "urn:ietf:params:oauth:token-type:"
	switch kind := form.Get("subject_token_type"); {
	case kind != tokenType+"jwt" && kind != tokenType+"id_token" && kind != tokenType+"access_token":
		return nil, invalidRequest("subject_token_type must be that of a JWT.")
	case form.Has("actor_token"):
		return nil, invalidRequest("An actor_token is not taken: nobody acts for others.")
	case form.Has("requested_token_type") && form.Get("requested_token_type") != tokenType+"access_token":
		return nil, invalidRequest("Only access tokens are given.")
	}
	account, err := s.federated(r.Context(), form.Get("subject_token"), given.id)
	if err != nil {
		return nil, err
	}
	if account == nil {
		return nil, invalidGrant("No policy trusts this token, or its subject isn't known here.")
	}
	scopes, err := s.scopesOf(form.Get("scope"), nil)
	if err != nil {
		return nil, err
	}
	scopes = slices.DeleteFunc(scopes, func(scope string) bool { return scope == scopeOffline })
	clientID := given.id
	if clientID == "" {
		clientID = account.Name
	}
	out, err := s.access(r, account, &grantee{clientID: clientID, scopes: scopes, lifetime: accessLifetime})
	if err != nil {
		return nil, err
	}
	out.Issued = tokenType + "access_token"
	return out, nil
}

// federated returns the account that another issuer's token is of; nil if it is good for none.
func (s *Service) federated(ctx context.Context, subjectToken, clientID string) (*auth.Account, error) {
	var owner *auth.Account
	var ownerID int64
	if clientID != "" {
		var err error
		if owner, err = s.opt.Directory.Account(ctx, clientID); err != nil {
			return nil, err
		}
		if owner == nil || !owner.Active || owner.Kind != auth.ServicePrincipal {
			return nil, nil //nolint:nilnil // not known
		}
		ownerID = owner.ID
	}
	policies, err := s.opt.Store.Policies(ctx, ownerID)
	if err != nil {
		return nil, err
	}
	for i := range policies {
		subject, err := s.subject(&policies[i], subjectToken)
		if err != nil {
			return nil, err
		}
		if subject == "" {
			continue
		}
		if owner != nil {
			return owner, nil
		}
		account, err := s.opt.Directory.Account(ctx, subject)
		if err != nil || account != nil && account.Active {
			return account, err
		}
	}
	return nil, nil //nolint:nilnil // nobody
}

// subject is whose a token is by a policy; empty if the policy doesn't trust it.
func (s *Service) subject(p *Policy, text string) (string, error) {
	issuer, ok := token.UnverifiedIssuer(text)
	if !ok || issuer != p.Issuer { // nobody is asked for keys because of somebody else's token
		return "", nil
	}
	v, err := s.foreign.verifier(p, s)
	if err != nil {
		s.opt.Log.Warn("a federation policy can't be used", "policy", p.ID, "error", err)
		return "", nil
	}
	id, err := v.Verify(text, true)
	if err != nil {
		if f := fault.From(err); f.Kind >= fault.Internal {
			s.opt.Log.Warn("the keys of an issuer can't be had", "policy", p.ID, "issuer", p.Issuer, "error", f.Cause)
		}
		return "", nil
	}
	var claims map[string]any
	if err := json.Unmarshal([]byte(id.Claims), &claims); err != nil {
		return "", err
	}
	audiences := p.Audiences
	if len(audiences) == 0 {
		audiences = []string{s.opt.AccountID}
	}
	if !slices.ContainsFunc(textsOf(claims["aud"]), func(a string) bool { return slices.Contains(audiences, a) }) {
		return "", nil
	}
	claim := p.SubjectClaim
	if claim == "" {
		claim = "sub"
	}
	subject, _ := claims[claim].(string)
	if p.Subject != "" && subject != p.Subject {
		return "", nil
	}
	if claim == "email" && claims["email_verified"] == false {
		return "", nil
	}
	return strings.TrimSpace(subject), nil
}

func textsOf(v any) []string {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		var out []string
		for _, one := range v {
			if text, ok := one.(string); ok {
				out = append(out, text)
			}
		}
		return out
	}
	return nil
}

// foreignKeys keeps what verifies by each policy, so that keys aren't fetched for each token.
type foreignKeys struct {
	mu   sync.Mutex
	byID map[string]foreign
}

type foreign struct {
	policy   Policy
	verifier *token.Verifier
}

func (f *foreignKeys) verifier(p *Policy, s *Service) (*token.Verifier, error) {
	const many = 10_000
	f.mu.Lock()
	defer f.mu.Unlock()
	if have, ok := f.byID[p.UID]; ok && have.policy.UpdatedAt.Equal(p.UpdatedAt) {
		return have.verifier, nil
	}
	keys, err := p.keys(s.opt.Transport, s.opt.Now)
	if err != nil {
		return nil, err
	}
	role, err := token.ParseRoleClaim("$.iss") // which all have; who it is of is found out otherwise
	if err != nil {
		return nil, errors.Join(errors.New("oauth: claim"), err)
	}
	if f.byID == nil || len(f.byID) > many {
		f.byID = map[string]foreign{}
	}
	v := token.NewVerifier(token.VerifierOptions{Keys: keys, RoleClaim: role, RequireExpiry: true, Now: s.opt.Now})
	f.byID[p.UID] = foreign{*p, v}
	return v, nil
}
