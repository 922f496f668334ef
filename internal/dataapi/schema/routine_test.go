package schema

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tarn-data/tarn/internal/dataapi/media"
)

var (
	jsonBody  = media.Of(media.JSON)
	textBody  = media.Of(media.Text)
	xmlBody   = media.Of(media.XML)
	bytesBody = media.Of(media.OctetStream)
	csvBody   = media.Of(media.CSV)
)

// routine makes a routine of parameters that are written "name type", with a question mark if they are optional.
func routine(name string, params ...string) *Routine {
	r := &Routine{Ident: id(name)}
	for _, p := range params {
		field, typ, _ := strings.Cut(p, " ")
		r.Params = append(r.Params, Param{Name: strings.TrimSuffix(field, "?"), Type: typ, Required: !strings.HasSuffix(field, "?")})
	}
	return r
}

// catalogue is a snapshot with routines of every kind.
func catalogue() *Cache {
	return build(Parts{Routines: []*Routine{
		routine("now"),
		routine("add", "a integer", "b integer"),
		routine("search", "words text", "limit? integer"),
		routine("list", "order? text", "limit? integer"),
		routine("many"), routine("many", "a integer"), routine("many", "a integer", "b integer"), routine("many", "a integer", "c? text"),
		routine("same", "a integer"), routine("same", "a text"),
		routine("store", " json"), routine("store", " bytea"), routine("store", " text"), routine("store", " xml"), routine("store", "x integer"),
		routine("both", " json"), routine("both", " jsonb"),
		routine("count", " integer"),
		routine("named", "doc json"),
		routine("alike", "aab text"), routine("alike", "aac text"),
		routine("odd", " text", "b? integer"),
	}})
}

func TestFindRoutine(t *testing.T) {
	tests := []struct {
		name   string
		keys   string
		body   media.Type
		isPost bool
		want   string // types of parameters
		code   string
	}{
		{"now", "", jsonBody, false, "", ""},
		{"now", "", jsonBody, true, "", ""},
		{"now", "", textBody, false, "", ""},
		{"now", "", textBody, true, "", "PGRST202"},
		{"now", "", xmlBody, true, "", "PGRST202"},
		{"now", "", bytesBody, true, "", "PGRST202"},
		{"now", "a", jsonBody, false, "", "PGRST202"},
		{"add", "a,b", jsonBody, false, "integer integer", ""},
		{"add", "a", jsonBody, false, "", "PGRST202"},
		{"add", "a,b,c", jsonBody, false, "", "PGRST202"},
		{"search", "words", jsonBody, false, "text integer", ""},
		{"search", "limit,words", jsonBody, false, "text integer", ""},
		{"search", "limit", jsonBody, false, "", "PGRST202"},
		{"list", "", jsonBody, false, "text integer", ""},
		{"list", "limit", jsonBody, false, "text integer", ""},
		{"list", "x", jsonBody, false, "", "PGRST202"},
		{"many", "", jsonBody, false, "", ""},
		{"many", "a,b", jsonBody, false, "integer integer", ""},
		{"many", "a,c", jsonBody, false, "integer text", ""},
		{"many", "a", jsonBody, false, "", "PGRST203"},
		{"same", "a", jsonBody, false, "", "PGRST203"},
		{"store", "a,b", jsonBody, true, "json", ""},
		{"store", "", textBody, true, "text", ""},
		{"store", "", xmlBody, true, "xml", ""},
		{"store", "", bytesBody, true, "bytea", ""},
		{"store", "x", jsonBody, true, "integer", ""},
		{"store", "a", csvBody, true, "", "PGRST202"},
		{"store", "", jsonBody, false, "", "PGRST202"},
		{"both", "a", jsonBody, true, "", "PGRST203"},
		{"count", "a", jsonBody, true, "", "PGRST202"},
		{"named", "a", jsonBody, true, "", "PGRST202"},
		{"odd", "b", jsonBody, true, "", "PGRST202"},
		{"nothing", "", jsonBody, false, "", "PGRST202"},
	}
	c := catalogue()
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%s(%s) %v %v", tt.name, tt.keys, tt.body.Kind, tt.isPost), func(t *testing.T) {
			r, err := c.FindRoutine(id(tt.name), keysOf(tt.keys), tt.body, tt.isPost)
			if got := codeOf(err); got != tt.code {
				t.Fatalf("error is %v, want %q", err, tt.code)
			}
			if err != nil {
				return
			}
			var types []string
			for _, p := range r.Params {
				types = append(types, p.Type)
			}
			if diff := cmp.Diff(tt.want, strings.Join(types, " ")); diff != "" || r.Ident != id(tt.name) {
				t.Errorf("found %v, types (-want +got):\n%s", r.Ident, diff)
			}
		})
	}
}

