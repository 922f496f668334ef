package server

import (
	"net/http"
	"strconv"

	"github.com/tarn-data/tarn/internal/endpoint"
	"github.com/tarn-data/tarn/internal/store"
)

// discovery are the routes by which clients find out what they talk to.
func discovery(ws store.Workspace, origin func(*http.Request) string) []endpoint.Route {
	type document struct {
		OIDC        string `json:"oidc_endpoint"`
		WorkspaceID string `json:"workspace_id"`
		AccountID   string `json:"account_id"`
		Cloud       string `json:"cloud"`
		HostType    string `json:"host_type"`
	}
	return []endpoint.Route{{
		Method: http.MethodGet, Path: "/.well-known/databricks-config", Access: endpoint.Anyone,
		Service: "discovery", Action: "getConfig", Summary: "What this host is, for clients that log in",
		Do: endpoint.Raw(func(w http.ResponseWriter, r *http.Request, _ *endpoint.Call) error {
			return endpoint.Write(w, document{
				OIDC: origin(r) + "/oidc", WorkspaceID: strconv.FormatInt(ws.ID, 10), AccountID: ws.AccountID,
				Cloud: "AWS", HostType: "workspace",
			})
		}),
	}}
}
