package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/tarn-data/tarn/internal/apiclient"
)

const scimPath = "/api/2.0/preview/scim/v2/"

// The kinds of principals, as paths have them.
const (
	users  = "Users"
	groups = "Groups"
	apps   = "ServicePrincipals"
)

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
func find(e *env, c *apiclient.Client, kind, which string) (*principal, error) {
	var p principal
	if _, err := strconv.ParseUint(which, 10, 64); err == nil {
		return &p, c.Get(e.ctx, scimPath+kind+"/"+which, nil, &p)
	}
	attribute := map[string]string{users: "userName", groups: "displayName", apps: "applicationId"}[kind]
	list, err := listPrincipals(e, c, kind, attribute+" eq "+strconv.Quote(which))
	if err == nil && len(list) == 0 && kind == apps {
		list, err = listPrincipals(e, c, kind, "displayName eq "+strconv.Quote(which))
	}
	switch {
	case err != nil:
		return nil, err
	case len(list) == 0:
		return nil, withHint(fmt.Errorf("there is no %s of the name %s", noun(kind), which), "tarn "+noun(kind)+" list shows all.")
	case len(list) > 1:
		return nil, withHint(fmt.Errorf("%d have the name %s", len(list), which), "Say which one by its id.")
	}
	return &list[0], nil
}

func noun(kind string) string {
	return map[string]string{users: "user", groups: "group", apps: "principal"}[kind]
}

