package cli

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/alecthomas/kong"
)

type principalCommand struct {
	List    listCommand      `cmd:"" help:"List service principals."`
	Create  appCreateCommand `cmd:"" help:"Make a service principal, and the role that it has in the Data API."`
	Get     getCommand       `cmd:"" help:"Show a service principal."`
	Delete  deleteCommand    `cmd:"" help:"Delete a service principal. Its role in the Data API stays, with what it owns, but nobody can use it."`
	Secrets secretsCommand   `cmd:"" help:"Make, list and delete a service principal's secrets."`
}

// AfterApply binds the kind that the commands are about.
func (principalCommand) AfterApply(k *kong.Context) error {
	k.Bind(apps)
	return nil
}

type appCreateCommand struct {
	target        `embed:""`
	DisplayName   string   `arg:"" help:"Name that people see."`
	ApplicationID string   `help:"Its UUID, if it has one already."`
	Entitlement   []string `help:"What it is entitled to."`
}

// Run makes a service principal.
func (c *appCreateCommand) Run(e *env) error {
	return c.create(e, apps, principal{DisplayName: c.DisplayName, ApplicationID: c.ApplicationID, Entitlements: entitled(c.Entitlement)})
}

type secretsCommand struct {
	Create secretCreateCommand `cmd:"" help:"Make a secret, and print it: it is shown this once."`
	List   secretListCommand   `cmd:"" help:"List secrets."`
	Delete secretDeleteCommand `cmd:"" help:"Delete a secret, which is of no use any more at once."`
}

func secretsPath(p *principal) string {
	return "/api/2.0/accounts/servicePrincipals/" + p.ID + "/credentials/secrets"
}

type secretCreateCommand struct {
	onePrincipal
	Lifetime time.Duration `help:"How long the secret is good: two years if nothing is said."`
}

// Run makes a secret.
func (c *secretCreateCommand) Run(e *env) error {
	client, p, err := c.find(e, apps)
	if err != nil {
		return err
	}
	in := map[string]string{}
	if c.Lifetime != 0 {
		in["lifetime"] = strconv.FormatInt(int64(c.Lifetime/time.Second), 10) + "s"
	}
	var out map[string]any
	if err := client.Do(e.ctx, http.MethodPost, secretsPath(p), in, &out); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(e, out)
	}
	_, err = fmt.Fprintf(e.stdout, "client id      %s\nclient secret  %v\nid             %v\nexpires        %v\n", p.ApplicationID, out["secret"], out["id"], out["expire_time"])
	return err
}

type secretListCommand struct{ onePrincipal }

// Run lists secrets.
func (c *secretListCommand) Run(e *env) error {
	client, p, err := c.find(e, apps)
	if err != nil {
		return err
	}
	var out struct {
		Secrets []struct {
			ID      string `json:"id"`
			Status  string `json:"status"`
			Created string `json:"create_time"`
			Expires string `json:"expire_time"`
			Used    string `json:"last_used_time,omitempty"`
		} `json:"secrets"`
	}
	if err := client.Get(e.ctx, secretsPath(p), nil, &out); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(e, out)
	}
	rows := [][]string{{"ID", "STATUS", "CREATED", "EXPIRES", "LAST USED"}}
	for _, s := range out.Secrets {
		rows = append(rows, []string{s.ID, s.Status, s.Created, s.Expires, s.Used})
	}
	return table(e, rows)
}

type secretDeleteCommand struct {
	onePrincipal
	ID string `arg:"" help:"Id of the secret."`
}

// Run deletes a secret.
func (c *secretDeleteCommand) Run(e *env) error {
	client, p, err := c.find(e, apps)
	if err != nil {
		return err
	}
	return client.Do(e.ctx, http.MethodDelete, secretsPath(p)+"/"+url.PathEscape(c.ID), nil, nil)
}
