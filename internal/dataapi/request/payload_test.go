package request

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tarn-data/tarn/internal/dataapi/media"
	"github.com/tarn-data/tarn/internal/dataapi/payload"
	"github.com/tarn-data/tarn/internal/fault"
)

func FuzzPayload(f *testing.F) {
	for _, s := range []string{
		`[{"a":1,"b":[true,null]},{"b":"\u0061\"","a":{}}]`, `[{"\u0061":-1.5e3},{"a":2}]`, `[{"a":1,"a":2},{"a":1}]`, `[1,{}]`, `{"a":"é"}`,
		"a,b\n1,\"x\"\"y\"\r\nNULL,\n", "a\n", "a,b\n1\n", "\"a\nb\",c\n1,2", "a=1&b=%41+b&a", "%zz=;=",
	} {
		f.Add([]byte(s))
	}
	relation, routine := MutateRelation{}, CallRoutine{}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, kind := range []media.Kind{media.JSON, media.CSV, media.URLEncoded} {
			for _, action := range []Action{relation, routine} {
				c, err := readContent(body, media.Of(kind), action, nil)
				checkContent(t, body, kind, c, err)
			}
		}
	})
}

// checkContent holds that what was made of a body is rows that have the columns.
func checkContent(t *testing.T, body []byte, kind media.Kind, c content, err error) {
	if err != nil {
		if f := fault.From(err); f.Code != "PGRST102" || f.Kind != fault.Invalid {
			t.Errorf("%q: %v", body, err)
		}
		return
	}
	switch p := c.payload.(type) {
	case JSONPayload:
		if kind == media.JSON && len(body) == 0 {
			return
		}
		keys, shape := payload.Keys(p.Raw)
		if shape != payload.Objects && shape != payload.Nothing || !slices.Equal(keys, c.columns) {
			t.Errorf("%q as %v became %q (%d) with columns %q", body, kind, p.Raw, shape, c.columns)
		}
	case FormPayload:
		for _, param := range p.Params {
			if _, ok := slices.BinarySearch(c.columns, param.Name); !ok {
				t.Errorf("%q: %q is not among %q", body, param.Name, c.columns)
			}
		}
	case RawPayload, RowsPayload:
		t.Errorf("%q became %T", body, p)
	}
}

