package cli

import (
	"fmt"
	"net/http"
	"net/url"
)

type connectionCommand struct {
	Create      connectionCreateCommand      `cmd:"" help:"Connect a tenant to a workspace. With --client-id, the secret is read from standard input or a file."`
	List        connectionListCommand        `cmd:"" help:"List the connections that you may manage."`
	Credentials connectionCredentialsCommand `cmd:"" help:"Store or replace the credentials of a connection. The secret is read from standard input or a file."`
	Test        connectionTestCommand        `cmd:"" help:"Test a connection. The exit status tells whether it works."`
	Revoke      connectionRevokeCommand      `cmd:"" help:"Take the credentials of a connection away."`
	Delete      connectionDeleteCommand      `cmd:"" help:"Delete a connection."`
	Grant       connectionGrantCommand       `cmd:"" help:"Let somebody manage the connections and credentials of a tenant."`
	Ungrant     connectionUngrantCommand     `cmd:"" help:"Take that right back."`
	Grants      connectionGrantsCommand      `cmd:"" help:"List who has that right."`
}

const connectionsPath = "/api/2.0/tarn/connections"

type connectionInfo struct {
	ID           string `json:"connection_id"`
	Tenant       string `json:"tenant"`
	Name         string `json:"name"`
	WorkspaceURL string `json:"workspace_url"`
	WarehouseID  string `json:"warehouse_id"`
	ClientID     string `json:"client_id,omitempty"`
	Status       string `json:"status"`
	TestMessage  string `json:"test_message,omitempty"`
}

func (t *target) showConnections(e *env, out any, all ...connectionInfo) error {
	if t.JSON {
		return printJSON(e, out)
	}
	rows := [][]string{{"TENANT", "NAME", "STATUS", "WORKSPACE", "LAST TEST"}}
	for _, i := range all {
		rows = append(rows, []string{i.Tenant, i.Name, i.Status, i.WorkspaceURL, i.TestMessage})
	}
	return table(e, rows)
}

type connectionCreateCommand struct {
	target       `embed:""`
	Tenant       string `arg:"" help:"Tenant whose connection it is."`
	Name         string `arg:"" help:"Name of the connection."`
	WorkspaceURL string `required:"" help:"HTTPS address of the workspace."`
	WarehouseID  string `required:"" help:"SQL warehouse there."`
	ClientID     string `help:"Client id of the service principal to log in as."`
	SecretFile   string `type:"path" help:"File with its secret, in place of standard input."`
}

// Run makes a connection.
func (c *connectionCreateCommand) Run(e *env) error {
	in := map[string]string{"tenant": c.Tenant, "name": c.Name, "workspace_url": c.WorkspaceURL, "warehouse_id": c.WarehouseID}
	if c.ClientID != "" {
		secret, err := readValue(c.SecretFile)
		if err != nil {
			return err
		}
		in["client_id"], in["client_secret"] = c.ClientID, secret
	}
	var out connectionInfo
	if err := c.do(e, http.MethodPost, connectionsPath, in, &out); err != nil {
		return err
	}
	return c.showConnections(e, out, out)
}

type connectionListCommand struct {
	target `embed:""`
	Tenant string `help:"List only those of a tenant."`
}

// Run lists connections.
func (c *connectionListCommand) Run(e *env) error {
	query := url.Values{}
	if c.Tenant != "" {
		query.Set("tenant", c.Tenant)
	}
	var out struct {
		Connections []connectionInfo `json:"connections"`
	}
	if err := c.get(e, connectionsPath, query, &out); err != nil {
		return err
	}
	return c.showConnections(e, out, out.Connections...)
}

// oneConnection is a connection that a command is about.
type oneConnection struct {
	target `embed:""`
	Tenant string `arg:"" help:"Tenant whose connection it is."`
	Name   string `arg:"" help:"Name of the connection."`
}

func (c *oneConnection) path() string {
	return connectionsPath + "/" + url.PathEscape(c.Tenant) + "/" + url.PathEscape(c.Name)
}

type connectionCredentialsCommand struct {
	oneConnection
	ClientID   string `required:"" help:"Client id of the service principal to log in as."`
	SecretFile string `type:"path" help:"File with its secret, in place of standard input."`
}

