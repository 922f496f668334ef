package plan_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tarn-data/tarn/internal/dataapi/plan"
	"github.com/tarn-data/tarn/internal/fault"
)

// trees compares the trees of reads. Wanted trees are indented by tabs, which say how deep a node is.
func trees(t *testing.T, opt plan.Options, cases []struct{ name, target, want string }) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			p := must[*plan.Read](t, ask{target: "GET " + c.target}, opt)
			if diff := cmp.Diff(unindented(c.want), show(p.Tree)); diff != "" {
				t.Errorf("%s: wanted (-), got (+):\n%s", c.target, diff)
			}
		})
	}
}

func unindented(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	for i, l := range lines {
		text := strings.TrimLeft(l, "\t")
		lines[i] = strings.Repeat("  ", max(0, len(l)-len(text)-3)) + text
	}
	return strings.Join(lines, "\n")
}

func TestSelect(t *testing.T) {
	trees(t, allowed(), []struct{ name, target, want string }{
		{"everything", "/books", `books select(*)`},
		{"fields, aliases and casts", "/books?select=id,t:title,price::text,p:price::int", `books select(id, title as t, price::text, price::int as p)`},
		{"a path is called by its last key", "/books?select=doc->a->>b,doc->a->0,doc->0", `books select(doc->a->>b as b, doc->a->+0 as a, doc->+0 as doc)`},
		{"a path by its alias", "/books?select=x:doc->a", `books select(doc->a as x)`},
		{"only json and jsonb take arrows as they are", "/books?select=title->x", `books select(to_jsonb title->x as x)`},
		{"what is no column may be a computed field", "/books?select=shout", `books select(shout)`},
		{"a representation", "/paints?select=color", `paints select(api.to_json[api.color] color as color)`},
		{"a representation under an alias", "/paints?select=c:color", `paints select(api.to_json[api.color] color as c)`},
		{"a star, where a column has a representation", "/paints", `paints select(id, name, api.to_json[api.color] color as color, book_id)`},
		{"a star, where rows are grouped", "/tags?select=*,id.count()", `tags select(id, name, count<id>)`},
		{"aggregates", "/books?select=n:count(),price.sum()::int,price::text.max()", `books select(count<*> as n, sum<price>::int, max<price::text>)`},
	})
}

func TestFiltersAndOrders(t *testing.T) {
	trees(t, allowed(), []struct{ name, target, want string }{
		{"filters", "/books?id=gte.1&title=not.in.(a,b)&doc->a=is.null", `books select(*) where(id gte 1, not title in a|b, doc->a is null)`},
		{"logic goes first", "/books?id=eq.1&or=(id.eq.2,not.and(id.eq.3,title.like.x))", `books select(*) where(or<id eq 2, not and<id eq 3, title like x>>, id eq 1)`},
		{"quantors", "/books?id=eq(any).{1,2}", `books select(*) where(id eq(any) {1,2})`},
		{"text that is searched becomes a tsvector", "/books?title=fts(english).x", `books select(*) where(tsvector<english> title fts x)`},
		{"a tsvector is one already", "/books?search=fts(english).x", `books select(*) where(search fts x)`},
		{"a computed field has to be one", "/books?shout=plfts.x", `books select(*) where(shout plfts x)`},
		{"a value in a representation", "/paints?select=id&color=eq.ff", `paints select(id) where(api.from_text[text] color eq ff)`},
		{"orders", "/books?order=id,title.desc.nullslast,doc->a.asc.nullsfirst", `books select(*) order(id, title desc nulls last, doc->a asc nulls first)`},
		{"a window", "/books?limit=5&offset=10", `books select(*) range(10,5,true)`},
		{"filters of embeds", "/authors?select=id,books(id,tags(id))&books.id=eq.1&books.or=(id.eq.2,id.eq.3)&books.tags.name=eq.x&books.order=id.desc&books.limit=2&books.tags.offset=1", `
			authors select(id) embeds(authors_books_1)
				books books_1 key(books) as(authors_books_1) on(books_1.author_id=authors.id) select(id) where(or<id eq 2, id eq 3>, id eq 1) order(id desc) range(0,2,true) embeds(books_tags_2)
					tags key(tags) as(books_tags_2) on(book_tags.tag_id=tags.id, book_tags.book_id=books_1.id) select(id) where(name eq x) range(1,0,false)`},
		{"an order by an embed", "/books?select=id,a:authors(name)&order=a(name).desc,id", `
			books select(id) order(books_a_1.name desc, id) embeds(books_a_1)
				authors authors_1 key(a) as(books_a_1) on(authors_1.id=books.author_id) select(name)`},
		{"rows without an embed", "/books?select=id,authors(),tags()&authors=is.null&or=(tags.not.is.null,id.eq.1)", `
			books select(id) where(or<not exists is-null books_tags_1, id eq 1>, exists is-null books_authors_1) embeds(books_authors_1: nothing, books_tags_1: nothing)
				authors authors_1 key(authors) as(books_authors_1) on(authors_1.id=books.author_id)
				tags key(tags) as(books_tags_1) on(book_tags.tag_id=tags.id, book_tags.book_id=books.id)`},
		{"a column of an embed's name", "/books?select=id,title:authors(name)&title=is.null", `
			books select(id) where(exists is-null books_title_1) embeds(books_title_1)
				authors authors_1 key(title) as(books_title_1) on(authors_1.id=books.author_id) select(name)`},
		{"only null of an embed's name is about the embed", "/books?select=id,authors(name)&authors=eq.1&authors->x=is.null", `
			books select(id) where(authors eq 1, to_jsonb authors->x is null) embeds(books_authors_1)
				authors authors_1 key(authors) as(books_authors_1) on(authors_1.id=books.author_id) select(name)`},
	})
}

