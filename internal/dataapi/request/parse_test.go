package request

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tarn-data/tarn/internal/dataapi/media"
	"github.com/tarn-data/tarn/internal/fault"
)

func parseRequest(t *testing.T, method, target string) *Request {
	t.Helper()
	r, err := Parse(input(method, target), Options{Schemas: []string{"s"}})
	if err != nil {
		t.Fatalf("%s %s: %v", method, target, err)
	}
	return r
}

func input(method, target string) Input {
	in := Input{Method: method, Path: target, Header: map[string][]string{}}
	for i := range len(target) {
		if target[i] == '?' {
			in.Path, in.Query = target[:i], target[i+1:]
			break
		}
	}
	if method != "GET" && method != "HEAD" {
		in.Body = []byte("{}")
	}
	return in
}

func TestAction(t *testing.T) {
	for _, c := range []struct {
		method, path string
		want         Action
	}{
		{"GET", "/t", ReadRelation{Name: "t"}},
		{"HEAD", "/t", ReadRelation{Name: "t", HeadersOnly: true}},
		{"POST", "/t", MutateRelation{Name: "t", Mutation: Insert}},
		{"PATCH", "/t", MutateRelation{Name: "t", Mutation: Update}},
		{"PUT", "/t", MutateRelation{Name: "t", Mutation: Upsert}},
		{"DELETE", "/t", MutateRelation{Name: "t", Mutation: Delete}},
		{"OPTIONS", "/t", RelationInfo{Name: "t"}},
		{"GET", "/rpc", ReadRelation{Name: "rpc"}},
		{"GET", "/a b.c\xff", ReadRelation{Name: "a b.c\ufffd"}},
		{"GET", "/rpc/f", CallRoutine{Name: "f", Invoke: InvokeGet}},
		{"HEAD", "/rpc/f", CallRoutine{Name: "f", Invoke: InvokeHead}},
		{"POST", "/rpc/f", CallRoutine{Name: "f", Invoke: InvokePost}},
		{"OPTIONS", "/rpc/f", RoutineInfo{Name: "f"}},
		{"GET", "/", ReadSchema{}},
		{"GET", "", ReadSchema{}},
		{"HEAD", "/", ReadSchema{HeadersOnly: true}},
		{"OPTIONS", "/", SchemaInfo{}},
	} {
		if diff := cmp.Diff(c.want, parseRequest(t, c.method, c.path).Action); diff != "" {
			t.Errorf("%s %s (-want +got):\n%s", c.method, c.path, diff)
		}
	}
}

func TestRootSpec(t *testing.T) {
	for spec, want := range map[string]string{"root": "root", "api.root": "root"} {
		r, err := Parse(Input{Method: "GET", Path: "/", Query: "a=1"}, Options{Schemas: []string{"s"}, RootSpec: spec})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(Action(CallRoutine{Name: want, Invoke: InvokeGet}), r.Action); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]Param{{"a", "1"}}, r.Query.Params); diff != "" {
			t.Error(diff)
		}
	}
}

