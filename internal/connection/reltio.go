package connection

import (
	"context"
	"net/http"
	"time"

	"github.com/tarn-data/tarn/internal/endpoint"
	"github.com/tarn-data/tarn/internal/fault"
	"github.com/tarn-data/tarn/internal/vault"
)

const (
	reltioBase   = "/reltio/api/tenants/{tenantId}/interactions/database-configs"
	databaseType = "DATABRICKS"
	stringOK     = "success"
	stringFailed = "error"
	storedWords  = "Databricks M2M OAuth credentials stored successfully"
)

// ReltioRoutes are the routes of connections with the paths, names and shapes that clients of Reltio know.
func (s *Service) ReltioRoutes() []endpoint.Route {
	r := &reltio{s}
	route := func(method, path, action, summary string, do endpoint.Function) endpoint.Route {
		return endpoint.Route{
			Method: method, Path: reltioBase + path, Service: "connections", Action: action, Summary: summary,
			Securable: "connectionName", Dialect: reltioDialect{s.now}, Timeout: time.Minute, MaxBody: maxBody, Do: do,
		}
	}
	return []endpoint.Route{
		route(http.MethodPost, "/databricks/oauth/credentials", "createConnection", "Create a connection and store its OAuth credentials", endpoint.JSON(r.createAndStore)),
		route(http.MethodPost, "", "createConnection", "Create a connection", endpoint.JSON(r.create)),
		route(http.MethodPost, "/{connectionName}/databricks/oauth/credentials", "storeCredentials", "Store or replace the OAuth credentials of a connection", endpoint.JSON(r.storeCredentials)),
		route(http.MethodPost, "/{connectionName}/test", "testConnection", "Test a connection", endpoint.JSON(r.test)),
		route(http.MethodGet, "", "listConnections", "List the connections of a tenant", endpoint.JSON(r.list)),
		route(http.MethodGet, "/{connectionName}", "getConnection", "Get a connection", endpoint.JSON(r.get)),
		route(http.MethodPost, "/{connectionName}/revoke", "revokeConnection", "Take the credentials of a connection away", endpoint.JSON(r.revoke)),
		route(http.MethodDelete, "/{connectionName}", "deleteConnection", "Delete a connection", endpoint.JSON(r.delete)),
	}
}

// maxBody is how many bytes a request may have.
const maxBody = 64 << 10

type reltio struct{ *Service }

type answer[T any] struct {
	Successful bool `json:"successful"`
	Result     T    `json:"result"`
}

func answered[T any](result T) answer[T] { return answer[T]{Successful: true, Result: result} }

type confirmation struct {
	ID        string `json:"connectionId"`
	Name      string `json:"connectionName"`
	Message   string `json:"message"`
	Status    string `json:"status"`
	Timestamp int64  `json:"timestamp"`
}

func (r *reltio) confirm(c *Connection, message string) answer[confirmation] {
	return answered(confirmation{ID: c.ID, Name: c.Name, Message: message, Status: stringOK, Timestamp: r.now().UnixMilli()})
}

type reltioCreateAndStore struct {
	Tenant       string       `path:"tenantId"`
	Name         string       `json:"connectionName"`
	WorkspaceURL string       `json:"workspaceUrl"`
	WarehouseID  string       `json:"warehouseId"`
	ClientID     string       `json:"clientId"`
	ClientSecret vault.Secret `json:"clientSecret" audit:"-"`
}

func (r *reltio) createAndStore(ctx context.Context, in reltioCreateAndStore) (answer[confirmation], error) {
	c, err := r.Create(ctx, New{
		Tenant: in.Tenant, Name: in.Name, WorkspaceURL: in.WorkspaceURL, WarehouseID: in.WarehouseID,
		ClientID: in.ClientID, ClientSecret: in.ClientSecret,
	}, true)
	if err != nil {
		return answer[confirmation]{}, err
	}
	return r.confirm(c, storedWords), nil
}

type reltioCreate struct {
	Tenant       string `path:"tenantId"`
	Name         string `json:"connection_name"`
	DatabaseType string `json:"database_type"`
	Databricks   struct {
		Workspace struct {
			URL    string `json:"workspace_url"`
			ID     string `json:"workspace_id"`
			Region string `json:"region"`
			Cloud  string `json:"cloud_provider"`
		} `json:"workspace"`
		Warehouse struct {
			ID string `json:"warehouse_id"`
		} `json:"warehouse"`
		Catalog string `json:"catalog"`
	} `json:"databricks_config"`
}

func (r *reltio) create(ctx context.Context, in reltioCreate) (answer[confirmation], error) {
	if in.DatabaseType != databaseType {
		return answer[confirmation]{}, invalid("The database_type must be " + databaseType + ".")
	}
	d := in.Databricks
	c, err := r.Create(ctx, New{
		Tenant: in.Tenant, Name: in.Name, WorkspaceURL: d.Workspace.URL, WarehouseID: d.Warehouse.ID, Catalog: d.Catalog,
		WorkspaceID: d.Workspace.ID, Region: d.Workspace.Region, Cloud: d.Workspace.Cloud,
	}, false)
	if err != nil {
		return answer[confirmation]{}, err
	}
	return r.confirm(c, "Databricks connection configuration saved successfully"), nil
}

