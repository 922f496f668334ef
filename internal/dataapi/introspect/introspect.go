// Package introspect reads the system catalogs of a PostgreSQL database and makes the snapshot that the Data API
// answers from. It knows neither requests nor when a snapshot is stale.
package introspect

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/tarn-data/tarn/internal/dataapi/schema"
)

// Options say what to load.
type Options struct {
	Schemas           []string // that are exposed
	ExtraSearchPath   []string // more schemas whose views may stand between exposed views and tables
	HoistedTxSettings []string // regular expressions for a routine's settings that hold for the whole transaction
}

// Load reads the snapshot, as one transaction sees the database.
func Load(ctx context.Context, conn *pgx.Conn, opt Options) (*schema.Cache, error) {
	var cache *schema.Cache
	err := readOnly(ctx, conn, func(tx pgx.Tx, version int) error {
		parts, err := load(ctx, tx, version, opt)
		if err == nil {
			cache = schema.Build(*parts)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("load the schema cache: %w", err)
	}
	return cache, nil
}

// LoadRoles reads the roles that the login role may become.
func LoadRoles(ctx context.Context, conn *pgx.Conn) (map[string]schema.RoleSettings, error) {
	var roles map[string]schema.RoleSettings
	err := readOnly(ctx, conn, func(tx pgx.Tx, version int) error {
		rows, err := tx.Query(ctx, rolesQuery(version))
		if err == nil {
			roles, err = readRoles(rows)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("load roles: %w", err)
	}
	return roles, nil
}

// With no search path the names of types and functions come qualified. To compile the queries would take longer than to
// run them.
const prepareQuery = `SELECT set_config('search_path', '', true), set_config('jit', 'off', true),
  current_setting('server_version_num')::int`

// readOnly calls read in a transaction that sees the database as it is at one moment.
func readOnly(ctx context.Context, conn *pgx.Conn, read func(tx pgx.Tx, version int) error) error {
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }()
	var version int
	if err := tx.QueryRow(ctx, prepareQuery).Scan(nil, nil, &version); err != nil {
		return err
	}
	return read(tx, version)
}

// loader collects what the queries say. They run in one batch, and only what several of them say together is
// concluded after it.
type loader struct {
	parts     schema.Parts
	exposed   map[string]bool
	relations map[uint32]int  // by oid, the index in parts.Relations
	speaking  map[uint32]bool // functions and operators that may set something
	types     map[uint32]paramType
	routines  []routineRow
	keys      []key
	keyNames  map[uint32][]string // of the columns of tables with keys, by number less one
	views     map[uint32]*view
}

func load(ctx context.Context, tx pgx.Tx, version int, opt Options) (*schema.Parts, error) {
	l := &loader{
		parts:     schema.Parts{ServerVersion: version, Schemas: opt.Schemas},
		exposed:   map[string]bool{},
		relations: map[uint32]int{},
		speaking:  map[uint32]bool{},
		types:     map[uint32]paramType{},
		keyNames:  map[uint32][]string{},
		views:     map[uint32]*view{},
	}
	for _, s := range opt.Schemas {
		l.exposed[s] = true
	}
	schemas, hoisted := slices.Concat([]string{}, opt.Schemas), slices.Concat([]string{}, opt.HoistedTxSettings)
	viewSchemas := slices.Concat(schemas, opt.ExtraSearchPath)
	var b pgx.Batch
	b.Queue(relationsQuery, schemas).Query(l.readRelations)
	b.Queue(speakingQuery).Query(l.readSpeaking)
	b.Queue(policiesQuery).Query(l.readPolicies)
	b.Queue(columnsQuery, schemas).Query(l.readColumns)
	b.Queue(keysQuery).Query(l.readKeys)
	b.Queue(keyNamesQuery).Query(l.readKeyNames)
	b.Queue(viewsQuery, viewSchemas).Query(l.readViews)
	b.Queue(typesQuery, schemas).Query(l.readTypes)
	b.Queue(routinesQuery, schemas, hoisted).Query(l.readRoutines)
	b.Queue(computedQuery, schemas).Query(l.readComputed)
	b.Queue(representationsQuery).Query(l.readRepresentations)
	b.Queue(handlersQuery, schemas).Query(l.readHandlers)
	b.Queue(postgisQuery).QueryRow(func(row pgx.Row) error { return row.Scan(&l.parts.PostGIS) })
	b.Queue(rolesQuery(version)).Query(l.readRoles)
	if err := tx.SendBatch(ctx, &b).Close(); err != nil {
		return nil, err
	}
	l.addKeys()
	l.addRoutines()
	return &l.parts, nil
}
