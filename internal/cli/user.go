package cli

import (
	"bufio"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"

	"github.com/alecthomas/kong"
)

type userCommand struct {
	List        listCommand        `cmd:"" help:"List users."`
	Create      userCreateCommand  `cmd:"" help:"Make a user, and the role that the user has in the Data API."`
	Get         getCommand         `cmd:"" help:"Show a user."`
	Delete      deleteCommand      `cmd:"" help:"Delete a user. The role in the Data API stays, with what it owns, but nobody can use it."`
	SetPassword setPasswordCommand `cmd:"" help:"Set a user's password, which is read from the standard input."`
}

// AfterApply binds the kind that the commands are about.
func (userCommand) AfterApply(k *kong.Context) error {
	k.Bind(users)
	return nil
}

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
