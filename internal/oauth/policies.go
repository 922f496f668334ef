package oauth

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tarn-data/tarn/internal/endpoint"
	"github.com/tarn-data/tarn/internal/token"
)

// Policy says whose tokens may be exchanged for the service's.
type Policy struct {
	UID                string
	ID                 string
	ServicePrincipalID int64 // zero for the policies of the account, which are for all
	Description        string
	Issuer             string
	Audiences          []string // empty for the account's id
	Subject            string   // that tokens must have; empty for any
	SubjectClaim       string   // empty for sub
	JWKSURL            string   // empty to ask the issuer
	JWKS               string   // keys themselves; empty to fetch them
	CreatedAt          time.Time
	UpdatedAt          time.Time
}

// What a store of policies says.
var (
	ErrPolicyExists = errors.New("there is such a policy")
	ErrNoPrincipal  = errors.New("there is no such service principal")
)

// PolicyStore keeps federation policies.
type PolicyStore interface {
	// AddPolicy returns ErrPolicyExists if there is one with this id, and ErrNoPrincipal if it is for nobody.
	AddPolicy(ctx context.Context, p *Policy) error
	// Policy returns nil if there is none.
	Policy(ctx context.Context, servicePrincipalID int64, id string) (*Policy, error)
	// Policies are those of the account, or of a service principal.
	Policies(ctx context.Context, servicePrincipalID int64) ([]Policy, error)
	UpdatePolicy(ctx context.Context, p *Policy) error
	DeletePolicy(ctx context.Context, servicePrincipalID int64, id string) error
}

const mostPolicies = 20 // of the account, or of a service principal

func (s *Service) policyRoutes() []endpoint.Route {
	var routes []endpoint.Route
	for _, path := range []string{
		"/api/2.0/accounts/{account_id}/federationPolicies",
		"/api/2.0/accounts/{account_id}/servicePrincipals/{service_principal_id}/federationPolicies",
	} {
		one, admins := path+"/{policy_id}", endpoint.Admins
		routes = append(routes,
			endpoint.Route{Method: http.MethodPost, Path: path, Action: "createFederationPolicy", Summary: "Trust an issuer", Access: admins, Do: endpoint.JSON(s.createPolicy)},
			endpoint.Route{Method: http.MethodGet, Path: path, Action: "listFederationPolicies", Summary: "List the issuers that are trusted", Access: admins, Do: endpoint.JSON(s.listPolicies)},
			endpoint.Route{Method: http.MethodGet, Path: one, Action: "getFederationPolicy", Summary: "Get how an issuer is trusted", Access: admins, Do: endpoint.JSON(s.getPolicy)},
			endpoint.Route{Method: http.MethodPatch, Path: one, Action: "updateFederationPolicy", Summary: "Change how an issuer is trusted", Access: admins, Do: endpoint.JSON(s.updatePolicy)},
			endpoint.Route{Method: http.MethodDelete, Path: one, Action: "deleteFederationPolicy", Summary: "Trust an issuer no more", Access: admins, Do: endpoint.JSON(s.deletePolicy)},
		)
	}
	return routes
}

type oidcPolicy struct {
	Issuer       string   `json:"issuer,omitempty"`
	Audiences    []string `json:"audiences,omitempty"`
	Subject      string   `json:"subject,omitempty"`
	SubjectClaim string   `json:"subject_claim,omitempty"`
	JWKSURL      string   `json:"jwks_uri,omitempty"`
	JWKS         string   `json:"jwks_json,omitempty"`
}

type policyPath struct {
	inAccount
	ServicePrincipal string `path:"service_principal_id"`
	ID               string `path:"policy_id"`
	Asked            string `query:"policy_id"`
	Mask             string `query:"update_mask"`
}

type policyInput struct {
	policyPath
	Description string     `json:"description"`
	OIDC        oidcPolicy `json:"oidc_policy"`
}