func TestEmbeds(t *testing.T) {
	trees(t, allowed(), []struct{ name, target, want string }{
		{"many-to-one", "/books?select=id,authors(name)", `
			books select(id) embeds(books_authors_1)
				authors authors_1 key(authors) as(books_authors_1) on(authors_1.id=books.author_id) select(name)`},
		{"by the column", "/books?select=id,author_id(name)", `
			books select(id) embeds(books_author_id_1)
				authors authors_1 key(author_id) as(books_author_id_1) on(authors_1.id=books.author_id) select(name)`},
		{"by the constraint, with an alias", "/books?select=id,writer:authors!books_author_id_fkey(name)", `
			books select(id) embeds(books_writer_1)
				authors authors_1 key(writer) as(books_writer_1) on(authors_1.id=books.author_id) select(name)`},
		{"one-to-many, nested", "/authors?select=books(id,authors(id))", `
			authors embeds(authors_books_1)
				books books_1 key(books) as(authors_books_1) on(books_1.author_id=authors.id) select(id) embeds(books_authors_2)
					authors authors_2 key(authors) as(books_authors_2) on(authors_2.id=books_1.author_id) select(id)`},
		{"one-to-one", "/books?select=blurbs(*)", `
			books embeds(books_blurbs_1)
				blurbs blurbs_1 key(blurbs) as(books_blurbs_1) on(blurbs_1.book_id=books.id) select(*)`},
		{"many-to-many", "/tags?select=books(title)", `
			tags embeds(tags_books_1)
				books key(books) as(tags_books_1) on(book_tags.book_id=books.id, book_tags.tag_id=tags.id) select(title)`},
		{"a relation and itself", "/categories?select=id,categories(id),up:parent_id(id)", `
			categories select(id) embeds(categories_categories_1, categories_up_1)
				categories categories_1 key(categories) as(categories_categories_1) on(categories_1.parent_id=categories.id) select(id)
				categories categories_1 key(up) as(categories_up_1) on(categories_1.id=categories.parent_id) select(id)`},
		{"computed", "/books?select=shelf(label),similar(id)", `
			books embeds(books_shelf_1, books_similar_1)
				shelves shelves_1 key(shelf) as(books_shelf_1) select(label)
				books books_1 key(similar) as(books_similar_1) select(id)`},
		{"views depend on the role, and row-level security does", "/authors?select=best(id),books(secrets(id))", `
			authors embeds(authors_best_1, authors_books_1)
				best best_1 key(best) as(authors_best_1) on(best_1.author_id=authors.id) select(id) role-bound
				books books_1 key(books) as(authors_books_1) on(books_1.author_id=authors.id) embeds(books_secrets_2)
					secrets secrets_2 key(secrets) as(books_secrets_2) on(secrets_2.book_id=books_1.id) select(id) role-bound`},
		{"joins", "/books?select=id,authors!inner(id),blurbs!left(body)", `
			books select(id) embeds(books_authors_1, books_blurbs_1)
				authors authors_1 key(authors) as(books_authors_1) join(inner) on(authors_1.id=books.author_id) select(id)
				blurbs blurbs_1 key(blurbs) as(books_blurbs_1) join(left) on(blurbs_1.book_id=books.id) select(body)`},
		{"nothing, unless something below is selected", "/authors?select=id,books(tags()),b:books(tags(id))", `
			authors select(id) embeds(authors_books_1: nothing, authors_b_1)
				books books_1 key(books) as(authors_books_1) on(books_1.author_id=authors.id) embeds(books_tags_2: nothing)
					tags key(tags) as(books_tags_2) on(book_tags.tag_id=tags.id, book_tags.book_id=books_1.id)
				books books_1 key(b) as(authors_b_1) on(books_1.author_id=authors.id) embeds(books_tags_2)
					tags key(tags) as(books_tags_2) on(book_tags.tag_id=tags.id, book_tags.book_id=books_1.id) select(id)`},
	})
}

