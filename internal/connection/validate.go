package connection

import (
	"strings"
	"unicode/utf8"

	"github.com/tarn-data/tarn/internal/outbound"
	"github.com/tarn-data/tarn/internal/vault"
)

const (
	maxName   = 128
	maxField  = 1024
	maxSecret = 4096
)

// New is what a connection is made of. Without credentials, these are stored later.
type New struct {
	Tenant       string
	Name         string
	WorkspaceURL string
	WarehouseID  string
	Catalog      string
	WorkspaceID  string
	Region       string
	Cloud        string
	ClientID     string
	ClientSecret vault.Secret
}

// validate checks all fields in the order of the vendor's table.
func (s *Service) validate(n *New, withCredentials bool) error {
	switch {
	case blank(n.Name):
		return empty("connectionName")
	case blank(n.WorkspaceURL):
		return empty("workspaceUrl")
	case blank(n.WarehouseID):
		return empty("warehouseId")
	case withCredentials && (blank(n.ClientID) || blank(n.ClientSecret.Reveal())):
		return empty("clientId or clientSecret")
	case !nameable(n.Tenant):
		return invalid("The tenantId format is invalid.")
	case !nameable(n.Name):
		return invalid("The connectionName format is invalid.")
	}
	if err := s.validateURL(n); err != nil {
		return err
	}
	for _, f := range [...]struct{ name, value string }{
		{"warehouseId", n.WarehouseID}, {"catalog", n.Catalog}, {"workspaceId", n.WorkspaceID}, {"region", n.Region}, {"cloudProvider", n.Cloud},
	} {
		if !plain(f.value, maxField) {
			return invalid("The " + f.name + " format is invalid.")
		}
	}
	return validCredentials(n.ClientID, n.ClientSecret)
}

func validCredentials(clientID string, secret vault.Secret) error {
	if !plain(clientID, maxField) {
		return invalid("The clientId format is invalid.")
	}
	if len(secret.Reveal()) > maxSecret || !utf8.ValidString(secret.Reveal()) || strings.ContainsRune(secret.Reveal(), 0) {
		return invalid("The clientSecret format is invalid.")
	}
	return nil
}

// validateURL holds that a URL is that of a workspace: a host and nothing after, of those that may be connected to.
func (s *Service) validateURL(n *New) error {
	u, err := s.outbound.Check(n.WorkspaceURL)
	if refused, ok := err.(*outbound.Error); ok && refused.Host() && !strings.HasPrefix(strings.ToLower(n.WorkspaceURL), "http:") { //nolint:errorlint // it is not wrapped
		return invalid("The workspaceUrl leads to a host that this server may not connect to.").
			WithHint("The administrator decides which hosts are allowed: tarn serve --outbound.").WithCause(err)
	}
	if err != nil || (u.Path != "" && u.Path != "/") || u.RawQuery != "" || u.ForceQuery {
		return badURL().WithCause(err)
	}
	u.Path = ""
	n.WorkspaceURL = u.String()
	return nil
}

func blank(text string) bool { return strings.TrimSpace(text) == "" }

// nameable tells whether text can be a name in a path.
func nameable(name string) bool {
	return name != "" && name != "." && name != ".." && strings.TrimSpace(name) == name && !strings.ContainsAny(name, `/\`) && plain(name, maxName)
}

// plain tells whether text is short and has no characters that can't be seen.
func plain(text string, most int) bool {
	return len(text) <= most && utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f })
}
