package schema

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func id(name string) Ident     { return Ident{Schema: "api", Name: name} }
func hidden(name string) Ident { return Ident{Schema: "hidden", Name: name} }

func pairs(names ...string) []ColumnPair {
	var out []ColumnPair
	for i := 0; i < len(names); i += 2 {
		out = append(out, ColumnPair{names[i], names[i+1]})
	}
	return out
}

func foreignKey(table, foreign Ident, constraint string, columns ...string) ForeignKey {
	return ForeignKey{Table: table, Foreign: foreign, Constraint: constraint, Columns: pairs(columns...)}
}

// build makes a snapshot of tables with the given keys, where the schema api is exposed.
func build(p Parts) *Cache {
	p.Schemas = []string{"api"}
	return Build(p)
}

// leading lists what leads from one relation, in short.
func leading(c *Cache, from Ident) []string {
	var out []string
	for _, r := range c.Relationships[RelationshipKey{From: from, Schema: "api"}] {
		d := r.describe()
		text := d.Cardinality + ": " + d.Embedding + ", " + d.Relationship
		if r.Cardinality == Computed {
			text = "computed: " + r.Relation.Name + " with " + r.Foreign.Name + ", " + r.Function.Name
		}
		if r.IsParent {
			text += ", parent"
		}
		if r.IsSelf {
			text += ", self"
		}
		if r.RelationIsView {
			text += ", from view"
		}
		if r.ForeignIsView {
			text += ", to view"
		}
		out = append(out, text)
	}
	return out
}

func TestBuildRelationships(t *testing.T) {
	books, authors, tags := id("books"), id("authors"), id("tags")
	junction := Relation{Ident: id("books_tags"), PrimaryKey: []string{"book_id", "tag_id"}}
	tests := []struct {
		name  string
		parts Parts
		from  Ident
		want  []string
	}{
		{
			name:  "many to one",
			parts: Parts{ForeignKeys: []ForeignKey{foreignKey(books, authors, "fk", "author_id", "id")}},
			from:  books,
			want:  []string{"many-to-one: books with authors, fk using books(author_id) and authors(id)"},
		},
		{
			name:  "one to many",
			parts: Parts{ForeignKeys: []ForeignKey{foreignKey(books, authors, "fk", "author_id", "id")}},
			from:  authors,
			want:  []string{"one-to-many: authors with books, fk using authors(id) and books(author_id)"},
		},
		{
			name: "one to one, from the child",
			parts: Parts{ForeignKeys: []ForeignKey{
				{Table: books, Foreign: authors, Constraint: "fk", Columns: pairs("a", "x", "b", "y"), Unique: true},
			}},
			from: books,
			want: []string{"one-to-one: books with authors, fk using books(a, b) and authors(x, y)"},
		},
		{
			name: "one to one, from the parent",
			parts: Parts{ForeignKeys: []ForeignKey{
				{Table: books, Foreign: authors, Constraint: "fk", Columns: pairs("a", "x", "b", "y"), Unique: true},
			}},
			from: authors,
			want: []string{"one-to-one: authors with books, fk using authors(x, y) and books(a, b), parent"},
		},
		{
			name:  "a table and itself, the many first",
			parts: Parts{ForeignKeys: []ForeignKey{foreignKey(books, books, "fk", "sequel_id", "id")}},
			from:  books,
			want: []string{
				"one-to-many: books with books, fk using books(id) and books(sequel_id), self",
				"many-to-one: books with books, fk using books(sequel_id) and books(id), self",
			},
		},
		{
			name: "many to many, and the junction",
			parts: Parts{
				Relations: []Relation{junction},
				ForeignKeys: []ForeignKey{
					foreignKey(id("books_tags"), tags, "to_tag", "tag_id", "id"),
					foreignKey(id("books_tags"), books, "to_book", "book_id", "id"),
				},
			},
			from: books,
			want: []string{
				"one-to-many: books with books_tags, to_book using books(id) and books_tags(book_id)",
				"many-to-many: books with tags, books_tags using to_book(book_id) and to_tag(tag_id)",
			},
		},
		{
			name: "no many to many where a foreign key is not part of the primary key",
			parts: Parts{
				Relations: []Relation{{Ident: id("books_tags"), PrimaryKey: []string{"book_id"}}},
				ForeignKeys: []ForeignKey{
					foreignKey(id("books_tags"), tags, "to_tag", "tag_id", "id"),
					foreignKey(id("books_tags"), books, "to_book", "book_id", "id"),
				},
			},
			from: tags,
			want: []string{"one-to-many: tags with books_tags, to_tag using tags(id) and books_tags(tag_id)"},
		},
		{
			name: "no relationship with what is not exposed",
			parts: Parts{
				Relations: []Relation{{Ident: hidden("books_tags"), PrimaryKey: []string{"book_id", "tag_id"}}},
				ForeignKeys: []ForeignKey{
					foreignKey(hidden("books_tags"), tags, "to_tag", "tag_id", "id"),
					foreignKey(hidden("books_tags"), books, "to_book", "book_id", "id"),
					foreignKey(books, hidden("publishers"), "to_publisher", "publisher_id", "id"),
				},
			},
			from: books,
		},
		{
			name: "a computed relationship in the place of one that goes by the function's name",
			parts: Parts{
				ForeignKeys: []ForeignKey{
					foreignKey(books, authors, "fk1", "author_id", "id"),
					foreignKey(books, tags, "fk2", "tag_id", "id"),
				},
				Computed: []Relationship{
					{Relation: books, Foreign: id("people"), Cardinality: Computed, Function: authors},
					{Relation: books, Foreign: authors, Cardinality: Computed, Function: id("author")},
					{Relation: books, Foreign: hidden("secrets"), Cardinality: Computed, Function: tags},
				},
			},
			from: books,
			want: []string{"computed: books with authors, author", "computed: books with people, authors"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, leading(build(tt.parts), tt.from)); diff != "" {
				t.Errorf("relationships (-want +got):\n%s", diff)
			}
		})
	}
}

