package prepared_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tarn-data/tarn/internal/dataapi/plan"
	"github.com/tarn-data/tarn/internal/dataapi/prepared"
	"github.com/tarn-data/tarn/internal/dataapi/request"
	"github.com/tarn-data/tarn/internal/dataapi/schema"
	"github.com/tarn-data/tarn/internal/dataapi/sqlgen"
)

func id(name string) schema.Ident { return schema.Ident{Schema: "api", Name: name} }

func table(name string, columns ...string) schema.Relation {
	r := schema.Relation{Ident: id(name), Insertable: true, Updatable: true, Deletable: true, Plain: true, Copyable: true}
	for _, c := range columns {
		name, typ, _ := strings.Cut(c, " ")
		base := strings.Replace(typ, "api.color", "integer", 1)
		r.Columns = append(r.Columns, schema.Column{Name: name, Type: base, NominalType: typ})
	}
	r.PrimaryKey = []string{r.Columns[0].Name}
	return r
}

func library() *schema.Cache {
	param := func(name, typ string) schema.Param {
		return schema.Param{Name: name, Type: typ, CastType: typ, Required: true}
	}
	words := param("words", "text[]")
	words.Variadic = true
	scalar := schema.Return{Type: schema.Ident{Schema: "pg_catalog", Name: "int4"}}
	cast := func(source, target string) schema.Cast { return schema.Cast{Source: source, Target: target} }
	return schema.Build(schema.Parts{
		Schemas: []string{"api"},
		Relations: []schema.Relation{
			table("authors", "id integer", "name text"),
			table("books", "id integer", "title text", "doc jsonb", "search tsvector", "author_id integer"),
			table("paints", "id integer", "color api.color"),
		},
		ForeignKeys: []schema.ForeignKey{{
			Table: id("books"), Foreign: id("authors"), Constraint: "f",
			Columns: []schema.ColumnPair{{Local: "author_id", Foreign: "id"}},
		}},
		Routines: []*schema.Routine{
			{Ident: id("add"), Params: []schema.Param{param("a", "integer"), param("b", "integer")}, Return: scalar, Volatility: schema.Immutable},
			{Ident: id("find"), Params: []schema.Param{param("q", "text")}, Return: schema.Return{Type: id("books"), SetOf: true, Composite: true}},
			{Ident: id("echo"), Params: []schema.Param{param("", "json")}, Return: scalar, Volatility: schema.Immutable},
			{Ident: id("join"), Params: []schema.Param{param("sep", "text"), words}, Return: scalar, Variadic: true, Volatility: schema.Immutable},
		},
		Representations: map[schema.Cast]string{
			cast("api.color", "json"): "api.to_json", cast("json", "api.color"): "api.from_json", cast("text", "api.color"): "api.from_text",
		},
	})
}

// ask is a request: "GET /books?id=eq.1", and headers as name and value in turn.
type ask struct {
	target, body string
	headers      []string
}

func (a ask) input() request.Input {
	method, target, _ := strings.Cut(a.target, " ")
	path, query, _ := strings.Cut(target, "?")
	in := request.Input{Method: method, Path: path, URI: path, Query: query, Header: map[string][]string{}, Body: []byte(a.body)}
	for i := 0; i+1 < len(a.headers); i += 2 {
		in.Header[a.headers[i]] = append(in.Header[a.headers[i]], a.headers[i+1])
	}
	return in
}

var (
	requestOptions = request.Options{Schemas: []string{"api", "more"}, TxAllowOverride: true}
	planOptions    = plan.Options{Aggregates: true, LegacyTargetNames: true, PlanEnabled: true, MaxRows: 50}
)

func newCache() *prepared.Cache {
	return prepared.New(library(), planOptions, sqlgen.Options{MaxRows: planOptions.MaxRows})
}

