package identity

import (
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/tarn-data/tarn/internal/auth"
)

const (
	maxName    = 256     // bytes of a name
	maxText    = 1024    // bytes of another text
	maxValues  = 200     // of emails, entitlements and roles
	maxMembers = 100_000 // of a group, directly
)

// entitlements are those that there are.
func entitlements() []string {
	return []string{
		"allow-cluster-create", "allow-instance-pool-create", "databricks-sql-access", "workspace-access", "workspace-consume",
	}
}

// change takes a resource over into a principal. What the resource doesn't have stays, but for lists when all is replaced.
func (p *Principal) change(r Resource, replace bool) error {
	if r.ExternalID != "" || replace {
		p.ExternalID = r.ExternalID
	}
	if err := p.rename(r); err != nil {
		return err
	}
	if r.Active != nil && p.Kind != Group {
		p.Active = bool(*r.Active)
	}
	if r.Name != nil {
		p.GivenName, p.FamilyName = r.Name.GivenName, r.Name.FamilyName
	}
	if err := p.changeLists(r, replace); err != nil {
		return err
	}
	return p.check()
}

// rename changes what may be changed of names: the name by which a principal acts stays.
func (p *Principal) rename(r Resource) error {
	if r.DisplayName == "" {
		return nil
	}
	if p.Kind == Group {
		if p.fixed() && r.DisplayName != p.Name {
			return ErrFixed
		}
		p.Name = r.DisplayName
	}
	p.DisplayName = r.DisplayName
	return nil
}

func (p *Principal) changeLists(r Resource, replace bool) error {
	empty := []Value{}
	if replace {
		if r.Entitlements == nil {
			r.Entitlements = &empty
		}
		if r.Roles == nil {
			r.Roles = &empty
		}
		if r.Members == nil && !p.fixed() {
			r.Members = &empty
		}
	}
	if r.Entitlements != nil {
		p.Entitlements = texts(*r.Entitlements)
	}
	if r.Roles != nil {
		p.Roles = texts(*r.Roles)
	}
	if r.Emails != nil && p.Kind == auth.User {
		p.Emails = nil
		for _, v := range *r.Emails {
			p.Emails = append(p.Emails, Email{v.Value, v.Type, bool(v.Primary)})
		}
	}
	if r.Members == nil || p.Kind != Group {
		return nil
	}
	members, err := ids(*r.Members)
	if err != nil {
		return err
	}
	if p.ID == UsersID && !slices.Equal(members, p.Members) {
		return ErrFixed
	}
	p.Members = members
	return nil
}

// check tells whether a principal may be kept as it is.
func (p *Principal) check() error {
	if !good(p.Name, maxName) || p.Name == "" || strings.TrimSpace(p.Name) != p.Name {
		return invalidValue("A name has at most " + strconv.Itoa(maxName) + " bytes, none of them control characters, and no spaces at its ends.")
	}
	for _, s := range []string{p.DisplayName, p.GivenName, p.FamilyName, p.ExternalID} {
		if !good(s, maxText) {
			return invalidValue("A text has at most " + strconv.Itoa(maxText) + " bytes, none of them control characters.")
		}
	}
	for _, e := range p.Emails {
		if !good(e.Value, maxText) || !good(e.Type, maxText) || !strings.Contains(e.Value, "@") {
			return invalidValue("'" + e.Value + "' is not an e-mail address.")
		}
	}
	for _, r := range p.Roles {
		if !good(r, maxText) {
			return invalidValue("A role has at most " + strconv.Itoa(maxText) + " bytes, none of them control characters.")
		}
	}
	for _, e := range p.Entitlements {
		if !slices.Contains(entitlements(), e) {
			return invalidValue("There is no entitlement '" + e + "'; there are " + strings.Join(entitlements(), ", ") + ".")
		}
	}
	if len(p.Emails) > maxValues || len(p.Roles) > maxValues {
		return invalidValue("An attribute has at most " + strconv.Itoa(maxValues) + " values.")
	}
	if len(p.Members) > maxMembers {
		return invalidValue("A group has at most " + strconv.Itoa(maxMembers) + " members.")
	}
	return nil
}

func good(s string, most int) bool {
	return len(s) <= most && utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

func texts(list []Value) []string {
	out := make([]string, 0, len(list))
	for _, v := range list {
		if v.Value != "" {
			out = append(out, v.Value)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func ids(list []Value) ([]int64, error) {
	out := make([]int64, 0, len(list))
	for _, v := range list {
		id, err := strconv.ParseInt(v.Value, 10, 64)
		if err != nil || id <= 0 {
			return nil, invalidValue("'" + v.Value + "' is not the id of a member.")
		}
		out = append(out, id)
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// fixed tells whether a principal is one that is always there.
func (p *Principal) fixed() bool { return p.ID == AdminsID || p.ID == UsersID }
