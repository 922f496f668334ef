package cli

import (
	"github.com/alecthomas/kong"

	"github.com/tarn-data/tarn/internal/apiclient"
)

type groupCommand struct {
	List         listCommand        `cmd:"" help:"List groups."`
	Create       groupCreateCommand `cmd:"" help:"Make a group."`
	Get          getCommand         `cmd:"" help:"Show a group."`
	Delete       deleteCommand      `cmd:"" help:"Delete a group."`
	AddMember    addMemberCommand   `cmd:"" help:"Make somebody a member of a group."`
	RemoveMember dropMemberCommand  `cmd:"" help:"Take somebody out of a group."`
}

// AfterApply binds the kind that the commands are about.
func (groupCommand) AfterApply(k *kong.Context) error {
	k.Bind(groups)
	return nil
}

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
	m, err := find(e, client, map[string]kind{"user": users, "principal": apps, "group": groups}[c.Kind], c.Member)
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