func TestRefusals(t *testing.T) {
	get := func(target string) Input { return input("GET", target) }
	with := func(in Input, name, value string) Input {
		in.Header[name] = []string{value}
		return in
	}
	for _, c := range []struct {
		in      Input
		opt     Options
		kind    fault.Kind
		code    string
		message string
		hint    string
	}{
		{in: get("/t/x"), kind: 404, code: "PGRST125", message: "Invalid path specified in request URL"},
		{in: get("/t/"), kind: 404, code: "PGRST125", message: "Invalid path specified in request URL"},
		{in: get("//"), kind: 404, code: "PGRST125", message: "Invalid path specified in request URL"},
		{in: get("/rpc/f/x"), kind: 404, code: "PGRST125", message: "Invalid path specified in request URL"},
		{in: get("/"), opt: Options{OpenAPIDisabled: true, RootSpec: "f"}, kind: 404, code: "PGRST126", message: "Root endpoint metadata is disabled"},
		{in: input("PATCH", "/rpc/f"), kind: 405, code: "PGRST101", message: "Cannot use the PATCH method on RPC"},
		{in: input("POST", "/"), kind: 405, code: "PGRST117", message: "Unsupported HTTP method: POST"},
		{in: input("CONNECT", "/t"), kind: 405, code: "PGRST117", message: "Unsupported HTTP method: CONNECT"},
		{
			in: with(get("/t"), "Accept-Profile", "x"), opt: Options{Schemas: []string{"a", "b"}}, kind: 406, code: "PGRST106",
			message: "Invalid schema: x", hint: "Only the following schemas are exposed: a, b",
		},
		{
			in: with(input("POST", "/t"), "Content-Profile", "x"), kind: 406, code: "PGRST106",
			message: "Invalid schema: x", hint: "Only the following schemas are exposed: s",
		},
		{in: get("/t?a=%ff"), kind: 400, code: "PGRST100", message: "The query string is not valid UTF-8"},
		{in: get("/t?order=id.ac"), kind: 400, code: "PGRST100", message: `"failed to parse order (id.ac)" (line 1, column 4)`},
		{in: get("/t?a..order=id"), kind: 400, code: "PGRST100", message: `"failed to parse tree path (a..order)" (line 1, column 3)`},
		{in: get("/t?or=()"), kind: 400, code: "PGRST100", message: `"failed to parse logic tree (())" (line 1, column 4)`},
		{in: get("/t?not.and=()"), kind: 400, code: "PGRST100", message: `"failed to parse logic tree (())" (line 1, column 9)`},
		{in: get("/t?..or=(a.eq.1)"), kind: 400, code: "PGRST100", message: `"failed to parse logic path (..or)" (line 1, column 1)`},
		{in: get("/t?columns="), kind: 400, code: "PGRST100", message: `"failed to parse columns parameter ()" (line 1, column 1)`},
		{in: get("/t?select=a("), kind: 400, code: "PGRST100", message: `"failed to parse select parameter (a()" (line 1, column 3)`},
		{in: get("/t?id=5"), kind: 400, code: "PGRST100", message: `"failed to parse filter (5)" (line 1, column 1)`},
		{in: get("/t?on_conflict=,"), kind: 400, code: "PGRST100", message: `"failed to parse on_conflict parameter (,)" (line 1, column 1)`},
		{in: get("/t?id=5&order=id.ac"), kind: 400, code: "PGRST100", message: `"failed to parse order (id.ac)" (line 1, column 4)`},
		{in: input("POST", "/rpc/f?id=5"), kind: 400, code: "PGRST100", message: `"failed to parse filter (5)" (line 1, column 1)`},
	} {
		if c.opt.Schemas == nil {
			c.opt.Schemas = []string{"s"}
		}
		_, err := Parse(c.in, c.opt)
		f := fault.From(err)
		if f.Kind != c.kind || f.Code != c.code || f.Message != c.message || f.Hint != c.hint {
			t.Errorf("%s %s?%s: got %d %v (%s)", c.in.Method, c.in.Path, c.in.Query, f.Kind, f, f.Hint)
		}
	}
}

func TestProfile(t *testing.T) {
	for _, c := range []struct {
		method, accept, content string
		schemas                 []string
		want                    string
		negotiated              bool
	}{
		{"GET", "", "", []string{"a"}, "a", false},
		{"GET", "", "", []string{"a", "b"}, "a", true},
		{"GET", "b", "", []string{"a", "b"}, "b", true},
		{"GET", "a", "", []string{"a"}, "a", true},
		{"GET", "b", "x", []string{"a", "b"}, "b", true},
		{"OPTIONS", "b", "x", []string{"a", "b"}, "b", true},
		{"POST", "x", "b", []string{"a", "b"}, "b", true},
		{"PATCH", "x", "b", []string{"a", "b"}, "b", true},
		{"PUT", "x", "b", []string{"a", "b"}, "b", true},
		{"DELETE", "x", "b", []string{"a", "b"}, "b", true},
	} {
		in := input(c.method, "/t")
		if c.accept != "" {
			in.Header["Accept-Profile"] = []string{c.accept}
		}
		if c.content != "" {
			in.Header["Content-Profile"] = []string{c.content}
		}
		r, err := Parse(in, Options{Schemas: c.schemas})
		if err != nil {
			t.Errorf("%+v: %v", c, err)
		} else if r.Schema != c.want || r.Negotiated != c.negotiated {
			t.Errorf("%+v: got %s, %v", c, r.Schema, r.Negotiated)
		}
	}
}

