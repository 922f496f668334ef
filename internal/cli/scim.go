package cli

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/tarn-data/tarn/internal/apiclient"
)

// kind is a kind of principals, as paths have it.
type kind string

const (
	users  kind = "Users"
	groups kind = "Groups"
	apps   kind = "ServicePrincipals"
)

// path is that of all principals of the kind, or of one.
func (k kind) path(id string) string {
	path := "/api/2.0/preview/scim/v2/" + string(k)
	if id != "" {
		path += "/" + id
	}
	return path
}

func (k kind) noun() string {
	return map[kind]string{users: "user", groups: "group", apps: "principal"}[k]
}

// scimValue is one of many values.
type scimValue struct {
	Value   string `json:"value"`
	Display string `json:"display,omitempty"`
	Type    string `json:"type,omitempty"`
}

// principal is a user, service principal or group as the API has it.
type principal struct {
	ID            string      `json:"id,omitempty"`
	UserName      string      `json:"userName,omitempty"`
	ApplicationID string      `json:"applicationId,omitempty"`
	DisplayName   string      `json:"displayName,omitempty"`
	Active        *bool       `json:"active,omitempty"`
	Entitlements  []scimValue `json:"entitlements,omitempty"`
	Groups        []scimValue `json:"groups,omitempty"`
	Members       []scimValue `json:"members,omitempty"`
}

func (p *principal) name() string {
	switch {
	case p.UserName != "":
		return p.UserName
	case p.ApplicationID != "":
		return p.ApplicationID
	}
	return p.DisplayName
}

// find finds a principal by its id or its name.
func find(e *env, c *apiclient.Client, k kind, which string) (*principal, error) {
	var p principal
	if _, err := strconv.ParseUint(which, 10, 64); err == nil {
		return &p, c.Get(e.ctx, k.path(which), nil, &p)
	}
	attribute := map[kind]string{users: "userName", groups: "displayName", apps: "applicationId"}[k]
	list, err := listPrincipals(e, c, k, attribute+" eq "+strconv.Quote(which))
	if err == nil && len(list) == 0 && k == apps {
		list, err = listPrincipals(e, c, k, "displayName eq "+strconv.Quote(which))
	}
	switch {
	case err != nil:
		return nil, err
	case len(list) == 0:
		return nil, withHint(fmt.Errorf("there is no %s of the name %s", k.noun(), which), "tarn "+k.noun()+" list shows all.")
	case len(list) > 1:
		return nil, withHint(fmt.Errorf("%d have the name %s", len(list), which), "Say which one by its id.")
	}
	return &list[0], nil
}

func listPrincipals(e *env, c *apiclient.Client, k kind, filter string) ([]principal, error) {
	var all []principal
	for start := 1; ; {
		query := url.Values{"startIndex": {strconv.Itoa(start)}, "count": {"1000"}}
		if filter != "" {
			query.Set("filter", filter)
		}
		var page struct {
			Resources []principal `json:"Resources"`
			Total     int         `json:"totalResults"`
		}
		if err := c.Get(e.ctx, k.path(""), query, &page); err != nil {
			return nil, err
		}
		all = append(all, page.Resources...)
		if start += len(page.Resources); len(page.Resources) == 0 || start > page.Total {
			return all, nil
		}
	}
}

// printPrincipals prints a list for people, or as the API has it.
func printPrincipals(e *env, asJSON bool, list []principal) error {
	if asJSON {
		return printJSON(e, list)
	}
	rows := [][]string{{"ID", "NAME", "DISPLAY NAME", "ACTIVE", "GROUPS"}}
	for i := range list {
		p := &list[i]
		active := ""
		if p.Active != nil {
			active = strconv.FormatBool(*p.Active)
		}
		rows = append(rows, []string{p.ID, p.name(), p.DisplayName, active, displays(p.Groups)})
	}
	return table(e, rows)
}

func displays(list []scimValue) string {
	var names []string
	for _, v := range list {
		if v.Type != "indirect" {
			names = append(names, v.Display)
		}
	}
	return strings.Join(names, ", ")
}

// patch changes a principal by one operation.
func patch(e *env, c *apiclient.Client, k kind, id, op, path string, value any) error {
	operation := map[string]any{"op": op, "path": path}
	if value != nil {
		operation["value"] = value
	}
	return c.Do(e.ctx, http.MethodPatch, k.path(id), map[string]any{
		"schemas": []string{"urn:ietf:params:scim:api:messages:2.0:PatchOp"}, "Operations": []any{operation},
	}, nil)
}

func entitled(names []string) (out []scimValue) {
	for _, n := range names {
		out = append(out, scimValue{Value: n})
	}
	return out
}

// The commands that all kinds have. Which one it is, the command above them binds.

type listCommand struct {
	target `embed:""`
	Filter string `placeholder:"FILTER" help:"Only those that a filter of SCIM finds, such as 'displayName sw \"a\"'."`
}

// Run lists principals.
func (c *listCommand) Run(e *env, k kind) error {
	client, err := c.client(e)
	if err != nil {
		return err
	}
	list, err := listPrincipals(e, client, k, c.Filter)
	if err != nil {
		return err
	}
	return printPrincipals(e, c.JSON, list)
}

// onePrincipal is who a command is about.
type onePrincipal struct {
	target `embed:""`
	Which  string `arg:"" help:"Name or id; of a service principal, its application id as well."`
}

func (c *onePrincipal) find(e *env, k kind) (*apiclient.Client, *principal, error) {
	client, err := c.client(e)
	if err != nil {
		return nil, nil, err
	}
	p, err := find(e, client, k, c.Which)
	return client, p, err
}

type getCommand struct{ onePrincipal }

// Run shows a principal.
func (c *getCommand) Run(e *env, k kind) error {
	_, p, err := c.find(e, k)
	if err != nil {
		return err
	}
	return printJSON(e, p)
}

type deleteCommand struct{ onePrincipal }

// Run deletes a principal.
func (c *deleteCommand) Run(e *env, k kind) error {
	client, p, err := c.find(e, k)
	if err != nil {
		return err
	}
	return client.Do(e.ctx, http.MethodDelete, k.path(p.ID), nil, nil)
}

// create makes a principal and prints it.
func (t *target) create(e *env, k kind, in principal) error {
	var made principal
	if err := t.do(e, http.MethodPost, k.path(""), in, &made); err != nil {
		return err
	}
	return printPrincipals(e, t.JSON, []principal{made})
}