func TestSpreads(t *testing.T) {
	trees(t, allowed(), []struct{ name, target, want string }{
		{"to-one", "/books?select=id,...authors(name,writer:id)", `
			books select(id) embeds(books_authors_1: name, writer)
				authors authors_1 key(authors) as(books_authors_1) spread(to-one) on(authors_1.id=books.author_id) select(name, id as writer)`},
		{"inside of another, with an embed that is none", "/blurbs?select=...books(title,...authors(name),tags(id))", `
			blurbs embeds(blurbs_books_1: title, name, tags)
				books books_1 key(books) as(blurbs_books_1) spread(to-one) on(books_1.id=blurbs.book_id) select(title) embeds(books_authors_2: name, books_tags_2)
					authors authors_2 key(authors) as(books_authors_2) spread(to-one) on(authors_2.id=books_1.author_id) select(name)
					tags key(tags) as(books_tags_2) on(book_tags.tag_id=tags.id, book_tags.book_id=books_1.id) select(id)`},
		{"to-many, with a star", "/books?select=id,...tags(*)", `
			books select(id) embeds(books_tags_1: id, name)
				tags key(tags) as(books_tags_1) spread(to-many) on(book_tags.tag_id=tags.id, book_tags.book_id=books.id) select(id, name)`},
		{"the order of a to-many spread is its aggregation's", "/authors?select=...books(title)&books.order=price.desc,id&books.limit=3", `
			authors embeds(authors_books_1: title)
				books books_1 key(books) as(authors_books_1) spread(to-many) on(books_1.author_id=authors.id) select(title) extra(price as authors_books_1_price_1, id as authors_books_1_id_2) spread order(authors_books_1_price_1 desc, authors_books_1_id_2) range(0,3,true)`},
		{"the order of a to-many spread by an embed", "/authors?select=...books(title,categories(name))&books.order=categories(name)", `
			authors embeds(authors_books_1: title, categories)
				books books_1 key(books) as(authors_books_1) spread(to-many) on(books_1.author_id=authors.id) select(title) extra(books_categories_2.name as authors_books_1_name_1) spread order(authors_books_1_name_1) embeds(books_categories_2)
					categories categories_2 key(categories) as(books_categories_2) on(categories_2.id=books_1.category_id) select(name)`},
		{"the order of a to-one spread stays", "/books?select=...authors(name)&authors.order=id", `
			books embeds(books_authors_1: name)
				authors authors_1 key(authors) as(books_authors_1) spread(to-one) on(authors_1.id=books.author_id) select(name) order(id)`},
	})
}

