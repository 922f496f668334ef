// Package databases provides database instances, their catalogs and synced tables: copies of tables of elsewhere that are
// kept up to date. An instance is a set of databases on the PostgreSQL server that Tarn serves. The package doesn't know
// how rows are copied, nor how its records are kept.
package databases

import (
	"context"
	"encoding/json"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tarn-data/tarn/internal/auth"
	"github.com/tarn-data/tarn/internal/synctable"
)

// OwnInstance is the instance that is the server itself. All databases are its that no other instance has.
const OwnInstance = "tarn"

// Server is the PostgreSQL server that instances are on.
type Server interface {
	// Owner connects to a database as the role that owns the databases.
	Owner(ctx context.Context, database string) (*pgx.Conn, error)
	// Admin connects as a role that may end others' connections and give roles passwords.
	Admin(ctx context.Context) (*pgx.Conn, error)
	// Enable makes a new database one that the Data API serves.
	Enable(ctx context.Context, owner *pgx.Conn) error
}

// Sources opens tables that are not in a database of the server. Only administrators may have them copied.
type Sources interface {
	// Has tells whether there is a catalog of a name.
	Has(catalog string) bool
	// Open opens a table.
	Open(ctx context.Context, catalog, schema, table string) (synctable.Source, error)
}

// Instance is a record of an instance.
type Instance struct {
	Name        string
	UID         string
	Creator     string
	Capacity    string
	Stopped     bool
	NativeLogin bool
	CustomTags  json.RawMessage
	CreatedAt   time.Time
}

// Catalog is a record of a catalog: a name for a database of an instance.
type Catalog struct{ Name, UID, Instance, Database, Creator string }

// Spec says how a table is synced.
type Spec struct {
	Source        string         `json:"source_table_full_name,omitempty"`
	PrimaryKey    []string       `json:"primary_key_columns,omitempty"`
	Policy        string         `json:"scheduling_policy,omitempty"`
	TimeseriesKey string         `json:"timeseries_key,omitempty"`
	MakeObjects   bool           `json:"create_database_objects_if_missing,omitempty"`
	Pipeline      map[string]any `json:"new_pipeline_spec,omitempty"`
	Overrides     []Override     `json:"type_overrides,omitempty"`
}

// Override is the type of a column where it isn't the source's.
type Override struct {
	Column string `json:"column_name"`
	Type   string `json:"pg_type"`
	Size   int    `json:"size,omitempty"`
}

// Table is a record of a synced table.
type Table struct {
	ID          int64
	Name        string
	Instance    string
	Database    string
	SchemaName  string
	TableName   string
	Creator     string
	Spec        Spec
	PipelineID  string
	FullRefresh bool
	StartedAt   *time.Time // of the run that is on
	RowsRead    int64
	Failures    int
	Failure     string
	Version     int64
	Rows        int64
	SyncStart   *time.Time
	SyncEnd     *time.Time
	Note        string // how it is synced
	Retained    int64  // bytes of the log that its source's server keeps for it
	Stopped     bool   // whether its instance is
}

// InstanceChange is what of an instance is to change; nil for what isn't.
type InstanceChange struct {
	Capacity             *string
	Stopped, NativeLogin *bool
	CustomTags           json.RawMessage
}

// Outcome is how a run ended.
type Outcome struct {
	Failure string // empty if it succeeded
	Rows    int64
	Note    string
	Next    *time.Duration // until the next run; nil for none that isn't asked for
}

// Store keeps the instances and catalogs. What is asked by name and isn't there is a nil.
type Store interface {
	CreateInstance(ctx context.Context, i Instance) (*Instance, error) // nil if there is one of the name
	Instance(ctx context.Context, name string) (*Instance, error)
	InstanceByUID(ctx context.Context, uid string) (*Instance, error)
	Instances(ctx context.Context, after string, limit int) ([]Instance, error)
	ChangeInstance(ctx context.Context, name string, c InstanceChange) (*Instance, error)
	// DeleteInstance deletes an instance, if drop succeeds. It is false if there is something on it.
	DeleteInstance(ctx context.Context, name string, drop func() error) (bool, error)

	Databases(ctx context.Context, instance string) (made, adopted []string, err error)
	InstanceOf(ctx context.Context, database string) (string, error)
	AddDatabase(ctx context.Context, instance, database string, made bool) error

	CreateCatalog(ctx context.Context, c Catalog) (*Catalog, error)
	Catalog(ctx context.Context, name string) (*Catalog, error)
	Catalogs(ctx context.Context, instance, after string, limit int) ([]Catalog, error)
	DeleteCatalog(ctx context.Context, name string) error
}

// TableStore keeps the synced tables, and says whose turn it is.
type TableStore interface {
	CreateTable(ctx context.Context, t Table) (*Table, error)
	Table(ctx context.Context, name string) (*Table, error)
	TableOfPipeline(ctx context.Context, id string) (*Table, error)
	Tables(ctx context.Context, instance, after string, limit int) ([]Table, error)
	DeleteTable(ctx context.Context, name string) error
	Request(ctx context.Context, id int64, full bool) error

	// Claim takes the table whose run is due the longest, for as long as a lease; nil if there is none.
	Claim(ctx context.Context, holder string, lease time.Duration) (*Table, error)
	// Prolong tells of progress. It isn't held if the lease is lost. It is asked if a client has asked for another run since.
	Prolong(ctx context.Context, id int64, holder string, lease time.Duration, rows int64) (held, asked bool, err error)
	Finish(ctx context.Context, id int64, holder string, o Outcome) error
	// Release gives a table back whose run was interrupted: it is due at once.
	Release(ctx context.Context, id int64, holder string) error
}

// Slot is a record of a replication slot at the source of a table.
type Slot struct {
	Name     string
	TableID  *int64 // nil for one that is to be dropped
	Source   string
	Database *string // of the server; nil for one elsewhere
}

// Synced is that a table which is being followed has what its source had at a time.
type Synced struct {
	AsOf    time.Time
	Rows    int64
	Changed bool // whether it got something since the last time
	Note    string
}

// SlotStore keeps the replication slots, and how far the tables are that follow them.
type SlotStore interface {
	// ReserveSlot must be called before a slot is made. It is false if the lease is lost.
	ReserveSlot(ctx context.Context, holder string, s Slot) (bool, error)
	// GiveUpSlot has the slot of a table dropped soon, if it has one.
	GiveUpSlot(ctx context.Context, tableID int64) error
	// DueSlot returns the slot that nobody has looked at for the longest; nil if all have been just now.
	DueSlot(ctx context.Context) (*Slot, error)
	SlotKeeps(ctx context.Context, name string, bytes int64) error
	// ForgetSlot forgets one that was dropped.
	ForgetSlot(ctx context.Context, name string) error
	Note(ctx context.Context, tableID int64, note string) error
	// Synced is false if the lease is lost.
	Synced(ctx context.Context, id int64, holder string, s Synced) (bool, error)
}

// Service serves the API and keeps the tables up to date.
type Service struct {
	Store    Store
	Tables   TableStore
	Slots    SlotStore
	Server   Server // nil if Tarn may not administer its PostgreSQL
	Sources  Sources
	Accounts auth.Directory
	Host     string // where clients reach the Data API; empty for the host that they asked
	Holder   string // tells this process from others
	Log      *slog.Logger

	streams atomic.Int32 // that run in this process
}
