package test

import (
	"fmt"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/tarn-data/tarn/internal/pgtest"
)

// use is a request that uses a feature, and what the answer must be.
type use struct {
	feature string
	request string // method and path; spaces after the question mark are escaped
	body    string
	headers []string
	wants
}

const (
	whole    = "return=representation"
	formType = "application/x-www-form-urlencoded"
)

func reads() []use {
	ids := func(feature, query, want string) use {
		return use{feature: feature, request: "GET /books?select=id&order=id&" + query, wants: wants{status: 200, body: want}}
	}
	get := func(feature, request, want string, headers ...string) use {
		return use{feature: feature, request: "GET " + request, headers: headers, wants: wants{status: 200, body: want}}
	}
	return []use{
		ids("comparisons", "price=gt.10&price=lte.30&id=neq.2", `[{"id":3}]`),
		ids("comparisons", "id=in.(1,3)&doc=not.is.null", `[{"id":1}]`),
		ids("comparisons", "editor_id=isdistinct.2", `[{"id":2}, {"id":3}]`),
		ids("comparisons", "id=eq(any).{1,2}", `[{"id":1}, {"id":2}]`),
		ids("patterns", "title=like.*cat*", `[{"id":1}, {"id":2}]`),
		ids("patterns", "title=ilike.the*", `[{"id":1}]`),
		ids("patterns", "title=match.^[DF]", `[{"id":2}, {"id":3}]`),
		ids("patterns", "title=imatch(all).{cat,sat$}", `[{"id":1}]`),
		ids("arrays and ranges", "tags=cs.{cat}&shelf=ov.[1,2)", `[{"id":1}]`),
		ids("arrays and ranges", "tags=cd.{cat,dog}", `[{"id":2}, {"id":3}]`),
		ids("arrays and ranges", "shelf=adj.[5,6)", `[{"id":2}]`),
		ids("arrays and ranges", "shelf=sr.(0,3)", `[{"id":2}, {"id":3}]`),
		ids("full-text search", "title=fts(english).cat", `[{"id":1}, {"id":2}]`),
		ids("full-text search", "title=wfts(english).cat -fat", `[{"id":1}]`),
		ids("full-text search", "title=phfts(english).fat cat", `[{"id":2}]`),
		ids("logic", "or=(id.eq.1,and(price.gt.20,not.or(id.eq.2,id.eq.4)))", `[{"id":1}, {"id":3}]`),
		ids("logic", `title=eq."Dogs (a guide)"`, `[]`), // outside of lists, quotes are the value's own
		ids("logic", `title=in.("Dogs (a guide)",x)`, `[{"id":3}]`),
		get("columns", "/books?select=nr:id,price::text&id=eq.1", `[{"nr":1,"price":"10"}]`),
		get("JSON paths", "/books?select=doc->pages,first:doc->langs->>0&doc->pages=gt.99&order=doc->pages.desc", `[{"pages":250,"first":null}, {"pages":100,"first":"en"}]`),
		get("composite types and arrays", "/books?select=size->width,tags->0&size->>height=eq.20", `[{"width":10,"tags":"old"}]`),
		get("orders", "/authors?select=id&order=born.desc.nullslast,id", `[{"id":2}, {"id":1}, {"id":3}]`),
		{feature: "windows", request: "GET /books?select=id&order=id&limit=1&offset=1", wants: wants{200, `[{"id":2}]`, map[string]string{"Content-Range": `1-1/\*`}}},
		{feature: "windows", request: "GET /books?select=id&order=id", headers: []string{"Range", "1-5"}, wants: wants{200, `[{"id":2}, {"id":3}]`, map[string]string{"Content-Range": `1-2/\*`}}},
		get("aggregates", "/books?select=author_id,price.sum(),n:id.count()&order=author_id", `[{"author_id":1,"sum":40,"n":2}, {"author_id":2,"sum":20,"n":1}]`),
		get("aggregates", "/authors?select=name,books!books_author_id_fkey(price.max()::text)&id=eq.1", `[{"name":"Ada","books":[{"max": "30"}]}]`),
		get("domain representations", "/books?select=id,cover&cover=eq.ff", `[{"id":1,"cover":"#0000ff"}]`),
		{feature: "HEAD", request: "HEAD /books", headers: []string{"Prefer", "count=exact"}, wants: wants{200, "", map[string]string{"Content-Range": "0-2/3"}}},

		get("one-to-one", "/books?select=id,blurbs(body)&id=in.(1,2)&order=id", `[{"id":1,"blurbs":{"body":"Nice."}}, {"id":2,"blurbs":null}]`),
		get("hints", "/books?select=writer:authors!books_author_id_fkey(name),editor:authors!editor_id(name)&id=eq.1", `[{"writer":{"name":"Ada"},"editor":{"name":"Bo"}}]`),
		get("hints", "/books?select=id,author_id(name)&id=eq.1", `[{"id":1,"author_id":{"name":"Ada"}}]`),
		{feature: "hints", request: "GET /books?select=id,authors(name)", wants: wants{status: 300}},
		get("a relation and itself", "/authors?select=name,mentor:mentor_id(name),pupils:authors!mentor_id(name)&id=eq.1&pupils.order=id", `[{"name":"Ada","mentor":null,"pupils":[{"name":"Bo"}, {"name":"Cy"}]}]`),
		get("filters on embeds", "/authors?select=id,b:books!author_id(id)&b.price=gte.20&b.order=id.desc&b.limit=1&order=id", `[{"id":1,"b":[{"id":3}]}, {"id":2,"b":[{"id":2}]}, {"id":3,"b":[]}]`),
		get("rows without embeds", "/authors?select=id,books!author_id()&books=is.null", `[{"id":3}]`),
		get("rows without embeds", "/authors?select=id,b:books!author_id(),e:books!editor_id()&or=(b.is.null,e.is.null)&order=id", `[{"id":1}, {"id":3}]`),
		get("orders by embeds", "/books?select=id,w:authors!author_id()&order=w(name).desc,id", `[{"id":2}, {"id":1}, {"id":3}]`),
		get("to-many spreads", "/authors?select=name,...books!author_id(ids:id)&id=eq.1&books.order=id.desc", `[{"name":"Ada","ids":[3, 1]}]`),
		get("embeds of results", "/rpc/first_book?select=id,writer:authors!author_id(name)", `{"id":1,"writer":{"name":"Ada"}}`),
	}
}