func listPrincipals(e *env, c *apiclient.Client, kind, filter string) ([]principal, error) {
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
		if err := c.Get(e.ctx, scimPath+kind, query, &page); err != nil {
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
func patch(e *env, c *apiclient.Client, kind, id, op, path string, value any) error {
	operation := map[string]any{"op": op, "path": path}
	if value != nil {
		operation["value"] = value
	}
	return c.Do(e.ctx, http.MethodPatch, scimPath+kind+"/"+id, map[string]any{
		"schemas": []string{"urn:ietf:params:scim:api:messages:2.0:PatchOp"}, "Operations": []any{operation},
	}, nil)
}

func entitled(names []string) (out []scimValue) {
	for _, n := range names {
		out = append(out, scimValue{Value: n})
	}
	return out
}

// The commands that all kinds have.

type listCommand struct {
	target `embed:""`
	Filter string `placeholder:"FILTER" help:"Only those that a filter of SCIM finds, such as 'displayName sw \"a\"'."`
}

func (c *listCommand) run(e *env, kind string) error {
	client, err := c.client(e)
	if err != nil {
		return err
	}
	list, err := listPrincipals(e, client, kind, c.Filter)
	if err != nil {
		return err
	}
	return printPrincipals(e, c.JSON, list)
}

type getCommand struct {
	target `embed:""`
	Which  string `arg:"" help:"Name or id."`
}

func (c *getCommand) run(e *env, kind string) error {
	client, err := c.client(e)
	if err != nil {
		return err
	}
	p, err := find(e, client, kind, c.Which)
	if err != nil {
		return err
	}
	return printJSON(e, p)
}

type deleteCommand struct {
	target `embed:""`
	Which  string `arg:"" help:"Name or id."`
}

func (c *deleteCommand) run(e *env, kind string) error {
	client, err := c.client(e)
	if err != nil {
		return err
	}
	p, err := find(e, client, kind, c.Which)
	if err != nil {
		return err
	}
	return client.Do(e.ctx, http.MethodDelete, scimPath+kind+"/"+p.ID, nil, nil)
}

// create makes a principal and prints it.
func (t *target) create(e *env, kind string, in principal) error {
	client, err := t.client(e)
	if err != nil {
		return err
	}
	var made principal
	if err := client.Do(e.ctx, http.MethodPost, scimPath+kind, in, &made); err != nil {
		return err
	}
	return printPrincipals(e, t.JSON, []principal{made})
}

type userCommand struct {
	List        userListCommand    `cmd:"" help:"List users."`
	Create      userCreateCommand  `cmd:"" help:"Make a user, and the role that the user has in the Data API."`
	Get         userGetCommand     `cmd:"" help:"Show a user."`
	Delete      userDeleteCommand  `cmd:"" help:"Delete a user. The role in the Data API stays, with what it owns, but nobody can use it."`
	SetPassword setPasswordCommand `cmd:"" help:"Set a user's password, which is read from the standard input."`
}

type (
	userListCommand struct {
		listCommand `embed:""`
	}
	userGetCommand struct {
		getCommand `embed:""`
	}
	userDeleteCommand struct {
		deleteCommand `embed:""`
	}
)

// Run lists users.
func (c *userListCommand) Run(e *env) error { return c.run(e, users) }

// Run shows a user.
func (c *userGetCommand) Run(e *env) error { return c.run(e, users) }

// Run deletes a user.
func (c *userDeleteCommand) Run(e *env) error { return c.run(e, users) }

type userCreateCommand struct {
	target      `embed:""`
	Name        string   `arg:"" help:"User name, most often an e-mail address."`
	DisplayName string   `help:"Name that people see."`
	Entitlement []string `help:"What the user is entitled to, such as allow-cluster-create."`
}

// Run makes a user.
func (c *userCreateCommand) Run(e *env) error {
	return c.create(e, users, principal{UserName: c.Name, DisplayName: c.DisplayName, Entitlements: entitled(c.Entitlement)})
}

type setPasswordCommand struct {
	target `embed:""`
	Which  string `arg:"" default:"me" help:"Name or id; your own if nothing is said."`
	Old    bool   `help:"Read your old password first: who isn't an administrator needs it."`
}

// Run sets a password.
func (c *setPasswordCommand) Run(e *env) error {
	client, err := c.client(e)
	if err != nil {
		return err
	}
	id := c.Which
	if id != "me" {
		p, err := find(e, client, users, c.Which)
		if err != nil {
			return err
		}
		id = p.ID
	}
	in, lines := map[string]string{}, bufio.NewReader(os.Stdin)
	if c.Old {
		if in["old_password"], err = readLine(lines); err != nil {
			return err
		}
	}
	if in["password"], err = readLine(lines); err != nil {
		return err
	}
	return client.Do(e.ctx, http.MethodPut, "/api/2.0/tarn/users/"+id+"/password", in, nil)
}

func readLine(r *bufio.Reader) (string, error) {
	line, err := r.ReadString('\n')
	line = strings.TrimRight(line, "\r\n")
	if line == "" && err != nil && errors.Is(err, io.EOF) {
		return "", withHint(errors.New("no password was given"), "It is read from the standard input: tarn user set-password NAME < FILE")
	}
	return line, nil
}

type groupCommand struct {
	List         groupListCommand   `cmd:"" help:"List groups."`
	Create       groupCreateCommand `cmd:"" help:"Make a group."`
	Get          groupGetCommand    `cmd:"" help:"Show a group."`
	Delete       groupDeleteCommand `cmd:"" help:"Delete a group."`
	AddMember    addMemberCommand   `cmd:"" help:"Make somebody a member of a group."`
	RemoveMember dropMemberCommand  `cmd:"" help:"Take somebody out of a group."`
}

type (
	groupListCommand struct {
		listCommand `embed:""`
	}
	groupGetCommand struct {
		getCommand `embed:""`
	}
	groupDeleteCommand struct {
		deleteCommand `embed:""`
	}
)

// Run lists groups.
func (c *groupListCommand) Run(e *env) error { return c.run(e, groups) }

// Run shows a group.
func (c *groupGetCommand) Run(e *env) error { return c.run(e, groups) }

// Run deletes a group.
func (c *groupDeleteCommand) Run(e *env) error { return c.run(e, groups) }

type groupCreateCommand struct {
	target      `embed:""`
	Name        string   `arg:"" help:"Name of the group."`
	Entitlement []string `help:"What the members are entitled to."`
}

// Run makes a group.
func (c *groupCreateCommand) Run(e *env) error {
	return c.create(e, groups, principal{DisplayName: c.Name, Entitlements: entitled(c.Entitlement)})
}

// memberArguments say who, and of which group.
type memberArguments struct {
	target `embed:""`
	Group  string `arg:"" help:"Name or id of the group."`
	Member string `arg:"" help:"Name or id of the user; of the service principal or group if that is said."`
	Kind   string `default:"user" enum:"user,principal,group" help:"What the member is: ${enum}."`
}

func (c *memberArguments) resolve(e *env) (client *apiclient.Client, group, member string, err error) {
	if client, err = c.client(e); err != nil {
		return nil, "", "", err
	}
	g, err := find(e, client, groups, c.Group)
	if err != nil {
		return nil, "", "", err
	}
	m, err := find(e, client, map[string]string{"user": users, "principal": apps, "group": groups}[c.Kind], c.Member)
	if err != nil {
		return nil, "", "", err
	}
	return client, g.ID, m.ID, nil
}

type addMemberCommand struct {
	memberArguments `embed:""`
}

// Run adds a member.
func (c *addMemberCommand) Run(e *env) error {
	client, group, member, err := c.resolve(e)
	if err != nil {
		return err
	}
	return patch(e, client, groups, group, "add", "members", []scimValue{{Value: member}})
}

type dropMemberCommand struct {
	memberArguments `embed:""`
}

// Run takes a member out.
func (c *dropMemberCommand) Run(e *env) error {
	client, group, member, err := c.resolve(e)
	if err != nil {
		return err
	}
	return patch(e, client, groups, group, "remove", `members[value eq "`+member+`"]`, nil)
}

type principalCommand struct {
	List    appListCommand   `cmd:"" help:"List service principals."`
	Create  appCreateCommand `cmd:"" help:"Make a service principal, and the role that it has in the Data API."`
	Get     appGetCommand    `cmd:"" help:"Show a service principal."`
	Delete  appDeleteCommand `cmd:"" help:"Delete a service principal. Its role in the Data API stays, with what it owns, but nobody can use it."`
	Secrets secretsCommand   `cmd:"" help:"Make, list and delete a service principal's secrets."`
}

type (
	appListCommand struct {
		listCommand `embed:""`
	}
	appGetCommand struct {
		getCommand `embed:""`
	}
	appDeleteCommand struct {
		deleteCommand `embed:""`
	}
)

// Run lists service principals.
func (c *appListCommand) Run(e *env) error { return c.run(e, apps) }

// Run shows a service principal.
func (c *appGetCommand) Run(e *env) error { return c.run(e, apps) }

// Run deletes a service principal.
func (c *appDeleteCommand) Run(e *env) error { return c.run(e, apps) }

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
	target   `embed:""`
	Which    string        `arg:"" help:"Application id, display name or id of the service principal."`
	Lifetime time.Duration `help:"How long the secret is good: two years if nothing is said."`
}

// Run makes a secret.
func (c *secretCreateCommand) Run(e *env) error {
	client, err := c.client(e)
	if err != nil {
		return err
	}
	p, err := find(e, client, apps, c.Which)
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

type secretListCommand struct {
	target `embed:""`
	Which  string `arg:"" help:"Application id, display name or id of the service principal."`
}

// Run lists secrets.
func (c *secretListCommand) Run(e *env) error {
	client, err := c.client(e)
	if err != nil {
		return err
	}
	p, err := find(e, client, apps, c.Which)
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
	target `embed:""`
	Which  string `arg:"" help:"Application id, display name or id of the service principal."`
	ID     string `arg:"" help:"Id of the secret."`
}

// Run deletes a secret.
func (c *secretDeleteCommand) Run(e *env) error {
	client, err := c.client(e)
	if err != nil {
		return err
	}
	p, err := find(e, client, apps, c.Which)
	if err != nil {
		return err
	}
	return client.Do(e.ctx, http.MethodDelete, secretsPath(p)+"/"+url.PathEscape(c.ID), nil, nil)
}
