// Package audit provides the audit log: a record of every call, kept where it outlives the process before the call is
// answered, chained so that what is changed or taken away is found. It knows the calls of the gateway, but neither the
// services nor the database that keeps the log.
package audit

import (
	"encoding/json"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tarn-data/tarn/internal/endpoint"
	"github.com/tarn-data/tarn/internal/fault"
)

const (
	schemaVersion = "1.0"
	maxText       = 512     // bytes of one text in a record
	maxParams     = 8 << 10 // bytes of all parameters
)

// Record is what is kept of a call. Its JSON is stored, hashed and exported as it was first written.
type Record struct {
	Version     string         `json:"version"`
	Timestamp   int64          `json:"timestamp"` // when the call came, in milliseconds since 1970
	WorkspaceID string         `json:"workspaceId,omitempty"`
	RequestID   string         `json:"requestId"`
	Source      string         `json:"sourceIPAddress,omitempty"`
	UserAgent   string         `json:"userAgent,omitempty"`
	User        Identity       `json:"userIdentity"`
	Service     string         `json:"serviceName"`
	Action      string         `json:"actionName"`
	Securable   string         `json:"securable,omitempty"`
	Params      map[string]any `json:"requestParams,omitempty"`
	Response    Response       `json:"response"`
	Latency     int64          `json:"latencyMicros"` // until the answer began
}

// Identity is who called.
type Identity struct {
	Name       string `json:"email"` // user name or application id; empty for who isn't known
	Credential string `json:"credentialId,omitempty"`
}

// Response is the outcome of a call.
type Response struct {
	Status  int    `json:"statusCode"` // 0 if the process ended before the call did
	Code    string `json:"errorCode,omitempty"`
	Message string `json:"errorMessage,omitempty"`
}

// Entry is a record as it is stored: its text, and what is looked for.
type Entry struct {
	Time      time.Time
	RequestID string
	Principal string
	Service   string
	Action    string
	Status    int
	Text      []byte
}

// ParseEntry reads what is looked for from the text of a record.
func ParseEntry(text []byte) (Entry, error) {
	var r Record
	if err := json.Unmarshal(text, &r); err != nil {
		return Entry{}, err
	}
	return r.entry(text), nil
}

func (r *Record) entry(text []byte) Entry {
	return Entry{
		Time: time.UnixMilli(r.Timestamp), RequestID: r.RequestID, Principal: r.User.Name,
		Service: r.Service, Action: r.Action, Status: r.Response.Status, Text: text,
	}
}

// same tells whether what is looked for is that of another entry.
func (e *Entry) same(o *Entry) bool {
	return e.Time.Equal(o.Time) && e.RequestID == o.RequestID && e.Principal == o.Principal &&
		e.Service == o.Service && e.Action == o.Action && e.Status == o.Status
}

// newRecord makes the record of a call.
func newRecord(c *endpoint.Call, workspaceID string) *Record {
	r := &Record{
		Version: schemaVersion, Timestamp: c.Start.UnixMilli(), WorkspaceID: workspaceID, RequestID: c.ID,
		UserAgent: clean(c.UserAgent), User: Identity{Credential: clean(c.TokenID)},
		Service: c.Route.Service, Action: c.Route.Action, Securable: clean(c.Securable), Params: cleanParams(c.Params),
		Response: Response{Status: c.Status}, Latency: c.Latency.Microseconds(),
	}
	if c.Source.IsValid() {
		r.Source = c.Source.String()
	}
	if c.Account != nil {
		r.User.Name = clean(c.Account.Name)
	}
	if c.Err != nil {
		f := fault.From(c.Err)
		r.Response.Code, r.Response.Message = f.Code, clean(f.Message)
	}
	return r
}

// encode writes a record. Nothing in it fails to be written but what a service gave as a parameter.
func (r *Record) encode() Entry {
	text, err := json.Marshal(r)
	if err != nil || len(text) > maxParams+8*maxText {
		r.Params = map[string]any{"omitted": true}
		text, err = json.Marshal(r)
	}
	if err != nil {
		text = []byte("{}")
	}
	return r.entry(text)
}

// clean is a text that is short and that PostgreSQL takes.
func clean(s string) string {
	if len(s) > maxText {
		cut := maxText
		for cut > 0 && !utf8.RuneStart(s[cut]) {
			cut--
		}
		s = s[:cut] + "…"
	}
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

func cleanParams(params map[string]any) map[string]any {
	if len(params) == 0 {
		return nil
	}
	out := make(map[string]any, len(params))
	for name, value := range params {
		if text, ok := value.(string); ok {
			value = clean(text)
		}
		out[clean(name)] = value
	}
	return out
}