func writes() []use {
	return []use{
		{
			feature: "CSV bodies", request: "POST /authors?select=id,born", body: "id,name,born\n10,Di,NULL\n11,\"E, junior\",1990\n",
			headers: []string{"Content-Type", "text/csv", "Prefer", whole}, wants: wants{201, `[{"id":10,"born":null}, {"id":11,"born":1990}]`, nil},
		},
		{
			feature: "columns and defaults", request: "POST /books?select=id,price,tags&columns=id,title,price", body: `[{"id":10,"title":"x","tags":["ignored"]},{"id":11,"title":"y","price":1}]`,
			headers: []string{"Prefer", whole + ", missing=default"}, wants: wants{201, `[{"id":10,"price":5,"tags":[]}, {"id":11,"price":1,"tags":[]}]`, map[string]string{"Preference-Applied": "missing=default, return=representation"}},
		},
		{
			feature: "domain representations", request: "PATCH /books?id=eq.10&select=cover", body: `{"cover":"#00ff00"}`,
			headers: []string{"Prefer", whole}, wants: wants{200, `[{"cover":"#00ff00"}]`, nil},
		},
		{
			feature: "returns", request: "POST /logs", body: `{"what":"x"}`, headers: []string{"Prefer", "return=headers-only"},
			wants: wants{201, "", map[string]string{"Location": `/logs\?id=eq\.1`, "Content-Range": `\*/\*`}},
		},
		{feature: "returns", request: "POST /logs", body: `{"what":"x"}`, wants: wants{201, "", map[string]string{"Location": ""}}},
		{
			feature: "embeds in writes", request: "PATCH /books?id=eq.1&select=id,w:authors!author_id(name)", body: `{"price":11}`,
			headers: []string{"Prefer", whole}, wants: wants{200, `[{"id":1,"w":{"name":"Ada"}}]`, nil},
		},
		{
			feature: "upserts that ignore", request: "POST /authors", body: `[{"id":1,"name":"No"},{"id":12,"name":"Flo"}]`,
			headers: []string{"Prefer", "resolution=ignore-duplicates, return=headers-only"}, wants: wants{status: 201},
		},
		{feature: "upserts that ignore", request: "GET /authors?select=name&id=in.(1,12)&order=id", wants: wants{200, "[{\"name\":\"Ada\"}, \n {\"name\":\"Flo\"}]", nil}},
	}
}

