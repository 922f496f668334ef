package oauth

import (
	"net/http"
	"strings"

	"github.com/tarn-data/tarn/internal/endpoint"
)

// Paths, and those below an account's, which clients of the account's API use.
const (
	oidcPath      = "/oidc"
	accountPath   = "/oidc/accounts/{account_id}"
	authorizePath = oidcPath + "/v1/authorize"
	callbackPath  = oidcPath + "/v1/callback"
	metadata      = "/.well-known/oauth-authorization-server"
	oidcMetadata  = "/.well-known/openid-configuration"
	largestForm   = 256 << 10
)

// Routes are the operations of the service.
func (s *Service) Routes() []endpoint.Route {
	const anyone = endpoint.Anyone
	get, post := http.MethodGet, http.MethodPost
	routes := []endpoint.Route{
		{Method: get, Path: oidcPath + metadata, Also: []string{accountPath + metadata, metadata, metadata + oidcPath}, Action: "getMetadata",
			Summary: "What the token service can do", Access: anyone, Do: endpoint.Raw(s.metadata)},
		{Method: get, Path: oidcPath + oidcMetadata, Also: []string{accountPath + oidcMetadata, oidcMetadata}, Action: "getConfiguration",
			Summary: "What the token service can do", Access: anyone, Do: endpoint.Raw(s.metadata)},
		{Method: get, Path: oidcPath + "/jwks.json", Also: []string{accountPath + "/jwks.json"}, Action: "getKeys",
			Summary: "Keys that tokens are verified with", Access: anyone, Do: endpoint.Raw(s.jwks)},
		{Method: get, Path: authorizePath, Also: []string{accountPath + "/v1/authorize"}, Action: "authorize",
			Summary: "Ask a person to let a client act for them", Access: anyone, Do: endpoint.Raw(s.authorize)},
		{Method: post, Path: oidcPath + "/v1/login", Action: "login", Summary: "Log in with a password",
			Access: anyone, Do: endpoint.Raw(s.postLogin)},
		{Method: post, Path: oidcPath + "/v1/consent", Action: "consent", Summary: "Let a client act, or don't",
			Access: anyone, Do: endpoint.Raw(s.postConsent)},
		{Method: get, Path: oidcPath + "/v1/logout", Action: "showLogout", Summary: "Who is logged in", Access: anyone, Do: endpoint.Raw(s.logout)},
		{Method: post, Path: oidcPath + "/v1/logout", Action: "logout", Summary: "Log out", Access: anyone, Do: endpoint.Raw(s.postLogout)},
		{Method: post, Path: oidcPath + "/v1/token", Also: []string{accountPath + "/v1/token"}, Action: "token",
			Summary: "Give a token for a grant", Access: anyone, Do: endpoint.Raw(s.token)},
		{Method: post, Path: oidcPath + "/v1/introspect", Also: []string{accountPath + "/v1/introspect"}, Action: "introspect",
			Summary: "Look into a token", Access: anyone, Do: endpoint.Raw(s.introspect)},
		{Method: post, Path: oidcPath + "/v1/revoke", Also: []string{accountPath + "/v1/revoke"}, Action: "revoke",
			Summary: "Take back a token", Access: anyone, Do: endpoint.Raw(s.revoke)},
		{Method: get, Path: oidcPath + "/v1/userinfo", Action: "userinfo", Summary: "Who a token is of", Scope: scopeOpenID,
			Do: endpoint.Raw(s.userinfo)},
		{Method: post, Path: oidcPath + "/v1/userinfo", Action: "userinfo", Summary: "Who a token is of", Scope: scopeOpenID,
			Do: endpoint.Raw(s.userinfo)},
	}
	if s.opt.External != nil {
		routes = append(routes,
			endpoint.Route{Method: get, Path: oidcPath + "/v1/external", Action: "goExternal", Summary: "Log in with another provider",
				Access: anyone, Do: endpoint.Raw(s.goExternal)},
			endpoint.Route{Method: get, Path: callbackPath, Action: "loginExternal", Summary: "Come back from another provider",
				Access: anyone, Do: endpoint.Raw(s.fromExternal)})
	}
	for i := range routes {
		routes[i].MaxBody = largestForm
		if strings.HasPrefix(routes[i].Path, oidcPath) && routes[i].Dialect == nil {
			routes[i].Dialect = endpoint.OAuth{}
		}
	}
	routes = append(routes, s.appRoutes()...)
	routes = append(routes, s.policyRoutes()...)
	for i := range routes {
		routes[i].Service = "oauth"
	}
	return routes
}

// metadata says what the service can do (RFC 8414, OpenID Connect Discovery).
func (s *Service) metadata(w http.ResponseWriter, r *http.Request, _ *endpoint.Call) error {
	base := s.issuer(r)
	if account := r.PathValue("account_id"); account != "" && account == s.opt.AccountID {
		base += "/accounts/" + account
	}
	secretMethods := []string{"client_secret_basic", "client_secret_post"}
	return endpoint.Write(w, map[string]any{
		"issuer":                                         s.issuer(r),
		"authorization_endpoint":                         base + "/v1/authorize",
		"token_endpoint":                                 base + "/v1/token",
		"introspection_endpoint":                         base + "/v1/introspect",
		"revocation_endpoint":                            base + "/v1/revoke",
		"userinfo_endpoint":                              s.issuer(r) + "/v1/userinfo",
		"jwks_uri":                                       s.issuer(r) + "/jwks.json",
		"scopes_supported":                               s.scopes(),
		"response_types_supported":                       []string{"code"},
		"response_modes_supported":                       []string{"query"},
		"grant_types_supported":                          []string{grantCode, grantCredentials, grantRefresh, grantExchange},
		"token_endpoint_auth_methods_supported":          append(secretMethods, "none"),
		"introspection_endpoint_auth_methods_supported":  secretMethods,
		"revocation_endpoint_auth_methods_supported":     append(secretMethods, "none"),
		"code_challenge_methods_supported":               []string{"S256"},
		"subject_types_supported":                        []string{"public"},
		"id_token_signing_alg_values_supported":          []string{s.opt.Keys.Algorithm()},
		"claims_supported":                               []string{"iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "name", "preferred_username", "email", "email_verified"},
		"authorization_response_iss_parameter_supported": true,
		"request_parameter_supported":                    false,
		"request_uri_parameter_supported":                false,
	})
}

// jwks publishes the keys. A key is published for long before it signs: whoever keeps them for an hour misses none.
func (s *Service) jwks(w http.ResponseWriter, _ *http.Request, _ *endpoint.Call) error {
	w.Header().Set("Content-Type", "application/jwk-set+json")
	w.Header().Set("Cache-Control", "public, max-age=3600")
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(s.opt.Keys.JWKS()) // the client may be gone
	return nil
}