// outcome is all that comes of a request: what goes to the database, and what the answer is made with.
func outcome(w *prepared.Work, err error) any {
	if err != nil {
		return fmt.Sprintf("%+v", err)
	}
	r := *w.Request
	canonical, conflict := r.Query.Canonical, r.Query.OnConflict
	if _, reads := r.Action.(request.ReadRelation); !reads {
		canonical = "" // nothing is made of it
	}
	r.Query = request.Query{Canonical: canonical, OnConflict: conflict}
	var read plan.Read
	if p, ok := w.Plan.(*plan.Read); ok {
		read = plan.Read{Handler: p.Handler, Media: p.Media, HeadersOnly: p.HeadersOnly, Target: p.Target, Rows: p.Rows}
	}
	return []any{r, w.Query, w.Legacy, read, fmt.Sprintf("%T", w.Plan)}
}

// compare holds that a cache that has seen others prepares a request as one that hasn't.
func compare(t *testing.T, c *prepared.Cache, in request.Input) {
	t.Helper()
	same := func(*sqlgen.Options) {}
	want := outcome(c.Anew(in, requestOptions, same))
	for range 2 {
		if diff := cmp.Diff(want, outcome(c.Prepare(in, requestOptions))); diff != "" {
			t.Fatalf("%s %s?%s %v %q (-alone +cached):\n%s", in.Method, in.Path, in.Query, in.Header, in.Body, diff)
		}
	}
}