func calls() []use {
	return []use{
		{feature: "variadic arguments", request: "GET /rpc/concat_all?words=a&words=b&sep=-", wants: wants{200, `"a-b"`, nil}},
		{feature: "variadic arguments", request: "POST /rpc/concat_all", body: `{"sep":" ","words":["a","b"]}`, wants: wants{200, `"a b"`, nil}},
		{feature: "form bodies", request: "POST /rpc/concat_all", body: "words=a&sep=%2B&words=b", headers: []string{"Content-Type", formType}, wants: wants{200, `"a+b"`, nil}},
		{feature: "overloads", request: "GET /rpc/twice?n=2", wants: wants{200, `4`, nil}},
		{feature: "overloads", request: "GET /rpc/twice?word=ab", wants: wants{200, `"abab"`, nil}},
		{feature: "results", request: "GET /rpc/both?a=1&b=2", wants: wants{200, `[1, 2]`, nil}},
		{feature: "results", request: "GET /rpc/first_book?select=id,title", wants: wants{200, `{"id":1,"title":"The cat sat"}`, nil}},
		{feature: "results", request: "POST /rpc/nothing", body: `{}`, wants: wants{status: 204}},
		{feature: "whole bodies", request: "POST /rpc/json_in", body: `{"a": [1]}`, wants: wants{200, `[1]`, nil}},
		{feature: "whole bodies", request: "POST /rpc/text_in", body: `abc`, headers: []string{"Content-Type", "text/plain"}, wants: wants{200, `"ABC"`, nil}},
		{feature: "whole bodies", request: "POST /rpc/bytes_in", body: "\x00\xff\x00", headers: []string{"Content-Type", "application/octet-stream"}, wants: wants{200, `3`, nil}},
		{feature: "whole bodies", request: "POST /rpc/xml_in", body: "<a>hi</a>", headers: []string{"Content-Type", "text/xml"}, wants: wants{200, `"hi"`, nil}},
		{feature: "GET does not write", request: "GET /rpc/log_it?what=x", wants: wants{status: 405}},
		{feature: "GET does not write", request: "POST /rpc/log_it", body: `{"what":"x"}`, wants: wants{200, `"x"`, nil}},
		{feature: "request settings", request: "GET /rpc/setting?name=request.method", wants: wants{200, `"GET"`, nil}},
		{feature: "request settings", request: "GET /rpc/setting?name=request.path", wants: wants{200, `"/rpc/setting"`, nil}},
		{feature: "request settings", request: "GET /rpc/setting?name=request.cookies", headers: []string{"Cookie", "a=1"}, wants: wants{200, `"{\"a\":\"1\"}"`, nil}},
		{feature: "role settings", request: "GET /rpc/setting?name=statement_timeout", wants: wants{200, `"7654ms"`, nil}},
		{feature: "role settings", request: "GET /rpc/setting?name=transaction_isolation", wants: wants{200, `"repeatable read"`, nil}},
		{feature: "function settings", request: "GET /rpc/hurried", wants: wants{200, `"4321ms"`, nil}},
	}
}

