package auth

import (
	"context"
	"slices"
)

// Kind is what a principal is.
type Kind string

// The kinds of principals that act.
const (
	User             Kind = "User"
	ServicePrincipal Kind = "ServicePrincipal"
)

// Account is a principal as the directory knows it. It is shared and must not be changed.
type Account struct {
	ID           int64
	Kind         Kind
	Name         string // user name, or application id: the role of PostgreSQL, too
	DisplayName  string
	Active       bool
	Admin        bool     // a member of the group admins, directly or through another
	Groups       []int64  // of which it is a member, directly or through others; sorted
	GroupNames   []string // their names, sorted
	Entitlements []string // its own and those of its groups, sorted
}

// In tells whether the account is a member of a group.
func (a *Account) In(group string) bool {
	_, found := slices.BinarySearch(a.GroupNames, group)
	return found
}

// Directory knows who there is.
type Directory interface {
	// Account returns the account of a user name or application id; nil if there is none.
	Account(ctx context.Context, name string) (*Account, error)
}

// Person is who another provider says has logged in.
type Person struct {
	Issuer  string // the provider
	Subject string // whom it knows by this, and nobody else ever
	Email   string // which it has verified
	Name    string
}

// Credential is what a call was authenticated with.
type Credential struct {
	Account *Account
	TokenID string   // tells credentials apart in the audit log
	Scopes  []string // nil for all
	Claims  string   // of a signed token, as JSON; empty if there are none
}

// NoAccountError says that a token is good, but that its principal isn't there or isn't active.
type NoAccountError struct{}

// Error implements error.
func (NoAccountError) Error() string { return "the token's principal has no active account" }
