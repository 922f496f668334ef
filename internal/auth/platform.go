package auth

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/tarn-data/tarn/internal/fault"
)

// PersonalToken is a personal access token that is good now.
type PersonalToken struct {
	ID      string
	Owner   string   // user name or application id
	OwnerID int64    // of the account, so that a later one of the same name doesn't inherit the token
	Scopes  []string // empty for all
}

// PersonalTokens knows the personal access tokens.
type PersonalTokens interface {
	// Use returns the token of a secret, and takes note that it was used; nil if there is no good one.
	Use(ctx context.Context, secret string) (*PersonalToken, error)
}

// PersonalPrefix is what the secret of a personal access token begins with.
const PersonalPrefix = "dapi"

// Platform authenticates the callers of the platform: with tokens that Tarn or a trusted issuer signed, and with personal
// access tokens, of principals that the directory has.
type Platform struct {
	signed    *Bearer
	personal  PersonalTokens
	directory Directory
}

// NewPlatform makes an authenticator. Signed verifies the tokens that are signed.
func NewPlatform(signed *Bearer, personal PersonalTokens, directory Directory) *Platform {
	return &Platform{signed: signed, personal: personal, directory: directory}
}

// AuthenticateCall tells who makes a call of the platform API, with these headers.
func (p *Platform) AuthenticateCall(ctx context.Context, h http.Header) (*Credential, error) {
	secret, _ := credential(h)
	if secret == "" {
		return nil, unauthenticated("Credential was not sent or was of an unsupported type for this API.")
	}
	cred := &Credential{}
	name, ownerID := "", int64(0)
	if strings.HasPrefix(secret, PersonalPrefix) {
		t, err := p.personal.Use(ctx, secret)
		if err != nil {
			return nil, unavailable(err)
		}
		if t == nil {
			return nil, unauthenticated("Invalid access token.")
		}
		name, ownerID, cred.TokenID, cred.Scopes = t.Owner, t.OwnerID, t.ID, t.Scopes
	} else {
		id, err := p.signed.verifier.Verify(secret, true)
		if err != nil {
			if fault.From(err).Kind >= fault.Internal {
				return nil, unavailable(err)
			}
			return nil, unauthenticated("Invalid Token").WithCause(err)
		}
		name, cred.TokenID, cred.Claims = id.Name, id.ID, id.Claims
		if id.Own { // what another issuer limits its tokens to means nothing here
			cred.Scopes = id.Scopes
		}
	}
	account, err := p.directory.Account(ctx, name)
	if err != nil {
		return nil, unavailable(err)
	}
	if account == nil || !account.Active || ownerID != 0 && ownerID != account.ID {
		return nil, unauthenticated("The token's principal doesn't exist or isn't active.").WithCause(NoAccountError{})
	}
	cred.Account = account
	return cred, nil
}

// dataScope is the scope that allows requests to the Data API besides AllScopes.
const dataScope = "sql"

// patience is how long finding out who somebody is may take where the request doesn't say.
const patience = 10 * time.Second

// Authenticate tells who makes a request to the Data API. There, who has a role but no account is let in with a signed
// token: rights are the database's matter.
func (p *Platform) Authenticate(h http.Header) (*Principal, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	secret, present := credential(h)
	if !strings.HasPrefix(secret, PersonalPrefix) {
		return p.authenticateSigned(ctx, secret, present)
	}
	cred, err := p.AuthenticateCall(ctx, h)
	if err != nil {
		f := fault.From(err)
		if f.Kind == fault.Unavailable {
			return nil, fault.New(fault.Unavailable, "PGRST301", f.Message).WithHeader("Retry-After", "1").WithCause(f.Cause)
		}
		return nil, fault.New(fault.Unauthenticated, "PGRST301", f.Message).WithCause(f.Cause)
	}
	if !Permitted(cred.Scopes, dataScope) {
		return nil, outOfScope()
	}
	name := cred.Account.Name
	claims, err := json.Marshal(map[string]string{"sub": name, "role": name})
	if err != nil {
		return nil, err
	}
	return &Principal{
		Name: name, Role: name, Claims: string(claims), Scopes: cred.Scopes, ID: cred.TokenID, Own: true, Admin: cred.Account.Admin,
	}, nil
}

func (p *Platform) authenticateSigned(ctx context.Context, secret string, present bool) (*Principal, error) {
	id, err := p.signed.verifier.Verify(secret, present)
	if err != nil {
		return nil, err
	}
	account, err := p.directory.Account(ctx, id.Name)
	if err != nil {
		return nil, fault.New(fault.Unavailable, "PGRST000", "The directory could not be asked.").WithCause(err)
	}
	if account != nil && !account.Active {
		return nil, fault.New(fault.Unauthenticated, "PGRST303", "The token's principal isn't active")
	}
	if id.Own && !Permitted(id.Scopes, dataScope) {
		return nil, outOfScope()
	}
	return (*Principal)(id), nil
}

func outOfScope() error {
	return fault.New(fault.Denied, "403", "The token is not for the Data API").WithHint("It needs the scope " + AllScopes + " or " + dataScope + ".")
}

// credential is the token that a request brings: as a bearer token, or as the password of the user token, which is how
// .netrc files have it.
func credential(h http.Header) (secret string, present bool) {
	if secret, ok := bearerToken(h); ok {
		return secret, true
	}
	scheme, rest, _ := strings.Cut(h.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "basic") {
		return "", false
	}
	text, err := base64.StdEncoding.DecodeString(strings.TrimSpace(rest))
	if err != nil {
		return "", false
	}
	user, password, _ := strings.Cut(string(text), ":")
	if user != "token" {
		return "", false
	}
	return password, true
}

func unauthenticated(message string) *fault.Error {
	return fault.New(fault.Unauthenticated, "UNAUTHENTICATED", message).WithHeader("WWW-Authenticate", `Bearer realm="tarn"`)
}

func unavailable(err error) *fault.Error {
	return fault.New(fault.Unavailable, "TEMPORARILY_UNAVAILABLE", "Who you are could not be found out just now.").
		WithHeader("Retry-After", "1").WithCause(err)
}
