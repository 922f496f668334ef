package reply_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tarn-data/tarn/internal/dataapi/media"
	"github.com/tarn-data/tarn/internal/dataapi/plan"
	"github.com/tarn-data/tarn/internal/dataapi/reply"
	"github.com/tarn-data/tarn/internal/dataapi/request"
	"github.com/tarn-data/tarn/internal/dataapi/schema"
	"github.com/tarn-data/tarn/internal/dataapi/sqlgen"
)

// text renders an answer: its status, headers and body, each on a line.
func text(r *reply.Reply) string {
	lines := []string{fmt.Sprint(r.Status)}
	for _, h := range r.Headers {
		lines = append(lines, h.Name+": "+h.Value)
	}
	if r.Body != nil {
		lines = append(lines, string(r.Body))
	}
	return strings.Join(lines, "\n")
}

// trimmed takes the indentation off the lines of a wanted answer.
func trimmed(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	return strings.Join(lines, "\n")
}

var books = schema.Ident{Schema: "api", Name: "books"}

// one is an answer that is made.
type one struct {
	name string
	plan plan.Plan
	req  request.Request
	row  sqlgen.Row
	base string
	want string
}

func check(t *testing.T, cases []one) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r, err := reply.New(c.plan, &c.req, &c.row, c.base)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(trimmed(c.want), text(r)); diff != "" {
				t.Errorf("wanted (-), got (+):\n%s", diff)
			}
		})
	}
}

func TestRead(t *testing.T) {
	read := func(m media.Kind) *plan.Read { return &plan.Read{Media: media.Of(m), Target: books} }
	rows := func(page int64, total *int64) sqlgen.Row {
		return sqlgen.Row{Page: page, Total: total, Body: []byte("[]")}
	}
	from := func(offset int64) request.Request { return request.Request{Range: request.Range{Offset: offset}} }
	const jsonType = "Content-Type: application/json; charset=utf-8"
	check(t, []one{
		{"not counted", read(media.JSON), request.Request{}, rows(3, nil), "", `200
			Content-Range: 0-2/*
			Content-Location: /books
			Content-Length: 2
			` + jsonType + `
			[]`},
		{"counted, and all", read(media.JSON), request.Request{}, rows(3, new(int64(3))), "", `200
			Content-Range: 0-2/3
			Content-Location: /books
			Content-Length: 2
			` + jsonType + `
			[]`},
		{"counted, and a part", read(media.JSON), from(10), rows(3, new(int64(20))), "", `206
			Content-Range: 10-12/20
			Content-Location: /books
			Content-Length: 2
			` + jsonType + `
			[]`},
		{"none there", read(media.JSON), request.Request{}, rows(0, new(int64(0))), "", `200
			Content-Range: */0
			Content-Location: /books
			Content-Length: 2
			` + jsonType + `
			[]`},
		{"none there, not counted", read(media.JSON), request.Request{}, rows(0, nil), "", `200
			Content-Range: */*
			Content-Location: /books
			Content-Length: 2
			` + jsonType + `
			[]`},
		{"past the end", read(media.JSON), from(10), rows(0, new(int64(3))), "", `416
			Content-Range: */3
			Content-Location: /books
			Content-Length: 145
			` + jsonType + `
			{"code":"PGRST103","details":"An offset of 10 was requested, but there are only 3 rows.","hint":null,"message":"Requested range not satisfiable"}`},
		{"past the end, not counted", read(media.JSON), from(10), rows(0, nil), "", `200
			Content-Range: */*
			Content-Location: /books
			Content-Length: 2
			` + jsonType + `
			[]`},
		{
			"below a mount, with a query, a profile and another type", read(media.CSV),
			request.Request{Query: request.Query{Canonical: "a=eq.1&select=id"}, Negotiated: true, Schema: "api"}, rows(1, nil), "/api/1/rest/db/api", `200
			Content-Range: 0-0/*
			Content-Location: /api/1/rest/db/api/books?a=eq.1&select=id
			Content-Length: 2
			Content-Type: text/csv; charset=utf-8
			Content-Profile: api
			[]`,
		},
		{"HEAD", &plan.Read{Media: media.Of(media.JSON), Target: books, HeadersOnly: true}, request.Request{}, rows(3, new(int64(9))), "", `206
			Content-Range: 0-2/9
			Content-Location: /books
			` + jsonType},
		{"preferences", read(media.JSON), request.Request{Prefer: all()}, rows(3, nil), "", `200
			Content-Range: 0-2/*
			Content-Location: /books
			Content-Length: 2
			` + jsonType + `
			Preference-Applied: count=exact, tx=rollback, handling=strict, timezone=UTC
			[]`},
	})
}

