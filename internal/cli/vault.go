package cli

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tarn-data/tarn/internal/server"
)

// vaultFlags say how secrets are kept, and where requests in the name of others may go.
type vaultFlags struct {
	VaultKey   []string `default:"dir" env:"TARN_VAULT_KEY" placeholder:"KEY" help:"Root key of the vault, which seals all secrets: dir for files that are made in the data directory, file:PATH or env:NAME for 32 bytes in base64, or the address of a key in a key service. More than one may be named; the first one is for a new state."`
	Outbound   []string `default:"${outbound}" env:"TARN_OUTBOUND" placeholder:"HOST" help:"Hosts that may be connected to for connections and the connector: NAME, *.NAME for all below it, with a port if it isn't 443, and =NETWORK if it isn't on the Internet."`
	OutboundCA string   `type:"existingfile" env:"TARN_OUTBOUND_CA" help:"File of certificates (PEM) that these hosts' certificates may be signed with, besides the system's."`

	Credentials          string `env:"TARN_CREDENTIALS" placeholder:"URL" help:"Key-value store (version 2) of a HashiCorp Vault or OpenBao server for the credentials of applications, in place of Tarn's own state: https://HOST/MOUNT/PREFIX."`
	CredentialsLogin     string `env:"TARN_CREDENTIALS_LOGIN" placeholder:"HOW" help:"How to log in there: token:FILE, approle:ROLE-ID:SECRET-ID-FILE or kubernetes:ROLE[:TOKEN-FILE]; with @MOUNT at the end for another mount."`
	CredentialsNamespace string `env:"TARN_CREDENTIALS_NAMESPACE" help:"Namespace there."`
	CredentialsCA        string `type:"existingfile" env:"TARN_CREDENTIALS_CA" help:"File of certificates (PEM) that its certificate is signed with."`
}

func (f *vaultFlags) credentials() server.CredentialOptions {
	return server.CredentialOptions{Address: f.Credentials, Login: f.CredentialsLogin, Namespace: f.CredentialsNamespace, CACert: f.CredentialsCA}
}

// secretCommands are about secrets.
type secretCommands struct {
	Vault      vaultCommand      `cmd:"" help:"Keep the credentials of applications; change the root key that seals all secrets."`
	Connection connectionCommand `cmd:"" help:"Connect tenants to workspaces, and say who may."`
}

type vaultCommand struct {
	Put      vaultPutCommand      `cmd:"" help:"Keep a new version of a credential, whose value is read from standard input or a file."`
	List     vaultListCommand     `cmd:"" help:"List the credentials of an app, or of an app in an account. Values are shown to nobody."`
	Versions vaultVersionsCommand `cmd:"" help:"List the versions of a credential."`
	Delete   vaultDeleteCommand   `cmd:"" help:"Delete a credential with all its versions."`
	Status   vaultStatusCommand   `cmd:"" help:"Show the root keys, and how many secrets each of them seals."`
	Rotate   vaultRotateCommand   `cmd:"" help:"Change the root key. What the one before sealed is wrapped anew in the background."`
}

// credentialPath is where credentials are.
type credentialPath struct {
	target  `embed:""`
	App     string `required:"" help:"App that the credentials are for."`
	Account string `help:"Account that they belong to. Without it, they are the app's own, for all accounts."`
}

func (p *credentialPath) path(name string) string {
	path := "/api/2.0/tarn/vault"
	if p.Account != "" {
		path += "/accounts/" + url.PathEscape(p.Account)
	}
	path += "/apps/" + url.PathEscape(p.App) + "/credentials"
	if name != "" {
		path += "/" + url.PathEscape(name)
	}
	return path
}

type credentialInfo struct {
	Name      string `json:"name"`
	Version   int64  `json:"version"`
	CreatedAt int64  `json:"created_at"`
	CreatedBy string `json:"created_by,omitempty"`
}

type vaultPutCommand struct {
	credentialPath
	Name string `arg:"" help:"Name of the credential."`
	File string `type:"path" help:"File with the value, in place of standard input."`
}

// Run keeps a credential.
func (c *vaultPutCommand) Run(e *env) error {
	value, err := readValue(c.File)
	if err != nil {
		return err
	}
	var out credentialInfo
	if err := c.do(e, http.MethodPut, c.path(c.Name), map[string]string{"value": value}, &out); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(e, out)
	}
	_, err = fmt.Fprintf(e.stdout, "%s is version %d\n", out.Name, out.Version)
	return err
}

