package credential

import (
	"context"
	"net/http"

	"github.com/tarn-data/tarn/internal/endpoint"
	"github.com/tarn-data/tarn/internal/fault"
	"github.com/tarn-data/tarn/internal/vault"
)

const (
	base        = "/api/2.0/tarn/vault"
	ofApp       = base + "/apps/{app}/credentials"
	ofAccount   = base + "/accounts/{account}/apps/{app}/credentials"
	maxBody     = 1 << 20
	serviceName = "vault"
)

// Routes are the routes of the vault.
func (s *Service) Routes() []endpoint.Route {
	a := &api{s}
	route := func(method, rest, action, summary string, do endpoint.Function) endpoint.Route {
		return endpoint.Route{
			Method: method, Path: ofAccount + rest, Also: []string{ofApp + rest}, Service: serviceName, Action: action, Summary: summary,
			Securable: "name", MaxBody: maxBody, Do: do,
		}
	}
	return []endpoint.Route{
		route(http.MethodGet, "", "listCredentials", "List the credentials of an app, or of an app in an account", endpoint.JSON(a.list)),
		route(http.MethodPut, "/{name}", "putCredential", "Keep a new version of a credential", endpoint.JSON(a.put)),
		route(http.MethodGet, "/{name}", "getCredential", "Get what is known of a credential; its value is shown to nobody", endpoint.JSON(a.get)),
		route(http.MethodGet, "/{name}/versions", "listCredentialVersions", "List the versions of a credential", endpoint.JSON(a.versions)),
		route(http.MethodDelete, "/{name}", "deleteCredential", "Delete a credential with all its versions", endpoint.JSON(a.delete)),
		{
			Method: http.MethodGet, Path: base + "/status", Service: serviceName, Action: "getVaultStatus", Access: endpoint.Admins,
			Summary: "Show the root keys and how many secrets each seals", Do: endpoint.JSON(a.status),
		},
		{
			Method: http.MethodPost, Path: base + "/rotate", Service: serviceName, Action: "rotateRootKey", Access: endpoint.Admins,
			Summary: "Change the root key; what the one before sealed is wrapped anew in the background", Do: endpoint.JSON(a.rotate),
		},
	}
}

type api struct{ *Service }

type apiPath struct {
	Account string `path:"account"`
	App     string `path:"app"`
}

func (p apiPath) path() Path { return Path(p) }

type apiName struct {
	apiPath
	Name string `path:"name"`
}

type apiPut struct {
	apiPath
	Name  string       `path:"name"`
	Value vault.Secret `json:"value" audit:"-"`
}

type apiInfo struct {
	Name      string `json:"name"`
	Version   int64  `json:"version"`
	CreatedAt int64  `json:"created_at"`
	CreatedBy string `json:"created_by,omitempty"`
}

func newAPIInfo(i Info) apiInfo {
	return apiInfo{Name: i.Name, Version: i.Version, CreatedAt: i.MadeAt.UnixMilli(), CreatedBy: i.MadeBy}
}

func (a *api) put(ctx context.Context, in apiPut) (apiInfo, error) {
	i, err := a.Put(ctx, in.path(), in.Name, in.Value)
	return newAPIInfo(i), err
}

type apiInfos struct {
	Credentials []apiInfo `json:"credentials"`
}

type apiVersions struct {
	Versions []apiInfo `json:"versions"`
}

func newAPIInfos(all []Info) []apiInfo {
	out := make([]apiInfo, len(all))
	for i, info := range all {
		out[i] = newAPIInfo(info)
	}
	return out
}

func (a *api) list(ctx context.Context, in apiPath) (apiInfos, error) {
	all, err := a.List(ctx, in.path())
	return apiInfos{newAPIInfos(all)}, err
}

func (a *api) get(ctx context.Context, in apiName) (apiInfo, error) {
	all, err := a.Versions(ctx, in.path(), in.Name)
	if err != nil {
		return apiInfo{}, err
	}
	return newAPIInfo(all[0]), nil
}

func (a *api) versions(ctx context.Context, in apiName) (apiVersions, error) {
	all, err := a.Versions(ctx, in.path(), in.Name)
	return apiVersions{newAPIInfos(all)}, err
}

func (a *api) delete(ctx context.Context, in apiName) (endpoint.None, error) {
	return endpoint.None{}, a.Delete(ctx, in.path(), in.Name)
}

type apiKey struct {
	ID        string `json:"key_id"`
	Source    string `json:"source"`
	Primary   bool   `json:"primary"`
	Secrets   int64  `json:"secrets"`
	AtHand    bool   `json:"at_hand"`
	CreatedAt int64  `json:"created_at"`
	RetiredAt int64  `json:"retired_at,omitempty"`
}

type apiStatus struct {
	Keys []apiKey `json:"keys"`
	Left int64    `json:"secrets_to_rewrap"`
}

func (a *api) status(ctx context.Context, _ endpoint.None) (apiStatus, error) {
	all, err := a.keys.Status(ctx)
	out := apiStatus{Keys: make([]apiKey, len(all))}
	for i, k := range all {
		out.Keys[i] = apiKey{ID: k.ID.String(), Source: k.Source, Primary: k.Primary, Secrets: k.Values, AtHand: k.AtHand, CreatedAt: k.Made.UnixMilli()}
		if k.Retired != nil {
			out.Keys[i].RetiredAt = k.Retired.UnixMilli()
		}
		if !k.Primary {
			out.Left += k.Values
		}
	}
	return out, err
}

type apiRotated struct {
	ID string `json:"key_id"`
}

func (a *api) rotate(ctx context.Context, _ endpoint.None) (apiRotated, error) {
	id, err := a.keys.Rotate(ctx)
	if hinted, ok := err.(interface { //nolint:errorlint // it is not wrapped
		error
		Hint() string
	}); ok {
		return apiRotated{}, fault.New(fault.Invalid, "INVALID_STATE", "The root key can't be changed: "+hinted.Error()+".").WithHint(hinted.Hint())
	}
	if err != nil {
		return apiRotated{}, err
	}
	return apiRotated{id.String()}, nil
}
