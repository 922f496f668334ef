package schema

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tarn-data/tarn/internal/fault"
)

// library is a snapshot with some of every kind of relationship.
func library() *Cache {
	return build(Parts{
		Relations: []Relation{
			{Ident: id("loans"), PrimaryKey: []string{"book_id", "person_id"}},
			{Ident: id("orders"), PrimaryKey: []string{"book_id", "person_id"}},
		},
		ForeignKeys: []ForeignKey{
			foreignKey(id("books"), id("people"), "books_author_fkey", "author_id", "id"),
			foreignKey(id("books"), id("people"), "books_editor_fkey", "editor_id", "id"),
			foreignKey(id("books"), id("shelves"), "books_shelf_fkey", "shelf_id", "id"),
			foreignKey(id("books"), id("books"), "books_sequel_fkey", "sequel_id", "id"),
			foreignKey(id("books"), id("rooms"), "books_room_fkey", "room_x", "x", "room_y", "y"),
			foreignKey(id("loans"), id("books"), "loans_book_fkey", "book_id", "id"),
			foreignKey(id("loans"), id("members"), "loans_person_fkey", "person_id", "id"),
			foreignKey(id("orders"), id("books"), "orders_book_fkey", "book_id", "id"),
			foreignKey(id("orders"), id("members"), "orders_person_fkey", "person_id", "id"),
			{Table: id("covers"), Foreign: id("books"), Constraint: "covers_fkey", Columns: pairs("id", "id"), Unique: true},
		},
		ViewKeys: []ViewKey{
			{View: id("tall_shelves"), Table: id("books"), Constraint: "books_shelf_fkey", Kind: ReferencedKey, Columns: [][]string{{"id"}}},
		},
		Computed: []Relationship{{Relation: id("books"), Foreign: id("people"), Cardinality: Computed, Function: id("printer"), ToOne: true}},
	})
}

func TestFindRelationship(t *testing.T) {
	tests := []struct {
		name                 string
		origin, target, hint string
		want                 string // constraint, junction or function
		code                 string
	}{
		{"by relation", "books", "shelves", "", "books_shelf_fkey", ""},
		{"by constraint", "books", "books_author_fkey", "", "books_author_fkey", ""},
		{"by constraint, not to a view", "books", "books_shelf_fkey", "", "books_shelf_fkey", ""},
		{"by column, not to a view", "books", "shelf_id", "", "books_shelf_fkey", ""},
		{"by column", "books", "editor_id", "", "books_editor_fkey", ""},
		{"by relation and constraint", "books", "people", "books_editor_fkey", "books_editor_fkey", ""},
		{"by relation and column", "books", "people", "author_id", "books_author_fkey", ""},
		{"by relation and the column there", "books", "shelves", "id", "books_shelf_fkey", ""},
		{"by relation and junction", "books", "members", "loans", "loans", ""},
		{"by view", "books", "tall_shelves", "", "books_shelf_fkey", ""},
		{"one to one", "books", "covers", "", "covers_fkey", ""},
		{"computed", "books", "printer", "", "printer", ""},
		{"computed, whatever the hint", "books", "printer", "x", "printer", ""},
		{"the many of the same", "books", "books", "", "books_sequel_fkey", ""},
		{"the one of the same", "books", "sequel_id", "", "books_sequel_fkey", ""},
		{"the many of the same, by column", "books", "books", "sequel_id", "books_sequel_fkey", ""},
		{"key of two columns", "books", "rooms", "", "books_room_fkey", ""},
		{"key of two columns, not by one", "books", "rooms", "room_x", "", "PGRST200"},
		{"the same, not by constraint", "books", "books", "books_sequel_fkey", "", "PGRST200"},
		{"the one of the same, not with a hint", "books", "sequel_id", "id", "", "PGRST200"},
		{"ambiguous", "books", "people", "", "", "PGRST201"},
		{"still ambiguous", "books", "people", "id", "", "PGRST201"},
		{"ambiguous junctions", "books", "members", "", "", "PGRST201"},
		{"no such target", "books", "magazines", "", "", "PGRST200"},
		{"no such origin", "magazines", "books", "", "", "PGRST200"},
		{"no such hint", "books", "people", "reader_id", "", "PGRST200"},
	}
	c := library()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, err := c.FindRelationship("api", tt.origin, tt.target, tt.hint)
			if got := codeOf(err); got != tt.code {
				t.Fatalf("error is %v, want %q", err, tt.code)
			}
			if tt.code != "" {
				return
			}
			got := r.Constraint + r.Function.Name
			if r.Junction != nil {
				got = r.Junction.Relation.Name
			}
			if got != tt.want || r.Relation != id(tt.origin) {
				t.Errorf("found %s from %s, want %s", got, r.Relation.Name, tt.want)
			}
		})
	}
	many, err := c.FindRelationship("api", "books", "books", "")
	if err != nil || many.Cardinality != OneToMany {
		t.Errorf("books of books are %v, %v; want one to many", many, err)
	}
	view, err := c.FindRelationship("api", "books", "tall_shelves", "")
	if err != nil || !view.ForeignIsView {
		t.Errorf("tall_shelves are %v, %v; want a view", view, err)
	}
}

