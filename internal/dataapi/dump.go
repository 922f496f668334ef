package dataapi

import "github.com/tarn-data/tarn/internal/dataapi/schema"

// SchemaDump is a schema cache to look at, in the parts that PostgREST's has. What is in the parts is Tarn's own.
type SchemaDump struct {
	MediaHandlers   []handlerDump           `json:"dbMediaHandlers"`
	Relationships   []schema.Relationship   `json:"dbRelationships"`
	Representations []schema.Representation `json:"dbRepresentations"`
	Routines        []*schema.Routine       `json:"dbRoutines"`
	Tables          []*schema.Relation      `json:"dbTables"`
}

type handlerDump struct {
	Target  schema.Ident
	Accept  string // media type that is asked for
	Media   string // that is answered
	Handler schema.Handler
}

// Dump lists what a schema cache holds.
func Dump(cache *schema.Cache) SchemaDump {
	d := cache.Dump()
	out := SchemaDump{
		MediaHandlers:   make([]handlerDump, len(d.Handlers)),
		Relationships:   append([]schema.Relationship{}, d.Relationships...), // an empty list, not none
		Representations: append([]schema.Representation{}, d.Representations...),
		Routines:        append([]*schema.Routine{}, d.Routines...),
		Tables:          append([]*schema.Relation{}, d.Relations...),
	}
	for i, h := range d.Handlers {
		out.MediaHandlers[i] = handlerDump{h.Target, h.HandlerKey.Media.String(), h.ResolvedHandler.Media.String(), h.Handler}
	}
	return out
}
