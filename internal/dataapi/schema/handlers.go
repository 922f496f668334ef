package schema

import "maps"

import "github.com/tarn-data/tarn/internal/dataapi/media"

// withBuiltinHandlers adds the handlers of any row that are always there, unless the database has its own.
func withBuiltinHandlers(own map[HandlerKey]ResolvedHandler) map[HandlerKey]ResolvedHandler {
	json := ResolvedHandler{Handler{Kind: HandleJSON}, media.Of(media.JSON)}
	out := map[HandlerKey]ResolvedHandler{
		{Media: media.Of(media.Any)}:     json,
		{Media: media.Of(media.JSON)}:    json,
		{Media: media.Of(media.CSV)}:     {Handler{Kind: HandleCSV}, media.Of(media.CSV)},
		{Media: media.Of(media.GeoJSON)}: {Handler{Kind: HandleGeoJSON}, media.Of(media.GeoJSON)},
	}
	maps.Copy(out, own)
	return out
}
