package connection

import (
	"context"
	"net/http"
	"time"

	"github.com/tarn-data/tarn/internal/endpoint"
	"github.com/tarn-data/tarn/internal/vault"
)

const (
	apiBase    = "/api/2.0/tarn/connections"
	apiOne     = apiBase + "/{tenant}/{name}"
	grantsBase = "/api/2.0/tarn/tenants/{tenant}/grants"
)

// Routes are the routes of connections under Tarn's own name.
func (s *Service) Routes() []endpoint.Route {
	a := &api{s}
	route := func(method, path, action, summary string, do endpoint.Function) endpoint.Route {
		return endpoint.Route{
			Method: method, Path: path, Service: "connections", Action: action, Summary: summary,
			Securable: "name", Timeout: time.Minute, MaxBody: maxBody, Do: do,
		}
	}
	grant := func(method, action, summary string, do endpoint.Function) endpoint.Route {
		r := route(method, grantsBase, action, summary, do)
		r.Access, r.Securable = endpoint.Admins, "tenant"
		return r
	}
	return []endpoint.Route{
		route(http.MethodPost, apiBase, "createConnection", "Create a connection of a tenant, with its credentials or without", endpoint.JSON(a.create)),
		route(http.MethodGet, apiBase, "listConnections", "List the connections that the caller may manage", endpoint.JSON(a.list)),
		route(http.MethodGet, apiOne, "getConnection", "Get a connection", endpoint.JSON(a.get)),
		route(http.MethodPut, apiOne+"/credentials", "storeCredentials", "Store or replace the credentials of a connection", endpoint.JSON(a.storeCredentials)),
		route(http.MethodPost, apiOne+"/test", "testConnection", "Test a connection", endpoint.JSON(a.test)),
		route(http.MethodPost, apiOne+"/revoke", "revokeConnection", "Take the credentials of a connection away", endpoint.JSON(a.revoke)),
		route(http.MethodDelete, apiOne, "deleteConnection", "Delete a connection", endpoint.JSON(a.delete)),
		grant(http.MethodGet, "listTenantGrants", "List who may manage the connections of a tenant", endpoint.JSON(a.grants)),
		grant(http.MethodPut, "grantTenant", "Let somebody manage the connections of a tenant", endpoint.JSON(a.grant)),
		grant(http.MethodDelete, "revokeTenant", "Take the right to manage the connections of a tenant back", endpoint.JSON(a.withdraw)),
	}
}

type api struct{ *Service }

type apiConnection struct {
	ID           string `json:"connection_id"`
	Tenant       string `json:"tenant"`
	Name         string `json:"name"`
	WorkspaceURL string `json:"workspace_url"`
	WarehouseID  string `json:"warehouse_id"`
	Catalog      string `json:"catalog,omitempty"`
	ClientID     string `json:"client_id,omitempty"`
	Version      int64  `json:"credentials_version"`
	Status       Status `json:"status"`
	CreatedAt    int64  `json:"created_at"`
	CreatedBy    string `json:"created_by"`
	UpdatedAt    int64  `json:"updated_at"`
	TestedAt     int64  `json:"tested_at,omitempty"`
	TestPassed   *bool  `json:"test_passed,omitempty"`
	TestMessage  string `json:"test_message,omitempty"`
}

func newAPIConnection(c *Connection) apiConnection {
	out := apiConnection{
		ID: c.ID, Tenant: c.Tenant, Name: c.Name, WorkspaceURL: c.WorkspaceURL, WarehouseID: c.WarehouseID, Catalog: c.Catalog,
		ClientID: c.ClientID, Version: c.Version, Status: c.Status, CreatedAt: c.MadeAt.UnixMilli(), CreatedBy: c.MadeBy,
		UpdatedAt: c.ChangedAt.UnixMilli(), TestPassed: c.TestPassed, TestMessage: c.TestMessage,
	}
	if c.TestedAt != nil {
		out.TestedAt = c.TestedAt.UnixMilli()
	}
	return out
}

// shown is a connection as it is answered, or the error.
func shown(c *Connection, err error) (apiConnection, error) {
	if err != nil {
		return apiConnection{}, err
	}
	return newAPIConnection(c), nil
}

type apiCreate struct {
	Tenant       string       `json:"tenant"`
	Name         string       `json:"name"`
	WorkspaceURL string       `json:"workspace_url"`
	WarehouseID  string       `json:"warehouse_id"`
	Catalog      string       `json:"catalog"`
	ClientID     string       `json:"client_id"`
	ClientSecret vault.Secret `json:"client_secret" audit:"-"`
}

func (a *api) create(ctx context.Context, in apiCreate) (apiConnection, error) {
	return shown(a.Create(ctx, New{
		Tenant: in.Tenant, Name: in.Name, WorkspaceURL: in.WorkspaceURL, WarehouseID: in.WarehouseID, Catalog: in.Catalog,
		ClientID: in.ClientID, ClientSecret: in.ClientSecret,
	}, in.ClientID != "" || in.ClientSecret.Reveal() != ""))
}

