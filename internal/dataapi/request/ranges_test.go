package request

import (
	"errors"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tarn-data/tarn/internal/fault"
)

func TestRange(t *testing.T) {
	all := Range{}
	limited := func(offset, limit int64) Range { return Range{Offset: offset, Limit: limit, Limited: true} }
	const (
		negative = "Limit should be greater than or equal to zero."
		reversed = "The lower boundary must be lower than or equal to the upper boundary in the Range header."
	)
	for _, c := range []struct {
		method, query, header string
		want                  Range
		refused               string // details
	}{
		{"GET", "", "", all, ""},
		{"GET", "", "0-", all, ""},
		{"GET", "", "0-9", limited(0, 10), ""},
		{"GET", "", "5-5", limited(5, 1), ""},
		{"GET", "", "10-", Range{Offset: 10}, ""},
		{"GET", "", "1-0", all, reversed},
		{"GET", "", "bytes=0-9", all, ""},
		{"GET", "", "-5", all, ""},
		{"GET", "", "1-2-3", all, ""},
		{"GET", "", "+1-2", all, ""},
		{"GET", "limit=5", "", limited(0, 5), ""},
		{"GET", "limit= 5 ", "", limited(0, 5), ""},
		{"GET", "limit=5&limit=7", "", limited(0, 7), ""},
		{"GET", "limit=x", "", all, ""},
		{"GET", "limit=", "", all, ""},
		{"GET", "limit", "", all, ""},
		{"GET", "offset=3", "", Range{Offset: 3}, ""},
		{"GET", "offset=x", "", all, ""},
		{"GET", "offset=-3", "", all, ""},
		{"GET", "limit=5&offset=3", "", limited(3, 5), ""},
		{"GET", "offset=9&offset=3&limit=5", "", limited(3, 5), ""},
		{"GET", "limit=10&offset=-5", "", limited(0, 5), ""},
		{"GET", "limit=0", "", limited(0, 0), ""},
		{"GET", "limit=0", "3-2", limited(0, 0), ""},
		{"GET", "limit=0&offset=0", "", limited(0, 0), ""},
		{"GET", "limit=0&offset=5", "", all, negative},
		{"GET", "limit=x&offset=5", "", all, negative},
		{"GET", "limit=-1", "", all, negative},
		{"GET", "limit=5", "2-9", limited(2, 3), ""},
		{"GET", "limit=5&offset=3", "0-4", limited(3, 2), ""},
		{"GET", "offset=20", "0-9", all, negative},
		{"HEAD", "", "0-9", all, ""},
		{"HEAD", "limit=2", "", limited(0, 2), ""},
		{"POST", "", "1-0", all, ""},
		{"PATCH", "limit=2", "", limited(0, 2), ""},
		{"GET", "limit=99999999999999999999", "", limited(0, math.MaxInt64), ""},
		{"GET", "offset=99999999999999999999", "", Range{Offset: math.MaxInt64}, ""},
		{"GET", "offset=99999999999999999999&limit=5", "", limited(math.MaxInt64, 1), ""},
		{"GET", "limit=-99999999999999999999", "", all, negative},
		{"GET", "", "99999999999999999999-", Range{Offset: math.MaxInt64}, ""},
	} {
		in := Input{Method: c.method, Path: "/t", Query: c.query, Header: map[string][]string{}, Body: []byte("{}")}
		if c.header != "" {
			in.Header["Range"] = []string{c.header}
		}
		r, err := Parse(in, Options{Schemas: []string{"s"}})
		var f *fault.Error
		switch {
		case errors.As(err, &f):
			if f.Kind != fault.RangeUnsatisfiable || f.Code != "PGRST103" || f.Details != c.refused || c.refused == "" {
				t.Errorf("%s ?%s Range: %s: %v %v", c.method, c.query, c.header, f, f.Details)
			}
		case c.refused != "":
			t.Errorf("%s ?%s Range: %s isn't refused", c.method, c.query, c.header)
		case r.Range != c.want:
			t.Errorf("%s ?%s Range: %s: got %+v, want %+v", c.method, c.query, c.header, r.Range, c.want)
		}
	}
}

func TestRangeOfPut(t *testing.T) {
	for query, refused := range map[string]bool{"": false, "limit=x": false, "offset=0": false, "limit=1": true, "offset=1": true, "limit=0": true} {
		in := Input{Method: "PUT", Path: "/t", Query: query, Body: []byte("{}")}
		_, err := Parse(in, Options{Schemas: []string{"s"}})
		if (err != nil) != refused || refused && fault.From(err).Code != "PGRST114" {
			t.Errorf("?%s: %v", query, err)
		}
	}
}

func TestRangesOfEmbeds(t *testing.T) {
	q := "a.limit=5&a.offset=2&limit=1&b.offset=-1&a.b.limit=0&c.limit=-1&d.offset=3&d.limit=x"
	want := []EmbedRange{
		{Path{"a"}, Range{Offset: 2, Limit: 5, Limited: true}},
		{Path{"a", "b"}, Range{Limited: true}},
		{Path{"c"}, Range{Limit: -1, Limited: true}},
		{Path{"d"}, Range{Offset: 3, Limited: true}},
		{Path{"b"}, Range{Offset: -1}},
	}
	in := Input{Method: "GET", Path: "/t", Query: q}
	r, err := Parse(in, Options{Schemas: []string{"s"}})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, r.Query.Ranges); diff != "" {
		t.Error(diff)
	}
	in.Query = "..limit=1"
	if _, err = Parse(in, Options{Schemas: []string{"s"}}); err == nil || fault.From(err).Code != "PGRST100" {
		t.Errorf("a level that is no path: %v", err)
	}
	in.Method, in.Body = "PATCH", []byte("{}")
	if r, err = Parse(in, Options{Schemas: []string{"s"}}); err != nil || r.Query.Ranges != nil {
		t.Errorf("a mutation has no ranges of embeds: %v, %v", r, err)
	}
}

func TestRestrict(t *testing.T) {
	limited := func(offset, limit int64) Range { return Range{Offset: offset, Limit: limit, Limited: true} }
	for _, c := range []struct{ from, want Range }{
		{Range{}, limited(0, 10)},
		{Range{Offset: 7}, limited(7, 10)},
		{limited(7, 11), limited(7, 10)},
		{limited(7, 9), limited(7, 9)},
		{limited(0, 0), limited(0, 0)},
	} {
		if got := c.from.Restrict(10); got != c.want {
			t.Errorf("%+v: got %+v, want %+v", c.from, got, c.want)
		}
	}
}

func TestContentRange(t *testing.T) {
	n := func(n int64) *int64 { return &n }
	for _, c := range []struct {
		lower, upper int64
		total        *int64
		header       string
		status       int
	}{
		{0, 9, nil, "0-9/*", 200},
		{0, -1, nil, "*/*", 200},
		{0, 9, n(10), "0-9/10", 200},
		{0, 9, n(11), "0-9/11", 206},
		{5, 9, n(10), "5-9/10", 206},
		{0, -1, n(0), "*/0", 200},
		{1, 0, n(0), "*/0", 416},
		{10, 9, n(10), "*/10", 206},
		{11, 10, n(10), "*/10", 416},
		{0, 0, n(0), "*/0", 200},
	} {
		if got := ContentRange(c.lower, c.upper, c.total); got != c.header {
			t.Errorf("%d-%d: Content-Range %s, want %s", c.lower, c.upper, got, c.header)
		}
		if got := RangeStatus(c.lower, c.upper, c.total); got != c.status {
			t.Errorf("%s: status %d, want %d", c.header, got, c.status)
		}
	}
}
