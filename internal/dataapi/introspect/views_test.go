package introspect

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tarn-data/tarn/internal/dataapi/schema"
)

// shortly lists what leads from a relation by foreign keys, as "target: columns = columns".
func shortly(c *schema.Cache, from string) []string {
	var out []string
	for _, r := range c.Relationships[schema.RelationshipKey{From: id(from), Schema: "api"}] {
		text := r.Foreign.Name + ":"
		for _, p := range r.Columns {
			text += " " + p.Local + " = " + p.Foreign
		}
		if r.Junction != nil {
			text += " by " + r.Junction.Relation.Name
		}
		if r.Cardinality == schema.OneToOne {
			text += " (one)"
		}
		if r.ForeignIsView {
			text += ", view"
		}
		out = append(out, text)
	}
	return out
}

func TestLoadViews(t *testing.T) {
	c := loadWith(t, `
		CREATE TABLE hidden.people (id int PRIMARY KEY, name text);
		CREATE TABLE api.rooms (x int, y int, PRIMARY KEY (x, y));
		CREATE TABLE hidden.books (
			id int PRIMARY KEY, title text, author int REFERENCES hidden.people, room_x int, room_y int,
			FOREIGN KEY (room_x, room_y) REFERENCES api.rooms);
		CREATE TABLE hidden.loans (
			book int REFERENCES hidden.books, person int REFERENCES hidden.people, day date, PRIMARY KEY (book, person));
		CREATE TABLE hidden.covers (book int PRIMARY KEY REFERENCES hidden.books);

		CREATE VIEW api.authors AS SELECT id, name FROM hidden.people;
		CREATE VIEW extra.between AS SELECT id AS book_id, author AS by_whom, title FROM hidden.books;
		CREATE VIEW hidden.unseen AS SELECT id, author FROM hidden.books;
		CREATE VIEW api.novels AS SELECT title, by_whom AS author, book_id AS id FROM extra.between WHERE title <> '';
		CREATE VIEW api.short_novels AS SELECT id, author FROM api.novels n ORDER BY n.title || 'x';
		CREATE VIEW api.lost AS SELECT id, author FROM hidden.unseen;
		CREATE MATERIALIZED VIEW api.stored AS SELECT author AS a1, author AS a2 FROM hidden.books;
		CREATE VIEW api.placed AS
			WITH b AS (SELECT * FROM hidden.books) SELECT b.room_x, b.room_y, b.room_x AS again FROM b;
		CREATE VIEW api.half_placed AS SELECT room_x, title FROM hidden.books;
		CREATE VIEW api.joined AS SELECT b.id, p.id AS person, l.book FROM hidden.books b JOIN hidden.people p ON p.id = b.author, hidden.loans l;
		CREATE VIEW api.loans AS SELECT book, person FROM hidden.loans;
		CREATE VIEW api.covers AS SELECT book FROM hidden.covers;
		CREATE VIEW api.united AS SELECT id FROM hidden.books UNION SELECT id FROM hidden.people;
		CREATE VIEW api.computed AS SELECT id + 1 AS id, (SELECT max(p.id) FROM hidden.people p) AS author FROM hidden.books;
		CREATE VIEW api.nothing AS SELECT;
		CREATE VIEW api.people_id AS SELECT b.* FROM hidden.books b;`)
	keys := map[string][]string{
		"authors": {"id"}, "novels": {"id"}, "short_novels": {"id"}, "lost": nil, "stored": nil, "placed": nil,
		"joined": {"person", "id"}, "loans": {"book", "person"}, "covers": {"book"}, "united": nil, "computed": nil,
		"people_id": {"id"}, "rooms": {"x", "y"},
	}
	for name, want := range keys {
		if r := c.Relations[id(name)]; r == nil {
			t.Errorf("no relation %s", name)
		} else if diff := cmp.Diff(want, r.PrimaryKey); diff != "" {
			t.Errorf("primary key of %s (-want +got):\n%s", name, diff)
		}
	}
	relationships := map[string][]string{
		"short_novels": {
			"authors: author = id, view", "authors: by loans, view", "covers: id = book (one), view", "joined: id = book, view",
			"joined: author = person, view", "joined: by loans, view", "loans: id = book, view",
		},
		"stored": {
			"authors: a1 = id, view", "authors: a2 = id, view", "joined: a1 = person, view", "joined: a2 = person, view",
		},
		"placed":      {"rooms: again = x room_y = y", "rooms: room_x = x room_y = y"},
		"half_placed": nil,
		"lost":        nil,
		"united":      nil,
		"computed":    nil,
		"covers": {
			"joined: book = id (one), view", "novels: book = id (one), view", "people_id: book = id (one), view", "short_novels: book = id (one), view",
		},
		"rooms": {
			"people_id: x = room_x y = room_y, view", "placed: x = again y = room_y, view", "placed: x = room_x y = room_y, view",
		},
	}
	for name, want := range relationships {
		if diff := cmp.Diff(want, shortly(c, name)); diff != "" {
			t.Errorf("relationships from %s (-want +got):\n%s", name, diff)
		}
	}
}

// TestLoadViewOfRenamed: names in a definition are those when it was made; what counts are the columns.
func TestLoadViewOfRenamed(t *testing.T) {
	c := loadWith(t, `
		CREATE TABLE api.people (gone int, id int PRIMARY KEY);
		CREATE TABLE api.books (author int REFERENCES api.people);
		CREATE VIEW api.novels AS SELECT author FROM api.books;
		ALTER TABLE api.people DROP COLUMN gone;
		ALTER TABLE api.people RENAME COLUMN id TO number;
		ALTER TABLE api.people RENAME TO persons;
		ALTER VIEW api.novels RENAME COLUMN author TO by_whom;
		CREATE RULE r AS ON INSERT TO api.novels DO INSTEAD INSERT INTO api.books VALUES (NEW.by_whom);`)
	if diff := cmp.Diff([]string{"persons: by_whom = number"}, shortly(c, "novels")); diff != "" {
		t.Errorf("relationships (-want +got):\n%s", diff)
	}
	if !c.Relations[id("novels")].Insertable {
		t.Error("a view with a rule for it is not insertable")
	}
}

func TestShowsStopsAtCycles(t *testing.T) {
	views := map[uint32]*view{
		1: {id: id("a"), columns: []string{"x"}, origins: []origin{{2, 1}}},
		2: {id: id("b"), columns: []string{"y"}, origins: []origin{{1, 1}}},
	}
	want := map[uint32]map[int16][]string{2: {1: {"x"}}, 1: {1: {"x"}}}
	if diff := cmp.Diff(want, views[1].shows(views)); diff != "" {
		t.Errorf("shows (-want +got):\n%s", diff)
	}
}