const maxValue = 64 << 10

// readValue reads a secret, without the newline at its end. It is never an argument, which others can see.
func readValue(file string) (string, error) {
	in := io.Reader(os.Stdin)
	if file != "" {
		f, err := os.Open(file)
		if err != nil {
			return "", err
		}
		defer func() { _ = f.Close() }()
		in = f
	}
	text, err := io.ReadAll(io.LimitReader(in, maxValue+2))
	if err != nil {
		return "", err
	}
	value := strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r")
	switch {
	case value == "":
		return "", errors.New("there is no value on standard input, nor in a file")
	case len(value) > maxValue || !utf8.ValidString(value):
		return "", errors.New("a value is text of at most 64 KiB")
	}
	return value, nil
}

type vaultListCommand struct{ credentialPath }

// Run lists credentials.
func (c *vaultListCommand) Run(e *env) error {
	var out struct {
		Credentials []credentialInfo `json:"credentials"`
	}
	return c.show(e, c.path(""), &out, func() []credentialInfo { return out.Credentials })
}

func (p *credentialPath) show(e *env, path string, out any, infos func() []credentialInfo) error {
	if err := p.get(e, path, nil, out); err != nil {
		return err
	}
	if p.JSON {
		return printJSON(e, out)
	}
	rows := [][]string{{"NAME", "VERSION", "CREATED", "BY"}}
	for _, i := range infos() {
		rows = append(rows, []string{i.Name, strconv.FormatInt(i.Version, 10), moment(i.CreatedAt), i.CreatedBy})
	}
	return table(e, rows)
}

type vaultVersionsCommand struct {
	credentialPath
	Name string `arg:"" help:"Name of the credential."`
}

// Run lists versions.
func (c *vaultVersionsCommand) Run(e *env) error {
	var out struct {
		Versions []credentialInfo `json:"versions"`
	}
	return c.show(e, c.path(c.Name)+"/versions", &out, func() []credentialInfo { return out.Versions })
}

type vaultDeleteCommand struct {
	credentialPath
	Name string `arg:"" help:"Name of the credential."`
}

// Run deletes a credential.
func (c *vaultDeleteCommand) Run(e *env) error {
	return c.do(e, http.MethodDelete, c.path(c.Name), nil, nil)
}

type vaultStatusCommand struct {
	target `embed:""`
}

// Run shows the root keys.
func (c *vaultStatusCommand) Run(e *env) error {
	var out struct {
		Keys []struct {
			ID        string `json:"key_id"`
			Source    string `json:"source"`
			Primary   bool   `json:"primary"`
			Secrets   int64  `json:"secrets"`
			AtHand    bool   `json:"at_hand"`
			CreatedAt int64  `json:"created_at"`
			RetiredAt int64  `json:"retired_at,omitempty"`
		} `json:"keys"`
		Left int64 `json:"secrets_to_rewrap"`
	}
	if err := c.get(e, "/api/2.0/tarn/vault/status", nil, &out); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(e, out)
	}
	rows := [][]string{{"KEY", "STATE", "SECRETS", "CREATED", "FROM"}}
	for _, k := range out.Keys {
		state := "to be replaced"
		switch {
		case k.Primary:
			state = "primary"
		case k.RetiredAt != 0:
			state = "retired"
		}
		if !k.AtHand && k.RetiredAt == 0 {
			state += ", not at hand"
		}
		rows = append(rows, []string{k.ID, state, strconv.FormatInt(k.Secrets, 10), moment(k.CreatedAt), k.Source})
	}
	return table(e, rows)
}

type vaultRotateCommand struct {
	target `embed:""`
}

// Run changes the root key.
func (c *vaultRotateCommand) Run(e *env) error {
	var out struct {
		ID string `json:"key_id"`
	}
	if err := c.do(e, http.MethodPost, "/api/2.0/tarn/vault/rotate", nil, &out); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(e, out)
	}
	_, err := fmt.Fprintf(e.stdout, "The root key is %s now. tarn vault status tells when all secrets are wrapped by it.\n", out.ID)
	return err
}
