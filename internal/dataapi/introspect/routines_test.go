package introspect

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/tarn-data/tarn/internal/dataapi/schema"
)

func TestLoadRoutines(t *testing.T) {
	c := loadWith(t, `
		CREATE TABLE hidden.books (id int);
		CREATE TYPE api.pair AS (a int, b int);
		CREATE DOMAIN api.number AS int;
		CREATE DOMAIN api.couple AS api.pair;
		CREATE FUNCTION api.nothing() RETURNS void LANGUAGE sql IMMUTABLE AS '';
		COMMENT ON FUNCTION api.nothing() IS 'no use';
		CREATE FUNCTION api.params(a int, b bit(3), c char(2)[], d api.number, e text = 'x', VARIADIC f int[] = '{}') RETURNS api.number
			LANGUAGE sql STABLE AS 'SELECT 1';
		CREATE FUNCTION api.outs(OUT x int, a text, INOUT b bool, OUT y int) LANGUAGE sql AS 'SELECT 1, b, 2';
		CREATE FUNCTION api.rows() RETURNS SETOF hidden.books LANGUAGE sql AS 'SELECT 1';
		CREATE FUNCTION api.numbers() RETURNS SETOF int LANGUAGE sql AS 'SELECT 1';
		CREATE FUNCTION api.cells(a int) RETURNS TABLE (x int, y int) LANGUAGE sql AS 'SELECT 1, 2';
		CREATE FUNCTION api.pair() RETURNS api.pair LANGUAGE sql AS 'SELECT 1, 2';
		CREATE FUNCTION api.couple() RETURNS api.couple LANGUAGE sql AS 'SELECT (1, 2)::api.pair';
		CREATE FUNCTION api.strict() RETURNS int LANGUAGE sql SET default_transaction_isolation = 'REPEATABLE READ'
			SET statement_timeout = '4s' SET work_mem = '1MB' SET enable_seqscan = off AS 'SELECT 1';
		CREATE FUNCTION api.body(json) RETURNS int LANGUAGE sql AS 'SELECT 1';
		CREATE FUNCTION api.body_out(xml, OUT n int) LANGUAGE sql AS 'SELECT 1';

		CREATE FUNCTION api.unnamed(int) RETURNS int LANGUAGE sql AS 'SELECT 1';
		CREATE FUNCTION api.unnamed(text, text) RETURNS int LANGUAGE sql AS 'SELECT 1';
		CREATE FUNCTION api.triggered() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
		CREATE PROCEDURE api.procedure() LANGUAGE sql AS '';
		CREATE AGGREGATE api.total(int) (SFUNC = int4pl, STYPE = int);
		CREATE FUNCTION hidden.secret() RETURNS int LANGUAGE sql AS 'SELECT 1';`)
	builtin := func(name string) schema.Return {
		return schema.Return{Type: schema.Ident{Schema: "pg_catalog", Name: name}}
	}
	integer, record := builtin("int4"), builtin("record")
	record.Composite = true
	records := record
	records.SetOf = true
	want := map[string]schema.Routine{
		"nothing": {Description: "no use", Return: builtin("void"), Volatility: schema.Immutable},
		"params": {Return: schema.Return{Type: integer.Type, Alias: true}, Volatility: schema.Stable, Variadic: true, Params: []schema.Param{
			{Name: "a", Type: "integer", CastType: "integer", Required: true},
			{Name: "b", Type: "bit", CastType: "bit varying", Required: true},
			{Name: "c", Type: "character[]", CastType: "character varying[]", Required: true},
			{Name: "d", Type: "api.number", CastType: "api.number", Required: true},
			{Name: "e", Type: "text", CastType: "text"},
			{Name: "f", Type: "integer[]", CastType: "integer[]", Variadic: true},
		}},
		"outs": {Return: record, Params: []schema.Param{
			{Name: "a", Type: "text", CastType: "text", Required: true}, {Name: "b", Type: "boolean", CastType: "boolean", Required: true},
		}},
		"rows":    {Return: schema.Return{Type: hidden("books"), SetOf: true, Composite: true}},
		"numbers": {Return: schema.Return{Type: integer.Type, SetOf: true}},
		"cells":   {Return: records, Params: []schema.Param{{Name: "a", Type: "integer", CastType: "integer", Required: true}}},
		"pair":    {Return: schema.Return{Type: id("pair"), Composite: true}},
		"couple":  {Return: schema.Return{Type: id("pair"), Composite: true, Alias: true}},
		"strict": {
			Return: integer, Isolation: schema.RepeatableRead,
			Settings: []schema.Setting{{Name: "statement_timeout", Value: "4s"}, {Name: "work_mem", Value: "1MB"}},
		},
		"body":     {Return: integer, Params: []schema.Param{{Type: "json", CastType: "json", Required: true}}},
		"body_out": {Return: schema.Return{Type: integer.Type, Composite: true}, Params: []schema.Param{{Type: "xml", CastType: "xml", Required: true}}},
	}
	for name, r := range want {
		r.Ident = id(name)
		got := c.Routines[r.Ident]
		if len(got) != 1 {
			t.Errorf("%d routines %s", len(got), name)
			continue
		}
		if diff := cmp.Diff(r, *got[0], cmpopts.EquateEmpty(), cmpopts.IgnoreFields(schema.Routine{}, "OID")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	for name := range c.Routines {
		if _, ok := want[name.Name]; !ok {
			t.Errorf("routine %s can be called", name.Name)
		}
	}
}

func TestLoadComputedRelationships(t *testing.T) {
	c := loadWith(t, `
		CREATE TABLE api.people (id int PRIMARY KEY);
		CREATE TABLE api.books (id int PRIMARY KEY, author int REFERENCES api.people);
		CREATE FUNCTION api.people(api.books) RETURNS SETOF api.people ROWS 1 LANGUAGE sql AS 'SELECT 1';
		CREATE FUNCTION api.author(api.books) RETURNS api.people LANGUAGE sql AS 'SELECT 1';
		CREATE FUNCTION api.similar(api.books) RETURNS SETOF api.books LANGUAGE sql AS 'SELECT 1, 1';
		CREATE FUNCTION hidden.other(api.books) RETURNS SETOF api.books LANGUAGE sql AS 'SELECT 1, 1';
		CREATE FUNCTION api.title(api.books) RETURNS text LANGUAGE sql AS 'SELECT 1';
		CREATE FUNCTION api.more(api.books, int) RETURNS SETOF api.books LANGUAGE sql AS 'SELECT 1, 1';`)
	computed := func(name, foreign string, toOne bool) schema.Relationship {
		return schema.Relationship{
			Relation: id("books"), Foreign: id(foreign), IsSelf: foreign == "books",
			Cardinality: schema.Computed, Function: id(name), ToOne: toOne,
		}
	}
	checkRelationships(t, c, id("books"), computed("author", "people", true), computed("people", "people", true), computed("similar", "books", false))
}

func TestLoadRepresentations(t *testing.T) {
	c := loadWith(t, `
		CREATE DOMAIN api."a color" AS int;
		CREATE FUNCTION api."to json"(api."a color") RETURNS json LANGUAGE sql AS 'SELECT to_json(1)';
		CREATE FUNCTION hidden.color(json) RETURNS api."a color" LANGUAGE sql AS 'SELECT 1';
		CREATE FUNCTION api.color(text) RETURNS api."a color" LANGUAGE sql AS 'SELECT 1';
		CREATE FUNCTION api.color(jsonb) RETURNS api."a color" LANGUAGE sql AS 'SELECT 1';
		CREATE FUNCTION api.text(api."a color") RETURNS text LANGUAGE sql AS 'SELECT 1';
		CREATE CAST (api."a color" AS json) WITH FUNCTION api."to json"(api."a color") AS IMPLICIT;
		CREATE CAST (json AS api."a color") WITH FUNCTION hidden.color(json) AS IMPLICIT;
		CREATE CAST (text AS api."a color") WITH FUNCTION api.color(text) AS IMPLICIT;
		CREATE CAST (jsonb AS api."a color") WITH FUNCTION api.color(jsonb) AS IMPLICIT;
		CREATE CAST (api."a color" AS text) WITH FUNCTION api.text(api."a color") AS ASSIGNMENT;`)
	color := `api."a color"`
	want := map[schema.Cast]string{
		{Source: color, Target: "json"}: `api."to json"`,
		{Source: "json", Target: color}: "hidden.color",
		{Source: "text", Target: color}: "api.color",
	}
	if diff := cmp.Diff(want, c.Representations); diff != "" {
		t.Errorf("representations (-want +got):\n%s", diff)
	}
}
