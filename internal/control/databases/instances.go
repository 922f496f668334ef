package databases

import (
	"context"
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tarn-data/tarn/internal/endpoint"
	"github.com/tarn-data/tarn/internal/fault"
)

// instance is an instance as clients know it.
type instance struct {
	Name                 string          `json:"name"`
	UID                  string          `json:"uid"`
	Creator              string          `json:"creator,omitempty"`
	CreationTime         string          `json:"creation_time"`
	Capacity             string          `json:"capacity"`
	EffectiveCapacity    string          `json:"effective_capacity"`
	State                string          `json:"state"`
	Stopped              bool            `json:"stopped"`
	EffectiveStopped     bool            `json:"effective_stopped"`
	NativeLogin          bool            `json:"enable_pg_native_login"`
	EffectiveNativeLogin bool            `json:"effective_enable_pg_native_login"`
	NodeCount            int             `json:"node_count"`
	EffectiveNodeCount   int             `json:"effective_node_count"`
	PGVersion            string          `json:"pg_version,omitempty"`
	DNS                  string          `json:"read_write_dns"`
	CustomTags           json.RawMessage `json:"custom_tags,omitempty"`
	EffectiveTags        json.RawMessage `json:"effective_custom_tags,omitempty"`
}

// instanceInput is what clients say of an instance.
type instanceInput struct {
	PathName   string          `path:"name"`
	Mask       string          `query:"update_mask"`
	Name       string          `json:"name"`
	Capacity   *string         `json:"capacity"`
	Stopped    *bool           `json:"stopped"`
	Native     *bool           `json:"enable_pg_native_login"`
	Readable   bool            `json:"enable_readable_secondaries"`
	Nodes      int             `json:"node_count"`
	Retention  int             `json:"retention_window_in_days"`
	Parent     json.RawMessage `json:"parent_instance_ref"`
	CustomTags json.RawMessage `json:"custom_tags"`
}

