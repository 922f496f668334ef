package endpoint

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"github.com/tarn-data/tarn/internal/fault"
)

// Dialect writes an error as the clients of an API know it.
type Dialect interface {
	WriteFault(w http.ResponseWriter, f *fault.Error, requestID string)
}

// Platform is the dialect of most of the platform API: error_code, message and details.
type Platform struct{}

// WriteFault implements Dialect.
func (Platform) WriteFault(w http.ResponseWriter, f *fault.Error, requestID string) {
	type detail struct {
		Type     string         `json:"@type"`
		Reason   string         `json:"reason,omitempty"`
		Domain   string         `json:"domain,omitempty"`
		Request  string         `json:"request_id,omitempty"`
		Hint     string         `json:"hint,omitempty"`
		Metadata map[string]any `json:"metadata,omitempty"`
	}
	body := struct {
		Code    string   `json:"error_code"`
		Message string   `json:"message"`
		Details []detail `json:"details"`
	}{Code: PlatformCode(f), Message: f.Message, Details: []detail{}}
	if f.Hint != "" {
		body.Message += " " + f.Hint
	}
	if requestID != "" {
		body.Details = append(body.Details, detail{Type: "type.googleapis.com/google.rpc.RequestInfo", Request: requestID})
	}
	WriteFaultBody(w, f, "application/json", body)
}

// SCIM is the dialect of RFC 7644.
type SCIM struct{}

// WriteFault implements Dialect. The code of a fault is the scimType, if it begins with a lower letter.
func (SCIM) WriteFault(w http.ResponseWriter, f *fault.Error, _ string) {
	body := struct {
		Schemas []string `json:"schemas"`
		Detail  string   `json:"detail"`
		Status  string   `json:"status"`
		Type    string   `json:"scimType,omitempty"`
	}{
		Schemas: []string{"urn:ietf:params:scim:api:messages:2.0:Error"},
		Detail:  f.Message, Status: strconv.Itoa(int(f.Kind)),
	}
	if f.Code != "" && f.Code[0] >= 'a' && f.Code[0] <= 'z' {
		body.Type = f.Code
	}
	WriteFaultBody(w, f, "application/scim+json", body)
}

// OAuth is the dialect of RFC 6749. The code of a fault is the error, if it begins with a lower letter.
type OAuth struct{}

// WriteFault implements Dialect.
func (OAuth) WriteFault(w http.ResponseWriter, f *fault.Error, _ string) {
	body := struct {
		Error       string `json:"error"`
		Description string `json:"error_description,omitempty"`
	}{Error: "invalid_request", Description: f.Message}
	switch {
	case f.Code != "" && f.Code[0] >= 'a' && f.Code[0] <= 'z':
		body.Error = f.Code
	case f.Kind >= fault.Internal:
		body.Error = "server_error"
	case f.Kind == fault.TooMany:
		body.Error = "temporarily_unavailable"
	}
	w.Header().Set("Cache-Control", "no-store")
	WriteFaultBody(w, f, "application/json", body)
}

// WriteFaultBody writes a fault's headers, status and body.
func WriteFaultBody(w http.ResponseWriter, f *fault.Error, mediaType string, body any) {
	text, err := json.Marshal(body)
	if err != nil {
		text = []byte(`{}`)
	}
	h := w.Header()
	for _, header := range f.Headers {
		h.Set(header.Name, header.Value)
	}
	h.Set("Content-Type", mediaType)
	h.Set("Content-Length", strconv.Itoa(len(text)))
	w.WriteHeader(int(f.Kind))
	_, _ = w.Write(text) // the client may be gone
}

// PlatformCode is the error_code of a fault: its own, or where that is of another dialect the one of its kind.
func PlatformCode(f *fault.Error) string {
	if f.Code != "" && f.Code[0] >= 'A' && f.Code[0] <= 'Z' && !strings.HasPrefix(f.Code, "PGRST") {
		return f.Code
	}
	switch f.Kind {
	case fault.Invalid, fault.NotAcceptable, fault.Ambiguous, fault.RangeUnsatisfiable:
		return "INVALID_PARAMETER_VALUE"
	case fault.Unauthenticated:
		return "UNAUTHENTICATED"
	case fault.Denied:
		return "PERMISSION_DENIED"
	case fault.NotFound:
		return "RESOURCE_DOES_NOT_EXIST"
	case fault.MethodNotAllowed:
		return "ENDPOINT_NOT_FOUND"
	case fault.Conflict:
		return "RESOURCE_CONFLICT"
	case fault.TooLarge, fault.URITooLong:
		return "MAX_REQUEST_SIZE_EXCEEDED"
	case fault.Stalled:
		return "REQUEST_TIMEOUT"
	case fault.TooMany:
		return "REQUEST_LIMIT_EXCEEDED"
	case fault.Unavailable:
		return "TEMPORARILY_UNAVAILABLE"
	case fault.TimedOut:
		return "DEADLINE_EXCEEDED"
	case fault.NotImplemented:
		return "NOT_IMPLEMENTED"
	case fault.Internal:
	}
	return "INTERNAL_ERROR"
}
