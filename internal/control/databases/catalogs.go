package databases

import (
	"context"
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/tarn-data/tarn/internal/endpoint"
	"github.com/tarn-data/tarn/internal/fault"
)

// catalog is a catalog as clients know it.
type catalog struct {
	Name     string `json:"name"`
	UID      string `json:"uid,omitempty"`
	Instance string `json:"database_instance_name"`
	Database string `json:"database_name"`
}

type catalogInput struct {
	Name     string `json:"name"`
	Instance string `json:"database_instance_name"`
	Database string `json:"database_name"`
	Make     bool   `json:"create_database_if_not_exists"`
}

// Validate implements endpoint's hook.
func (in catalogInput) Validate() error {
	switch {
	case !isName(in.Name) || strings.ContainsAny(in.Name, "./ "):
		return endpoint.Invalid("The name of a catalog has 1 to 63 bytes, without dots, slashes and spaces.")
	case in.Instance == "":
		return endpoint.Invalid("Missing required field: database_instance_name")
	case !isName(in.Database):
		return endpoint.Invalid("The name of a database has 1 to 63 bytes.")
	}
	return nil
}

// isName tells whether PostgreSQL takes a name as it is.
func isName(s string) bool {
	return s != "" && len(s) < 64 && utf8.ValidString(s) && !strings.ContainsRune(s, 0)
}

func (s *Service) createCatalog(ctx context.Context, in catalogInput) (*catalog, error) {
	i, err := s.instance(ctx, in.Instance)
	if err != nil {
		return nil, err
	}
	if !mayManage(ctx, i.Creator) {
		return nil, endpoint.Denied("Only administrators and who made the instance may make catalogs of it.")
	}
	if s.Sources != nil && s.Sources.Has(in.Name) {
		return nil, endpoint.Exists("Catalog '" + in.Name + "' already exists.")
	}
	if err := s.database(ctx, i, in.Database, in.Make); err != nil {
		return nil, err
	}
	c, err := s.Store.CreateCatalog(ctx, Catalog{
		Name: in.Name, Instance: i.Name, Database: in.Database, Creator: endpoint.Caller(ctx).Name,
	})
	if err != nil {
		return nil, err
	}
	if c == nil {
		return nil, endpoint.Exists("There is a catalog of this name, or of this database, already.")
	}
	return showCatalog(c), nil
}

// database sees to it that a database is one of the instance.
func (s *Service) database(ctx context.Context, i *Instance, name string, mayMake bool) error {
	if i.Stopped {
		return endpoint.InvalidState("The instance is stopped.")
	}
	if s.reserved(name) {
		return endpoint.Denied("The database '" + name + "' is Tarn's own.")
	}
	home, err := s.Store.InstanceOf(ctx, name)
	if err != nil {
		return err
	}
	if home != "" && home != i.Name {
		return endpoint.Invalid("The database '" + name + "' is on the instance '" + home + "'.")
	}
	admin, err := s.admin(ctx)
	if err != nil {
		return err
	}
	defer closeConn(ctx, admin)
	var there bool
	if err := admin.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", name).Scan(&there); err != nil {
		return err
	}
	switch {
	case there && home == "" && i.Name != OwnInstance:
		return endpoint.Invalid("The database '" + name + "' is on the instance '" + OwnInstance + "'.")
	case there:
		return nil
	case !mayMake:
		return fault.New(fault.NotFound, "NOT_FOUND", "The database '"+name+"' does not exist.").
			WithHint("Ask for it to be made: create_database_if_not_exists, or create_database_objects_if_missing for synced tables.")
	}
	return s.makeDatabase(ctx, i, name)
}

func (s *Service) reserved(name string) bool {
	return name == "tarn" || name == "postgres" || strings.HasPrefix(name, "template")
}

func (s *Service) makeDatabase(ctx context.Context, i *Instance, name string) error {
	owner, err := s.owner(ctx, "postgres")
	if err != nil {
		return err
	}
	defer closeConn(ctx, owner)
	_, err = owner.Exec(ctx, "CREATE DATABASE "+pgx.Identifier{name}.Sanitize())
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) && pgErr.Code == "42P04" {
		return fault.New(fault.Conflict, "RESOURCE_CONFLICT", "The database '"+name+"' was made by somebody else just now. Try again.")
	}
	if err != nil {
		return err
	}
	// Only what Tarn has made may be dropped with the instance.
	if err := s.Store.AddDatabase(ctx, i.Name, name, true); err != nil {
		return err
	}
	inside, err := s.owner(ctx, name)
	if err != nil {
		return err
	}
	defer closeConn(ctx, inside)
	if err := s.Server.Enable(ctx, inside); err != nil {
		return err
	}
	return s.apply(ctx, i, InstanceChange{Capacity: &i.Capacity})
}

func showCatalog(c *Catalog) *catalog {
	return &catalog{Name: c.Name, UID: c.UID, Instance: c.Instance, Database: c.Database}
}

func (s *Service) catalog(ctx context.Context, name string) (*Catalog, error) {
	c, err := s.Store.Catalog(ctx, name)
	if err == nil && c == nil {
		err = fault.New(fault.NotFound, "NOT_FOUND", "Database catalog '"+name+"' not found.")
	}
	return c, err
}

type byName struct {
	Name string `path:"name"`
}

func (s *Service) getCatalog(ctx context.Context, in byName) (*catalog, error) {
	c, err := s.catalog(ctx, in.Name)
	if err != nil {
		return nil, err
	}
	return showCatalog(c), nil
}

type catalogList struct {
	Catalogs []catalog `json:"database_catalogs"`
	Next     string    `json:"next_page_token,omitempty"`
}

func (s *Service) listCatalogs(ctx context.Context, in page) (*catalogList, error) {
	if _, err := s.instance(ctx, in.Instance); err != nil {
		return nil, err
	}
	records, err := s.Store.Catalogs(ctx, in.Instance, in.Token, in.limit()+1)
	if err != nil {
		return nil, err
	}
	out := &catalogList{Catalogs: []catalog{}}
	if len(records) > in.limit() {
		records = records[:in.limit()]
		out.Next = records[len(records)-1].Name
	}
	for i := range records {
		out.Catalogs = append(out.Catalogs, *showCatalog(&records[i]))
	}
	return out, nil
}

// deleteCatalog deletes the name. The database stays.
func (s *Service) deleteCatalog(ctx context.Context, in byName) (endpoint.None, error) {
	c, err := s.catalog(ctx, in.Name)
	if err != nil {
		return endpoint.None{}, err
	}
	if !mayManage(ctx, c.Creator) {
		return endpoint.None{}, endpoint.Denied("Only administrators and who made the catalog may delete it.")
	}
	return endpoint.None{}, s.Store.DeleteCatalog(ctx, c.Name)
}
