package reply

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/tarn-data/tarn/internal/fault"
)

// PostgresError is what PostgreSQL says of an error.
type PostgresError struct {
	Code, Message, Detail, Hint string
	HasDetail                   bool
}

// FromPostgres makes a fault of an error of PostgreSQL. What an anonymous caller lacks a privilege for, logging in may
// give it, so that is told apart.
func FromPostgres(e PostgresError, authenticated bool) *fault.Error {
	if e.Code == "PGRST" {
		return raised(e)
	}
	f := &fault.Error{Kind: kindOf(e, authenticated), Code: e.Code, Message: e.Message, Hint: e.Hint}
	if e.HasDetail {
		f.Details = e.Detail
	}
	if f.Kind == fault.Unauthenticated {
		f.Headers = []Header{{Name: "WWW-Authenticate", Value: "Bearer"}}
	}
	return f
}

// kindOf maps an SQLSTATE to a status, first by the whole code and then by its class.
func kindOf(e PostgresError, authenticated bool) fault.Kind {
	switch e.Code {
	case "23503", "23505": // foreign_key_violation, unique_violation
		return fault.Conflict
	case "25006": // read_only_sql_transaction
		return fault.MethodNotAllowed
	case "21000": // cardinality_violation; pg-safeupdate uses it for what the client did
		if strings.HasSuffix(e.Message, "requires a WHERE clause") {
			return fault.Invalid
		}
		return fault.Internal
	case "22023": // invalid_parameter_value; of the role setting it means that the token's role isn't there
		if strings.HasPrefix(e.Message, "role") && strings.HasSuffix(e.Message, "does not exist") {
			return fault.Unauthenticated
		}
		return fault.Invalid
	case "53400", "42P17": // configuration_limit_exceeded, invalid_object_definition: infinite recursion
		return fault.Internal
	case "57P01": // admin_shutdown
		return fault.Unavailable
	case "P0001": // raise_exception
		return fault.Invalid
	case "42883": // undefined_function
		if strings.HasPrefix(e.Message, "function xmlagg(") {
			return fault.NotAcceptable
		}
		return fault.NotFound
	case "42P01": // undefined_table
		return fault.NotFound
	case "42501": // insufficient_privilege
		if authenticated {
			return fault.Denied
		}
		return fault.Unauthenticated
	}
	if status, ok := strings.CutPrefix(e.Code, "PT"); ok {
		if n, err := strconv.Atoi(status); err == nil && n >= 100 {
			return fault.Kind(n)
		}
		return fault.Internal
	}
	return kindOfClass(e.Code)
}

func kindOfClass(code string) fault.Kind {
	if len(code) < 2 {
		return fault.Invalid
	}
	switch code[:2] {
	case "08", "53": // connection exception, insufficient resources
		return fault.Unavailable
	case "0L", "0P", "28": // invalid grantor, invalid role, invalid authorization
		return fault.Denied
	case "09", "25", "2D", "38", "39", "3B", "40", "54", "55", "57", "58", "F0", "HV", "P0", "XX":
		return fault.Internal
	}
	return fault.Invalid
}

// raised reads the error of RAISE SQLSTATE 'PGRST', by which SQL answers with a status and headers of its own.
func raised(e PostgresError) *fault.Error {
	var message struct {
		Code    *string `json:"code"`
		Message *string `json:"message"`
		Details *string `json:"details"`
		Hint    *string `json:"hint"`
	}
	const (
		messageHint = "MESSAGE must be a JSON object with obligatory keys: 'code', 'message' and optional keys: 'details', 'hint'."
		detailHint  = "DETAIL must be a JSON object with obligatory keys: 'status', 'headers' and optional key: 'status_text'."
	)
	bad := fault.New(fault.Internal, "PGRST121", `Could not parse JSON in the "RAISE SQLSTATE 'PGRST'" error`)
	if json.Unmarshal([]byte(e.Message), &message) != nil || message.Code == nil || message.Message == nil {
		return bad.WithDetails("Invalid JSON value for MESSAGE: '" + e.Message + "'").WithHint(messageHint)
	}
	if !e.HasDetail {
		return bad.WithDetails("DETAIL is missing in the RAISE statement").WithHint(detailHint)
	}
	var detail struct {
		Status  *int              `json:"status"`
		Headers map[string]string `json:"headers"`
	}
	if json.Unmarshal([]byte(e.Detail), &detail) != nil || detail.Status == nil || detail.Headers == nil {
		return bad.WithDetails("Invalid JSON value for DETAIL: '" + e.Detail + "'").WithHint(detailHint)
	}
	f := fault.New(fault.Kind(*detail.Status), *message.Code, *message.Message)
	if message.Details != nil {
		f.Details = *message.Details
	}
	if message.Hint != nil {
		f.Hint = *message.Hint
	}
	for name, value := range detail.Headers {
		f.Headers = append(f.Headers, Header{Name: name, Value: value})
	}
	slices.SortFunc(f.Headers, func(a, b Header) int { return strings.Compare(a.Name, b.Name) })
	return f
}
