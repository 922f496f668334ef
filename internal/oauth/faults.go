package oauth

import "github.com/tarn-data/tarn/internal/fault"

// maxParameter is how long a parameter may be that isn't a token.
const maxParameter = 2048

func invalidRequest(message string) *fault.Error {
	return fault.New(fault.Invalid, "invalid_request", message)
}

func invalidGrant(message string) *fault.Error {
	return fault.New(fault.Invalid, "invalid_grant", message)
}

func invalidScope(scope string) *fault.Error {
	return fault.New(fault.Invalid, "invalid_scope", "The scope "+printable(scope)+" is not known, or not for this client.")
}

// printable leaves out what RFC 6749 doesn't allow in a message.
func printable(s string) string {
	const most = 100
	out := make([]rune, 0, len(s))
	for _, r := range s {
		if r >= ' ' && r <= '~' && r != '"' && r != '\\' {
			out = append(out, r)
		}
	}
	return string(out[:min(len(out), most)])
}
