// Package identity provides who there is: users, service principals and groups, their passwords and secrets, and the
// SCIM API by which they are managed. It doesn't know how they are kept, nor how callers are authenticated.
package identity

import (
	"time"

	"github.com/tarn-data/tarn/internal/auth"
)

// Group is the kind of principals that don't act but have members.
const Group auth.Kind = "Group"

// The groups that are always there: who administers, and everybody.
const (
	AdminsID = 1
	UsersID  = 2
)

// Principal is a user, a service principal or a group.
type Principal struct {
	ID           int64
	Kind         auth.Kind
	Name         string // user name, application id, or a group's display name
	DisplayName  string
	GivenName    string
	FamilyName   string
	ExternalID   string
	Active       bool
	Emails       []Email
	Entitlements []string // given to itself, sorted
	Roles        []string // likewise
	Version      int64
	CreatedAt    time.Time
	UpdatedAt    time.Time

	Groups  []Membership // of which it is a member
	Members []int64      // of a group, directly; sorted
}

// Email is an address of a user.
type Email struct {
	Value   string `json:"value"`
	Type    string `json:"type,omitempty"`
	Primary bool   `json:"primary,omitempty"`
}

// Membership is a group of which a principal is a member.
type Membership struct {
	ID     int64
	Name   string
	Direct bool
}

// Ref names a principal in short.
type Ref struct {
	ID          int64
	Kind        auth.Kind
	Name        string
	DisplayName string
}

// Label is what people know a principal by.
func (r Ref) Label() string {
	if r.DisplayName != "" {
		return r.DisplayName
	}
	return r.Name
}
