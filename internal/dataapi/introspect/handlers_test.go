package introspect

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tarn-data/tarn/internal/dataapi/media"
	"github.com/tarn-data/tarn/internal/dataapi/schema"
)

func TestLoadHandlers(t *testing.T) {
	c := loadWith(t, `
		CREATE TABLE api.books (id int);
		CREATE DOMAIN api."text/csv" AS text;
		CREATE DOMAIN hidden."Application/vnd.X" AS bytea;
		CREATE DOMAIN api."*/*" AS bytea;
		CREATE DOMAIN api."not a/type" AS text;
		CREATE FUNCTION hidden.add(text, anyelement) RETURNS text LANGUAGE sql AS 'SELECT $1';
		CREATE FUNCTION hidden.add(bytea, api.books) RETURNS bytea LANGUAGE sql AS 'SELECT $1';
		CREATE FUNCTION hidden.csv(text) RETURNS api."text/csv" LANGUAGE sql AS 'SELECT $1::api."text/csv"';
		CREATE FUNCTION hidden.x(bytea) RETURNS hidden."Application/vnd.X" LANGUAGE sql AS 'SELECT $1::hidden."Application/vnd.X"';
		CREATE FUNCTION hidden.any(bytea) RETURNS api."*/*" LANGUAGE sql AS 'SELECT $1::api."*/*"';
		CREATE AGGREGATE api.csv_of(anyelement) (SFUNC = hidden.add, STYPE = text, FINALFUNC = hidden.csv);
		CREATE AGGREGATE api.x_of(api.books) (SFUNC = hidden.add, STYPE = bytea, FINALFUNC = hidden.x);
		CREATE AGGREGATE api.any_of(api.books) (SFUNC = hidden.add, STYPE = bytea, FINALFUNC = hidden.any);
		CREATE AGGREGATE hidden.unseen(api.books) (SFUNC = hidden.add, STYPE = bytea, FINALFUNC = hidden.any);
		CREATE FUNCTION api.picture() RETURNS api."*/*" LANGUAGE sql AS 'SELECT NULL::bytea::api."*/*"';
		CREATE FUNCTION api.pictures() RETURNS SETOF api."*/*" LANGUAGE sql AS 'SELECT NULL::bytea::api."*/*"';
		CREATE FUNCTION api.text() RETURNS api."not a/type" LANGUAGE sql AS 'SELECT ''''::api."not a/type"';`)
	anyRow := schema.Ident{}
	builtin := func(kind schema.HandlerKind, makes media.Kind) schema.ResolvedHandler {
		return schema.ResolvedHandler{Handler: schema.Handler{Kind: kind}, Media: media.Of(makes)}
	}
	custom := func(function, target schema.Ident, makes media.Type) schema.ResolvedHandler {
		return schema.ResolvedHandler{
			Handler: schema.Handler{Kind: schema.HandleCustom, Function: function, Target: target}, Media: makes,
		}
	}
	x := media.Type{Kind: media.Other, Name: "application/vnd.x"}
	madeX := media.Type{Kind: media.Other, Name: "Application/vnd.X"}
	bytes := media.Of(media.OctetStream)
	want := map[schema.HandlerKey]schema.ResolvedHandler{
		{Target: anyRow, Media: media.Of(media.Any)}:        builtin(schema.HandleJSON, media.JSON),
		{Target: anyRow, Media: media.Of(media.JSON)}:       builtin(schema.HandleJSON, media.JSON),
		{Target: anyRow, Media: media.Of(media.CSV)}:        custom(id("csv_of"), anyRow, media.Of(media.CSV)),
		{Target: anyRow, Media: media.Of(media.NDJSON)}:     builtin(schema.HandleNDJSON, media.NDJSON),
		{Target: id("books"), Media: x}:                     custom(id("x_of"), id("books"), madeX),
		{Target: id("books"), Media: media.Of(media.Any)}:   custom(id("any_of"), id("books"), bytes),
		{Target: id("picture"), Media: media.Of(media.Any)}: custom(id("*/*"), id("picture"), bytes),
	}
	if diff := cmp.Diff(want, c.Handlers); diff != "" {
		t.Errorf("handlers (-want +got):\n%s", diff)
	}
}

func TestLoadFindsPostGIS(t *testing.T) {
	geoJSON := schema.HandlerKey{Media: media.Of(media.GeoJSON)}
	if _, ok := loadWith(t, ``).Handlers[geoJSON]; ok {
		t.Error("GeoJSON without PostGIS")
	}
	c := loadWith(t, `CREATE FUNCTION public.st_asgeojson(int) RETURNS text LANGUAGE sql AS $$ SELECT '{}' $$`)
	if got := c.Handlers[geoJSON].Handler.Kind; got != schema.HandleGeoJSON {
		t.Errorf("with PostGIS the handler is %v", got)
	}
}
