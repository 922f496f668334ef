package server

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/tarn-data/tarn/internal/accesslog"
	"github.com/tarn-data/tarn/internal/auth"
	"github.com/tarn-data/tarn/internal/gateway"
	"github.com/tarn-data/tarn/internal/pg"
	"github.com/tarn-data/tarn/internal/pg/embedded"
	"github.com/tarn-data/tarn/internal/token"
)

const (
	appName       = "tarn"
	authenticator = "authenticator" // the role that the Data API logs in as
)

// What the sample is, so that the first steps can name it.
const (
	SampleDatabase = "databricks_postgres"
	SampleUser     = "user@databricks.com"
	sampleLifetime = 24 * time.Hour
	tokenCache     = 10_000
)

//go:embed sample.sql
var sampleSQL string

// ServeOptions say what a lakebase serves.
type ServeOptions struct {
	Version     string
	DataDir     string
	Listen      string
	AdminListen string
	URL         string // by which clients know the server; empty for the one that they use
	PostgresURL string // as the role authenticator, with any database; empty for the embedded PostgreSQL
	Replicas    LakebaseReplicas
	StateURL    string // of the database for Tarn's own state, as its owner; empty for the embedded PostgreSQL's
	AdminUser   string // name of the first administrator
	RolesURL    string // of who makes the roles of principals; empty for the embedded PostgreSQL's owner, or nobody
	BinDir      string // of PostgreSQL's server programs; empty to look for them
	Sample      bool
	// SigningAlgorithm is what tokens are signed with; empty for that of the newest key.
	SigningAlgorithm string
	Issuers          []token.IssuerConfig
	Login            LoginOptions
	VaultKeys        []string // where the vault's root keys are
	Outbound         []string // hosts that may be asked in the name of callers
	Credentials      CredentialOptions
	IssuerHosts      []string // hosts that may be asked for the keys of issuers
	OutboundCA       string   // file of certificates that these hosts' are signed with, besides the system's
	Gateway          GatewayOptions
	Instances        InstanceOptions
	Connector        ConnectorOptions

	AuditRetention time.Duration // how long the audit log is kept; 0 for ever
	AuditDataAPI   DataAPIAudit

	Out io.Writer // for people, and of the access log
	Log *slog.Logger

	tokenStats *token.Stats
}

// KeyDir is where the keys that sign tokens are.
func KeyDir(dataDir string) string { return filepath.Join(dataDir, "keys") }

// Serve serves the lakebase until the context ends.
func Serve(ctx context.Context, opt ServeOptions) error {
	noCoreDump()
	if err := os.MkdirAll(opt.DataDir, 0o711); err != nil { //nolint:gosec // PostgreSQL's own user must pass
		return fmt.Errorf("data directory: %w", err)
	}
	if err := opt.Replicas.check(); err != nil {
		return err
	}
	opt.tokenStats = &token.Stats{}
	dbs := &Databases{
		Settings: opt.Replicas.settings, Version: opt.Version, Log: opt.Log,
	}
	if opt.PostgresURL != "" {
		dbs.URL = func(database string) (string, error) { return withDatabase(opt.PostgresURL, database) }
		opt.Instances.server = databaseServerOf(opt.Instances)
	} else {
		own, err := startEmbedded(ctx, opt)
		if err != nil {
			return err
		}
		defer own.stop()
		dbs.URL, dbs.Prepare = own.authenticatorURL, own.prepare
		opt.Instances.server = own.databases()
		if opt.StateURL == "" {
			opt.StateURL = own.RoleURL(embedded.StoreRole, embedded.StoreDatabase)
		}
		if opt.RolesURL == "" {
			opt.RolesURL = own.OwnerURL(embedded.UserDatabase)
		}
		var end context.CancelCauseFunc
		ctx, end = context.WithCancelCause(ctx)
		defer end(nil)
		go own.watch(ctx, end)
	}
	defer dbs.Close()
	if err := serveLakebase(ctx, opt, dbs); err != nil {
		return err
	}
	if down, ok := errors.AsType[*postgresDownError](context.Cause(ctx)); ok {
		return down
	}
	return nil
}

