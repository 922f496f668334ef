package databases

import (
	"net/http"

	"github.com/tarn-data/tarn/internal/endpoint"
)

// Routes are the operations of the API.
func (s *Service) Routes() []endpoint.Route {
	const (
		instances = "/api/2.0/database/instances"
		catalogs  = "/api/2.0/database/catalogs"
		tables    = "/api/2.0/database/synced_tables"
	)
	row := func(method, path, action, summary string, do endpoint.Function) endpoint.Route {
		return endpoint.Route{Method: method, Path: path, Service: "database", Action: action, Summary: summary, Securable: "name", Do: do}
	}
	return []endpoint.Route{
		row(http.MethodPost, instances, "createDatabaseInstance", "Make a database instance", endpoint.JSON(s.createInstance)),
		row(http.MethodGet, instances, "listDatabaseInstances", "List the database instances", endpoint.JSON(s.listInstances)),
		row(http.MethodGet, instances+":findByUid", "findDatabaseInstanceByUid", "Find a database instance", endpoint.JSON(s.findInstance)),
		row(http.MethodGet, instances+"/{name}", "getDatabaseInstance", "Get a database instance", endpoint.JSON(s.getInstance)),
		row(http.MethodPatch, instances+"/{name}", "updateDatabaseInstance", "Change a database instance", endpoint.JSON(s.updateInstance)),
		row(http.MethodDelete, instances+"/{name}", "deleteDatabaseInstance", "Delete a database instance", endpoint.JSON(s.deleteInstance)),
		row(http.MethodPost, "/api/2.0/database/credentials", "generateDatabaseCredential", "Make a password for PostgreSQL", endpoint.JSON(s.generateCredential)),
		row(http.MethodPost, "/api/2.0/postgres/credentials", "generateEndpointCredential", "Make a password for PostgreSQL", endpoint.JSON(s.generateEndpointCredential)),
		row(http.MethodPost, catalogs, "createDatabaseCatalog", "Make a catalog of a database", endpoint.JSON(s.createCatalog)),
		row(http.MethodGet, instances+"/{name}/catalogs", "listDatabaseCatalogs", "List the catalogs of an instance", endpoint.JSON(s.listCatalogs)),
		row(http.MethodGet, catalogs+"/{name}", "getDatabaseCatalog", "Get a catalog of a database", endpoint.JSON(s.getCatalog)),
		row(http.MethodDelete, catalogs+"/{name}", "deleteDatabaseCatalog", "Delete a catalog of a database", endpoint.JSON(s.deleteCatalog)),
		row(http.MethodPost, tables, "createSyncedDatabaseTable", "Make a synced table", endpoint.JSON(s.createTable)),
		row(http.MethodGet, instances+"/{name}/synced_tables", "listSyncedDatabaseTables", "List the synced tables of an instance", endpoint.JSON(s.listTables)),
		row(http.MethodGet, tables+"/{name}", "getSyncedDatabaseTable", "Get a synced table", endpoint.JSON(s.getTable)),
		row(http.MethodDelete, tables+"/{name}", "deleteSyncedDatabaseTable", "Delete a synced table", endpoint.JSON(s.deleteTable)),
		{
			Method: http.MethodPost, Path: "/api/2.0/pipelines/{id}/updates", Service: "pipelines", Action: "startUpdate",
			Summary: "Sync the table of a pipeline now", Securable: "id", Do: endpoint.JSON(s.startUpdate),
		},
	}
}
