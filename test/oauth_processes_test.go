package test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/oauth2"

	"github.com/tarn-data/tarn/internal/pgtest"
)

// TestTokensOfSeveralProcesses has what one process gives be good in another, and what one takes back be no good there.
func TestTokensOfSeveralProcesses(t *testing.T) {
	t.Parallel()
	db, dir := pgtest.New(t), dataDir(t)
	var both [2]*tokenService
	for i := range both {
		both[i] = &tokenService{tarn: serve(t, dir, "--postgres", db.URL, "--state", db.URL)}
	}
	one, two := both[0], both[1]
	signed := strings.TrimSpace(run(t, "", "token", "create", "--data-dir", dir, "--state", db.URL, "--admin"))
	if ask(t, "GET", one.url+"/oidc/jwks.json", "").body != ask(t, "GET", two.url+"/oidc/jwks.json", "").body {
		t.Error("they have different keys")
	}
	var personal struct {
		Value string `json:"token_value"`
		Info  struct {
			ID string `json:"token_id"`
		} `json:"token_info"`
	}
	decode(t, one.call(t, signed, "POST", "/api/2.0/token/create", `{}`), http.StatusOK, &personal)
	for range 3 { // so that it is remembered
		if one.me(t, personal.Value) != http.StatusOK || two.me(t, personal.Value) != http.StatusOK {
			t.Fatal("the token isn't good in both")
		}
	}
	if got := one.call(t, signed, "POST", "/api/2.0/token/delete", `{"token_id":"`+personal.Info.ID+`"}`); got.status != http.StatusOK {
		t.Fatal(got)
	}
	eventually(t, func() bool { return two.me(t, personal.Value) == http.StatusUnauthorized })

	id, secret := one.servicePrincipal(t, signed, "program")
	form := url.Values{"client_id": {id}, "client_secret": {secret}, "grant_type": {"client_credentials"}}
	var token struct {
		Access string `json:"access_token"`
	}
	decode(t, one.form(t, "/oidc/v1/token", form), http.StatusOK, &token)
	if two.me(t, token.Access) != http.StatusOK {
		t.Error("one's token is nothing to the other")
	}
	if got := one.form(t, "/oidc/v1/revoke", url.Values{"client_id": {id}, "client_secret": {secret}, "token": {token.Access}}); got.status != http.StatusOK {
		t.Fatal(got)
	}
	eventually(t, func() bool { return two.me(t, token.Access) == http.StatusUnauthorized })

	// A code of one, at the other; and of two who have the same code, one gets something.
	one.password = readPassword(t, dir)
	c := one.client("databricks-cli", "", cliRedirect, "all-apis")
	code, verifier := one.code(t, c)
	c.Endpoint.TokenURL = two.url + "/oidc/v1/token"
	if got, err := c.Exchange(context.Background(), code, oauth2.VerifierOption(verifier)); err != nil || one.me(t, got.AccessToken) != http.StatusOK {
		t.Error(got, err)
	}

	// Who isn't active any more has no good token.
	decode(t, one.form(t, "/oidc/v1/token", form), http.StatusOK, &token)
	if two.me(t, token.Access) != http.StatusOK {
		t.Error("the token is no good")
	}
	var found struct{ Resources []struct{ ID string } }
	decode(t, one.call(t, signed, "GET", "/api/2.0/preview/scim/v2/ServicePrincipals?filter="+url.QueryEscape(`applicationId eq "`+id+`"`), ""), http.StatusOK, &found)
	path := "/api/2.0/preview/scim/v2/ServicePrincipals/" + found.Resources[0].ID
	body := `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace","path":"active","value":false}]}`
	if got := one.call(t, signed, "PATCH", path, body); got.status >= http.StatusMultipleChoices {
		t.Fatal(got)
	}
	eventually(t, func() bool { return two.me(t, token.Access) == http.StatusUnauthorized })
	oauthError(t, two.form(t, "/oidc/v1/token", form), http.StatusUnauthorized, "invalid_client")
}