type policyOutput struct {
	Name             string     `json:"name"`
	ID               string     `json:"policy_id"`
	UID              string     `json:"uid"`
	ServicePrincipal int64      `json:"service_principal_id,omitempty"`
	Description      string     `json:"description"`
	OIDC             oidcPolicy `json:"oidc_policy"`
	CreatedAt        string     `json:"create_time"`
	UpdatedAt        string     `json:"update_time"`
}

func (s *Service) policyOutput(p *Policy) policyOutput {
	name := "accounts/" + s.opt.AccountID
	if p.ServicePrincipalID != 0 {
		name += "/servicePrincipals/" + strconv.FormatInt(p.ServicePrincipalID, 10)
	}
	return policyOutput{
		Name: name + "/federationPolicies/" + p.ID, ID: p.ID, UID: p.UID, ServicePrincipal: p.ServicePrincipalID, Description: p.Description,
		OIDC: oidcPolicy{
			Issuer: p.Issuer, Audiences: p.Audiences, Subject: p.Subject, SubjectClaim: p.SubjectClaim, JWKSURL: p.JWKSURL, JWKS: p.JWKS,
		},
		CreatedAt: p.CreatedAt.UTC().Format(time.RFC3339Nano), UpdatedAt: p.UpdatedAt.UTC().Format(time.RFC3339Nano),
	}
}

// owner is the service principal of a path; zero for the account.
func (s *Service) owner(in policyPath) (int64, error) {
	if err := s.ofAccount(in.inAccount); err != nil {
		return 0, err
	}
	if in.ServicePrincipal == "" {
		return 0, nil
	}
	id, err := strconv.ParseInt(in.ServicePrincipal, 10, 64)
	if err != nil || id <= 0 {
		return 0, endpoint.NotFound("There is no service principal " + in.ServicePrincipal + ".")
	}
	return id, nil
}

func (s *Service) createPolicy(ctx context.Context, in policyInput) (policyOutput, error) {
	owner, err := s.owner(in.policyPath)
	if err != nil {
		return policyOutput{}, err
	}
	now := s.opt.Now().Truncate(time.Microsecond)
	p := &Policy{UID: strings.ToLower(rand.Text()), ID: in.Asked, ServicePrincipalID: owner, CreatedAt: now, UpdatedAt: now}
	if p.ID == "" {
		p.ID = p.UID
	}
	if !regexp.MustCompile(`^[a-z0-9-]{1,128}$`).MatchString(p.ID) {
		return policyOutput{}, endpoint.Invalid("policy_id may have lower-case letters, digits and hyphens.")
	}
	in.Mask = "*"
	if err := p.change(in); err != nil {
		return policyOutput{}, err
	}
	all, err := s.opt.Store.Policies(ctx, owner)
	if err != nil {
		return policyOutput{}, err
	}
	if len(all) >= mostPolicies {
		return policyOutput{}, endpoint.LimitExceeded("There are 20 policies already.")
	}
	switch err := s.opt.Store.AddPolicy(ctx, p); {
	case errors.Is(err, ErrPolicyExists):
		return policyOutput{}, endpoint.Exists("There is a policy " + p.ID + " already.")
	case errors.Is(err, ErrNoPrincipal):
		return policyOutput{}, endpoint.NotFound("There is no service principal " + in.ServicePrincipal + ".")
	case err != nil:
		return policyOutput{}, err
	}
	return s.policyOutput(p), nil
}

// change takes over the fields of an input that its mask names: all, or those that it has if there is no mask.
func (p *Policy) change(in policyInput) error {
	mask := strings.Split(in.Mask, ",")
	takes := func(name string, given bool) bool {
		if in.Mask == "" {
			return given
		}
		return slices.ContainsFunc(mask, func(m string) bool { return m == "*" || m == name || strings.HasPrefix(name, m+".") })
	}
	o := in.OIDC
	if takes("description", in.Description != "") {
		p.Description = in.Description
	}
	if takes("oidc_policy.audiences", o.Audiences != nil) {
		p.Audiences = o.Audiences
	}
	for _, f := range []struct {
		name string
		to   *string
		from string
	}{
		{"issuer", &p.Issuer, o.Issuer}, {"subject", &p.Subject, o.Subject}, {"subject_claim", &p.SubjectClaim, o.SubjectClaim},
		{"jwks_uri", &p.JWKSURL, o.JWKSURL}, {"jwks_json", &p.JWKS, o.JWKS},
	} {
		if takes("oidc_policy."+f.name, f.from != "") {
			*f.to = f.from
		}
	}
	return p.validate()
}