func TestQuery(t *testing.T) {
	star := []SelectItem{SelectField{Field: Field{Name: "*"}}}
	filter := func(path Path, name, value string) EmbedFilter {
		return EmbedFilter{Path: path, Filter: Filter{Field: Field{Name: name}, Operation: Compare{Value: value}}}
	}
	leaf := func(name, value string) Logic { return LogicFilter{Filter: filter(nil, name, value).Filter} }
	for target, want := range map[string]Query{
		"/t":                    {Select: star},
		"/t?select":             {Select: star, Canonical: "select="},
		"/t?select=":            {Canonical: "select="},
		"/t?select&select=id":   {Select: star, Canonical: "select=,id"},
		"/t?select=a&select=id": {Select: []SelectItem{column("a")}, Canonical: "select=a,id"},
		"/t?b=eq.1&a.b.c=eq.2&b=eq.3&d": {
			Select: star, Canonical: "a.b.c=eq.2&b=eq.1,eq.3&d=", FilterKeys: []string{"a.b.c", "b"},
			Filters: []EmbedFilter{filter(nil, "b", "1"), filter(Path{"a", "b"}, "c", "2"), filter(nil, "b", "3")},
		},
		"/t?a.select=eq.1": {
			Select: star, Canonical: "a.select=eq.1", FilterKeys: []string{"a.select"}, Filters: []EmbedFilter{filter(Path{"a"}, "select", "1")},
		},
		"/t?order=id&c.order=n.desc": {
			Select: star, Canonical: "c.order=n.desc&order=id",
			Orders: []EmbedOrder{
				{Terms: []OrderTerm{{Field: Field{Name: "id"}}}},
				{Path: Path{"c"}, Terms: []OrderTerm{{Field: Field{Name: "n"}, Direction: Descending}}},
			},
		},
		"/t?or=(a.eq.1,b.eq.2)&c.not.and=(d.eq.3)": {
			Select: star, Canonical: "c.not.and=%28d.eq.3%29&or=%28a.eq.1%2Cb.eq.2%29",
			Logic: []EmbedLogic{
				{Logic: LogicGroup{Or: true, Items: []Logic{leaf("a", "1"), leaf("b", "2")}}},
				{Path: Path{"c"}, Logic: LogicGroup{Negated: true, Items: []Logic{leaf("d", "3")}}},
			},
		},
		"/t?columns=b,a,%20b&on_conflict=b,a": {
			Select: star, Canonical: "columns=b%2Ca%2C%20b&on_conflict=b%2Ca", Columns: []string{"a", "b"}, OnConflict: []string{"b", "a"},
		},
		"/rpc/f?a=1&b=eq.2&a=x%20y&c.d=3&select=id": {
			Select: []SelectItem{column("id")}, Canonical: "a=1,x%20y&b=eq.2&c.d=3&select=id", FilterKeys: []string{"a", "b", "c.d"},
			Params: []Param{{"a", "1"}, {"a", "x y"}, {"d", "3"}}, Filters: []EmbedFilter{filter(nil, "b", "2")},
		},
	} {
		if diff := cmp.Diff(want, parseRequest(t, "GET", target).Query); diff != "" {
			t.Errorf("%s (-want +got):\n%s", target, diff)
		}
	}
}

func TestHeaders(t *testing.T) {
	in := input("GET", "/t")
	in.URI = "/api/t"
	in.Header = map[string][]string{
		"X-B":          {"2", "1"},
		"Accept":       {"text/csv;q=0.5", "application/json"},
		"Content-Type": {"text/csv; charset=utf-8"},
		"Prefer":       {"count=exact", "tx=rollback"},
		"X-Odd":        {"a\"\\\té<\xff"},
		"Cookie":       {`a=1; b="x=y";c; a=2`, `d="`},
	}
	r, err := Parse(in, Options{Schemas: []string{"s"}})
	if err != nil {
		t.Fatal(err)
	}
	want := &Request{
		Action:  ReadRelation{Name: "t"},
		Method:  "GET",
		URI:     "/api/t",
		Schema:  "s",
		Query:   Query{Select: []SelectItem{column("*")}},
		Prefer:  Prefer{Count: Exact},
		Accept:  []media.Type{media.Of(media.JSON), media.Of(media.CSV)},
		Content: media.Of(media.CSV),
	}
	if diff := cmp.Diff(want, r); diff != "" {
		t.Error(diff)
	}
	wantHeaders := `{"accept":"application/json","content-type":"text/csv; charset=utf-8","prefer":"tx=rollback","x-b":"1","x-odd":"a\"\\\u0009é<` + "\uFFFD" + `"}`
	if got := HeadersObject(in.Header, ""); got != wantHeaders {
		t.Errorf("%s, want %s", got, wantHeaders)
	}
	if got, want := HeadersObject(map[string][]string{"Accept": {"x"}}, "h:1"), `{"accept":"x","host":"h:1"}`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got, want := CookiesObject(in.Header), `{"a":"2","b":"x=y","c":"","d":"\""}`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if r = parseRequest(t, "GET", "/t"); r.Content != media.Of(media.JSON) || !cmp.Equal(r.Accept, []media.Type{media.Of(media.Any)}) {
		t.Errorf("without headers: %v, %v", r.Content, r.Accept)
	}
}

