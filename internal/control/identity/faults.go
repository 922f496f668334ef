package identity

import "errors"

// What a store says of what it can't do.
var (
	ErrMissing   = errors.New("there is no such principal")
	ErrExists    = errors.New("there is one of this name already")
	ErrTooMany   = errors.New("there are as many as there may be")
	ErrCycle     = errors.New("a group would be a member of itself")
	ErrLastAdmin = errors.New("no administrator would be left")
	ErrLockedOut = errors.New("the caller would no longer be an administrator")
	ErrFixed     = errors.New("it is always there")
)