func others() []use {
	return []use{
		{feature: "profiles", request: "GET /papers", headers: []string{"Accept-Profile", "archive"}, wants: wants{200, `[{"id":1}]`, map[string]string{"Content-Profile": "archive"}}},
		{feature: "profiles", request: "GET /papers", headers: []string{"Accept-Profile", "pg_catalog"}, wants: wants{status: 406}},
		{feature: "profiles", request: "POST /papers", body: `{"id":2}`, headers: []string{"Content-Profile", "archive"}, wants: wants{status: 201}},
		{feature: "OPTIONS", request: "OPTIONS /books", wants: wants{200, "", map[string]string{"Allow": "OPTIONS,GET,HEAD,POST,PUT,PATCH,DELETE"}}},
		{feature: "OPTIONS", request: "OPTIONS /rpc/nothing", wants: wants{200, "", map[string]string{"Allow": "OPTIONS,POST"}}},
		{
			feature: "CORS", request: "OPTIONS /books", headers: []string{"Origin", "http://x.example", "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "Foo"},
			wants: wants{200, "", map[string]string{"Access-Control-Allow-Origin": `\*`, "Access-Control-Allow-Methods": ".*PATCH.*", "Access-Control-Allow-Headers": ".*Foo.*"}},
		},
		{feature: "answer headers", request: "GET /authors?id=eq.1&select=id", wants: wants{200, `[{"id":1}]`, map[string]string{
			"Content-Location": `/authors\?id=eq\.1&select=id`, "Vary": "Accept, Prefer, Range", "Content-Type": "application/json; charset=utf-8",
		}}},
		{feature: "answer headers", request: "GET /nothing", wants: wants{404, "", map[string]string{"Proxy-Status": "PostgREST; error=PGRST205"}}},
		{feature: "root function", request: "GET /", wants: wants{200, `{"hello": "world"}`, nil}},
	}
}

// TestFeatures uses features that no other test is about; docs/postgrest.md points here.
func TestFeatures(t *testing.T) {
	db := pgtest.New(t)
	schema, err := os.ReadFile("testdata/features/schema.sql")
	if err != nil {
		t.Fatal(err)
	}
	login, anon := db.Role(t, "LOGIN NOINHERIT"), db.Role(t, "NOLOGIN")
	db.Exec(t, string(schema)+fmt.Sprintf(`GRANT %q TO %q; GRANT USAGE ON SCHEMA api, archive TO %[1]q;
		GRANT ALL ON ALL TABLES IN SCHEMA api, archive TO %[1]q;
		ALTER ROLE %[1]q SET statement_timeout = '7654ms'; ALTER ROLE %[1]q SET default_transaction_isolation = 'repeatable read'`, anon, login))
	s := startDataAPI(t, db, login, anon, "PGRST_DB_SCHEMAS=api,archive", "PGRST_DB_AGGREGATES_ENABLED=true", "PGRST_DB_ROOT_SPEC=root")
	for _, uses := range [][]use{reads(), writes(), calls(), others()} {
		for _, u := range uses {
			t.Run(u.feature, func(t *testing.T) { s.try(t, u) })
		}
	}
}

func (s *tarn) try(t *testing.T, u use) {
	method, target, _ := strings.Cut(u.request, " ")
	path, query, asked := strings.Cut(target, "?")
	if asked {
		path += "?" + escapeQuery(query)
	}
	got := ask(t, method, s.url+path, u.body, append([]string{"Content-Type", "application/json"}, u.headers...)...)
	got.body = strings.ReplaceAll(got.body, ", \n ", ", ") // rows are on lines of their own
	u.body, u.wants.body = "", strings.ReplaceAll(u.wants.body, ", \n ", ", ")
	got.check(t, u.wants)
	if t.Failed() {
		t.Log(u.request)
	}
}

// escapeQuery escapes what isn't allowed in a query.
func escapeQuery(q string) string {
	var b strings.Builder
	for _, r := range q {
		if strings.ContainsRune(" \"<>{}[]^", r) {
			b.WriteString(strings.ReplaceAll(url.QueryEscape(string(r)), "+", "%20"))
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}
