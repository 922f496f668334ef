package server

import (
	"net/http"
	"strconv"

	"github.com/tarn-data/tarn/internal/endpoint"
	"github.com/tarn-data/tarn/internal/endpoint/openapi"
)

// openAPIPath is where the document of all routes is.
const openAPIPath = "/api/2.0/openapi.json"

// withDocument adds the route of the document that describes all routes, with itself.
func withDocument(version string, routes []endpoint.Route) ([]endpoint.Route, error) {
	var document []byte
	routes = append(routes, endpoint.Route{
		Method: http.MethodGet, Path: openAPIPath, Service: "discovery", Action: "getOpenApi", Access: endpoint.Anyone,
		Summary: "This document",
		Do: endpoint.Raw(func(w http.ResponseWriter, _ *http.Request, _ *endpoint.Call) error {
			h := w.Header()
			h.Set("Content-Type", "application/json")
			h.Set("Content-Length", strconv.Itoa(len(document)))
			_, _ = w.Write(document) // the client may be gone
			return nil
		}),
	})
	var err error
	document, err = openapi.Document(openapi.Info{
		Title: "Tarn", Version: version,
		Description: "The platform API of this server. What a database's Data API serves, its own root document says.",
	}, append(dataAPIRoutes(), routes...))
	return routes, err
}

// dataAPIRoutes are the Data API's, for the document alone.
func dataAPIRoutes() []endpoint.Route {
	const path = lakebasePath + "{workspace_id}/rest/{database}/{schema}/{relation}"
	served := endpoint.Raw(func(http.ResponseWriter, *http.Request, *endpoint.Call) error {
		return endpoint.NotFound("The Data API is not served here.")
	})
	row := func(method, path, action, summary string) endpoint.Route {
		return endpoint.Route{Method: method, Path: path, Service: dataAPIService, Action: action, Summary: summary, Do: served}
	}
	const root = lakebasePath + "{workspace_id}/rest/{database}/{schema}/"
	return []endpoint.Route{
		row(http.MethodGet, root, "describe", "Describe the relations and routines of a schema"),
		row(http.MethodGet, path, "read", "Read rows of a relation"),
		row(http.MethodPost, path, "insert", "Insert rows into a relation"),
		row(http.MethodPatch, path, "update", "Change rows of a relation"),
		row(http.MethodPut, path, "upsert", "Insert or replace a row of a relation"),
		row(http.MethodDelete, path, "delete", "Delete rows of a relation"),
		row(http.MethodPost, root+"rpc/{routine}", "call", "Call a routine"),
		row(http.MethodGet, root+"rpc/{routine}", "callReadOnly", "Call a routine that changes nothing"),
	}
}
