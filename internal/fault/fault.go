// Package fault provides the one error type that a client may see. It knows nothing of the dialects in which an
// error is written, nor of HTTP beyond the numbers of its status codes.
package fault

import (
	"errors"
	"strconv"
)

// Kind says what went wrong in the largest sense. Its number is the HTTP status that answers it.
type Kind int

// The kinds of fault.
const (
	Ambiguous          Kind = 300
	Invalid            Kind = 400
	Unauthenticated    Kind = 401
	Denied             Kind = 403
	NotFound           Kind = 404
	MethodNotAllowed   Kind = 405
	NotAcceptable      Kind = 406
	Stalled            Kind = 408
	Conflict           Kind = 409
	TooLarge           Kind = 413
	URITooLong         Kind = 414
	RangeUnsatisfiable Kind = 416
	TooMany            Kind = 429
	Internal           Kind = 500
	NotImplemented     Kind = 501
	Unavailable        Kind = 503
	TimedOut           Kind = 504
)

// Header is a response header that goes with a fault.
type Header struct{ Name, Value string }

// Error is a fault with two audiences: the client reads Code, Message, Details and Hint; the log reads Cause.
type Error struct {
	Kind    Kind
	Code    string
	Message string
	Details any // nil, a string, or a value to encode
	Hint    string
	Headers []Header
	Cause   error
}

// New makes a fault of a kind with its code and message.
func New(kind Kind, code, message string) *Error {
	return &Error{Kind: kind, Code: code, Message: message}
}

// Error renders code and message; the cause is not part of it, since it may hold what a client must not see.
func (e *Error) Error() string {
	if e.Code == "" {
		return e.Message
	}
	return e.Code + ": " + e.Message
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// WithDetails returns a copy of the fault with details.
func (e *Error) WithDetails(details any) *Error {
	c := *e
	c.Details = details
	return &c
}

// WithHint returns a copy of the fault with a hint.
func (e *Error) WithHint(hint string) *Error {
	c := *e
	c.Hint = hint
	return &c
}

// WithHeader returns a copy of the fault with one more response header.
func (e *Error) WithHeader(name, value string) *Error {
	c := *e
	c.Headers = append(append([]Header(nil), e.Headers...), Header{name, value})
	return &c
}

// WithCause returns a copy of the fault with a cause for the log.
func (e *Error) WithCause(cause error) *Error {
	c := *e
	c.Cause = cause
	return &c
}

// From returns the fault inside err, or an internal one with err as its cause.
func From(err error) *Error {
	if f, ok := errors.AsType[*Error](err); ok {
		return f
	}
	return &Error{Kind: Internal, Code: strconv.Itoa(int(Internal)), Message: "Internal error", Cause: err}
}