func TestFindRelationshipFaults(t *testing.T) {
	tests := []struct {
		name                 string
		origin, target, hint string
		want                 string
	}{
		{"ambiguous", "books", "people", "", `{
			"Kind": 300, "Code": "PGRST201",
			"Message": "Could not embed because more than one relationship was found for 'books' and 'people'",
			"Details": [
				{"cardinality": "many-to-one", "embedding": "books with people", "relationship": "books_author_fkey using books(author_id) and people(id)"},
				{"cardinality": "many-to-one", "embedding": "books with people", "relationship": "books_editor_fkey using books(editor_id) and people(id)"}
			],
			"Hint": "Try changing 'people' to one of the following: 'people!books_author_fkey', 'people!books_editor_fkey'. Find the desired relationship in the 'details' key."}`},
		{"ambiguous junctions", "members", "books", "", `{
			"Kind": 300, "Code": "PGRST201",
			"Message": "Could not embed because more than one relationship was found for 'members' and 'books'",
			"Details": [
				{"cardinality": "many-to-many", "embedding": "members with books", "relationship": "loans using loans_person_fkey(person_id) and loans_book_fkey(book_id)"},
				{"cardinality": "many-to-many", "embedding": "members with books", "relationship": "orders using orders_person_fkey(person_id) and orders_book_fkey(book_id)"}
			],
			"Hint": "Try changing 'books' to one of the following: 'books!loans', 'books!orders'. Find the desired relationship in the 'details' key."}`},
		{"wrong hint", "books", "people", "reader_id", `{
			"Kind": 400, "Code": "PGRST200",
			"Message": "Could not find a relationship between 'books' and 'people' in the schema cache",
			"Details": "Searched for a foreign key relationship between 'books' and 'people' using the hint 'reader_id' in the schema 'api', but no matches were found.",
			"Hint": ""}`},
		{"almost a target", "books", "shelfs", "", `{
			"Kind": 400, "Code": "PGRST200",
			"Message": "Could not find a relationship between 'books' and 'shelfs' in the schema cache",
			"Details": "Searched for a foreign key relationship between 'books' and 'shelfs' in the schema 'api', but no matches were found.",
			"Hint": "Perhaps you meant 'shelves' instead of 'shelfs'."}`},
		{"almost an origin", "book", "shelves", "", `{
			"Kind": 400, "Code": "PGRST200",
			"Message": "Could not find a relationship between 'book' and 'shelves' in the schema cache",
			"Details": "Searched for a foreign key relationship between 'book' and 'shelves' in the schema 'api', but no matches were found.",
			"Hint": "Perhaps you meant 'books' instead of 'book'."}`},
		{"nothing like it", "books", "xyz", "", `{
			"Kind": 400, "Code": "PGRST200",
			"Message": "Could not find a relationship between 'books' and 'xyz' in the schema cache",
			"Details": "Searched for a foreign key relationship between 'books' and 'xyz' in the schema 'api', but no matches were found.",
			"Hint": ""}`},
	}
	c := library()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := c.FindRelationship("api", tt.origin, tt.target, tt.hint)
			checkFault(t, err, tt.want)
		})
	}
}

// TestHiddenRelationships: where all relationships of a relation are hidden, its name is not the mistake.
func TestHiddenRelationships(t *testing.T) {
	c := build(Parts{
		Relations: []Relation{{Ident: hidden("junction"), PrimaryKey: []string{"a", "b"}}},
		ForeignKeys: []ForeignKey{
			foreignKey(hidden("junction"), id("end_1"), "one", "a", "id"),
			foreignKey(hidden("junction"), id("end_2"), "two", "b", "id"),
			foreignKey(id("end"), id("other"), "fk", "c", "id"),
		},
	})
	_, err := c.FindRelationship("api", "end_1", "end_2", "")
	if f := fault.From(err); f.Code != "PGRST200" || f.Hint != "" {
		t.Errorf("fault is %v with hint %q, want PGRST200 without one", f, f.Hint)
	}
}

func codeOf(err error) string {
	if f, ok := errors.AsType[*fault.Error](err); ok {
		return f.Code
	}
	return ""
}

// checkFault compares what a client sees of a fault.
func checkFault(t *testing.T, err error, want string) {
	t.Helper()
	var f *fault.Error
	if !errors.As(err, &f) {
		t.Fatalf("error is %v, want a fault", err)
	}
	text, err := json.Marshal(map[string]any{"Kind": f.Kind, "Code": f.Code, "Message": f.Message, "Details": f.Details, "Hint": f.Hint})
	if err != nil {
		t.Fatal(err)
	}
	var got, wanted any
	if err := errors.Join(json.Unmarshal(text, &got), json.Unmarshal([]byte(want), &wanted)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(wanted, got); diff != "" {
		t.Errorf("fault (-want +got):\n%s", diff)
	}
}