func TestHoistedAggregates(t *testing.T) {
	trees(t, allowed(), []struct{ name, target, want string }{
		{"from a to-one spread", "/books?select=title,...authors(name.max(),n:id.count()::text)", `
			books select(title) embeds(books_authors_1: max<max> as max, count<n>::text as n)
				authors authors_1 key(authors) as(books_authors_1) spread(to-one) on(authors_1.id=books.author_id) select(name as max, id as n)`},
		{"through two of them", "/blurbs?select=body,...books(price.sum(),...authors(name.max()))", `
			blurbs select(body) embeds(blurbs_books_1: sum<sum> as sum, max<max> as max)
				books books_1 key(books) as(blurbs_books_1) spread(to-one) on(books_1.id=blurbs.book_id) select(price as sum) embeds(books_authors_2: max)
					authors authors_2 key(authors) as(books_authors_2) spread(to-one) on(authors_2.id=books_1.author_id) select(name as max)`},
		{"to the embed that they are in", "/authors?select=id,books(...categories(id.max()))", `
			authors select(id) embeds(authors_books_1)
				books books_1 key(books) as(authors_books_1) on(books_1.author_id=authors.id) embeds(books_categories_2: max<max> as max)
					categories categories_2 key(categories) as(books_categories_2) spread(to-one) on(categories_2.id=books_1.category_id) select(id as max)`},
		{"of whole rows", "/books?select=title,...authors(count())", `
			books select(title) embeds(books_authors_1: count<count> as count)
				authors authors_1 key(authors) as(books_authors_1) spread(to-one) on(authors_1.id=books.author_id) select(row * as count)`},
		{"not from an embed", "/authors?select=id,books(price.sum(),n:count())", `
			authors select(id) embeds(authors_books_1)
				books books_1 key(books) as(authors_books_1) on(books_1.author_id=authors.id) select(sum<price>, count<*> as n)`},
	})
}

func TestRowsAreRestricted(t *testing.T) {
	opt := allowed()
	opt.MaxRows = 10
	trees(t, opt, []struct{ name, target, want string }{
		{"at all levels", "/authors?select=id,books(id)", `
			authors select(id) range(0,10,true) embeds(authors_books_1)
				books books_1 key(books) as(authors_books_1) on(books_1.author_id=authors.id) select(id) range(0,10,true)`},
		{"to what is less", "/authors?select=id,books(id)&limit=3&offset=5&books.limit=11", `
			authors select(id) range(5,3,true) embeds(authors_books_1)
				books books_1 key(books) as(authors_books_1) on(books_1.author_id=authors.id) select(id) range(0,10,true)`},
	})
}

func TestLegacyTargetNames(t *testing.T) {
	p := must[*plan.Read](t, ask{target: "GET /books?select=id,a:authors(name),t:tags(id)&authors.id=eq.1&tags.order=id&t.limit=1"}, allowed())
	want := []plan.LegacyTarget{{Name: "authors", Alias: "a"}, {Name: "tags", Alias: "t"}}
	if diff := cmp.Diff(want, plan.LegacyTargets(p)); diff != "" {
		t.Error(diff)
	}
	for _, target := range []string{"/books?select=authors(name)&authors.id=eq.1", "/books?select=a:authors(name)&a.id=eq.1", "/books"} {
		if got := plan.LegacyTargets(must[*plan.Read](t, ask{target: "GET " + target}, allowed())); got != nil {
			t.Errorf("%s: %v", target, got)
		}
	}
	opt := allowed()
	opt.LegacyTargetNames = false
	kind, code, f := refusal(t, ask{target: "GET /books?select=a:authors(name)&authors.id=eq.1"}, opt)
	if kind != fault.Invalid || code != "PGRST108" || f.Hint != "Change 'authors' to 'a' in filters, orders or limits." {
		t.Errorf("%d %s %s", kind, code, f.Hint)
	}
	must[*plan.Read](t, ask{target: "GET /books?select=a:authors(name)&a.id=eq.1"}, opt)
}

