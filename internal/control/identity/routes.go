package identity

import (
	"net/http"
	"strings"

	"github.com/tarn-data/tarn/internal/auth"
	"github.com/tarn-data/tarn/internal/endpoint"
)

// Routes are those of SCIM for the workspace and for the account, of passwords, and of service principals' secrets.
func (s *Service) Routes() []endpoint.Route {
	const (
		workspace = "/api/2.0/preview/scim/v2/"
		shorter   = "/api/2.0/scim/v2/"
		account   = "/api/2.0/accounts/{account_id}/scim/v2/"
		later     = "/api/2.1/accounts/{account_id}/scim/v2/"
	)
	routes := []endpoint.Route{{
		Method: http.MethodGet, Path: workspace + "Me", Also: []string{shorter + "Me"},
		Service: "identity", Action: "me", Summary: "Who calls", Scope: "scim", Dialect: endpoint.SCIM{}, Do: endpoint.Answering[Resource](endpoint.JSON(s.me)),
	}}
	for _, kind := range []auth.Kind{auth.User, auth.ServicePrincipal, Group} {
		routes = append(routes, s.resourceRoutes(kind, workspace, shorter, endpoint.Users)...)
		routes = append(routes, s.resourceRoutes(kind, account, later, endpoint.Admins)...)
	}
	return append(routes, s.credentialRoutes()...)
}

// resourceRoutes are those of one kind of resources. Only administrators change something.
func (s *Service) resourceRoutes(kind auth.Kind, base, also string, readers endpoint.Access) []endpoint.Route {
	one := strings.ToLower(string(kind[:1])) + string(kind[1:])
	all := base + string(kind) + "s"
	route := func(method, suffix, action, summary string, access endpoint.Access, do endpoint.Function) endpoint.Route {
		r := endpoint.Route{
			Method: method, Path: all + suffix, Also: []string{also + string(kind) + "s" + suffix},
			Service: "identity", Action: action, Summary: summary, Access: access, Scope: "scim", Dialect: endpoint.SCIM{}, Do: do,
		}
		if suffix != "" {
			r.Securable = "id"
		}
		return r
	}
	return []endpoint.Route{
		route(http.MethodGet, "", "list_"+one+"s", "Lists "+one+"s", readers, endpoint.Answering[listOutput](endpoint.JSON(s.list(kind)))),
		route(http.MethodPost, "", "create_"+one, "Makes a "+one, endpoint.Admins, endpoint.Answering[Resource](endpoint.JSON(s.create(kind)))),
		route(http.MethodGet, "/{id}", "get_"+one, "Gets a "+one, readers, endpoint.Answering[Resource](endpoint.JSON(s.get(kind)))),
		route(http.MethodPut, "/{id}", "update_"+one, "Replaces a "+one, endpoint.Admins, endpoint.Answering[Resource](endpoint.JSON(s.replace(kind)))),
		route(http.MethodPatch, "/{id}", "patch_"+one, "Changes a "+one, endpoint.Admins, endpoint.Answering[Resource](endpoint.JSON(s.patch(kind)))),
		route(http.MethodDelete, "/{id}", "delete_"+one, "Deletes a "+one, endpoint.Admins, endpoint.Answering[endpoint.None](endpoint.JSON(s.remove(kind)))),
	}
}

func (s *Service) credentialRoutes() []endpoint.Route {
	const (
		account   = "/api/2.0/accounts/{account_id}/servicePrincipals/{service_principal_id}/credentials/secrets"
		workspace = "/api/2.0/accounts/servicePrincipals/{service_principal_id}/credentials/secrets"
	)
	route := func(method, suffix, action, summary string, do endpoint.Function) endpoint.Route {
		return endpoint.Route{
			Method: method, Path: account + suffix, Service: "servicePrincipalSecrets", Action: action, Summary: summary,
			Securable: "service_principal_id", Access: endpoint.Users, Do: do,
		}
	}
	routes := []endpoint.Route{
		route(http.MethodPost, "", "create", "Makes a secret of a service principal", endpoint.JSON(s.createSecret)),
		route(http.MethodGet, "", "list", "Lists the secrets of a service principal", endpoint.JSON(s.listSecrets)),
		route(http.MethodDelete, "/{secret_id}", "delete", "Deletes a secret of a service principal", endpoint.JSON(s.deleteSecret)),
	}
	for _, r := range routes[:3] {
		r.Path = strings.Replace(r.Path, account, workspace, 1)
		routes = append(routes, r)
	}
	return append(routes, endpoint.Route{
		Method: http.MethodPut, Path: "/api/2.0/tarn/users/{id}/password", Service: "identity", Action: "setPassword",
		Summary: "Sets a user's password", Securable: "id", Access: endpoint.Users, Do: endpoint.JSON(s.setPassword),
	})
}