func TestBuildRelationshipsOfViews(t *testing.T) {
	books, authors := hidden("books"), hidden("authors")
	parts := Parts{
		Relations: []Relation{
			{Ident: id("novels"), IsView: true}, {Ident: id("novelists"), IsView: true, PrimaryKey: []string{"wrong"}},
			{Ident: books, PrimaryKey: []string{"id"}}, {Ident: authors, PrimaryKey: []string{"a", "b"}},
		},
		ForeignKeys: []ForeignKey{
			foreignKey(books, authors, "fk", "author_a", "a", "author_b", "b"),
			foreignKey(id("prizes"), authors, "prize", "to_a", "a", "to_b", "b"),
		},
		ViewKeys: []ViewKey{
			{View: id("novels"), Table: books, Constraint: "fk", Kind: ReferringKey, Columns: [][]string{{"by_a"}, {"by_b2", "by_b"}}},
			{View: id("novelists"), Table: books, Constraint: "fk", Kind: ReferencedKey, Columns: [][]string{{"x"}, {"y"}}},
			{View: id("novelists"), Table: id("prizes"), Constraint: "prize", Kind: ReferencedKey, Columns: [][]string{{"x"}, {"y"}}},
			{View: id("novels"), Table: authors, Constraint: "authors_pkey", Kind: PrimaryKey, Columns: [][]string{{"by_a"}, {"by_b2", "by_b"}}},
			{View: id("novels"), Table: books, Constraint: "books_pkey", Kind: PrimaryKey, Columns: [][]string{{"id"}}},
		},
	}
	c := build(parts)
	tests := []struct {
		from string
		want []string
	}{
		{"novels", []string{
			"many-to-one: novels with novelists, fk using novels(by_a, by_b) and novelists(x, y), from view, to view",
			"many-to-one: novels with novelists, fk using novels(by_a, by_b2) and novelists(x, y), from view, to view",
		}},
		{"novelists", []string{
			"one-to-many: novelists with novels, fk using novelists(x, y) and novels(by_a, by_b), from view, to view",
			"one-to-many: novelists with novels, fk using novelists(x, y) and novels(by_a, by_b2), from view, to view",
			"one-to-many: novelists with prizes, prize using novelists(x, y) and prizes(to_a, to_b), from view",
		}},
		{"prizes", []string{"many-to-one: prizes with novelists, prize using prizes(to_a, to_b) and novelists(x, y), to view"}},
	}
	for _, tt := range tests {
		if diff := cmp.Diff(tt.want, leading(c, id(tt.from))); diff != "" {
			t.Errorf("relationships of %s (-want +got):\n%s", tt.from, diff)
		}
	}
	for view, want := range map[string][]string{"novels": {"id", "by_a", "by_b2"}, "novelists": nil} {
		if diff := cmp.Diff(want, c.Relations[id(view)].PrimaryKey); diff != "" {
			t.Errorf("primary key of %s (-want +got):\n%s", view, diff)
		}
	}
	if r, ok := c.Relations[books]; ok {
		t.Errorf("%v is not exposed, but in the snapshot", r.Ident)
	}
}

func TestCombinations(t *testing.T) {
	got := combinations([][]string{{"a"}, {"b", "c"}, {"d"}, {"e", "f"}})
	want := [][]string{{"a", "b", "d", "e"}, {"a", "b", "d", "f"}, {"a", "c", "d", "e"}, {"a", "c", "d", "f"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("combinations (-want +got):\n%s", diff)
	}
	if got := combinations([][]string{{"a"}, {}}); len(got) != 0 {
		t.Errorf("combinations with nothing to choose are %v", got)
	}
}

func TestBuildSortsCandidates(t *testing.T) {
	sites, projects := id("sites"), id("projects")
	c := build(Parts{
		Relations: []Relation{
			{Ident: id("z_jobs"), PrimaryKey: []string{"site", "project"}},
			{Ident: id("a_jobs"), PrimaryKey: []string{"site", "project"}},
		},
		ForeignKeys: []ForeignKey{
			foreignKey(id("z_jobs"), sites, "z_site", "site", "id"),
			foreignKey(id("z_jobs"), projects, "z_project", "project", "id"),
			foreignKey(sites, projects, "main", "main_id", "id"),
			foreignKey(projects, sites, "home", "home_id", "id"),
			foreignKey(id("a_jobs"), sites, "a_site", "site", "id"),
			foreignKey(id("a_jobs"), projects, "a_project", "project", "id"),
		},
	})
	want := []string{
		"one-to-many: sites with a_jobs, a_site using sites(id) and a_jobs(site)",
		"one-to-many: sites with projects, home using sites(id) and projects(home_id)",
		"many-to-one: sites with projects, main using sites(main_id) and projects(id)",
		"many-to-many: sites with projects, a_jobs using a_site(site) and a_project(project)",
		"many-to-many: sites with projects, z_jobs using z_site(site) and z_project(project)",
		"one-to-many: sites with z_jobs, z_site using sites(id) and z_jobs(site)",
	}
	if diff := cmp.Diff(want, leading(c, sites)); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
}
