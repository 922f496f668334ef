package schema

import (
	"maps"

	"github.com/tarn-data/tarn/internal/dataapi/media"
)

// withBuiltinHandlers adds the handlers of any row that Tarn brings, unless the database has its own.
func withBuiltinHandlers(p Parts) map[HandlerKey]ResolvedHandler {
	json := ResolvedHandler{Handler{Kind: HandleJSON}, media.Of(media.JSON)}
	out := map[HandlerKey]ResolvedHandler{
		{Media: media.Of(media.Any)}:  json,
		{Media: media.Of(media.JSON)}: json,
		{Media: media.Of(media.CSV)}:  {Handler{Kind: HandleCSV}, media.Of(media.CSV)},

		{Media: media.Of(media.NDJSON)}: {Handler{Kind: HandleNDJSON}, media.Of(media.NDJSON)},
	}
	if p.PostGIS {
		out[HandlerKey{Media: media.Of(media.GeoJSON)}] = ResolvedHandler{Handler{Kind: HandleGeoJSON}, media.Of(media.GeoJSON)}
	}
	maps.Copy(out, p.Handlers)
	return out
}