func TestReadRefusals(t *testing.T) {
	noAggregates := allowed()
	noAggregates.Aggregates = false
	for _, c := range []struct {
		name, target string
		opt          plan.Options
		kind         fault.Kind
		code         string
	}{
		{"relation", "/boks", allowed(), 404, "PGRST205"},
		{"relationship", "/books?select=nothing(id)", allowed(), 400, "PGRST200"},
		{"relationship further down", "/authors?select=books(nothing(id))", allowed(), 400, "PGRST200"},
		{"filter of no embed", "/books?authors.id=eq.1", allowed(), 400, "PGRST108"},
		{"logic of no embed", "/books?authors.or=(id.eq.1,id.eq.2)", allowed(), 400, "PGRST108"},
		{"order of no embed", "/books?authors.order=id", allowed(), 400, "PGRST108"},
		{"limit of no embed", "/books?authors.limit=1", allowed(), 400, "PGRST108"},
		{"filter further down than there is", "/authors?select=books(id)&books.tags.id=eq.1", allowed(), 400, "PGRST108"},
		{"paths are looked at before relationships", "/books?select=nothing(id)&authors.id=eq.1", allowed(), 400, "PGRST108"},
		{"order by no embed", "/books?order=authors(name)", allowed(), 400, "PGRST108"},
		{"order by an embed that has an alias", "/books?select=a:authors(name)&order=authors(name)", allowed(), 400, "PGRST108"},
		{"order by a to-many embed", "/authors?select=books(id)&order=books(id)", allowed(), 400, "PGRST118"},
		{"order by a computed embed of many", "/books?select=similar(id)&order=similar(id)", allowed(), 400, "PGRST118"},
		{"aggregates are off", "/books?select=price.sum()", noAggregates, 400, "PGRST123"},
		{"aggregates further down are off", "/authors?select=books(price.sum())", noAggregates, 400, "PGRST123"},
		{"aggregate in a to-many spread", "/authors?select=...books(price.sum())", allowed(), 400, "PGRST127"},
		{"aggregate hoisted into a to-many spread", "/authors?select=...books(...categories(id.max()))", allowed(), 400, "PGRST127"},
	} {
		t.Run(c.name, func(t *testing.T) {
			kind, code, f := refusal(t, ask{target: "GET " + c.target}, c.opt)
			if kind != c.kind || code != c.code {
				t.Errorf("wanted %d %s, got %d %s", c.kind, c.code, kind, f)
			}
		})
	}
	if _, _, f := refusal(t, ask{target: "GET /authors?select=books(id)&order=books(id)"}, allowed()); f.Details !=
		"'authors' and 'books' do not form a many-to-one or one-to-one relationship" {
		t.Error(f.Details)
	}
}

func TestDependsOnRole(t *testing.T) {
	for target, want := range map[string]bool{
		"/books": false, "/best": true, "/secrets": true, "/books?select=id,authors(id)": false,
		"/books?select=id,secrets(id)": true, "/authors?select=id,books(id,secrets(id))": true, "/authors?select=best(id)": true,
	} {
		if got := must[*plan.Read](t, ask{target: "GET " + target}, allowed()).Tree.DependsOnRole(); got != want {
			t.Errorf("%s: %v", target, got)
		}
	}
}

func TestQualifier(t *testing.T) {
	tree := must[*plan.Read](t, ask{target: "GET /books?select=authors(id),tags(id),shelf(id)"}, allowed()).Tree
	written := must[*plan.Mutate](t, ask{"DELETE /books", "", prefer(whole)}, allowed()).Tree
	for _, c := range []struct {
		node *plan.Node
		want string
	}{
		{tree, "books"}, {tree.Children[0], "authors_1"}, {tree.Children[1], "tags"}, {tree.Children[2], "shelves_1"}, {written, "books"},
	} {
		if got := ident(c.node.Qualifier()); got != c.want {
			t.Errorf("wanted %s, got %s", c.want, got)
		}
	}
}