// instanceName is the form of the names of instances.
var instanceName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9-]{0,62}$`)

// Validate implements endpoint's hook.
func (in instanceInput) Validate() error {
	switch {
	case in.Readable, in.Nodes > 1:
		return endpoint.Invalid("Secondaries can't be made through this API. Name replicas in the server's settings.")
	case len(in.Parent) > 0 && string(in.Parent) != "null":
		return endpoint.Invalid("An instance can't be made from another: the server keeps no history of its databases.")
	case in.Retention != 0:
		return endpoint.Invalid("retention_window_in_days can't be set: the server keeps no history of its databases.")
	case in.Capacity != nil && connections(*in.Capacity) == 0:
		return endpoint.Invalid("The capacity must be CU_1, CU_2, CU_4 or CU_8.")
	}
	return nil
}

// connections is how many connections each database of an instance may have; 0 for an unknown capacity.
func connections(capacity string) int {
	return map[string]int{"CU_1": 100, "CU_2": 200, "CU_4": 400, "CU_8": 800}[capacity]
}

func (s *Service) createInstance(ctx context.Context, in instanceInput) (*instance, error) {
	if !instanceName.MatchString(in.Name) {
		return nil, endpoint.Invalid("The name must begin with a letter and have at most 63 letters, digits and hyphens.")
	}
	caller := endpoint.Caller(ctx)
	if !caller.Admin {
		return nil, endpoint.Denied("Only administrators may make database instances.")
	}
	made := Instance{Name: in.Name, Creator: caller.Name, Capacity: "CU_1", CustomTags: in.CustomTags}
	if in.Capacity != nil {
		made.Capacity = *in.Capacity
	}
	made.Stopped, made.NativeLogin = in.Stopped != nil && *in.Stopped, in.Native != nil && *in.Native
	version, err := s.version(ctx) // an instance on a server that can't be reached is none
	if err != nil {
		return nil, err
	}
	record, err := s.Store.CreateInstance(ctx, made)
	if err != nil {
		return nil, err
	}
	if record == nil {
		return nil, endpoint.Exists("Database instance '" + in.Name + "' already exists.")
	}
	return s.show(ctx, record, version), nil
}

func (s *Service) version(ctx context.Context) (string, error) {
	conn, err := s.admin(ctx)
	if err != nil {
		return "", err
	}
	defer closeConn(ctx, conn)
	return "PG_VERSION_" + strings.SplitN(conn.PgConn().ParameterStatus("server_version"), ".", 2)[0], nil
}

func (s *Service) admin(ctx context.Context) (*pgx.Conn, error) {
	if s.Server == nil {
		return nil, notOurs()
	}
	conn, err := s.Server.Admin(ctx)
	if err != nil {
		return nil, unreachable(err)
	}
	return conn, nil
}

// owner connects to a database as the role that owns the databases.
func (s *Service) owner(ctx context.Context, database string) (*pgx.Conn, error) {
	if s.Server == nil {
		return nil, notOurs()
	}
	conn, err := s.Server.Owner(ctx, database)
	if err != nil {
		return nil, unreachable(err)
	}
	return conn, nil
}

func notOurs() error {
	return fault.New(fault.NotImplemented, "NOT_IMPLEMENTED", "Tarn doesn't administer this PostgreSQL server.").
		WithHint("Give tarn serve a role that may make databases: --databases.")
}

func unreachable(cause error) error {
	return fault.New(fault.Unavailable, "TEMPORARILY_UNAVAILABLE", "The PostgreSQL server can't be reached.").WithCause(cause)
}

func closeConn(ctx context.Context, conn *pgx.Conn) { _ = conn.Close(context.WithoutCancel(ctx)) }

func (s *Service) show(ctx context.Context, i *Instance, version string) *instance {
	state := "AVAILABLE"
	if i.Stopped {
		state = "STOPPED"
	}
	host := s.Host
	if host == "" {
		host = endpoint.CallFrom(ctx).Host
	}
	return &instance{
		Name: i.Name, UID: i.UID, Creator: i.Creator, CreationTime: i.CreatedAt.UTC().Format(time.RFC3339),
		Capacity: i.Capacity, EffectiveCapacity: i.Capacity, State: state, Stopped: i.Stopped, EffectiveStopped: i.Stopped,
		NativeLogin: i.NativeLogin, EffectiveNativeLogin: i.NativeLogin, NodeCount: 1, EffectiveNodeCount: 1,
		PGVersion: version, DNS: host, CustomTags: i.CustomTags, EffectiveTags: i.CustomTags,
	}
}

type instanceByName struct {
	Name  string `path:"name"`
	Force bool   `query:"force"`
	Purge *bool  `query:"purge"`
}

func (s *Service) instance(ctx context.Context, name string) (*Instance, error) {
	i, err := s.Store.Instance(ctx, name)
	if err == nil && i == nil {
		err = fault.New(fault.NotFound, "NOT_FOUND", "Database instance '"+name+"' not found.")
	}
	return i, err
}

func (s *Service) getInstance(ctx context.Context, in instanceByName) (*instance, error) {
	i, err := s.instance(ctx, in.Name)
	if err != nil {
		return nil, err
	}
	return s.show(ctx, i, ""), nil
}

type instanceByUID struct {
	UID string `json:"uid"`
}

func (s *Service) findInstance(ctx context.Context, in instanceByUID) (*instance, error) {
	i, err := s.Store.InstanceByUID(ctx, in.UID)
	if err != nil {
		return nil, err
	}
	if i == nil {
		return nil, fault.New(fault.NotFound, "NOT_FOUND", "There is no database instance with this uid.")
	}
	return s.show(ctx, i, ""), nil
}

type page struct {
	Instance string `path:"name"`
	Size     int    `json:"page_size"`
	Token    string `json:"page_token"`
}

const maxPage = 100

// limit is how many are listed; one more tells whether there is a next page.
func (p page) limit() int {
	if p.Size <= 0 || p.Size > maxPage {
		return maxPage
	}
	return p.Size
}

type instanceList struct {
	Instances []instance `json:"database_instances"`
	Next      string     `json:"next_page_token,omitempty"`
}

func (s *Service) listInstances(ctx context.Context, in page) (*instanceList, error) {
	records, err := s.Store.Instances(ctx, in.Token, in.limit()+1)
	if err != nil {
		return nil, err
	}
	out := &instanceList{Instances: []instance{}}
	if len(records) > in.limit() {
		records = records[:in.limit()]
		out.Next = records[len(records)-1].Name
	}
	for i := range records {
		out.Instances = append(out.Instances, *s.show(ctx, &records[i], ""))
	}
	return out, nil
}

func (s *Service) updateInstance(ctx context.Context, in instanceInput) (*instance, error) {
	i, err := s.instance(ctx, in.PathName)
	if err != nil {
		return nil, err
	}
	if !mayManage(ctx, i.Creator) {
		return nil, endpoint.Denied("Only administrators and who made the instance may change it.")
	}
	change := InstanceChange{Capacity: in.Capacity, Stopped: in.Stopped, NativeLogin: in.Native, CustomTags: in.CustomTags}
	if in.Mask != "" && in.Mask != "*" {
		change = change.masked(strings.Split(in.Mask, ","))
	}
	if i.Name == OwnInstance && change.Stopped != nil && *change.Stopped {
		return nil, endpoint.InvalidState("The instance '" + OwnInstance + "' is the server itself and can't be stopped here.")
	}
	if err := s.apply(ctx, i, change); err != nil {
		return nil, err
	}
	if i, err = s.Store.ChangeInstance(ctx, i.Name, change); err != nil {
		return nil, err
	}
	return s.show(ctx, i, ""), nil
}

func (c InstanceChange) masked(fields []string) InstanceChange {
	var out InstanceChange
	for _, f := range fields {
		switch strings.TrimSpace(f) {
		case "capacity":
			out.Capacity = c.Capacity
		case "stopped":
			out.Stopped = c.Stopped
		case "enable_pg_native_login":
			out.NativeLogin = c.NativeLogin
		case "custom_tags":
			out.CustomTags = c.CustomTags
		}
	}
	return out
}

// apply has the databases of an instance follow a change. Doing it again changes nothing.
func (s *Service) apply(ctx context.Context, i *Instance, c InstanceChange) error {
	if (c.Stopped == nil && c.Capacity == nil) || i.Name == OwnInstance {
		return nil
	}
	made, adopted, err := s.Store.Databases(ctx, i.Name)
	if err != nil {
		return err
	}
	conn, err := s.admin(ctx)
	if err != nil {
		return err
	}
	defer closeConn(ctx, conn)
	for _, db := range append(made, adopted...) {
		name := pgx.Identifier{db}.Sanitize()
		if c.Capacity != nil {
			if _, err := conn.Exec(ctx, "ALTER DATABASE "+name+" CONNECTION LIMIT "+strconv.Itoa(connections(*c.Capacity))); err != nil {
				return err
			}
		}
		if c.Stopped == nil {
			continue
		}
		if _, err := conn.Exec(ctx, "ALTER DATABASE "+name+" ALLOW_CONNECTIONS "+strconv.FormatBool(!*c.Stopped)); err != nil {
			return err
		}
		if *c.Stopped {
			if _, err := conn.Exec(ctx, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", db); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Service) deleteInstance(ctx context.Context, in instanceByName) (endpoint.None, error) {
	none := endpoint.None{}
	i, err := s.instance(ctx, in.Name)
	if err != nil {
		return none, err
	}
	if !mayManage(ctx, i.Creator) {
		return none, endpoint.Denied("Only administrators and who made the instance may delete it.")
	}
	if i.Name == OwnInstance {
		return none, endpoint.InvalidState("The instance '" + OwnInstance + "' is the server itself and can't be deleted.")
	}
	if in.Purge != nil && !*in.Purge {
		return none, endpoint.Invalid("Deleted instances can't be kept: purge must not be false.")
	}
	made, _, err := s.Store.Databases(ctx, i.Name)
	if err != nil {
		return none, err
	}
	deleted, err := s.Store.DeleteInstance(ctx, i.Name, func() error { return s.drop(ctx, made) })
	if err == nil && !deleted {
		err = endpoint.InvalidState("The instance has catalogs or synced tables. Delete them first.")
	}
	return none, err
}

func (s *Service) drop(ctx context.Context, databases []string) error {
	if len(databases) == 0 {
		return nil
	}
	conn, err := s.admin(ctx)
	if err != nil {
		return err
	}
	defer closeConn(ctx, conn)
	for _, db := range databases {
		if _, err := conn.Exec(ctx, "DROP DATABASE IF EXISTS "+pgx.Identifier{db}.Sanitize()+" WITH (FORCE)"); err != nil {
			return err
		}
	}
	return nil
}

// mayManage tells whether the caller may change what somebody made.
func mayManage(ctx context.Context, creator string) bool {
	a := endpoint.Caller(ctx)
	return a.Admin || a.Name != "" && a.Name == creator
}