// postgresDownError says that PostgreSQL ended and could not be started again.
type postgresDownError struct{ cause error }

func (e *postgresDownError) Error() string { return "PostgreSQL does not run: " + e.cause.Error() }

// Unwrap returns the cause.
func (e *postgresDownError) Unwrap() error { return e.cause }

// newAuthenticator makes what tells who calls, and the keys that sign: those of the platform, or without one, those in the
// data directory.
func newAuthenticator(ctx context.Context, opt ServeOptions, p *platform) (auth.Authenticator, *token.Keyring, error) {
	if p != nil {
		return p.creds.auth, p.creds.keys, nil
	}
	keys, err := fileKeyring(ctx, opt, time.Now)
	if err != nil {
		return nil, nil, err
	}
	issuers, err := openIssuers(opt)
	if err != nil {
		return nil, nil, err
	}
	sources, err := withIssuers(keys, opt.Issuers, issuers)
	if err != nil {
		return nil, nil, err
	}
	a, err := auth.NewLakebase(auth.LakebaseOptions{Keys: sources, CacheMaxEntries: tokenCache, Now: time.Now, Stats: opt.tokenStats})
	return a, keys, err
}

func serveLakebase(ctx context.Context, opt ServeOptions, dbs *Databases) error {
	encrypted, err := opt.Gateway.TLS.config(opt.DataDir, opt.Log)
	if err != nil {
		return err
	}
	var lc net.ListenConfig
	api, err := lc.Listen(ctx, "tcp", opt.Listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	adminListener, err := lc.Listen(ctx, "tcp", opt.AdminListen)
	if err != nil {
		_ = api.Close()
		return fmt.Errorf("listen for admin: %w", err)
	}
	mux := http.NewServeMux()
	stopTracing, err := opt.Gateway.openTracer(ctx, opt.Version, opt.Log)
	if err != nil {
		return err
	}
	defer stopTracing()
	gates, platform, err := openGuarded(ctx, opt)
	if err != nil {
		return err
	}
	data := gates.front(http.HandlerFunc(dbs.lakebase))
	if platform != nil {
		defer platform.close()
		mux.Handle("/", gateway.Paced(platform)) // the Data API has a pace of its own
		data = audited(data, platform.audit, opt.AuditDataAPI)
	}
	authenticator, keys, err := newAuthenticator(ctx, opt, platform)
	if err != nil {
		return err
	}
	origin := "http://" + api.Addr().String()
	if encrypted != nil {
		origin = "https://" + api.Addr().String()
	}
	if err := greet(opt, keys, origin, adminListener.Addr().String()); err != nil {
		return err
	}
	dbs.Auth = gates.limited(authenticator)
	mux.Handle(lakebasePath, data)
	access := accesslog.New(opt.Out)
	defer access.Close()
	door := &door{ctx: ctx}
	door.open(api)
	servers := newServers(opt.Log)
	servers.delay = opt.Gateway.DrainDelay
	defer servers.stop()
	defer reloadOnSignal(dbs.Each)()
	servers.start("admin", named(recovered(&admin{
		live:    door.isOpen,
		ready:   dbs.reachable,
		metrics: metricsHandler(newDataAPICollector(dbs.Each, opt.tokenStats, true), newGuardsCollector(gates), gates.watch.requests, gates.watch.duration),
	}, opt.Log), opt.Version), adminListener)
	chain := access.Handler(recovered(mux, opt.Log), logsAt(opt.Log))
	chain = named(compressed(opt.Gateway.Proxies.Handler(chain)), opt.Version)
	servers.startTLS("API", chain, api, encrypted, opt.Gateway.TLS.Plain2)
	releaseStartPages()
	return servers.wait(ctx)
}

// logsAt tells of which statuses requests are logged, at the level that a log has.
func logsAt(log *slog.Logger) func(status int) bool {
	return func(status int) bool {
		level := slog.LevelInfo
		switch {
		case status >= http.StatusInternalServerError:
			level = slog.LevelError
		case status >= http.StatusBadRequest:
			level = slog.LevelWarn
		}
		return log.Enabled(context.Background(), level)
	}
}

// greet says where everything is and what to try first.
func greet(opt ServeOptions, keys *token.Keyring, origin, admin string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "Tarn %s is serving.\n\n  Data API  %s%s{workspace_id}/rest/{database}/{schema}/{relation}\n  admin     http://%s/ready  /live  /metrics\n",
		opt.Version, origin, lakebasePath, admin)
	if opt.Sample {
		tok, err := keys.Mint(token.Claims{Subject: SampleUser, Lifetime: sampleLifetime})
		if err != nil {
			return err
		}
		fmt.Fprintf(&b, "\nThe sample is in database %s. A token for %s, for a day:\n\n"+
			"  export DBX_OAUTH_TOKEN=%s\n  export REST_ENDPOINT=%s%s1/rest/%s/public\n\n"+
			"Try:\n\n  curl -H \"Authorization: Bearer $DBX_OAUTH_TOKEN\" \"$REST_ENDPOINT/clients?select=id,name,projects(id,name)&id=gte.2\"\n",
			SampleDatabase, SampleUser, tok, origin, lakebasePath, SampleDatabase)
	}
	_, err := io.WriteString(opt.Out, b.String())
	return err
}

