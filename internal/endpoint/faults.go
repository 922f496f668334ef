package endpoint

import "github.com/tarn-data/tarn/internal/fault"

// The faults of the platform API, with the codes of its reference.

// Invalid says that the input makes no sense.
func Invalid(message string) *fault.Error {
	return fault.New(fault.Invalid, "INVALID_PARAMETER_VALUE", message)
}

// InvalidState says that what is acted on can't take the operation now.
func InvalidState(message string) *fault.Error {
	return fault.New(fault.Invalid, "INVALID_STATE", message)
}

// NotFound says that what is acted on isn't there, or isn't for the caller to know of.
func NotFound(message string) *fault.Error {
	return fault.New(fault.NotFound, "RESOURCE_DOES_NOT_EXIST", message)
}

// Exists says that what was to be made is there already.
func Exists(message string) *fault.Error {
	return fault.New(fault.Invalid, "RESOURCE_ALREADY_EXISTS", message)
}

// Denied says that the caller may not do it.
func Denied(message string) *fault.Error {
	return fault.New(fault.Denied, "PERMISSION_DENIED", message)
}

// Unauthenticated says that the caller isn't known.
func Unauthenticated(message string) *fault.Error {
	return fault.New(fault.Unauthenticated, "UNAUTHENTICATED", message)
}

// LimitExceeded says that there are as many as there may be.
func LimitExceeded(message string) *fault.Error {
	return fault.New(fault.Invalid, "QUOTA_EXCEEDED", message)
}
