package connector

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/tarn-data/tarn/internal/auth"
	"github.com/tarn-data/tarn/internal/endpoint"
	"github.com/tarn-data/tarn/internal/fault"
	"github.com/tarn-data/tarn/internal/outbound"
	"github.com/tarn-data/tarn/internal/workspace"
)

// dialect writes errors as the connector's clients know them: {"status", "error", "message"}, with a hint and the id of
// the request where there are some.
type dialect struct{}

// WriteFault implements endpoint.Dialect.
func (dialect) WriteFault(w http.ResponseWriter, f *fault.Error, requestID string) {
	message := f.Message
	var stranger auth.NoAccountError
	switch {
	case f.Kind != fault.Unauthenticated:
	case errors.As(f, &stranger):
		message = "Unable to get trackunitToken."
	case f.Code != "": // the gateway's; the connector's own have none
		message = "Full authentication is required to access this resource"
	}
	if f.Kind == fault.Denied && f.Code != "" && f.Code != "ACCESS_LIST" {
		message = "Access Denied"
	}
	endpoint.WriteFaultBody(w, f, "application/json", struct {
		Status  int    `json:"status"`
		Error   string `json:"error"`
		Message string `json:"message"`
		Hint    string `json:"hint,omitempty"`
		Request string `json:"requestId,omitempty"`
	}{int(f.Kind), http.StatusText(int(f.Kind)), message, f.Hint, requestID})
}

func bad(message string) *fault.Error { return fault.New(fault.Invalid, "", message) }

func unauthorized(message string) *fault.Error { return fault.New(fault.Unauthenticated, "", message) }

func tokenFault(err error) error {
	var (
		said  *workspace.AnswerError
		empty workspace.EmptyTokenError
	)
	switch {
	case errors.As(err, &said):
		return unauthorized(fmt.Sprintf("Failed to get OAuth Databricks token. Status code: %d. Message: %s", said.Status, said.Message)).WithCause(err)
	case errors.As(err, &empty):
		return unauthorized("Failed to get OAuth Databricks token - empty response")
	}
	return fault.New(fault.Internal, "", "Failed to generate OAuth token").WithCause(err)
}

func placeFault(err error) error {
	if said, ok := errors.AsType[*metadataError](err); ok {
		return fault.New(fault.Internal, "", said.message).WithCause(err)
	}
	return fault.New(fault.Internal, "", "The synced table's metadata could not be read: "+reason(err)).WithCause(err)
}

func rowsFault(err error) error {
	return fault.New(fault.Internal, "", "The Data API could not be asked: "+reason(err)).WithCause(err)
}

// reason is what of an error may be told.
func reason(err error) string {
	var (
		refused *outbound.Error
		known   *fault.Error
	)
	switch {
	case errors.As(err, &refused):
		return refused.Error()
	case errors.As(err, &known):
		return known.Message
	case errors.Is(err, context.DeadlineExceeded):
		return "it took too long"
	}
	return "it can't be reached"
}

func isStatus(err error, status int) bool {
	said, ok := errors.AsType[*metadataError](err)
	return ok && said.status == status
}
