package reply

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/tarn-data/tarn/internal/dataapi/sqlgen"
	"github.com/tarn-data/tarn/internal/fault"
)

// override applies what the request's SQL set as response.status and response.headers.
func override(r *Reply, row *sqlgen.Row) error {
	if row.Status != "" {
		status, ok := leadingNumber(row.Status)
		if !ok || status < 100 || status > 999 {
			return fault.New(fault.Internal, "PGRST112", "response.status guc must be a valid status code")
		}
		r.Status = status
	}
	if len(row.Headers) == 0 {
		return nil
	}
	set, ok := settingHeaders(row.Headers)
	if !ok {
		return fault.New(fault.Internal, "PGRST111",
			"response.headers guc must be a JSON array composed of objects with a single key and a string value")
	}
	kept := r.Headers[:0:0]
	for _, h := range r.Headers {
		if !named(set, h.Name) {
			kept = append(kept, h)
		}
	}
	r.Headers = append(kept, set...)
	return nil
}

func leadingNumber(s string) (int, bool) {
	n, digits := 0, 0
	for digits < len(s) && digits < 6 && s[digits] >= '0' && s[digits] <= '9' {
		n = n*10 + int(s[digits]-'0')
		digits++
	}
	return n, digits > 0
}

// settingHeaders reads [{"Name": "value"}, …]. A name may come more than once.
func settingHeaders(text []byte) ([]Header, bool) {
	var objects []map[string]json.RawMessage
	dec := json.NewDecoder(bytes.NewReader(text))
	if dec.Decode(&objects) != nil || dec.More() || objects == nil {
		return nil, false
	}
	out := make([]Header, 0, len(objects))
	for _, o := range objects {
		if len(o) != 1 {
			return nil, false
		}
		for name, raw := range o {
			var value *string
			if json.Unmarshal(raw, &value) != nil || value == nil {
				return nil, false
			}
			out = append(out, Header{Name: name, Value: *value})
		}
	}
	return out, true
}

func named(headers []Header, name string) bool {
	for _, h := range headers {
		if strings.EqualFold(h.Name, name) {
			return true
		}
	}
	return false
}
