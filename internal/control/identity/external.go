package identity

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/tarn-data/tarn/internal/auth"
	"github.com/tarn-data/tarn/internal/fault"
)

// Link says which users that are there already somebody of another provider can become.
type Link string

// What may decide who is which user.
const (
	LinkNever Link = "never" // nobody becomes one who is there
	LinkFirst Link = "first" // who has the user's name for an e-mail address, if nobody else became that user before
	LinkEmail Link = "email" // who has it now, whoever had it before
)

// ErrTaken is what a store says when a user is somebody else of a provider already.
var ErrTaken = errors.New("the user is linked to somebody else")

// NoGroupError names a group that isn't there.
type NoGroupError string

// Error implements error.
func (e NoGroupError) Error() string {
	return fmt.Sprintf("there is no group %q for new users", string(e))
}

// ExternalStore keeps who of another provider is which user.
type ExternalStore interface {
	// ExternalUser returns who a person has become; without a name, nobody.
	ExternalUser(ctx context.Context, who auth.Person) (Ref, error)
	// LinkUser has a person be a user from now on. If somebody else is, it returns ErrTaken; or if it may replace them, it
	// does, and ends what they had.
	LinkUser(ctx context.Context, who auth.Person, principalID int64, replace bool) error
	// CreateExternalUser keeps a new user, as a member of groups, who is that person. It may return a NoGroupError.
	CreateExternalUser(ctx context.Context, p *Principal, groups []string, who auth.Person, confirm func(*Principal) error) error
}

// ExternalOptions say what becomes of people of another provider.
type ExternalOptions struct {
	Store        ExternalStore
	Directory    auth.Directory
	Users        *Service // makes users
	Link         Link
	Create       bool     // whether users are made
	Groups       []string // of which those are members, besides users
	Entitlements []string // that those have
}

// External tells which users people of another provider are. It is safe for concurrent use.
type External struct{ opt ExternalOptions }

// NewExternal refuses groups and entitlements that nobody should get that way.
func NewExternal(opt ExternalOptions) (*External, error) {
	for _, g := range opt.Groups {
		if strings.EqualFold(g, "admins") {
			return nil, errors.New("whoever logs in would be an administrator: give that to people one by one")
		}
	}
	e := &External{opt}
	_, err := e.newUser(auth.Person{Email: "somebody@example.com"})
	return e, err
}

// Admit returns which user a person is, and whether it was made just now.
func (e *External) Admit(ctx context.Context, who auth.Person) (*auth.Account, bool, error) {
	there, err := e.opt.Directory.Account(ctx, who.Email) // first: who is made meanwhile is known by the next
	if err != nil {
		return nil, false, err
	}
	known, err := e.opt.Store.ExternalUser(ctx, who)
	if err != nil {
		return nil, false, err
	}
	if known.Name != "" {
		account, err := e.active(ctx, known.Name, known.ID)
		return account, false, err
	}
	if there == nil && e.opt.Create {
		account, err := e.create(ctx, who)
		return account, err == nil, err
	}
	account, err := e.link(ctx, there, who)
	return account, false, err
}

// link has a person become a user who is there.
func (e *External) link(ctx context.Context, there *auth.Account, who auth.Person) (*auth.Account, error) {
	if there == nil || !there.Active || there.Kind != auth.User || e.opt.Link == LinkNever {
		return nil, noUser(who.Email)
	}
	switch err := e.opt.Store.LinkUser(ctx, who, there.ID, e.opt.Link == LinkEmail); {
	case errors.Is(err, ErrTaken):
		return nil, fault.New(fault.Denied, "access_denied", "The user "+there.Name+" is somebody else who logged in with the other provider. An administrator can help.").
			WithHint("If an address went to somebody else, or people come from another provider now, --login-link email lets them in.")
	case err != nil:
		return nil, err
	}
	return there, nil
}

func (e *External) create(ctx context.Context, who auth.Person) (*auth.Account, error) {
	p, err := e.newUser(who)
	if err != nil {
		return nil, err
	}
	err = e.opt.Store.CreateExternalUser(ctx, p, e.opt.Groups, who, e.opt.Users.makeRole(ctx))
	if _, ok := errors.AsType[NoGroupError](err); ok {
		return nil, fault.New(fault.Unavailable, "temporarily_unavailable", "Users can't be made just now: ask an administrator.").WithCause(err)
	}
	if err != nil && !errors.Is(err, ErrExists) {
		return nil, err
	}
	// Who came twice at the same time was faster the other time.
	made, err := e.opt.Store.ExternalUser(ctx, who)
	if err != nil {
		return nil, err
	}
	return e.active(ctx, made.Name, made.ID)
}

func (e *External) newUser(who auth.Person) (*Principal, error) {
	given := make([]Value, len(e.opt.Entitlements))
	for i, name := range e.opt.Entitlements {
		given[i].Value = name
	}
	return newPrincipal(auth.User, Resource{UserName: who.Email, DisplayName: who.Name, Entitlements: &given})
}

// active returns the account of a user who may log in.
func (e *External) active(ctx context.Context, name string, id int64) (*auth.Account, error) {
	account, err := e.opt.Directory.Account(ctx, name)
	if err != nil {
		return nil, err
	}
	if account == nil || !account.Active || account.ID != id || account.Kind != auth.User {
		return nil, noUser(name)
	}
	return account, nil
}

func noUser(name string) *fault.Error {
	return fault.New(fault.Denied, "access_denied", "There is no user "+name+" here who may log in. An administrator can make one.")
}
