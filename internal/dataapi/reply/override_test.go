package reply_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tarn-data/tarn/internal/dataapi/media"
	"github.com/tarn-data/tarn/internal/dataapi/plan"
	"github.com/tarn-data/tarn/internal/dataapi/reply"
	"github.com/tarn-data/tarn/internal/dataapi/request"
	"github.com/tarn-data/tarn/internal/dataapi/sqlgen"
	"github.com/tarn-data/tarn/internal/fault"
)

func overridden(status, headers string) (*reply.Reply, error) {
	row := sqlgen.Row{Status: status, Body: []byte("[]")}
	if headers != "" {
		row.Headers = []byte(headers)
	}
	return reply.New(&plan.Read{Media: media.Of(media.JSON), Target: books}, &request.Request{}, &row, "")
}

func TestOverriddenStatus(t *testing.T) {
	for text, want := range map[string]int{"": 200, "201": 201, "100": 100, "999": 999, "404 Not Found": 404, "0418": 418} {
		if r, err := overridden(text, ""); err != nil || r.Status != want {
			t.Errorf("%q: %v %v", text, r, err)
		}
	}
	for _, text := range []string{"x", " 200", "-1", "99", "1000", "99999999999999999999", "٣٠٠"} {
		_, err := overridden(text, "")
		refused(t, text, err, "PGRST112", "response.status guc must be a valid status code")
	}
}

func refused(t *testing.T, what string, err error, code, message string) {
	t.Helper()
	f, ok := errors.AsType[*fault.Error](err)
	if !ok || f.Kind != fault.Internal || f.Code != code || f.Message != message {
		t.Errorf("%q: %v", what, err)
	}
}

func TestOverriddenHeaders(t *testing.T) {
	own := func(more ...reply.Header) []reply.Header {
		return append([]reply.Header{{Name: "Content-Range", Value: "*/*"}, {Name: "Content-Location", Value: "/books"}, {Name: "Content-Length", Value: "2"}}, more...)
	}
	jsonType := reply.Header{Name: "Content-Type", Value: "application/json; charset=utf-8"}
	for _, c := range []struct {
		text string
		want []reply.Header
	}{
		{`[]`, own(jsonType)},
		{`[{"X-A": "1"}]`, own(jsonType, reply.Header{Name: "X-A", Value: "1"})},
		{` [{"Set-Cookie": "a=1"}, {"Set-Cookie": "b=2"}] `, own(jsonType, reply.Header{Name: "Set-Cookie", Value: "a=1"}, reply.Header{Name: "Set-Cookie", Value: "b=2"})},
		{`[{"content-type": "text/x"}]`, own(reply.Header{Name: "content-type", Value: "text/x"})},
		{`[{"X-A": ""}]`, own(jsonType, reply.Header{Name: "X-A", Value: ""})},
	} {
		r, err := overridden("", c.text)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		if diff := cmp.Diff(c.want, r.Headers); diff != "" {
			t.Errorf("%s: %s", c.text, diff)
		}
	}
	for _, text := range []string{
		`x`, `{}`, `null`, `"X-A: 1"`, `[{"X-A": 1}]`, `[{"X-A": null}]`, `[{"X-A": "1", "X-B": "2"}]`, `[{}]`, `[null]`, `[["X-A", "1"]]`,
		`[{"X-A": "1"}] [{"X-B": "2"}]`, `[{"X-A": "1"}`,
	} {
		_, err := overridden("", text)
		refused(t, text, err, "PGRST111", "response.headers guc must be a JSON array composed of objects with a single key and a string value")
	}
}

func TestHas(t *testing.T) {
	r := &reply.Reply{Headers: []reply.Header{{Name: "Vary", Value: "x"}}}
	if !r.Has("vary") || r.Has("Var") || r.Has("Vary2") {
		t.Error("headers are told apart by more than their names, or by less")
	}
}