// all is every preference at once.
func all() request.Prefer {
	return request.Prefer{
		Resolution: request.MergeDuplicates, Return: request.Representation, Count: request.Exact, Tx: request.Rollback,
		Missing: request.MissingDefault, Handling: request.Strict, Timezone: "UTC", MaxAffected: 5, HasMaxAffected: true,
	}
}

func mutation(m request.Mutation, key ...string) *plan.Mutate {
	p := &plan.Mutate{Mutation: m, Media: media.Of(media.JSON), Target: books}
	switch m {
	case request.Insert, request.Upsert:
		p.Write = &plan.Insert{PrimaryKey: key}
	case request.Update:
		p.Write = &plan.Update{}
	case request.Delete:
		p.Write = &plan.Delete{}
	}
	return p
}

func TestMutate(t *testing.T) {
	prefers := func(p request.Prefer) request.Request { return request.Request{Prefer: p} }
	whole := request.Prefer{Return: request.Representation}
	const jsonType = "Content-Type: application/json; charset=utf-8"
	rows := sqlgen.Row{Page: 2, Body: []byte(`[1]`), Inserted: new(int64(0))}
	check(t, []one{
		{"insert", mutation(request.Insert, "id"), request.Request{}, rows, "", `201
			Content-Length: 0
			Content-Range: */*`},
		{"insert that returns", mutation(request.Insert, "id"), prefers(whole), rows, "", `201
			Content-Length: 3
			Content-Range: */*
			` + jsonType + `
			Preference-Applied: return=representation
			[1]`},
		{
			"insert that tells where", mutation(request.Insert, "id"), prefers(request.Prefer{Return: request.HeadersOnly, Count: request.Exact}),
			sqlgen.Row{Page: 1, Body: []byte(`[1]`), Location: []byte(`[["id","eq.1"],["a b","eq.ü&x"],["n","is.null"]]`)}, "/base", `201
			Content-Length: 0
			Location: /base/books?id=eq.1&a%20b=eq.%C3%BC%26x&n=is.null
			Content-Range: */1
			Preference-Applied: return=headers-only, count=exact`,
		},
		{
			"upsert of what was there", mutation(request.Insert, "id"),
			prefers(request.Prefer{Resolution: request.MergeDuplicates}), sqlgen.Row{Page: 2, Inserted: new(int64(0))}, "", `200
			Content-Length: 0
			Content-Range: */*
			Preference-Applied: resolution=merge-duplicates`,
		},
		{
			"upsert of what was there in part", mutation(request.Insert, "id"),
			prefers(request.Prefer{Resolution: request.MergeDuplicates}), sqlgen.Row{Page: 2, Inserted: new(int64(1))}, "", `201
			Content-Length: 0
			Content-Range: */*
			Preference-Applied: resolution=merge-duplicates`,
		},
		{
			"upsert that ignores", mutation(request.Insert, "id"),
			prefers(request.Prefer{Resolution: request.IgnoreDuplicates}), sqlgen.Row{Inserted: new(int64(0))}, "", `201
			Content-Length: 0
			Content-Range: */*
			Preference-Applied: resolution=ignore-duplicates`,
		},
		{
			"upsert without a key", mutation(request.Insert),
			prefers(request.Prefer{Resolution: request.IgnoreDuplicates}), sqlgen.Row{}, "", `201
			Content-Length: 0
			Content-Range: */*`,
		},
		{
			"upsert on named columns", mutation(request.Insert),
			request.Request{Query: request.Query{OnConflict: []string{"a"}}, Prefer: request.Prefer{Resolution: request.IgnoreDuplicates}}, sqlgen.Row{}, "", `201
			Content-Length: 0
			Content-Range: */*
			Preference-Applied: resolution=ignore-duplicates`,
		},
		{"update", mutation(request.Update), request.Request{}, rows, "", `204
			Content-Range: 0-1/*`},
		{"update of nothing", mutation(request.Update), prefers(request.Prefer{Count: request.Exact}), sqlgen.Row{}, "", `204
			Content-Range: */0
			Preference-Applied: count=exact`},
		{"update that returns", mutation(request.Update), prefers(whole), rows, "", `200
			Content-Range: 0-1/*
			Content-Length: 3
			` + jsonType + `
			Preference-Applied: return=representation
			[1]`},
		{"put", mutation(request.Upsert), request.Request{}, rows, "", `204`},
		{"put that returns what it changed", mutation(request.Upsert), prefers(whole), rows, "", `200
			Content-Length: 3
			` + jsonType + `
			Preference-Applied: return=representation
			[1]`},
		{"put that returns what it made", mutation(request.Upsert), prefers(whole), sqlgen.Row{Page: 1, Body: []byte(`[1]`), Inserted: new(int64(1))}, "", `201
			Content-Length: 3
			` + jsonType + `
			Preference-Applied: return=representation
			[1]`},
		{"delete", mutation(request.Delete), prefers(request.Prefer{Count: request.Exact}), rows, "", `204
			Content-Range: */2
			Preference-Applied: count=exact`},
		{"delete, estimated", mutation(request.Delete), prefers(request.Prefer{Count: request.Estimated}), rows, "", `204
			Content-Range: */2
			Preference-Applied: count=estimated`},
		{"delete, planned", mutation(request.Delete), prefers(request.Prefer{Count: request.Planned}), rows, "", `204
			Content-Range: */*
			Preference-Applied: count=planned`},
		{"delete that returns", mutation(request.Delete), prefers(whole), rows, "", `200
			Content-Range: */*
			Content-Length: 3
			` + jsonType + `
			Preference-Applied: return=representation
			[1]`},
	})
}

