package identity

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/tarn-data/tarn/internal/auth"
)

// The schemas of SCIM.
const (
	schemaUser      = "urn:ietf:params:scim:schemas:core:2.0:User"
	schemaWorkspace = "urn:ietf:params:scim:schemas:extension:workspace:2.0:User"
	schemaGroup     = "urn:ietf:params:scim:schemas:core:2.0:Group"
	schemaApp       = "urn:ietf:params:scim:schemas:core:2.0:ServicePrincipal"
	schemaList      = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
)

// Value is one of many values of an attribute.
type Value struct {
	Value   string  `json:"value"`
	Display string  `json:"display,omitempty"`
	Ref     string  `json:"$ref,omitempty"`
	Type    string  `json:"type,omitempty"`
	Primary boolean `json:"primary,omitempty"`
}

// Name is the name of a person in parts.
type Name struct {
	GivenName  string `json:"givenName,omitempty"`
	FamilyName string `json:"familyName,omitempty"`
}

// Meta is what is known of a resource besides itself.
type Meta struct {
	ResourceType string `json:"resourceType"`
	Created      string `json:"created"`
	LastModified string `json:"lastModified"`
	Version      string `json:"version"`
}

// Resource is a user, service principal or group as SCIM has it. Lists that are absent aren't empty.
type Resource struct {
	Schemas       []string `json:"schemas,omitempty"`
	ID            string   `json:"id,omitempty"`
	AccountID     string   `json:"account_id,omitempty"`
	UserName      string   `json:"userName,omitempty"`
	ApplicationID string   `json:"applicationId,omitempty"`
	DisplayName   string   `json:"displayName,omitempty"`
	ExternalID    string   `json:"externalId,omitempty"`
	Name          *Name    `json:"name,omitempty"`
	Active        *boolean `json:"active,omitempty"`
	Emails        *[]Value `json:"emails,omitempty"`
	Entitlements  *[]Value `json:"entitlements,omitempty"`
	Roles         *[]Value `json:"roles,omitempty"`
	Groups        *[]Value `json:"groups,omitempty"`
	Members       *[]Value `json:"members,omitempty"`
	Meta          *Meta    `json:"meta,omitempty"`
}

// boolean is one that some clients write as a text.
type boolean bool

// UnmarshalJSON implements json.Unmarshaler.
func (b *boolean) UnmarshalJSON(text []byte) error {
	switch strings.ToLower(string(bytes.Trim(text, `"`))) {
	case "true":
		*b = true
	case "false", "null":
		*b = false
	default:
		return invalidValue("It is neither true nor false: " + string(text))
	}
	return nil
}

// resourceType is what the kind of a principal is called in paths, without the s.
func resourceType(k auth.Kind) string { return string(k) }

// view says which of a principal's attributes are shown, and where.
type view struct {
	accountID string // for the paths of the account; else empty
	refs      map[int64]Ref
	limited   bool // to what everybody may know
}

// render makes the resource of a principal.
func (v view) render(p *Principal) Resource {
	active := boolean(p.Active)
	r := Resource{
		ID: strconv.FormatInt(p.ID, 10), AccountID: v.accountID, DisplayName: p.DisplayName, ExternalID: p.ExternalID,
		Groups: new(v.groups(p)),
		Meta: &Meta{
			ResourceType: resourceType(p.Kind), Version: `W/"` + strconv.FormatInt(p.Version, 10) + `"`,
			Created: p.CreatedAt.UTC().Format(time.RFC3339), LastModified: p.UpdatedAt.UTC().Format(time.RFC3339),
		},
	}
	if !v.limited {
		r.Entitlements, r.Roles = new(values(p.Entitlements)), new(values(p.Roles))
	}
	switch p.Kind {
	case auth.User:
		r.Schemas = []string{schemaUser, schemaWorkspace}
		r.UserName, r.Active, r.Emails = p.Name, &active, new(emailValues(p.Emails))
		r.Name = &Name{p.GivenName, p.FamilyName}
	case auth.ServicePrincipal:
		r.Schemas = []string{schemaApp}
		r.ApplicationID, r.Active = p.Name, &active
	case Group:
		r.Schemas = []string{schemaGroup}
		r.DisplayName, r.Members = p.Name, new(v.members(p))
	}
	return r
}

func (view) groups(p *Principal) []Value {
	out := make([]Value, 0, len(p.Groups))
	for _, g := range p.Groups {
		id, how := strconv.FormatInt(g.ID, 10), "direct"
		if !g.Direct {
			how = "indirect"
		}
		out = append(out, Value{Value: id, Display: g.Name, Type: how, Ref: "Groups/" + id})
	}
	return out
}

func (v view) members(p *Principal) []Value {
	out := make([]Value, 0, len(p.Members))
	for _, id := range p.Members {
		ref := v.refs[id]
		text := strconv.FormatInt(id, 10)
		out = append(out, Value{Value: text, Display: ref.Label(), Ref: string(ref.Kind) + "s/" + text})
	}
	return out
}

func values(list []string) []Value {
	out := make([]Value, 0, len(list))
	for _, s := range list {
		out = append(out, Value{Value: s})
	}
	return out
}

func emailValues(list []Email) []Value {
	out := make([]Value, 0, len(list))
	for _, e := range list {
		out = append(out, Value{Value: e.Value, Type: e.Type, Primary: boolean(e.Primary)})
	}
	return out
}

// object is the resource as JSON has it, of which PATCH changes parts.
func (r Resource) object() (map[string]any, error) {
	text, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	var out map[string]any
	return out, json.Unmarshal(text, &out)
}

// resourceOf reads a resource of what JSON has.
func resourceOf(object map[string]any) (Resource, error) {
	var r Resource
	text, err := json.Marshal(object)
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(text, &r); err != nil {
		return r, badBody(err)
	}
	return r, nil
}

// many are the attributes with many values.
func many(name string) bool {
	switch name {
	case "emails", "entitlements", "roles", "groups", "members":
		return true
	}
	return false
}
