package plan_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tarn-data/tarn/internal/dataapi/plan"
	"github.com/tarn-data/tarn/internal/dataapi/schema"
	"github.com/tarn-data/tarn/internal/fault"
)

func arguments(a plan.Args) string {
	names := func(params []schema.Param) string {
		return each(params, func(p schema.Param) string { return p.Name })
	}
	switch a := a.(type) {
	case plan.NamedArgs:
		return "named " + names(a.Params) + " " + strings.TrimPrefix(fmt.Sprint(a.Values), "map")
	case plan.JSONArgs:
		return "json " + names(a.Params) + " " + string(a.Body)
	case plan.BodyArg:
		return "body " + a.Param.Type + " " + string(a.Body)
	}
	return "?"
}

func TestCalls(t *testing.T) {
	const form = "application/x-www-form-urlencoded"
	for _, c := range []struct {
		name string
		ask
		args     string
		readOnly bool
		returned []string
	}{
		{"by GET", ask{"GET /rpc/add?a=1&b=2", "", nil}, "named a, b [a:[1] b:[2]]", true, nil},
		{"without what has a default", ask{"GET /rpc/add?a=1", "", nil}, "named a [a:[1]]", true, nil},
		{"the last value counts", ask{"GET /rpc/add?a=1&a=2", "", nil}, "named a [a:[2]]", true, nil},
		{"variadic", ask{"GET /rpc/join?sep=-&words=x&words=y", "", nil}, "named sep, words [sep:[-] words:[x y]]", true, nil},
		{"by POST", ask{"POST /rpc/add", `{"b":2,"a":1}`, nil}, `json a, b {"b":2,"a":1}`, true, nil},
		{"by a form", ask{"POST /rpc/add", "a=1&b=2", []string{"Content-Type", form}}, "named a, b [a:[1] b:[2]]", true, nil},
		{"what may write, by POST", ask{"POST /rpc/publish", `{}`, nil}, `json  {}`, false, nil},
		{"what may write, by GET", ask{"GET /rpc/publish", "", nil}, `named  []`, true, nil},
		{"the body as one argument", ask{"POST /rpc/digest", `[{"x": 1}, {"x": 2}]`, nil}, `body json [{"x": 1}, {"x": 2}]`, true, nil},
		{"an object that is no argument's", ask{"POST /rpc/digest", `{"x": 1}`, nil}, `body json {"x": 1}`, true, nil},
		{"text as one argument", ask{"POST /rpc/shout", "a=1", []string{"Content-Type", "text/plain"}}, "body text a=1", true, nil},
		{"one argument that has no name, by GET", ask{"GET /rpc/echo", "", nil}, "body json {}", true, nil},
		{"all columns", ask{"GET /rpc/find?q=x", "", nil}, "named q [q:[x]]", true, nil},
		{
			"the columns that are read", ask{"GET /rpc/find?q=x&select=title,authors(name)&order=price&id=gt.1&or=(doc.is.null,title.eq.x)", "", nil},
			"named q [q:[x]]", true, []string{"author_id", "doc", "id", "price", "title"},
		},
		{"all columns, for a function's embed", ask{"GET /rpc/find?q=x&select=title,shelf(label)", "", nil}, "named q [q:[x]]", true, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := must[*plan.Call](t, c.ask, allowed())
			if got := arguments(p.Args); got != c.args {
				t.Errorf("wanted %s\ngot %s", c.args, got)
			}
			if p.ReadOnly != c.readOnly {
				t.Errorf("read-only: %v", p.ReadOnly)
			}
			if diff := cmp.Diff(c.returned, p.Returned); diff != "" {
				t.Errorf("returned: %s", diff)
			}
		})
	}
}

func TestCalledRowsAreRead(t *testing.T) {
	opt := allowed()
	opt.MaxRows = 10
	p := must[*plan.Call](t, ask{target: "GET /rpc/find?q=x&select=id,authors(name)&id=gt.1&limit=20"}, opt)
	want := unindented(`
			pgrst_source books select(id) where(id gt 1) range(0,10,true) embeds(books_authors_1)
				authors authors_1 key(authors) as(books_authors_1) on(authors_1.id=books.author_id) select(name) range(0,10,true)`)
	if diff := cmp.Diff(want, show(p.Tree)); diff != "" {
		t.Error(diff)
	}
	if p := must[*plan.Call](t, ask{target: "HEAD /rpc/find?q=x"}, opt); p.Handler.Kind != schema.NoHandler {
		t.Errorf("HEAD renders a body: %+v", p.Handler)
	}
}

func TestCallRefusals(t *testing.T) {
	for _, c := range []struct {
		name string
		ask
		kind fault.Kind
		code string
	}{
		{"routine", ask{"GET /rpc/nope", "", nil}, 404, "PGRST202"},
		{"argument", ask{"GET /rpc/add?a=1&c=1", "", nil}, 404, "PGRST202"},
		{"argument that is missing", ask{"POST /rpc/add", `{"b":1}`, nil}, 404, "PGRST202"},
		{"embed", ask{"GET /rpc/find?q=x&select=nope(id)", "", nil}, 400, "PGRST200"},
		{"embed of a value", ask{"GET /rpc/add?a=1&select=authors(id)", "", nil}, 400, "PGRST200"},
		{"most rows of one value", ask{"POST /rpc/publish", `{}`, prefer("handling=strict", "max-affected=1")}, 400, "PGRST128"},
		{"preference", ask{"GET /rpc/add?a=1", "", prefer("handling=strict", "x=y")}, 400, "PGRST122"},
		{"media type", ask{"GET /rpc/add?a=1", "", []string{"Accept", "text/none"}}, 406, "PGRST107"},
	} {
		t.Run(c.name, func(t *testing.T) {
			kind, code, f := refusal(t, c.ask, allowed())
			if kind != c.kind || code != c.code {
				t.Errorf("wanted %d %s, got %d %s", c.kind, c.code, kind, f)
			}
		})
	}
	// Where it is asked for leniently, or the rows are a set, it is no mistake.
	must[*plan.Call](t, ask{"POST /rpc/publish", `{}`, prefer("max-affected=1")}, allowed())
	must[*plan.Call](t, ask{"POST /rpc/find", `{"q":"x"}`, prefer("handling=strict", "max-affected=1")}, allowed())
}
