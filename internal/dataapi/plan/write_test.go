package plan_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tarn-data/tarn/internal/dataapi/plan"
	"github.com/tarn-data/tarn/internal/dataapi/request"
	"github.com/tarn-data/tarn/internal/dataapi/schema"
	"github.com/tarn-data/tarn/internal/fault"
)

const whole = "return=representation"

func prefer(preferences ...string) []string {
	return []string{"Prefer", strings.Join(preferences, ", ")}
}

// written renders the writing half of a plan.
func written(w plan.Write) string {
	var b strings.Builder
	part := func(name, text string) {
		if text != "" {
			b.WriteString(" " + name + "(" + text + ")")
		}
	}
	common := func(columns []plan.Field, body []byte, where []plan.Logic, returning []string, defaults bool) {
		part("columns", each(columns, field))
		part("body", string(body))
		part("where", each(where, logic))
		part("returning", strings.Join(returning, ","))
		if defaults {
			b.WriteString(" defaults")
		}
	}
	switch w := w.(type) {
	case *plan.Insert:
		b.WriteString("insert " + ident(w.Into))
		common(w.Columns, w.Body, w.Where, w.Returning, w.ApplyDefaults)
		if w.Resolution != request.NoResolution {
			b.WriteString(" " + w.Resolution.String() + " on(" + strings.Join(w.ConflictOn, ",") + ")")
		}
	case *plan.Update:
		b.WriteString("update " + ident(w.Relation))
		common(w.Columns, w.Body, w.Where, w.Returning, w.ApplyDefaults)
	case *plan.Delete:
		b.WriteString("delete " + ident(w.From))
		common(nil, nil, w.Where, w.Returning, false)
	}
	return b.String()
}

func TestWrites(t *testing.T) {
	for _, c := range []struct {
		name string
		ask
		want string
	}{
		{"insert", ask{"POST /books", `{"title":"x","id":1}`, nil}, `insert books columns(id, title) body({"title":"x","id":1})`},
		{"insert of named columns", ask{"POST /books?columns=title", `{"title":"x","id":1}`, nil}, `insert books columns(title) body({"title":"x","id":1})`},
		{"insert of nothing", ask{"POST /books", `[]`, nil}, `insert books body([])`},
		{"insert with defaults", ask{"POST /books", `{"id":1}`, prefer("missing=default")}, `insert books columns(id) body({"id":1}) defaults`},
		{"insert of a representation", ask{"POST /paints", `{"color":"ff"}`, nil}, `insert paints columns(api.from_json[json] color) body({"color":"ff"})`},
		{
			"insert that returns, with the columns that embeds need",
			ask{"POST /books?select=title,authors(name),tags(id)&order=price", `{"id":1}`, prefer(whole)},
			`insert books columns(id) body({"id":1}) returning(author_id,id,price,title)`,
		},
		{"insert that returns all", ask{"POST /books", `{"id":1}`, prefer(whole)}, `insert books columns(id) body({"id":1}) returning(*)`},
		{"insert that returns all for a function's embed", ask{"POST /books?select=title,shelf(id)", `{"id":1}`, prefer(whole)}, `insert books columns(id) body({"id":1}) returning(*)`},
		{"insert that returns where the row is", ask{"POST /book_tags?select=tag_id", `{"book_id":1,"tag_id":1}`, prefer("return=headers-only")}, `insert book_tags columns(book_id, tag_id) body({"book_id":1,"tag_id":1}) returning(book_id,tag_id)`},
		{"insert that returns nothing", ask{"POST /books", `{"id":1}`, prefer("return=minimal")}, `insert books columns(id) body({"id":1})`},
		{"upsert", ask{"POST /books", `{"id":1}`, prefer("resolution=merge-duplicates")}, `insert books columns(id) body({"id":1}) resolution=merge-duplicates on(id)`},
		{"upsert on other columns", ask{"POST /books?on_conflict=title,price", `{"id":1}`, prefer("resolution=ignore-duplicates")}, `insert books columns(id) body({"id":1}) resolution=ignore-duplicates on(title,price)`},
		{"put", ask{"PUT /book_tags?book_id=eq.1&tag_id=eq.2", `{"tag_id":2,"book_id":1}`, nil}, `insert book_tags columns(book_id, tag_id) body({"tag_id":2,"book_id":1}) where(book_id eq 1, tag_id eq 2) resolution=merge-duplicates on(book_id,tag_id)`},
		{"update", ask{"PATCH /books?id=eq.1&or=(id.eq.2,id.eq.3)", `{"title":"x"}`, nil}, `update books columns(title) body({"title":"x"}) where(id eq 1, or<id eq 2, id eq 3>)`},
		{"update with defaults", ask{"PATCH /books?columns=title,price", `{"title":"x"}`, prefer("missing=default")}, `update books columns(price, title) body({"title":"x"}) defaults`},
		{"update that returns", ask{"PATCH /books?id=eq.1&select=title", `{"price":1}`, prefer(whole)}, `update books columns(price) body({"price":1}) where(id eq 1) returning(id,title)`},
		{"update that returns where rows are", ask{"PATCH /books?id=eq.1&select=title", `{"price":1}`, prefer("return=headers-only")}, `update books columns(price) body({"price":1}) where(id eq 1) returning(id,title)`},
		{"update whose filter is in a representation", ask{"PATCH /paints?color=eq.ff", `{"color":"aa"}`, nil}, `update paints columns(api.from_json[json] color) body({"color":"aa"}) where(api.from_text[text] color eq ff)`},
		{"filters and orders of embeds are not the write's", ask{"PATCH /books?select=id,authors(id)&id=eq.1&authors.name=eq.x&order=authors(name)", `{"price":1}`, prefer(whole)}, `update books columns(price) body({"price":1}) where(id eq 1) returning(author_id,id)`},
		{"delete", ask{"DELETE /books?id=in.(1,2)", "", nil}, `delete books where(id in 1|2)`},
		{"delete that returns", ask{"DELETE /books?select=price", "", prefer(whole)}, `delete books returning(id,price)`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := written(must[*plan.Mutate](t, c.ask, allowed()).Write)
			if got != c.want {
				t.Errorf("%s\nwanted %s\ngot    %s", c.target, c.want, got)
			}
		})
	}
}