func keysOf(list string) []string {
	if list == "" {
		return nil
	}
	return strings.Split(list, ",")
}

func TestFindRoutineFaults(t *testing.T) {
	const ambiguousHint = "Try renaming the parameters or the function itself in the database so function overloading can be resolved"
	tests := []struct {
		name, keys            string
		body                  media.Type
		isPost                bool
		kind                  int
		message, detail, hint string
	}{
		{
			"nothing", "", jsonBody, false, 404,
			"Could not find the function api.nothing without parameters in the schema cache",
			"Searched for the function api.nothing without parameters, but no matches were found in the schema cache.", "",
		},
		{
			"serch", "words", jsonBody, false, 404,
			"Could not find the function api.serch(words) in the schema cache",
			"Searched for the function api.serch with parameter words, but no matches were found in the schema cache.",
			"Perhaps you meant to call the function api.search",
		},
		{
			"search", "limt,words", jsonBody, true, 404,
			"Could not find the function api.search(limt, words) in the schema cache",
			"Searched for the function api.search with parameters limt, words or with a single unnamed json/jsonb parameter, but no matches were found in the schema cache.",
			"Perhaps you meant to call the function api.search(limit, words)",
		},
		{
			"now", "", textBody, true, 404,
			"Could not find the function api.now in the schema cache",
			"Searched for the function api.now with a single unnamed text parameter, but no matches were found in the schema cache.", "",
		},
		{
			"now", "", xmlBody, true, 404,
			"Could not find the function api.now in the schema cache",
			"Searched for the function api.now with a single unnamed xml parameter, but no matches were found in the schema cache.", "",
		},
		{
			"now", "", bytesBody, true, 404,
			"Could not find the function api.now in the schema cache",
			"Searched for the function api.now with a single unnamed bytea parameter, but no matches were found in the schema cache.", "",
		},
		{
			"add", "a", csvBody, true, 404,
			"Could not find the function api.add(a) in the schema cache",
			"Searched for the function api.add with parameter a, but no matches were found in the schema cache.",
			"Perhaps you meant to call the function api.add(a, b)",
		},
		{
			"list", "xyzzy", jsonBody, false, 404,
			"Could not find the function api.list(xyzzy) in the schema cache",
			"Searched for the function api.list with parameter xyzzy, but no matches were found in the schema cache.", "",
		},
		{
			"alike", "aad", jsonBody, false, 404,
			"Could not find the function api.alike(aad) in the schema cache",
			"Searched for the function api.alike with parameter aad, but no matches were found in the schema cache.",
			"Perhaps you meant to call the function api.alike(aac)",
		},
		{
			"many", "a", jsonBody, false, 300,
			"Could not choose the best candidate function between: api.many(a => integer), api.many(a => integer, c => text)",
			"", ambiguousHint,
		},
		{
			"both", "a", jsonBody, true, 300,
			"Could not choose the best candidate function between: api.both( => json), api.both( => jsonb)",
			"", ambiguousHint,
		},
	}
	c := catalogue()
	for _, tt := range tests {
		t.Run(tt.name+"("+tt.keys+")", func(t *testing.T) {
			_, err := c.FindRoutine(id(tt.name), keysOf(tt.keys), tt.body, tt.isPost)
			code, detail := "PGRST202", fmt.Sprintf("%q", tt.detail)
			if tt.kind == 300 {
				code, detail = "PGRST203", "null"
			}
			checkFault(t, err, fmt.Sprintf(`{"Kind": %d, "Code": %q, "Message": %q, "Details": %s, "Hint": %q}`,
				tt.kind, code, tt.message, detail, tt.hint))
		})
	}
}