var asks = []ask{
	{target: "GET /books"},
	{target: "GET /books?id=eq.1"},
	{target: "GET /books?id=not.eq.1&title=like.*a*&title=ilike(any).{*a*,b}"},
	{target: "GET /books?id=in.(1,2,3)"},
	{target: "GET /books?id=in.()"},
	{target: `GET /books?title=in.("a,b",c)`},
	{target: "GET /books?title=in.(a"},
	{target: "GET /books?title=in. (a , b) c"},
	{target: "GET /books?id=is.null&title=not.is.TRUE"},
	{target: "GET /books?id=is.nothing"},
	{target: "GET /books?id=isdistinct.7&doc->>a=eq.x&doc->1->b=gt.2"},
	{target: "GET /books?search=fts(english).cat&title=plfts.a%20b&title=wfts(german).x"},
	{target: "GET /books?search=fts().cat"},
	{target: "GET /books?id=eq(any).{1,2}&id=gt(all).{3}"},
	{target: "GET /books?id=eq(some).{1,2}"},
	{target: "GET /books?id=eq"},
	{target: "GET /books?id=equals.1"},
	{target: "GET /books?id"},
	{target: "GET /books?id=eq.1&select"},
	{target: "GET /books?title=eq.a%00b&title=eq.%26%3D%2B"},
	{target: "GET /books?title=eq.%01&title=eq.%010*"},
	{target: "GET /books?or=(title.eq.%010*,id.eq.1)&id=eq.2"},
	{target: "GET /books?title=eq.%ff"},
	{target: "GET /books?title=eq.a;id=eq.1"},
	{target: "GET /books?%69d=eq.1"},
	{target: "GET /books?or=(id.eq.1,and(id.gt.2,not.id.lt.3))&id=eq.1"},
	{target: "GET /books?select=id,author:authors(name)&authors.name=eq.x&authors.limit=2&id=eq.1"},
	{target: "GET /books?select=id,x:authors!inner(name)&x=not.is.null&x.name=like.a*&order=x(name)"},
	{target: "GET /books?select=id.count()&title=eq.x"},
	{target: "GET /books?limit=10&offset=20"},
	{target: "GET /books?limit=100"},
	{target: "GET /books?limit=0"},
	{target: "GET /books?limit=-1"},
	{target: "GET /books?limit=a&offset=b"},
	{target: "GET /books?offset=5"},
	{target: "GET /books?limit=1&limit=2&offset=3"},
	{target: "GET /books?limit=9223372036854775807&offset=1"},
	{target: "GET /books?limit=-9223372036854775807"},
	{target: "GET /books?limit=5", headers: []string{"Range", "3-4"}},
	{target: "GET /books", headers: []string{"Range", "3-4"}},
	{target: "GET /books", headers: []string{"Range", "4-3"}},
	{target: "GET /books", headers: []string{"Range", "0-"}},
	{target: "GET /books?id=eq.1", headers: []string{"Prefer", "count=exact", "Range", "0-9"}},
	{target: "GET /books?id=eq.1", headers: []string{"Prefer", "count=planned"}},
	{target: "GET /books?id=gt.1&title=like.*", headers: []string{"Prefer", "count=estimated", "Prefer", "timezone=UTC"}},
	{target: "GET /books?id=eq.1", headers: []string{"Prefer", "handling=strict, anything"}},
	{target: "GET /books?id=eq.1", headers: []string{"Accept", "text/csv"}},
	{target: "GET /books?id=eq.1", headers: []string{"Accept", "text/html"}},
	{target: "GET /books?id=eq.1", headers: []string{"Accept", "application/vnd.pgrst.plan+json"}},
	{target: "GET /books?id=eq.1", headers: []string{"Accept", "application/vnd.pgrst.object+json"}},
	{target: "GET /books?id=eq.1", headers: []string{"Accept-Profile", "more"}},
	{target: "GET /books?id=eq.1", headers: []string{"Accept-Profile", "none"}},
	{target: "GET /books?id=eq.1", headers: []string{"Cookie", "a=b; c=d", "X-Any", "thing"}},
	{target: "HEAD /books?id=eq.1"},
	{target: "OPTIONS /books?id=eq.1"},
	{target: "GET /"},
	{target: "GET /nothing?id=eq.1"},
	{target: "GET /books/1?id=eq.1"},
	{target: "GET /paints?color=eq.red&color=in.(red,blue)"},
	{target: "DELETE /books?id=eq.1", headers: []string{"Prefer", "return=representation"}},
	{target: "DELETE /books?id=eq.1&limit=3"},
	{target: "POST /books", body: `{"id":1,"title":"x"}`},
	{target: "POST /books", body: `{"title":"x","id":1}`, headers: []string{"Prefer", "return=representation"}},
	{target: "POST /books", body: ` [{"id":1}]`, headers: []string{"Prefer", "return=headers-only,resolution=merge-duplicates"}},
	{target: "POST /books?on_conflict=title&id=eq.5", body: `{"id":1}`, headers: []string{"Prefer", "resolution=ignore-duplicates"}},
	{target: "POST /books?columns=id,title", body: `[{"id":1}]`, headers: []string{"Prefer", "missing=default"}},
	{target: "POST /books?columns=id,title", body: `nonsense`},
	{target: "POST /books", body: `[]`},
	{target: "POST /books", body: `{}`},
	{target: "POST /books", body: `[{"id":1},{"title":2}]`},
	{target: "POST /books", body: ``},
	{target: "POST /books", body: `{"none":1}`},
	{target: "POST /books", body: `[` + strings.Repeat(`{"id":1},`, 20) + `{"id":2}]`},
	{target: "POST /books", body: "id,title\n1,x\n", headers: []string{"Content-Type", "text/csv"}},
	{target: "POST /books", body: "id=1", headers: []string{"Content-Type", "application/x-www-form-urlencoded"}},
	{target: "POST /books", body: `{"id":1}`, headers: []string{"Content-Type", "application/json; charset=utf-8"}},
	{target: "PATCH /books?id=eq.1", body: `{"title":"x"}`},
	{target: "PATCH /books?id=eq.1", body: `{}`},
	{target: "PATCH /books?id=eq.1&select=id", body: `{"title":"x"}`, headers: []string{"Prefer", "return=representation", "Content-Profile", "api"}},
	{target: "PUT /books?id=eq.1", body: `{"id":1,"title":"x"}`},
	{target: "PUT /books?id=gt.1", body: `{"id":1,"title":"x"}`},
	{target: "PUT /books?id=eq.1&limit=1", body: `{"id":1}`},
	{target: "GET /rpc/add?a=1&b=2"},
	{target: "GET /rpc/add?a=1&b=2&a=3"},
	{target: "GET /rpc/add?a=1.5&b=-2"},
	{target: "GET /rpc/add?a=eq.1&b=2"},
	{target: "GET /rpc/find?q=x&id=eq.1&title=like.a*&limit=2"},
	{target: "GET /rpc/find?q=a.b(c)"},
	{target: "GET /rpc/find?q=not.a"},
	{target: "GET /rpc/find?q=eq"},
	{target: "GET /rpc/find?q=in.x"},
	{target: "GET /rpc/find?q=in(any).x"},
	{target: "GET /rpc/find?q="},
	{target: "HEAD /rpc/find?q=x"},
	{target: "GET /rpc/join?sep=x&words=a&words=b"},
	{target: "GET /rpc/echo?x=1"},
	{target: "POST /rpc/add", body: `{"a":1,"b":2}`},
	{target: "POST /rpc/find?id=eq.3", body: `{"q":"x"}`},
	{target: "POST /rpc/echo", body: `{"q":"x"}`},
	{target: "POST /rpc/echo", body: ``},
	{target: "POST /rpc/add", body: "a=1&b=2", headers: []string{"Content-Type", "application/x-www-form-urlencoded"}},
}