func TestPreferencesAppliedByMutations(t *testing.T) {
	for _, c := range []struct {
		mutation request.Mutation
		want     string
	}{
		{request.Insert, "resolution=merge-duplicates, missing=default, return=representation, count=exact, tx=rollback, handling=strict, timezone=UTC"},
		{request.Update, "missing=default, return=representation, count=exact, tx=rollback, handling=strict, timezone=UTC, max-affected=5"},
		{request.Upsert, "return=representation, count=exact, tx=rollback, handling=strict, timezone=UTC"},
		{request.Delete, "return=representation, count=exact, tx=rollback, handling=strict, timezone=UTC, max-affected=5"},
	} {
		r, err := reply.New(mutation(c.mutation, "id"), &request.Request{Prefer: all()}, &sqlgen.Row{}, "")
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(text(r), "Preference-Applied: "+c.want+"\n") && !strings.HasSuffix(text(r), "Preference-Applied: "+c.want) {
			t.Errorf("%d: wanted %s, got\n%s", c.mutation, c.want, text(r))
		}
	}
}

func TestCall(t *testing.T) {
	scalar := &schema.Routine{Return: schema.Return{Type: schema.Ident{Schema: "pg_catalog", Name: "int4"}}}
	void := &schema.Routine{Return: schema.Return{Type: schema.Ident{Schema: "pg_catalog", Name: "void"}}}
	setOfVoid := &schema.Routine{Return: schema.Return{Type: schema.Ident{Schema: "pg_catalog", Name: "void"}, SetOf: true}}
	call := func(r *schema.Routine, i request.Invoke) *plan.Call {
		return &plan.Call{Routine: r, Invoke: i, Media: media.Of(media.JSON)}
	}
	row := sqlgen.Row{Page: 1, Body: []byte("42")}
	const jsonType = "Content-Type: application/json; charset=utf-8"
	check(t, []one{
		{"value", call(scalar, request.InvokePost), request.Request{}, row, "", `200
			Content-Range: 0-0/*
			Content-Length: 2
			` + jsonType + `
			42`},
		{"HEAD", call(scalar, request.InvokeHead), request.Request{}, row, "", `200
			Content-Range: 0-0/*
			` + jsonType},
		{"a part", call(scalar, request.InvokeGet), request.Request{Negotiated: true, Schema: "api"}, sqlgen.Row{Page: 1, Total: new(int64(7)), Body: []byte("42")}, "", `206
			Content-Range: 0-0/7
			Content-Length: 2
			` + jsonType + `
			Content-Profile: api
			42`},
		{"past the end", call(scalar, request.InvokeGet), request.Request{Range: request.Range{Offset: 9}}, sqlgen.Row{Total: new(int64(7)), Body: []byte("[]")}, "", `416
			Content-Range: */7
			Content-Length: 144
			` + jsonType + `
			{"code":"PGRST103","details":"An offset of 9 was requested, but there are only 7 rows.","hint":null,"message":"Requested range not satisfiable"}`},
		{"nothing", call(void, request.InvokePost), request.Request{Prefer: all()}, sqlgen.Row{Page: 1}, "", `204
			Content-Range: 0-0/*
			Preference-Applied: count=exact, tx=rollback, handling=strict, timezone=UTC, max-affected=5`},
		{"a set of nothing", call(setOfVoid, request.InvokePost), request.Request{}, sqlgen.Row{Body: []byte("[]")}, "", `200
			Content-Range: */*
			Content-Length: 2
			` + jsonType + `
			[]`},
	})
}