// embeddedServer is the lakebase's own PostgreSQL.
type embeddedServer struct {
	*embedded.Server
	log *slog.Logger
}

func startEmbedded(ctx context.Context, opt ServeOptions) (*embeddedServer, error) {
	s, err := embedded.Start(ctx, embedded.Options{
		DataDir: opt.DataDir, BinDir: opt.BinDir, Logins: []string{authenticator}, Log: opt.Log,
	})
	if err != nil {
		return nil, err
	}
	own := &embeddedServer{Server: s, log: opt.Log}
	if opt.Sample {
		if err := own.loadSample(ctx); err != nil {
			own.stop()
			return nil, err
		}
	}
	return own, nil
}

// watch ends the lakebase when its PostgreSQL is gone for good.
func (s *embeddedServer) watch(ctx context.Context, end context.CancelCauseFunc) {
	select {
	case <-ctx.Done():
	case <-s.Done():
		if err := s.Err(); err != nil {
			end(&postgresDownError{err})
		}
	}
}

func (s *embeddedServer) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), drainTimeout)
	defer cancel()
	if err := s.Stop(ctx); err != nil {
		s.log.Error("PostgreSQL did not stop", "error", err)
	}
}

// loadSample makes the sample, unless there is a Data API in the database already.
func (s *embeddedServer) loadSample(ctx context.Context) error {
	conn, err := pg.Connect(ctx, s.OwnerURL(SampleDatabase), appName)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	var there bool
	if err := conn.QueryRow(ctx, "SELECT to_regnamespace('pgrst') IS NOT NULL").Scan(&there); err != nil || there {
		return err
	}
	// Several statements in one message are one transaction.
	if _, err := conn.PgConn().Exec(ctx, sampleSQL).ReadAll(); err != nil {
		return fmt.Errorf("sample: %w", err)
	}
	return nil
}

func (s *embeddedServer) authenticatorURL(database string) (string, error) {
	return s.RoleURL(authenticator, database), nil
}

// prepare has an enabled database notify of changes to its schema.
func (s *embeddedServer) prepare(ctx context.Context, database string) error {
	conn, err := pg.Connect(ctx, s.URL(database), appName)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	var enabled bool
	const query = "SELECT to_regrole('authenticator') IS NOT NULL AND to_regprocedure('pgrst.pre_config()') IS NOT NULL"
	if err := conn.QueryRow(ctx, query).Scan(&enabled); err != nil {
		return err
	}
	if !enabled {
		return notEnabled(database)
	}
	return pg.WatchDDL(ctx, conn)
}
