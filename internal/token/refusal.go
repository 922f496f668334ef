package token

import (
	"strconv"

	"github.com/tarn-data/tarn/internal/fault"
)

// The codes of refusals.
const (
	codeNoSecret   = "PGRST300"
	codeBadToken   = "PGRST301"
	codeNoToken    = "PGRST302"
	codeBadClaims  = "PGRST303"
	authenticate   = "WWW-Authenticate"
	noKeyDecodes   = "None of the keys was able to decode the JWT"
	noSuitableKey  = "No suitable key was found to decode the JWT"
	unsecuredToken = "JWT is unsecured but expected 'alg' was not 'none'"
)

func refusal(code, message string) *fault.Error {
	return fault.New(fault.Unauthenticated, code, message).
		WithHeader(authenticate, `Bearer error="invalid_token", error_description=`+strconv.Quote(message))
}

func lacksSecret() error {
	return fault.New(fault.Internal, codeNoSecret, "Server lacks JWT secret")
}

func tokenRequired() error {
	return fault.New(fault.Unauthenticated, codeNoToken, "Anonymous access is disabled").WithHeader(authenticate, "Bearer")
}

func emptyToken() error {
	return refusal(codeBadToken, "Empty JWT is sent in Authorization header")
}

func wrongParts(n int) error {
	return refusal(codeBadToken, "Expected 3 parts in JWT; got "+strconv.Itoa(n))
}

func malformed() error {
	return refusal(codeBadToken, "JWT cryptographic operation failed")
}

func unsecured() error {
	return refusal(codeBadToken, "Wrong or unsupported encoding algorithm").WithDetails(unsecuredToken)
}

func noKey(details string) *fault.Error {
	return refusal(codeBadToken, "No suitable key or wrong key type").WithDetails(details)
}

// keysUnavailable says that the token may be good, but its issuer's keys can't be had.
func keysUnavailable(cause error) error {
	return fault.New(fault.Unavailable, codeBadToken, "The keys of the token's issuer are not available").WithCause(cause)
}

func badClaims(message string) error { return refusal(codeBadClaims, message) }

func notNumber(claim string) error {
	return badClaims("The JWT '" + claim + "' claim must be a number")
}