func TestOtherReplies(t *testing.T) {
	negotiated := &request.Request{Negotiated: true, Schema: "api"}
	read := &plan.Read{Media: media.Of(media.CSV), Target: books}
	for name, c := range map[string]struct {
		got  *reply.Reply
		want string
	}{
		"info": {reply.Info(&plan.Info{Allow: "OPTIONS,GET"}), "200\nContent-Length: 0\nAccess-Control-Allow-Origin: *\nAllow: OPTIONS,GET"},
		"document": {
			reply.Document(&plan.Inspect{}, negotiated, []byte("{}")),
			"200\nContent-Type: application/openapi+json; charset=utf-8\nContent-Profile: api\nContent-Length: 2\n{}",
		},
		"document's headers": {reply.Document(&plan.Inspect{HeadersOnly: true}, &request.Request{}, nil), "200\nContent-Type: application/openapi+json; charset=utf-8"},
		"explained": {
			reply.Explained(media.Parse("application/vnd.pgrst.plan+json"), &request.Request{}, []byte("[]\n")),
			"200\nContent-Length: 3\nContent-Type: application/vnd.pgrst.plan+json; for=\"application/json\"; charset=utf-8\n[]\n",
		},
		"streamed": {
			reply.Streamed(read, &request.Request{Prefer: all()}, "/base"),
			"200\nContent-Range: */*\nContent-Location: /base/books\nContent-Type: text/csv; charset=utf-8\nPreference-Applied: count=exact, tx=rollback, handling=strict, timezone=UTC",
		},
	} {
		if diff := cmp.Diff(c.want, text(c.got)); diff != "" {
			t.Errorf("%s: wanted (-), got (+):\n%s", name, diff)
		}
	}
	if _, err := reply.New(&plan.Info{}, negotiated, &sqlgen.Row{}, ""); err == nil {
		t.Error("a plan without rows is answered by a row")
	}
}
