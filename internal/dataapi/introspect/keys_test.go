package introspect

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/tarn-data/tarn/internal/dataapi/schema"
)

func checkRelationships(t *testing.T, c *schema.Cache, from schema.Ident, want ...schema.Relationship) {
	t.Helper()
	got := c.Relationships[schema.RelationshipKey{From: from, Schema: "api"}]
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("relationships from %s (-want +got):\n%s", from.Name, diff)
	}
}

func pairs(names ...string) []schema.ColumnPair {
	var out []schema.ColumnPair
	for i := 0; i < len(names); i += 2 {
		out = append(out, schema.ColumnPair{Local: names[i], Foreign: names[i+1]})
	}
	return out
}

func TestLoadForeignKeys(t *testing.T) {
	c := loadWith(t, `
		CREATE TABLE api.people (id int PRIMARY KEY, boss int CONSTRAINT boss REFERENCES api.people);
		CREATE TABLE api.rooms (x int, y int, owner int CONSTRAINT owner REFERENCES api.people, PRIMARY KEY (x, y));
		CREATE TABLE api.desks (
			a int, gone int, b int,
			CONSTRAINT place FOREIGN KEY (b, a) REFERENCES api.rooms (x, y),
			UNIQUE (a, b));
		ALTER TABLE api.desks DROP COLUMN gone;
		CREATE TABLE api.badges (id int PRIMARY KEY CONSTRAINT holder REFERENCES api.people);
		CREATE TABLE hidden.seats (p int CONSTRAINT p REFERENCES api.badges, PRIMARY KEY (p));`)
	checkRelationships(t, c, id("desks"),
		schema.Relationship{
			Relation: id("desks"), Foreign: id("rooms"), Cardinality: schema.OneToOne, Constraint: "place", Columns: pairs("b", "x", "a", "y"),
		})
	checkRelationships(t, c, id("rooms"),
		schema.Relationship{
			Relation: id("rooms"), Foreign: id("desks"), Cardinality: schema.OneToOne, Constraint: "place", Columns: pairs("x", "b", "y", "a"), IsParent: true,
		},
		schema.Relationship{
			Relation: id("rooms"), Foreign: id("people"), Cardinality: schema.ManyToOne, Constraint: "owner", Columns: pairs("owner", "id"),
		})
	checkRelationships(t, c, id("people"),
		schema.Relationship{
			Relation: id("people"), Foreign: id("badges"), Cardinality: schema.OneToOne, Constraint: "holder", Columns: pairs("id", "id"), IsParent: true,
		},
		schema.Relationship{
			Relation: id("people"), Foreign: id("people"), Cardinality: schema.OneToMany, Constraint: "boss", Columns: pairs("id", "boss"), IsSelf: true,
		},
		schema.Relationship{
			Relation: id("people"), Foreign: id("people"), Cardinality: schema.ManyToOne, Constraint: "boss", Columns: pairs("boss", "id"), IsSelf: true,
		},
		schema.Relationship{
			Relation: id("people"), Foreign: id("rooms"), Cardinality: schema.OneToMany, Constraint: "owner", Columns: pairs("id", "owner"),
		})
	checkRelationships(t, c, id("badges"), schema.Relationship{
		Relation: id("badges"), Foreign: id("people"), Cardinality: schema.OneToOne, Constraint: "holder", Columns: pairs("id", "id"),
	})
}

func TestLoadJunctions(t *testing.T) {
	c := loadWith(t, `
		CREATE TABLE api.books (id int PRIMARY KEY);
		CREATE TABLE api.tags (id int PRIMARY KEY);
		CREATE TABLE api.books_tags (
			book int CONSTRAINT book REFERENCES api.books, tag int CONSTRAINT tag REFERENCES api.tags, PRIMARY KEY (tag, book));
		CREATE TABLE hidden.junction (
			book int REFERENCES api.books, tag int REFERENCES api.tags, PRIMARY KEY (tag, book));`)
	checkRelationships(t, c, id("tags"),
		schema.Relationship{
			Relation: id("tags"), Foreign: id("books"), Cardinality: schema.ManyToMany,
			Junction: &schema.Junction{
				Relation: id("books_tags"), Constraint1: "tag", Constraint2: "book",
				SourceColumns: pairs("id", "tag"), TargetColumns: pairs("id", "book"),
			},
		},
		schema.Relationship{
			Relation: id("tags"), Foreign: id("books_tags"), Cardinality: schema.OneToMany, Constraint: "tag", Columns: pairs("id", "tag"),
		})
}

func TestLoadPartitions(t *testing.T) {
	c := loadWith(t, `
		CREATE TABLE api.models (id int, year int, PRIMARY KEY (id, year)) PARTITION BY RANGE (year);
		CREATE TABLE api.models_1 PARTITION OF api.models FOR VALUES FROM (1) TO (10);
		CREATE TABLE api.sales (
			id int, model int, year int, CONSTRAINT model FOREIGN KEY (model, year) REFERENCES api.models) PARTITION BY RANGE (id);
		CREATE TABLE api.sales_1 PARTITION OF api.sales FOR VALUES FROM (1) TO (10);`)
	checkRelationships(t, c, id("models"), schema.Relationship{
		Relation: id("models"), Foreign: id("sales"), Cardinality: schema.OneToMany, Constraint: "model", Columns: pairs("id", "model", "year", "year"),
	})
	for _, name := range []string{"models_1", "sales_1"} {
		if r := c.Relations[id(name)]; r != nil {
			t.Errorf("partition %s is a relation", name)
		}
		checkRelationships(t, c, id(name))
	}
}
