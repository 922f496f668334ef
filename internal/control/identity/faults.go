package identity

import (
	"errors"

	"github.com/tarn-data/tarn/internal/auth"
	"github.com/tarn-data/tarn/internal/fault"
)

// What a store says of what it can't do.
var (
	ErrMissing   = errors.New("there is no such principal")
	ErrNoMember  = errors.New("there is no principal of a member's id")
	ErrExists    = errors.New("there is one of this name already")
	ErrTooMany   = errors.New("there are as many as there may be")
	ErrCycle     = errors.New("a group would be a member of itself")
	ErrLastAdmin = errors.New("no administrator would be left")
	ErrLockedOut = errors.New("the caller would no longer be an administrator")
	ErrFixed     = errors.New("it is always there")
)

// scimFault says in SCIM's words what went wrong with a principal, which is named as the client named it.
func scimFault(err error, kind auth.Kind, name string) error {
	switch {
	case errors.Is(err, ErrMissing):
		return fault.New(fault.NotFound, "", string(kind)+" with id "+name+" not found.")
	case errors.Is(err, ErrExists):
		return fault.New(fault.Conflict, "uniqueness", string(kind)+" with name "+name+" already exists.")
	case errors.Is(err, ErrNoMember):
		return invalidValue("A member doesn't exist.")
	case errors.Is(err, ErrCycle):
		return invalidValue("A group can't be a member of itself, nor of its members.")
	case errors.Is(err, ErrLastAdmin):
		return fault.New(fault.Invalid, "mutability", "The last active administrator must stay one.")
	case errors.Is(err, ErrLockedOut):
		return fault.New(fault.Invalid, "mutability", "You can't take your own administration away: another administrator can.")
	case errors.Is(err, ErrFixed):
		return fault.New(fault.Invalid, "mutability", "The groups admins and users are always there, and everybody is in users.")
	}
	return err
}

func invalidValue(message string) *fault.Error {
	return fault.New(fault.Invalid, "invalidValue", message)
}

func badBody(err error) error {
	if known, ok := errors.AsType[*fault.Error](err); ok {
		return known
	}
	return fault.New(fault.Invalid, "invalidSyntax", "The resource is not of the expected form.").WithCause(err)
}