// TestHostile holds that the time to read a large query or body grows with its size, not with its square.
func TestHostile(t *testing.T) {
	t.Parallel()
	const n = 100_000
	many := strings.Repeat
	for name, in := range map[string]Input{
		"items":         input("GET", "/t?select="+many("a,", n)+"a"),
		"item":          input("GET", "/t?select="+many("a-", n)+"a"),
		"aliases":       input("GET", "/t?select="+many("a:b(c),", n)+"a"),
		"names":         input("GET", "/t?select="+many("a", n)),
		"path":          input("GET", "/t?select=a"+many("->b", n)),
		"orders":        input("GET", "/t?order="+many("a,", n)+"r(a)"),
		"bad item":      input("GET", "/t?select="+many("a-", n)+"!"),
		"spaces":        input("GET", "/t?select="+many("%20", n)+"!"),
		"open quotes":   input("GET", "/t?a=in.("+many("%22%5C%22,", n)),
		"open arrays":   input("GET", "/t?or=("+many("a.cs.%7Ba,", n)),
		"conditions":    input("GET", "/t?or=("+many("a.eq.1,", n)+"a.eq.1)"),
		"parameters":    input("GET", "/t?"+many("a=eq.1&", n)),
		"not decodable": input("GET", "/t?a=eq."+many("%", n)),
		"levels":        input("GET", "/t?a"+many(".a", n)+"=eq.1"),
		"rows":          {Method: "POST", Path: "/t", Body: []byte("[{}" + many(",{}", n) + "]")},
		"keys":          {Method: "POST", Path: "/t", Body: []byte("[{" + manyKeys(n, 0, 1) + "},{" + manyKeys(n, n-1, -1) + "}]")},
		"csv":           {Method: "POST", Path: "/t", Header: map[string][]string{"Content-Type": {"text/csv"}}, Body: []byte(many("a,", n) + "a\n" + many("\"\",", n) + "\n")},
		"form":          {Method: "POST", Path: "/t", Header: map[string][]string{"Content-Type": {"application/x-www-form-urlencoded"}}, Body: []byte(many("a=1&b&", n))},
		"limits":        input("GET", "/t?"+manyLimits(n)),
	} {
		start := time.Now()
		_, err := Parse(in, Options{Schemas: []string{"s"}})
		if took := time.Since(start); took > 4*time.Second {
			t.Errorf("%s: %v", name, took)
		}
		if err != nil && len(err.Error()) > 1000 {
			t.Errorf("%s: the error repeats %d bytes", name, len(err.Error()))
		}
	}
}

func manyKeys(n, from, step int) string {
	keys := make([]string, n)
	for i := range keys {
		keys[i] = `"` + strconv.Itoa(from+i*step) + `":1`
	}
	return strings.Join(keys, ",")
}

func manyLimits(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "a%d.limit=1&", i)
	}
	return b.String()
}

func BenchmarkParse(b *testing.B) {
	header := map[string][]string{
		"Accept": {"application/json"}, "Prefer": {"count=exact"}, "Authorization": {"Bearer x"}, "User-Agent": {"bench"},
	}
	opt := Options{Schemas: []string{"s"}}
	for name, in := range map[string]Input{
		"key":    {Method: "GET", Path: "/films", Query: "id=eq.17", Header: header},
		"list":   {Method: "GET", Path: "/films", Query: "select=id,title,year&year=gte.1990&order=year.desc,id&limit=20&offset=40", Header: header},
		"embed":  {Method: "GET", Path: "/films", Query: "select=id,director:directors!inner(name,born::text),actors(*)&actors.order=name&or=(year.eq.1990,title.in.(%22a,b%22,c))", Header: header},
		"insert": {Method: "POST", Path: "/films", Header: header, Body: []byte(`[{"id":1,"title":"A"},{"id":2,"title":"B"}]`)},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Parse(in, opt); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
