package reply

import (
	"encoding/json"

	"github.com/tarn-data/tarn/internal/dataapi/media"
	"github.com/tarn-data/tarn/internal/fault"
)

// Error answers with a fault in PostgREST's dialect. A minimal answer has neither details nor hint.
func Error(f *fault.Error, minimal bool) *Reply {
	r := &Reply{Status: int(f.Kind), Body: errorBody(f, minimal)}
	r.add("Content-Type", media.Of(media.JSON).ContentType())
	r.length()
	r.add("Proxy-Status", "PostgREST; error="+f.Code)
	r.Headers = append(r.Headers, f.Headers...)
	return r
}

func errorBody(f *fault.Error, minimal bool) []byte {
	var v any
	if minimal {
		v = struct {
			Code    string `json:"code"`
			Message string `json:"message"`
		}{f.Code, f.Message}
	} else {
		full := struct {
			Code    string  `json:"code"`
			Details any     `json:"details"`
			Hint    *string `json:"hint"`
			Message string  `json:"message"`
		}{f.Code, f.Details, nil, f.Message}
		if f.Hint != "" {
			full.Hint = &f.Hint
		}
		v = full
	}
	out, err := marshal(v)
	if err != nil {
		return []byte(`{"code":"PGRSTX00","details":null,"hint":null,"message":"the error could not be encoded"}`)
	}
	return out
}

func marshal(v any) ([]byte, error) {
	var b jsonBuffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return b[:len(b)-1], nil // without the newline
}

type jsonBuffer []byte

func (b *jsonBuffer) Write(p []byte) (int, error) {
	*b = append(*b, p...)
	return len(p), nil
}
