package schema

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tarn-data/tarn/internal/dataapi/media"
)

func TestBuildHandlers(t *testing.T) {
	csv := HandlerKey{Media: media.Of(media.CSV)}
	own := ResolvedHandler{Handler{Kind: HandleCustom, Function: id("csv_agg")}, media.Of(media.CSV)}
	c := build(Parts{Handlers: map[HandlerKey]ResolvedHandler{csv: own}})
	if got := c.Handlers[csv]; got != own {
		t.Errorf("handler of CSV is %v, want the database's own", got)
	}
	for _, kind := range []media.Kind{media.Any, media.JSON} {
		if got := c.Handlers[HandlerKey{Media: media.Of(kind)}].Handler.Kind; got != HandleJSON {
			t.Errorf("handler of %v is %v, want JSON", kind, got)
		}
	}
	for postgis, want := range map[bool]HandlerKind{true: HandleGeoJSON, false: NoHandler} {
		c := build(Parts{PostGIS: postgis})
		if got := c.Handlers[HandlerKey{Media: media.Of(media.GeoJSON)}].Handler.Kind; got != want {
			t.Errorf("handler of GeoJSON is %v, with PostGIS: %v", got, postgis)
		}
	}
}

func TestBuildOrdersOverloads(t *testing.T) {
	f := func(params ...Param) *Routine { return &Routine{Ident: id("f"), Params: params} }
	text, integer := Param{Name: "a", Type: "text"}, Param{Name: "a", Type: "integer"}
	c := build(Parts{Routines: []*Routine{f(text, integer), f(integer, integer), f(text), f(integer), f()}})
	var got []string
	for _, r := range c.Routines[id("f")] {
		types := ""
		for _, p := range r.Params {
			types += p.Type + " "
		}
		got = append(got, strings.TrimSpace(types))
	}
	if diff := cmp.Diff([]string{"", "integer", "text", "integer integer", "text integer"}, got); diff != "" {
		t.Errorf("overloads (-want +got):\n%s", diff)
	}
}

func TestColumn(t *testing.T) {
	c := build(Parts{Relations: []Relation{{Ident: id("books"), Columns: []Column{{Name: "id"}, {Name: "title", Type: "text"}}}}})
	books, err := c.FindRelation(id("books"))
	if err != nil {
		t.Fatal(err)
	}
	if col, ok := books.Column("title"); !ok || col.Type != "text" {
		t.Errorf("column title is %v, %v", col, ok)
	}
	if col, ok := books.Column("author"); ok {
		t.Errorf("column author is %v", col)
	}
}

func TestSummary(t *testing.T) {
	c := build(Parts{
		Relations:       []Relation{{Ident: id("books")}, {Ident: id("authors")}, {Ident: hidden("secrets")}},
		ForeignKeys:     []ForeignKey{foreignKey(id("books"), id("authors"), "fk", "author_id", "id")},
		Routines:        []*Routine{{Ident: id("f")}, {Ident: id("f"), Params: []Param{{Name: "a"}}}},
		Representations: map[Cast]string{{Source: "api.color", Target: "json"}: "api.json"},
	})
	want := "2 relations, 2 relationships, 2 routines, 1 domain representations, 4 media type handlers"
	if got := c.Summary(); got != want {
		t.Errorf("summary is %q, want %q", got, want)
	}
}