func (p *Policy) validate() error {
	const longest, mostKeys, mostAudiences = 2000, 64 << 10, 50
	switch {
	case p.Issuer == "" || len(p.Issuer) > longest:
		return endpoint.Invalid("oidc_policy.issuer is needed.")
	case p.ServicePrincipalID != 0 && p.Subject == "":
		return endpoint.Invalid("A policy of a service principal needs oidc_policy.subject.")
	case p.ServicePrincipalID == 0 && p.Subject != "":
		return endpoint.Invalid("A policy of the account has no oidc_policy.subject: its tokens say whose they are.")
	case p.JWKS != "" && p.JWKSURL != "":
		return endpoint.Invalid("Either jwks_uri or jwks_json says which keys there are.")
	case len(p.JWKS) > mostKeys || len(p.Description) > longest || len(p.Audiences) > mostAudiences || slices.Contains(p.Audiences, ""):
		return endpoint.Invalid("A field is too long, or an audience is empty.")
	}
	if _, err := p.keys(nil, time.Now); err != nil {
		return endpoint.Invalid("The issuer's keys can't be used: " + err.Error() + ".")
	}
	return nil
}

// keys finds the keys of the issuer.
func (p *Policy) keys(transport http.RoundTripper, now func() time.Time) (token.Source, error) {
	if p.JWKS != "" {
		return token.NewPublished([]byte(p.JWKS))
	}
	return token.NewIssuers(token.IssuersOptions{
		Issuers: []token.IssuerConfig{{Issuer: p.Issuer, JWKSURL: p.JWKSURL}}, Transport: transport, Now: now,
	})
}

func (s *Service) policy(ctx context.Context, in policyPath) (*Policy, error) {
	owner, err := s.owner(in)
	if err != nil {
		return nil, err
	}
	p, err := s.opt.Store.Policy(ctx, owner, in.ID)
	if err == nil && p == nil {
		err = endpoint.NotFound("There is no policy " + in.ID + ".")
	}
	return p, err
}

func (s *Service) getPolicy(ctx context.Context, in policyPath) (policyOutput, error) {
	p, err := s.policy(ctx, in)
	if err != nil {
		return policyOutput{}, err
	}
	return s.policyOutput(p), nil
}

type policiesOutput struct {
	Policies []policyOutput `json:"policies"`
}

func (s *Service) listPolicies(ctx context.Context, in policyPath) (policiesOutput, error) {
	out := policiesOutput{Policies: []policyOutput{}}
	owner, err := s.owner(in)
	if err != nil {
		return out, err
	}
	all, err := s.opt.Store.Policies(ctx, owner)
	for i := range all {
		out.Policies = append(out.Policies, s.policyOutput(&all[i]))
	}
	return out, err
}

func (s *Service) updatePolicy(ctx context.Context, in policyInput) (policyOutput, error) {
	p, err := s.policy(ctx, in.policyPath)
	if err != nil {
		return policyOutput{}, err
	}
	if err := p.change(in); err != nil {
		return policyOutput{}, err
	}
	p.UpdatedAt = s.opt.Now().Truncate(time.Microsecond)
	return s.policyOutput(p), s.opt.Store.UpdatePolicy(ctx, p)
}

func (s *Service) deletePolicy(ctx context.Context, in policyPath) (endpoint.None, error) {
	p, err := s.policy(ctx, in)
	if err != nil {
		return endpoint.None{}, err
	}
	return endpoint.None{}, s.opt.Store.DeletePolicy(ctx, p.ServicePrincipalID, p.ID)
}
