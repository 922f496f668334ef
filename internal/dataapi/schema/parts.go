package schema

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
)

// Parts are what a snapshot is built from: what the catalogs say, before anything is concluded from it.
type Parts struct {
	ServerVersion   int
	Schemas         []string     // that are exposed
	Relations       []Relation   // of all schemas; the primary keys of views are concluded
	ForeignKeys     []ForeignKey // of all schemas: exposed views may stand on tables that are not
	ViewKeys        []ViewKey
	Computed        []Relationship
	Routines        []*Routine // of the exposed schemas
	Representations map[Cast]string
	Handlers        map[HandlerKey]ResolvedHandler // beside the built-in ones
	PostGIS         bool                           // whether the database can make GeoJSON
	Roles           map[string]RoleSettings
}

// ForeignKey is a foreign key of a table.
type ForeignKey struct {
	Table      Ident
	Foreign    Ident
	Constraint string
	Columns    []ColumnPair
	Unique     bool // whether its columns are those of a primary key or unique constraint of Table
}

// KeyKind is a side of a key.
type KeyKind uint8

// The kinds of key.
const (
	PrimaryKey    KeyKind = iota
	ReferringKey          // the columns that have a foreign key
	ReferencedKey         // the columns that a foreign key refers to
)

// ViewKey tells that a view shows all columns of a key.
type ViewKey struct {
	View       Ident
	Table      Ident // that the constraint is on
	Constraint string
	Kind       KeyKind
	Columns    [][]string // of each column of the key, in its order, the columns of the view that show it
}

// Build makes the snapshot of its parts.
func Build(p Parts) *Cache {
	exposed := make(map[string]bool, len(p.Schemas))
	for _, s := range p.Schemas {
		exposed[s] = true
	}
	c := &Cache{
		ServerVersion:   p.ServerVersion,
		Relations:       relationsByName(p.Relations, p.ViewKeys),
		Routines:        routinesByName(p.Routines),
		Representations: p.Representations,
		Handlers:        withBuiltinHandlers(p),
		Roles:           p.Roles,
	}
	rels := fromForeignKeys(p.ForeignKeys)
	rels = append(rels, throughViews(rels, p.ViewKeys)...)
	rels = append(rels, throughJunctions(rels, c.Relations)...)
	rels = append(rels, inverses(rels)...)
	rels = append(withoutOverridden(rels, p.Computed), p.Computed...)
	c.Relationships = relationshipsByKey(rels, exposed)
	maps.DeleteFunc(c.Relations, func(id Ident, _ *Relation) bool { return !exposed[id.Schema] })
	c.hints = newHints(c)
	return c
}

// Summary counts what the snapshot holds.
func (c *Cache) Summary() string {
	relationships := 0
	for _, rels := range c.Relationships {
		relationships += len(rels)
	}
	routines := 0
	for _, overloads := range c.Routines {
		routines += len(overloads)
	}
	return fmt.Sprintf("%d relations, %d relationships, %d routines, %d domain representations, %d media type handlers",
		len(c.Relations), relationships, routines, len(c.Representations), len(c.Handlers))
}

func relationsByName(relations []Relation, keys []ViewKey) map[Ident]*Relation {
	viewKeys := viewPrimaryKeys(keys)
	out := make(map[Ident]*Relation, len(relations))
	for i := range relations {
		r := relations[i]
		if r.IsView {
			r.PrimaryKey = viewKeys[r.Ident]
		}
		r.index = make(map[string]int, len(r.Columns))
		for j := range r.Columns {
			r.index[r.Columns[j].Name] = j
		}
		out[r.Ident] = &r
	}
	return out
}

// viewPrimaryKeys finds what identifies the rows of views: the primary keys of all tables behind it that it shows
// whole. Of several columns that show the same the first will do.
func viewPrimaryKeys(keys []ViewKey) map[Ident][]string {
	primary := slices.DeleteFunc(slices.Clone(keys), func(k ViewKey) bool { return k.Kind != PrimaryKey })
	slices.SortStableFunc(primary, func(a, b ViewKey) int { return compareIdents(b.Table, a.Table) })
	out := map[Ident][]string{}
	for _, k := range primary {
		for _, shown := range k.Columns {
			out[k.View] = append(out[k.View], shown[:min(1, len(shown))]...)
		}
	}
	return out
}

func routinesByName(routines []*Routine) map[Ident][]*Routine {
	out := make(map[Ident][]*Routine, len(routines))
	for _, r := range routines {
		out[r.Ident] = append(out[r.Ident], r)
	}
	for _, overloads := range out {
		slices.SortStableFunc(overloads, compareOverloads)
	}
	return out
}

// compareOverloads puts those with few parameters first, then goes by what tells them apart.
func compareOverloads(a, b *Routine) int {
	return cmp.Or(
		cmp.Compare(len(a.Params), len(b.Params)),
		cmp.Compare(a.Description, b.Description),
		slices.CompareFunc(a.Params, b.Params, compareParams),
		compareIdents(a.Return.Type, b.Return.Type),
	)
}

func compareParams(a, b Param) int {
	return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Type, b.Type), cmp.Compare(a.CastType, b.CastType),
		compareBools(a.Required, b.Required), compareBools(a.Variadic, b.Variadic))
}