// Run stores credentials.
func (c *connectionCredentialsCommand) Run(e *env) error {
	secret, err := readValue(c.SecretFile)
	if err != nil {
		return err
	}
	var out connectionInfo
	in := map[string]string{"client_id": c.ClientID, "client_secret": secret}
	if err := c.do(e, http.MethodPut, c.path()+"/credentials", in, &out); err != nil {
		return err
	}
	return c.showConnections(e, out, out)
}

type connectionTestCommand struct{ oneConnection }

// Run tests a connection.
func (c *connectionTestCommand) Run(e *env) error {
	var out struct {
		Connected  bool   `json:"connected"`
		Message    string `json:"message"`
		FailedStep string `json:"failed_step,omitempty"`
	}
	if err := c.do(e, http.MethodPost, c.path()+"/test", nil, &out); err != nil {
		return err
	}
	var err error
	if c.JSON {
		err = printJSON(e, out)
	} else {
		_, err = fmt.Fprintln(e.stdout, out.Message)
	}
	if err == nil && !out.Connected {
		return quiet{1}
	}
	return err
}

type connectionRevokeCommand struct{ oneConnection }

// Run revokes a connection.
func (c *connectionRevokeCommand) Run(e *env) error {
	return c.do(e, http.MethodPost, c.path()+"/revoke", nil, nil)
}

type connectionDeleteCommand struct{ oneConnection }

// Run deletes a connection.
func (c *connectionDeleteCommand) Run(e *env) error {
	return c.do(e, http.MethodDelete, c.path(), nil, nil)
}

// tenantGrant is who a grant is for.
type tenantGrant struct {
	target           `embed:""`
	Tenant           string `arg:"" help:"Tenant that is granted."`
	User             string `xor:"who" required:"" help:"User name."`
	ServicePrincipal string `xor:"who" required:"" help:"Application id of a service principal."`
	Group            string `xor:"who" required:"" help:"Name of a group."`
}

func grantsPath(tenant string) string {
	return "/api/2.0/tarn/tenants/" + url.PathEscape(tenant) + "/grants"
}

func (c *tenantGrant) who() (field, name string) {
	switch {
	case c.User != "":
		return "user_name", c.User
	case c.ServicePrincipal != "":
		return "service_principal_name", c.ServicePrincipal
	}
	return "group_name", c.Group
}

type connectionGrantCommand struct{ tenantGrant }

// Run grants a tenant.
func (c *connectionGrantCommand) Run(e *env) error {
	field, name := c.who()
	return c.do(e, http.MethodPut, grantsPath(c.Tenant), map[string]string{field: name}, nil)
}

type connectionUngrantCommand struct{ tenantGrant }

// Run takes a grant back.
func (c *connectionUngrantCommand) Run(e *env) error {
	field, name := c.who()
	return c.do(e, http.MethodDelete, grantsPath(c.Tenant)+"?"+url.Values{field: {name}}.Encode(), nil, nil)
}

type connectionGrantsCommand struct {
	target `embed:""`
	Tenant string `arg:"" help:"Tenant that is granted."`
}

// Run lists grants.
func (c *connectionGrantsCommand) Run(e *env) error {
	var out struct {
		Grants []struct {
			User             string `json:"user_name,omitempty"`
			ServicePrincipal string `json:"service_principal_name,omitempty"`
			Group            string `json:"group_name,omitempty"`
			CreatedAt        int64  `json:"created_at"`
			CreatedBy        string `json:"created_by"`
		} `json:"grants"`
	}
	if err := c.get(e, grantsPath(c.Tenant), nil, &out); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(e, out)
	}
	rows := [][]string{{"KIND", "NAME", "GRANTED", "BY"}}
	for _, g := range out.Grants {
		kind, name := "group", g.Group
		if g.User != "" {
			kind, name = "user", g.User
		} else if g.ServicePrincipal != "" {
			kind, name = "service principal", g.ServicePrincipal
		}
		rows = append(rows, []string{kind, name, moment(g.CreatedAt), g.CreatedBy})
	}
	return table(e, rows)
}
