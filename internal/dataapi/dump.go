package dataapi

import "github.com/tarn-data/tarn/internal/dataapi/schema"

// SchemaDump is a schema cache to look at, in the parts that PostgREST's has. What is in the parts is Tarn's own.
type SchemaDump struct {
	MediaHandlers   []schema.HandlerEntry   `json:"dbMediaHandlers"`
	Relationships   []schema.Relationship   `json:"dbRelationships"`
	Representations []schema.Representation `json:"dbRepresentations"`
	Routines        []*schema.Routine       `json:"dbRoutines"`
	Tables          []*schema.Relation      `json:"dbTables"`
}

// Dump lists what a schema cache holds.
func Dump(cache *schema.Cache) SchemaDump {
	d := cache.Dump()
	return SchemaDump{
		MediaHandlers: d.Handlers, Relationships: d.Relationships, Representations: d.Representations,
		Routines: d.Routines, Tables: d.Relations,
	}
}
