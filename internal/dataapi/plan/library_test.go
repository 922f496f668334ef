package plan_test

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/tarn-data/tarn/internal/dataapi/media"
	"github.com/tarn-data/tarn/internal/dataapi/plan"
	"github.com/tarn-data/tarn/internal/dataapi/request"
	"github.com/tarn-data/tarn/internal/dataapi/schema"
	"github.com/tarn-data/tarn/internal/fault"
)

func id(name string) schema.Ident { return schema.Ident{Schema: "api", Name: name} }

// table makes a relation that can be written to, of columns such as "id integer". The first one is its key.
func table(name string, columns ...string) schema.Relation {
	r := schema.Relation{Ident: id(name), Plain: true, Insertable: true, Updatable: true, Deletable: true}
	for _, c := range columns {
		name, typ, _ := strings.Cut(c, " ")
		nominal := typ
		if typ == "api.color" {
			typ = "integer"
		}
		r.Columns = append(r.Columns, schema.Column{Name: name, Type: typ, NominalType: nominal})
	}
	r.PrimaryKey = []string{r.Columns[0].Name}
	return r
}

func refers(from, column, to string) schema.ForeignKey {
	return schema.ForeignKey{
		Table: id(from), Foreign: id(to), Constraint: from + "_" + column + "_fkey",
		Columns: []schema.ColumnPair{{Local: column, Foreign: "id"}},
	}
}

func param(name, typ string, required bool) schema.Param {
	return schema.Param{Name: name, Type: typ, CastType: typ, Required: required}
}

// library is a snapshot with something of everything: authors have books, books have tags through a junction, one blurb
// and a shelf that a function computes, categories have categories, and best is a view of books.
func library() *schema.Cache {
	junction := table("book_tags", "book_id integer", "tag_id integer")
	junction.PrimaryKey = []string{"book_id", "tag_id"}
	best := table("best", "id integer", "title text", "author_id integer")
	best.IsView, best.Plain, best.Insertable, best.Deletable = true, false, false, false
	secret := table("secrets", "id integer", "book_id integer")
	secret.RowSecurity, secret.Plain = true, false
	own := table("own", "id integer", "book_id integer")
	own.RowSecurity = true
	blurb := refers("blurbs", "book_id", "books")
	blurb.Unique = true
	cast := func(source, target string) schema.Cast { return schema.Cast{Source: source, Target: target} }
	returns := func(name string, setOf, composite bool) schema.Return {
		return schema.Return{Type: id(name), SetOf: setOf, Composite: composite}
	}
	scalar := schema.Return{Type: schema.Ident{Schema: "pg_catalog", Name: "int4"}}
	void := schema.Return{Type: schema.Ident{Schema: "pg_catalog", Name: "void"}}
	variadic := param("words", "text[]", true)
	variadic.Variadic = true
	custom := func(function string, target schema.Ident, t media.Type) schema.ResolvedHandler {
		return schema.ResolvedHandler{Handler: schema.Handler{Kind: schema.HandleCustom, Function: id(function), Target: target}, Media: t}
	}
	vcard, lines := media.Parse("text/vcard"), media.Parse("application/x-lines")
	return schema.Build(schema.Parts{
		Schemas: []string{"api"},
		Relations: []schema.Relation{
			table("authors", "id integer", "name text"),
			table("books", "id integer", "title text", "price numeric", "doc jsonb", "search tsvector", "author_id integer", "category_id integer"),
			table("paints", "id integer", "name text", "color api.color", "book_id integer"),
			table("blurbs", "book_id integer", "body text"),
			table("tags", "id integer", "name text"),
			table("categories", "id integer", "name text", "parent_id integer"),
			table("shelves", "id integer", "label text"),
			junction, best, secret, own,
		},
		ForeignKeys: []schema.ForeignKey{
			refers("books", "author_id", "authors"), refers("books", "category_id", "categories"), blurb,
			refers("book_tags", "book_id", "books"), refers("book_tags", "tag_id", "tags"),
			refers("categories", "parent_id", "categories"), refers("secrets", "book_id", "books"), refers("own", "book_id", "books"), refers("paints", "book_id", "books"),
		},
		ViewKeys: []schema.ViewKey{
			{View: id("best"), Table: id("books"), Constraint: "books_pkey", Kind: schema.PrimaryKey, Columns: [][]string{{"id"}}},
			{View: id("best"), Table: id("books"), Constraint: "books_author_id_fkey", Kind: schema.ReferringKey, Columns: [][]string{{"author_id"}}},
		},
		Computed: []schema.Relationship{
			{Relation: id("books"), Foreign: id("shelves"), Cardinality: schema.Computed, Function: id("shelf"), ToOne: true},
			{Relation: id("books"), Foreign: id("books"), Cardinality: schema.Computed, Function: id("similar")},
		},
		Routines: []*schema.Routine{
			{Ident: id("add"), Params: []schema.Param{param("a", "integer", true), param("b", "integer", false)}, Return: scalar, Volatility: schema.Immutable},
			{Ident: id("find"), Params: []schema.Param{param("q", "text", true)}, Return: returns("books", true, true), Volatility: schema.Stable},
			{Ident: id("newest"), Return: returns("books", false, true), Volatility: schema.Stable},
			{Ident: id("publish"), Return: void},
			{Ident: id("digest"), Params: []schema.Param{param("", "json", true)}, Return: scalar, Volatility: schema.Immutable},
			{Ident: id("shout"), Params: []schema.Param{param("", "text", true)}, Return: scalar, Volatility: schema.Immutable},
			{Ident: id("echo"), Params: []schema.Param{param("", "json", false)}, Return: scalar, Volatility: schema.Immutable},
			{Ident: id("join"), Params: []schema.Param{param("sep", "text", true), variadic}, Return: scalar, Variadic: true, Volatility: schema.Immutable},
		},
		Representations: map[schema.Cast]string{
			cast("api.color", "json"): "api.to_json", cast("json", "api.color"): "api.from_json", cast("text", "api.color"): "api.from_text",
		},
		Handlers: map[schema.HandlerKey]schema.ResolvedHandler{
			{Target: id("authors"), Media: vcard}: custom("vcards", id("authors"), vcard),
			{Media: lines}:                        custom("lines", schema.Ident{}, lines),
		},
	})
}

