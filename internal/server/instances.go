package server

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/tarn-data/tarn/internal/control/databases"
	"github.com/tarn-data/tarn/internal/pg"
	"github.com/tarn-data/tarn/internal/store"
	"github.com/tarn-data/tarn/internal/synctable"
)

// InstanceOptions say where database instances and their synced tables are.
type InstanceOptions struct {
	// URL is of a role that makes databases on the server, and owns them; empty for the embedded PostgreSQL's, or for none
	// on another one.
	URL        string
	Sources    []Source // of synced tables, besides the databases of the server
	PublicHost string   // where clients reach the Data API; empty for the host that they ask

	server databases.Server // nil if Tarn may only log in to its server
}

// databaseServer is the PostgreSQL server that Tarn makes databases on.
type databaseServer struct {
	owner func(database string) (string, error) // connection string of the role that owns the databases
	admin string                                // of a role that may end others' connections
}

// Owner implements databases.Server.
func (s *databaseServer) Owner(ctx context.Context, db string) (*pgx.Conn, error) {
	u, err := s.owner(db)
	if err != nil {
		return nil, err
	}
	return pg.ConnectPrimary(ctx, u, appName)
}

// Admin implements databases.Server.
func (s *databaseServer) Admin(ctx context.Context) (*pgx.Conn, error) {
	return pg.ConnectPrimary(ctx, s.admin, appName)
}

// Enable implements databases.Server.
func (*databaseServer) Enable(ctx context.Context, owner *pgx.Conn) error {
	_, err := owner.PgConn().Exec(ctx, enableSQL+"; GRANT USAGE ON SCHEMA pgrst TO "+authenticator+
		"; GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA pgrst TO "+authenticator).ReadAll()
	return err
}

// databases is the embedded server, on which its owner makes databases.
func (s *embeddedServer) databases() databases.Server {
	return &databaseServer{
		owner: func(db string) (string, error) { return s.OwnerURL(db), nil }, admin: s.URL("postgres"),
	}
}

// databaseServerOf is the server that the options name; nil if Tarn may only log in there.
func databaseServerOf(opt InstanceOptions) databases.Server {
	if opt.URL == "" {
		return nil
	}
	return &databaseServer{
		owner: func(db string) (string, error) { return withDatabase(opt.URL, db) }, admin: opt.URL,
	}
}

// openInstances opens the service of database instances.
func openInstances(opt ServeOptions, state *store.DB) (*databases.Service, error) {
	sources, err := openSources(opt.Instances.Sources)
	if err != nil {
		return nil, err
	}
	return &databases.Service{
		Store: state, Tables: state, Slots: state, Accounts: state, Server: opt.Instances.server, Sources: sources, Host: opt.Instances.PublicHost, Holder: rand.Text(), Log: opt.Log,
	}, nil
}

// Source names a catalog of tables that are not on Tarn's server, and where they are: postgresql://… for a database, or
// file://… for a folder, in which each folder is a schema and each .csv or .parquet file a table.
type Source struct{ Name, URL string }

// sources are the catalogs that the administrator has named.
type sources map[string]*url.URL

func openSources(all []Source) (sources, error) {
	out := sources{}
	for _, s := range all {
		u, err := url.Parse(s.URL)
		if err != nil {
			return nil, fmt.Errorf("the address of the source %s is not a URL", s.Name)
		}
		switch u.Scheme {
		case "postgres", "postgresql":
		case "file":
			if info, err := os.Stat(u.Path); err != nil || !info.IsDir() {
				return nil, fmt.Errorf("the folder of the source %s isn't there", s.Name)
			}
		default:
			return nil, fmt.Errorf("the address of the source %s must begin with postgresql:// or file://", s.Name)
		}
		out[strings.ToLower(s.Name)] = u
	}
	return out, nil
}

// Has implements databases.Sources.
func (s sources) Has(catalog string) bool { return s[strings.ToLower(catalog)] != nil }

// Open implements databases.Sources.
func (s sources) Open(ctx context.Context, catalog, schema, table string) (synctable.Source, error) {
	u := s[strings.ToLower(catalog)]
	if u.Scheme == "file" {
		return openFile(u.Path, schema, table)
	}
	conn, err := pg.Connect(ctx, u.String(), appName)
	if err != nil {
		return nil, err
	}
	return synctable.NewPostgres(conn, schema, table), nil
}

// openFile opens a table's file. Names can't lead out of the folder.
func openFile(folder, schema, table string) (synctable.Source, error) {
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, err
	}
	defer func() { _ = root.Close() }()
	for extension, open := range map[string]func(*os.File) synctable.Source{
		".csv":     func(f *os.File) synctable.Source { return synctable.NewCSV(f) },
		".parquet": func(f *os.File) synctable.Source { return synctable.NewParquet(f) },
	} {
		f, err := root.Open(schema + "/" + table + extension)
		if err == nil {
			return open(f), nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	return nil, synctable.Missing(schema, table)
}