// TestWrittenRowsAreRead has the read half of writes: its filters are those of embeds only, and it has no windows.
func TestWrittenRowsAreRead(t *testing.T) {
	opt := allowed()
	opt.MaxRows = 1
	p := must[*plan.Mutate](t, ask{
		"PATCH /books?select=id,tags(id)&id=eq.1&tags.id=eq.2&order=id.desc&limit=5&tags.limit=3", `{"price":1}`, prefer(whole),
	}, opt)
	want := unindented(`
			pgrst_source books select(id) order(id desc) embeds(books_tags_1)
				tags key(tags) as(books_tags_1) on(book_tags.tag_id=tags.id, book_tags.book_id=books.id) select(id) where(id eq 2)`)
	if diff := cmp.Diff(want, show(p.Tree)); diff != "" {
		t.Error(diff)
	}
	if p.Handler.Kind != schema.HandleJSON || p.Target != id("books") || p.Mutation != request.Update {
		t.Errorf("%+v", p)
	}
	if p := must[*plan.Mutate](t, ask{"DELETE /books", "", nil}, opt); p.Handler.Kind != schema.NoHandler {
		t.Errorf("a body is rendered that nobody asked for: %+v", p.Handler)
	}
}

func TestWriteRefusals(t *testing.T) {
	row := `{"id":1,"title":"x"}`
	for _, c := range []struct {
		name string
		ask
		kind fault.Kind
		code string
	}{
		{"relation", ask{"POST /boks", row, nil}, 404, "PGRST205"},
		{"column of the body", ask{"POST /books", `{"nope":1}`, nil}, 400, "PGRST204"},
		{"column of columns", ask{"PATCH /books?columns=nope", row, nil}, 400, "PGRST204"},
		{"embed", ask{"DELETE /books?select=nope(id)", "", prefer(whole)}, 400, "PGRST200"},
		{"put without filters", ask{"PUT /books", row, nil}, 405, "PGRST105"},
		{"put with a part of the key", ask{"PUT /book_tags?book_id=eq.1", `{"book_id":1,"tag_id":1}`, nil}, 405, "PGRST105"},
		{"put with more than the key", ask{"PUT /books?id=eq.1&title=eq.x", row, nil}, 405, "PGRST105"},
		{"put with another operator", ask{"PUT /books?id=gte.1", row, nil}, 405, "PGRST105"},
		{"put with a negation", ask{"PUT /books?id=not.eq.1", row, nil}, 405, "PGRST105"},
		{"put with a quantor", ask{"PUT /books?id=eq(any).{1}", row, nil}, 405, "PGRST105"},
		{"put with logic", ask{"PUT /books?id=eq.1&or=(id.eq.1,id.eq.2)", row, nil}, 405, "PGRST105"},
		{"preference", ask{"POST /books", row, prefer("handling=strict", "x=y")}, 400, "PGRST122"},
		{"media type", ask{"POST /books", row, []string{"Accept", "text/none"}}, 406, "PGRST107"},
		{"aggregate in a to-many spread", ask{"PATCH /authors?select=...books(price.sum())", `{"name":"x"}`, prefer(whole)}, 400, "PGRST127"},
	} {
		t.Run(c.name, func(t *testing.T) {
			kind, code, f := refusal(t, c.ask, allowed())
			if kind != c.kind || code != c.code {
				t.Errorf("wanted %d %s, got %d %s", c.kind, c.code, kind, f)
			}
		})
	}
}