// ask is a request: method, target, headers as name and value in turn.
type ask struct {
	target  string // "GET /books?id=eq.1"
	body    string
	headers []string
}

func (a ask) parse(t testing.TB) *request.Request {
	t.Helper()
	method, target, _ := strings.Cut(a.target, " ")
	path, query, _ := strings.Cut(target, "?")
	header := map[string][]string{}
	for i := 0; i < len(a.headers); i += 2 {
		header[a.headers[i]] = append(header[a.headers[i]], a.headers[i+1])
	}
	path, err := url.PathUnescape(path)
	if err != nil {
		t.Fatal(err)
	}
	r, err := request.Parse(request.Input{
		Method: method, Path: path, URI: path, Query: query, Header: header, Body: []byte(a.body),
	}, request.Options{Schemas: []string{"api"}, TxAllowOverride: true})
	if err != nil {
		t.Fatalf("%s: %v", a.target, err)
	}
	return r
}

func allowed() plan.Options {
	return plan.Options{Aggregates: true, LegacyTargetNames: true, PlanEnabled: true}
}

// must plans a request that has to have a plan, of the type that is asked for.
func must[P plan.Plan](t testing.TB, a ask, opt plan.Options) P {
	t.Helper()
	p, err := plan.New(a.parse(t), library(), opt)
	if err != nil {
		t.Fatalf("%s: %v", a.target, err)
	}
	typed, ok := p.(P)
	if !ok {
		t.Fatalf("%s: the plan is a %T", a.target, p)
	}
	return typed
}

// refusal is the code and status of the fault that a request meets, and its message.
func refusal(t testing.TB, a ask, opt plan.Options) (kind fault.Kind, code string, f *fault.Error) {
	t.Helper()
	p, err := plan.New(a.parse(t), library(), opt)
	if err == nil {
		t.Fatalf("%s: planned as %T", a.target, p)
	}
	if !errors.As(err, &f) {
		t.Fatalf("%s: %v is no fault", a.target, err)
	}
	return f.Kind, f.Code, f
}