// variant is the request with other values in the place of digits and letters of its values.
func (a ask) variant() ask {
	swap := strings.NewReplacer("1", "41", "2", "952", "3", "7", ".x", ".yy", "\"x\"", "\"a \\\"b\"")
	method, target, _ := strings.Cut(a.target, " ")
	path, query, _ := strings.Cut(target, "?")
	return ask{method + " " + path + "?" + swap.Replace(query), swap.Replace(a.body), a.headers}
}

func TestCachedWorkIsTheSame(t *testing.T) {
	c := newCache()
	for _, a := range asks {
		compare(t, c, a.input())
		compare(t, c, a.variant().input())
	}
	for _, a := range slices.Backward(asks) {
		compare(t, c, a.variant().input())
		compare(t, c, a.input())
	}
}

func FuzzCachedWorkIsTheSame(f *testing.F) {
	for _, a := range asks {
		in := a.input()
		var header [3]string
		for i, name := range headerNames {
			header[i] = strings.Join(in.Header[name], ",")
		}
		f.Add(in.Method, in.Path, in.Query, a.variant().input().Query, a.body, header[0], header[1], header[2])
	}
	c := newCache()
	f.Fuzz(func(t *testing.T, method, path, query, other, body, accept, prefer, rng string) {
		in := request.Input{Method: method, Path: path, URI: path, Query: query, Body: []byte(body), Header: map[string][]string{}}
		for i, v := range []string{accept, prefer, rng} {
			if v != "" {
				in.Header[headerNames[i]] = []string{v}
			}
		}
		compare(t, c, in)
		in.Query = other
		compare(t, c, in)
	})
}

var headerNames = [3]string{"Accept", "Prefer", "Range"}

// Requests of one shape are prepared at the same time, and none may see another's values.
func TestConcurrentUse(t *testing.T) {
	c := newCache()
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 200 {
				v := fmt.Sprint(i*1000 + j)
				w, err := c.Prepare(ask{target: "GET /books?id=eq." + v + "&title=in.(" + v + ")&limit=" + v}.input(), requestOptions)
				if err != nil {
					t.Error(err)
					return
				}
				if got := string(w.Query.Main.Args[0].Value) + string(w.Query.Main.Args[1].Value); got != v+`{"`+v+`"}` {
					t.Errorf("%s became %s", v, got)
				}
				// Shapes that come once make room for each other all the while.
				_, _ = c.Prepare(ask{target: "GET /books?select=id,x" + v + ":title"}.input(), requestOptions)
			}
		})
	}
	wg.Wait()
}

func BenchmarkPrepare(b *testing.B) {
	for _, a := range []ask{
		{target: "GET /books?id=eq.1"},
		{target: "GET /authors?select=id,name,books(id,title)&id=eq.1&order=name&limit=10"},
		{target: "POST /books", body: `{"id":1,"title":"x"}`, headers: []string{"Prefer", "return=representation", "Content-Type", "application/json"}},
		{target: "GET /rpc/add?a=1&b=2"},
	} {
		in := a.input()
		c := newCache()
		b.Run("cached "+a.target, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = c.Prepare(in, requestOptions)
			}
		})
		b.Run("alone "+a.target, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = c.Anew(in, requestOptions, func(*sqlgen.Options) {})
			}
		})
	}
}