type apiList struct {
	Connections []apiConnection `json:"connections"`
}

func (a *api) list(ctx context.Context, in struct {
	Tenant string `json:"tenant"`
},
) (apiList, error) {
	all, err := a.List(ctx, in.Tenant)
	out := apiList{Connections: make([]apiConnection, len(all))}
	for i, c := range all {
		out.Connections[i] = newAPIConnection(c)
	}
	return out, err
}

type apiName struct {
	Tenant string `path:"tenant"`
	Name   string `path:"name"`
}

func (a *api) get(ctx context.Context, in apiName) (apiConnection, error) {
	return shown(a.Get(ctx, in.Tenant, in.Name))
}

func (a *api) revoke(ctx context.Context, in apiName) (apiConnection, error) {
	return shown(a.Revoke(ctx, in.Tenant, in.Name))
}

func (a *api) delete(ctx context.Context, in apiName) (endpoint.None, error) {
	return endpoint.None{}, a.Delete(ctx, in.Tenant, in.Name)
}

type apiCredentials struct {
	Tenant       string       `path:"tenant"`
	Name         string       `path:"name"`
	ClientID     string       `json:"client_id"`
	ClientSecret vault.Secret `json:"client_secret" audit:"-"`
}

func (a *api) storeCredentials(ctx context.Context, in apiCredentials) (apiConnection, error) {
	return shown(a.StoreCredentials(ctx, in.Tenant, in.Name, in.ClientID, in.ClientSecret))
}

type apiStep struct {
	Step    string `json:"step"`
	Outcome string `json:"outcome"`
	Message string `json:"message,omitempty"`
	Took    int64  `json:"took_ms"`
}

type apiResult struct {
	Connected  bool      `json:"connected"`
	Message    string    `json:"message"`
	FailedStep string    `json:"failed_step,omitempty"`
	Steps      []apiStep `json:"steps"`
}

func (a *api) test(ctx context.Context, in apiName) (apiResult, error) {
	r, err := a.Test(ctx, in.Tenant, in.Name)
	out := apiResult{Connected: r.Connected, Message: r.Message, FailedStep: r.failedStep()}
	for _, st := range r.Steps {
		out.Steps = append(out.Steps, apiStep{st.Name, st.Outcome, st.Message, st.Took.Milliseconds()})
	}
	return out, err
}

// apiGrantee is who a grant is for, as access control lists have it.
type apiGrantee struct {
	User             string `json:"user_name,omitempty"`
	ServicePrincipal string `json:"service_principal_name,omitempty"`
	Group            string `json:"group_name,omitempty"`
}

type apiGrantIn struct {
	Tenant string `path:"tenant"`
	apiGrantee
}

func (in *apiGrantIn) grant() (Grant, error) {
	g := Grant{Tenant: in.Tenant}
	given := 0
	for _, f := range [...]struct{ kind, name string }{{toUser, in.User}, {toServicePrincipal, in.ServicePrincipal}, {toGroup, in.Group}} {
		if f.name != "" {
			g.Kind, g.Name = f.kind, f.name
			given++
		}
	}
	if given != 1 {
		return g, invalid("One of user_name, service_principal_name and group_name must say who it is for.")
	}
	return g, nil
}

type apiGrant struct {
	apiGrantee
	CreatedAt int64  `json:"created_at"`
	CreatedBy string `json:"created_by"`
}

type apiGrants struct {
	Grants []apiGrant `json:"grants"`
}

func (a *api) grant(ctx context.Context, in apiGrantIn) (endpoint.None, error) {
	g, err := in.grant()
	if err != nil {
		return endpoint.None{}, err
	}
	_, err = a.Grant(ctx, g)
	return endpoint.None{}, err
}

func (a *api) withdraw(ctx context.Context, in apiGrantIn) (endpoint.None, error) {
	g, err := in.grant()
	if err != nil {
		return endpoint.None{}, err
	}
	return endpoint.None{}, a.Withdraw(ctx, g)
}

func (a *api) grants(ctx context.Context, in struct {
	Tenant string `path:"tenant"`
},
) (apiGrants, error) {
	all, err := a.Grants(ctx, in.Tenant)
	out := apiGrants{Grants: make([]apiGrant, len(all))}
	for i, g := range all {
		who := apiGrantee{}
		switch g.Kind {
		case toUser:
			who.User = g.Name
		case toServicePrincipal:
			who.ServicePrincipal = g.Name
		default:
			who.Group = g.Name
		}
		out.Grants[i] = apiGrant{who, g.MadeAt.UnixMilli(), g.MadeBy}
	}
	return out, err
}
