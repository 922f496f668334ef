package connection

import (
	"errors"

	"github.com/tarn-data/tarn/internal/fault"
)

// What a store says of a connection that can't be.
var (
	ErrActiveExists = errors.New("the tenant has a connection that isn't revoked")
	ErrNameExists   = errors.New("the tenant has a connection of this name")
)

// The faults of connections, in the words of the vendor's table.

func invalid(message string) *fault.Error {
	return fault.New(fault.Invalid, "INVALID_PARAMETER_VALUE", message)
}

func empty(field string) *fault.Error { return invalid("The " + field + " field is null or empty.") }

func badURL() *fault.Error { return invalid("The workspaceUrl format is invalid.") }

func activeExists() *fault.Error {
	return fault.New(fault.Invalid, "RESOURCE_ALREADY_EXISTS", "An active Databricks connection already exists for the tenant.").
		WithHint("Delete or revoke the existing connection before creating a new one.")
}

func nameExists() *fault.Error {
	return fault.New(fault.Invalid, "RESOURCE_ALREADY_EXISTS", "A Databricks connection with the same name already exists for the tenant.").
		WithHint("Choose a different connection name and resubmit the request.")
}

// notFound is said of what isn't there, and of what the caller may not know of.
func notFound() *fault.Error {
	return fault.New(fault.NotFound, "RESOURCE_DOES_NOT_EXIST", "The tenant has no Databricks connection of this name.")
}

func denied() *fault.Error {
	return fault.New(fault.Denied, "PERMISSION_DENIED", "You may not manage connections of this tenant.").
		WithHint("An administrator can grant it: tarn connection grant.")
}

// stored translates what a store says.
func stored(err error) error {
	switch {
	case errors.Is(err, ErrActiveExists):
		return activeExists().WithCause(err)
	case errors.Is(err, ErrNameExists):
		return nameExists().WithCause(err)
	}
	return err
}