func TestPayload(t *testing.T) {
	const (
		post = "POST /t"
		call = "POST /rpc/f"
	)
	rows := func(raw string) Payload { return JSONPayload{Raw: []byte(raw)} }
	for _, c := range []struct {
		request, query, contentType, body string
		want                              Payload
		columns                           []string
		refused                           string
	}{
		{post, "", "", `[{"b":1,"a":2}]`, rows(`[{"b":1,"a":2}]`), []string{"a", "b"}, ""},
		{post, "", "application/json; charset=utf-8", `{"a":2}`, rows(`{"a":2}`), []string{"a"}, ""},
		{post, "", "", `[]`, rows(`[]`), nil, ""},
		{post, "", "", `null`, rows(`[]`), nil, ""},
		{post, "", "", ``, nil, nil, "Empty or invalid json"},
		{post, "", "", `}{ x = 2`, nil, nil, "Empty or invalid json"},
		{post, "", "", `[{"a":1},{"b":1}]`, nil, nil, "All object keys must match"},
		{post, "columns=b,a,b", "", `[{"a":1},{"b":1}]`, rows(`[{"a":1},{"b":1}]`), []string{"a", "b"}, ""},
		{post, "columns=a", "", `not looked at`, rows(`not looked at`), []string{"a"}, ""},
		{"PATCH /t", "columns=a", "", `{"a":1,"b":2}`, rows(`{"a":1,"b":2}`), []string{"a"}, ""},
		{"PUT /t", "columns=a", "", `{"a":1,"b":2}`, rows(`{"a":1,"b":2}`), []string{"a", "b"}, ""},
		{"DELETE /t", "", "", `}{`, nil, nil, ""},
		{"GET /t", "", "", `}{`, nil, nil, ""},
		{"OPTIONS /t", "", "", `}{`, nil, nil, ""},
		{"GET /rpc/f", "", "", `}{`, nil, nil, ""},

		{post, "", "text/csv", "a,b\n1,NULL\n\"x,\"\"y\",\n", rows(`[{"a":"1","b":null},{"a":"x,\"y","b":""}]`), []string{"a", "b"}, ""},
		{post, "", "text/csv", "b,a\r\n1,2\r\n\r\n3,4,5", rows(`[{"b":"1","a":"2"},{"b":"3","a":"4"}]`), []string{"a", "b"}, ""},
		{post, "", "text/csv", "a\n\"l1\nl2\\\"\n", rows(`[{"a":"l1\u000al2\\"}]`), []string{"a"}, ""},
		{post, "", "text/csv", "a,b\n", rows(`[]`), nil, ""},
		{post, "", "text/csv", "a,b\n\n", rows(`[]`), nil, ""},
		{post, "", "text/csv", "a,b\nfoo,bar\nbaz", nil, nil, "All lines must have same number of fields"},
		{post, "", "text/csv", "a,b", nil, nil, `parse error (not enough input) at ""`},
		{post, "", "text/csv", "", nil, nil, `parse error (not enough input) at ""`},
		{post, "", "text/csv", "a\n\"b", nil, nil, `parse error (not enough input) at ""`},
		{post, "", "text/csv", "a\nb\"c\nd", nil, nil, `parse error (endOfInput) at "\"c\nd"`},
		{post, "", "text/csv", "a\n\xff", nil, nil, "The CSV is not valid UTF-8"},
		{call, "", "text/csv", "a\n1", rows(`[{"a":"1"}]`), []string{"a"}, ""},

		{post, "", "application/x-www-form-urlencoded", "b=x+y&a=%22&b=2&c", rows(`{"a":"\"","b":"2","c":""}`), []string{"a", "b", "c"}, ""},
		{call, "", "application/x-www-form-urlencoded", "b=x+y&a=1&b=2", FormPayload{Params: []Param{{"b", "x y"}, {"a", "1"}, {"b", "2"}}}, []string{"a", "b"}, ""},
		{call, "", "application/x-www-form-urlencoded", "a=%ff", nil, nil, "The form is not valid UTF-8"},

		{call, "", "", ``, rows(``), nil, ""},
		{call, "", "", `{"a":1}`, rows(`{"a":1}`), []string{"a"}, ""},
		{call, "columns=a", "", `{"a":1,"b":2}`, rows(`{"a":1,"b":2}`), []string{"a"}, ""},
		{call, "", "text/plain", "a", RawPayload{Raw: []byte("a")}, nil, ""},
		{call, "", "text/xml", "<a/>", RawPayload{Raw: []byte("<a/>")}, nil, ""},
		{call, "", "application/octet-stream", "", RawPayload{Raw: []byte{}}, nil, ""},
		{call, "", "image/png", "", nil, nil, "Content-Type not acceptable: image/png"},
		{post, "", "text/plain", "", nil, nil, "Content-Type not acceptable: text/plain"},
		{post, "", "application/octet-stream", "", nil, nil, "Content-Type not acceptable: application/octet-stream"},
	} {
		method, path, _ := strings.Cut(c.request, " ")
		in := Input{Method: method, Path: path, Query: c.query, Header: map[string][]string{}, Body: []byte(c.body)}
		if c.contentType != "" {
			in.Header["Content-Type"] = []string{c.contentType}
		}
		name := c.request + "?" + c.query + " " + c.contentType + " " + c.body
		r, err := Parse(in, Options{Schemas: []string{"s"}})
		if f := fault.From(err); err != nil {
			if f.Kind != fault.Invalid || f.Code != "PGRST102" || f.Message != c.refused {
				t.Errorf("%s: %v", name, f)
			}
			continue
		}
		if diff := cmp.Diff(c.want, r.Payload); diff != "" || c.refused != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if len(c.columns) != len(r.Columns) || !slices.Equal(c.columns, r.Columns) {
			t.Errorf("%s: columns %q, want %q", name, r.Columns, c.columns)
		}
	}
}