type reltioStore struct {
	Tenant       string       `path:"tenantId"`
	Name         string       `path:"connectionName"`
	ClientID     string       `json:"clientId"`
	ClientSecret vault.Secret `json:"clientSecret" audit:"-"`
}

func (r *reltio) storeCredentials(ctx context.Context, in reltioStore) (answer[confirmation], error) {
	c, err := r.StoreCredentials(ctx, in.Tenant, in.Name, in.ClientID, in.ClientSecret)
	if err != nil {
		return answer[confirmation]{}, err
	}
	return r.confirm(c, storedWords), nil
}

type reltioName struct {
	Tenant string `path:"tenantId"`
	Name   string `path:"connectionName"`
}

type reltioTested struct {
	Connected    bool   `json:"connected"`
	DatabaseType string `json:"databaseType"`
	Message      string `json:"message"`
	FailedStep   string `json:"failedStep,omitempty"`
}

// reltioTestAnswer is both forms that the vendor's documents have had: result, and before it data.
type reltioTestAnswer struct {
	answer[reltioTested]

	Status string       `json:"status"`
	Data   reltioTested `json:"data"`
}

func (r *reltio) test(ctx context.Context, in reltioName) (reltioTestAnswer, error) {
	result, err := r.Test(ctx, in.Tenant, in.Name)
	if err != nil {
		return reltioTestAnswer{}, err
	}
	t := reltioTested{Connected: result.Connected, DatabaseType: databaseType, Message: result.Message, FailedStep: result.failedStep()}
	return reltioTestAnswer{answered(t), stringOK, t}, nil
}

type reltioConnection struct {
	ID           string `json:"connectionId"`
	Name         string `json:"connectionName"`
	DatabaseType string `json:"databaseType"`
	WorkspaceURL string `json:"workspaceUrl"`
	WarehouseID  string `json:"warehouseId"`
	Catalog      string `json:"catalog,omitempty"`
	WorkspaceID  string `json:"workspaceId,omitempty"`
	Region       string `json:"region,omitempty"`
	Cloud        string `json:"cloudProvider,omitempty"`
	ClientID     string `json:"clientId,omitempty"`
	Status       Status `json:"status"`
	CreatedTime  int64  `json:"createdTime"`
	CreatedBy    string `json:"createdBy"`
	UpdatedTime  int64  `json:"updatedTime"`
}

func newReltioConnection(c *Connection) reltioConnection {
	return reltioConnection{
		ID: c.ID, Name: c.Name, DatabaseType: databaseType, WorkspaceURL: c.WorkspaceURL, WarehouseID: c.WarehouseID, Catalog: c.Catalog,
		WorkspaceID: c.WorkspaceID, Region: c.Region, Cloud: c.Cloud, ClientID: c.ClientID, Status: c.Status,
		CreatedTime: c.MadeAt.UnixMilli(), CreatedBy: c.MadeBy, UpdatedTime: c.ChangedAt.UnixMilli(),
	}
}

func (r *reltio) list(ctx context.Context, in struct {
	Tenant string `path:"tenantId"`
},
) (answer[[]reltioConnection], error) {
	all, err := r.List(ctx, in.Tenant)
	out := make([]reltioConnection, len(all))
	for i, c := range all {
		out[i] = newReltioConnection(c)
	}
	return answered(out), err
}

func (r *reltio) get(ctx context.Context, in reltioName) (answer[reltioConnection], error) {
	c, err := r.Get(ctx, in.Tenant, in.Name)
	if err != nil {
		return answer[reltioConnection]{}, err
	}
	return answered(newReltioConnection(c)), nil
}

func (r *reltio) revoke(ctx context.Context, in reltioName) (answer[confirmation], error) {
	c, err := r.Revoke(ctx, in.Tenant, in.Name)
	if err != nil {
		return answer[confirmation]{}, err
	}
	return r.confirm(c, "Databricks connection revoked successfully"), nil
}

func (r *reltio) delete(ctx context.Context, in reltioName) (answer[confirmation], error) {
	c, err := r.Get(ctx, in.Tenant, in.Name)
	if err != nil {
		return answer[confirmation]{}, err
	}
	if err := r.Delete(ctx, in.Tenant, in.Name); err != nil {
		return answer[confirmation]{}, err
	}
	return r.confirm(c, "Databricks connection deleted successfully"), nil
}

// reltioDialect writes faults in the shape that success has.
type reltioDialect struct{ now func() time.Time }

// WriteFault implements endpoint.Dialect.
func (d reltioDialect) WriteFault(w http.ResponseWriter, f *fault.Error, requestID string) {
	type result struct {
		Code      string `json:"errorCode"`
		Message   string `json:"message"`
		Action    string `json:"recommendedAction,omitempty"`
		Status    string `json:"status"`
		Timestamp int64  `json:"timestamp"`
		RequestID string `json:"requestId,omitempty"`
	}
	endpoint.WriteFaultBody(w, f, "application/json", answer[result]{Result: result{
		Code: endpoint.PlatformCode(f), Message: f.Message, Action: f.Hint, Status: stringFailed, Timestamp: d.now().UnixMilli(), RequestID: requestID,
	}})
}
