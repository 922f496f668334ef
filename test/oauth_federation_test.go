package test

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jwk"
	"github.com/lestrrat-go/jwx/v3/jwt"
)

// otherIssuer is an issuer of tokens on this machine.
type otherIssuer struct {
	*httptest.Server
	private jwk.Key
	asked   atomic.Int32
}

func newOtherIssuer(t *testing.T) *otherIssuer {
	t.Helper()
	issuer := &otherIssuer{}
	private, public := newKey(t)
	issuer.private = private
	issuer.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		issuer.asked.Add(1)
		if r.URL.Path == "/.well-known/openid-configuration" {
			_ = json.NewEncoder(w).Encode(map[string]string{"issuer": issuer.URL, "jwks_uri": issuer.URL + "/keys"})
			return
		}
		set := jwk.NewSet()
		_ = set.AddKey(public)
		_ = json.NewEncoder(w).Encode(set)
	}))
	t.Cleanup(issuer.Close)
	return issuer
}

// federation has a service principal, and a person, come with the word of another issuer.
func federation(t *testing.T, s *tokenService, issuer *otherIssuer) {
	sign := func(claims map[string]any) string {
		token := jwt.New()
		for name, v := range claims {
			if err := token.Set(name, v); err != nil {
				t.Fatal(err)
			}
		}
		text, err := jwt.Sign(token, jwt.WithKey(jwa.ES256(), issuer.private))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	var config struct {
		AccountID string `json:"account_id"`
	}
	decode(t, ask(t, "GET", s.url+"/.well-known/databricks-config", ""), http.StatusOK, &config)
	account := "/api/2.0/accounts/" + config.AccountID
	var principal struct {
		ID            string `json:"id"`
		ApplicationID string `json:"applicationId"`
	}
	decode(t, s.call(t, s.admin, "POST", "/api/2.0/preview/scim/v2/ServicePrincipals", `{"displayName":"deployer"}`), http.StatusCreated, &principal)
	oidc := map[string]any{"issuer": issuer.URL, "audiences": []string{"tarn"}, "subject": "repo:main"}
	body, err := json.Marshal(map[string]any{"oidc_policy": oidc})
	if err != nil {
		t.Fatal(err)
	}
	var policy struct {
		Name string `json:"name"`
		ID   string `json:"policy_id"`
	}
	policies := account + "/servicePrincipals/" + principal.ID + "/federationPolicies"
	decode(t, s.call(t, s.admin, "POST", policies+"?policy_id=ci", string(body)), http.StatusOK, &policy)
	if policy.ID != "ci" || policy.Name != "accounts/"+config.AccountID+"/servicePrincipals/"+principal.ID+"/federationPolicies/ci" {
		t.Error(policy)
	}
	exchange := func(clientID, subjectToken string) answer {
		return s.form(t, "/oidc/v1/token", url.Values{
			"grant_type": {"urn:ietf:params:oauth:grant-type:token-exchange"}, "subject_token": {subjectToken},
			"subject_token_type": {"urn:ietf:params:oauth:token-type:jwt"}, "client_id": {clientID}, "scope": {"all-apis"},
		})
	}
	hour := time.Now().Add(time.Hour)
	good := map[string]any{"iss": issuer.URL, "aud": "tarn", "sub": "repo:main", "exp": hour}
	var token struct {
		Access string `json:"access_token"`
	}
	decode(t, exchange(principal.ApplicationID, sign(good)), http.StatusOK, &token)
	if s.me(t, token.Access) != http.StatusOK {
		t.Error("the token is no good")
	}
	for name, change := range map[string]map[string]any{
		"audience": {"aud": "other"}, "no audience": {"aud": nil}, "subject": {"sub": "repo:fork"}, "expired": {"exp": time.Now().Add(-time.Hour)},
		"no expiry": {"exp": nil}, "not yet": {"nbf": hour}, "issuer": {"iss": issuer.URL + "/other"}, "no issuer": {"iss": nil},
	} {
		claims := maps.Clone(good)
		for n, v := range change {
			if claims[n] = v; v == nil {
				delete(claims, n)
			}
		}
		t.Run(name, func(t *testing.T) {
			oauthError(t, exchange(principal.ApplicationID, sign(claims)), http.StatusBadRequest, "invalid_grant")
		})
	}
	oauthError(t, exchange("", sign(good)), http.StatusBadRequest, "invalid_grant")      // the account has no policy
	oauthError(t, exchange("admin", sign(good)), http.StatusBadRequest, "invalid_grant") // not the policy's
	if got := s.call(t, s.admin, "DELETE", policies+"/ci", ""); got.status != http.StatusOK {
		t.Error(got)
	}
	oauthError(t, exchange(principal.ApplicationID, sign(good)), http.StatusBadRequest, "invalid_grant")

	// A person, by a policy of the account.
	body, _ = json.Marshal(map[string]any{"oidc_policy": map[string]any{"issuer": issuer.URL, "subject_claim": "preferred_username"}})
	decode(t, s.call(t, s.admin, "POST", account+"/federationPolicies", string(body)), http.StatusOK, &policy)
	person := map[string]any{"iss": issuer.URL, "aud": config.AccountID, "sub": "x", "preferred_username": "admin", "exp": hour}
	decode(t, exchange("", sign(person)), http.StatusOK, &token)
	if s.me(t, token.Access) != http.StatusOK {
		t.Error("the person's token is no good")
	}
	person["preferred_username"] = "nobody"
	oauthError(t, exchange("", sign(person)), http.StatusBadRequest, "invalid_grant")

	// An issuer whom no setting allows is not asked, whatever a policy says.
	hidden := newOtherIssuer(t)
	for _, how := range []map[string]any{{"issuer": hidden.URL}, {"issuer": issuer.URL, "jwks_uri": hidden.URL + "/keys", "subject_claim": "sub"}} {
		body, _ = json.Marshal(map[string]any{"oidc_policy": how})
		decode(t, s.call(t, s.admin, "POST", account+"/federationPolicies", string(body)), http.StatusOK, &policy)
		claims := map[string]any{"iss": how["issuer"], "aud": config.AccountID, "sub": "admin", "exp": hour}
		oauthError(t, exchange("", sign(claims)), http.StatusBadRequest, "invalid_grant")
	}
	if hidden.asked.Load() != 0 {
		t.Error("an issuer was asked that isn't allowed")
	}
	list := s.call(t, token.Access, "GET", account+"/federationPolicies", "")
	if list.status != http.StatusOK {
		t.Error(list)
	}
}
