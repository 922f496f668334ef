package config

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/tarn-data/tarn/internal/token"
)

// rows are the settings of the Data API, in the order in which mistakes in them are reported.
func rows() []row {
	return []row{
		setting("client-error-verbosity", choices(
			func(c *DataAPI) *Verbosity { return &c.ErrorVerbosity }, []string{"verbose", "minimal"},
			"Invalid client-error-verbosity. Check your configuration."), "verbose",
			"How much of an error clients see: verbose, or minimal for its code and message only.").inDB(),
		setting("db-aggregates-enabled", booleans(func(c *DataAPI) *bool { return &c.Aggregates }), "false",
			"Whether requests may use aggregate functions.").inDB(),
		setting("db-anon-role", texts(func(c *DataAPI) *string { return &c.AnonRole }), "",
			"Role of requests without a token, or with one that names no role. Without it, they are refused.").
			inDB().like("anon"),
		setting("db-channel", texts(func(c *DataAPI) *string { return &c.Channel }), "pgrst",
			"Channel on which NOTIFY makes the schema cache or these settings be loaded anew."),
		setting("db-channel-enabled", booleans(func(c *DataAPI) *bool { return &c.ChannelEnabled }), "true",
			"Whether to listen on the channel. It takes a connection to PostgreSQL of its own."),
		setting("db-extra-search-path", emptyableLists(func(c *DataAPI) *[]string { return &c.ExtraSearchPath }), "public",
			"Schemas to add to the search_path of every request. They are not exposed.").inDB(),
		setting("db-hoisted-tx-settings", lists(func(c *DataAPI) *[]string { return &c.HoistedTxSettings }, anyList),
			"statement_timeout,plan_filter.statement_cost_limit,default_transaction_isolation",
			"Settings of a function that hold for the whole transaction which calls it.").inDB(),
		setting("db-max-rows", integers(func(c *DataAPI) *int64 { return &c.MaxRows }, 1, 0), "",
			"Most rows that a request reads. Without it, there is no limit.").
			inDB().named(nil, []string{"max-rows"}).like("1000"),
		setting("db-plan-enabled", booleans(func(c *DataAPI) *bool { return &c.PlanEnabled }), "false",
			"Whether requests may ask for their execution plan.").inDB(),
		setting("db-pool", counts(func(c *DataAPI) *int { return &c.PoolSize }), "",
			"Most connections to PostgreSQL that requests share. Without it, 4 for each of the machine's cores, but at least 10 "+
				"and at most 32.").like("10"),
		setting("db-pool-acquisition-timeout", seconds(func(c *DataAPI) *time.Duration { return &c.PoolAcquireTimeout }), "10",
			"Seconds that a request waits for a connection at most."),
		setting("db-pool-max-lifetime", seconds(func(c *DataAPI) *time.Duration { return &c.PoolMaxLifetime }), "1800",
			"Seconds after which a connection is replaced."),
		setting("db-pool-max-idletime", seconds(func(c *DataAPI) *time.Duration { return &c.PoolMaxIdleTime }), "30",
			"Seconds after which an idle connection is closed.").named([]string{"db-pool-timeout"}, nil),
		setting("pool-reserve", counts(func(c *DataAPI) *int { return &c.PoolReserve }), "",
			"How many of these connections are kept for requests that are known to be fast. Without it, a quarter; with 0, none.").
			ofTarn().like("2"),
		setting("pool-shared", counts(func(c *DataAPI) *int { return &c.PoolShared }), "",
			"How many of these connections brief reads share while there are many of them. Without it, one for each of the machine's "+
				"cores and at least 2, but at most half of the pool; with 0, none.").ofTarn().like("2"),
		setting("db-pool-automatic-recovery", booleans(func(c *DataAPI) *bool { return &c.PoolAutoRecovery }), "true",
			"Whether to try again when the database can't be reached, or else to end."),
		setting("db-pre-request", texts(func(c *DataAPI) *string { return &c.PreRequest }), "",
			"Function to call in every request's transaction before anything else.").
			inDB().named(nil, []string{"pre-request"}).like("api.check_request"),
		setting("db-prepared-statements", booleans(func(c *DataAPI) *bool { return &c.PreparedStatements }), "true",
			"Whether statements are prepared. Turn it off behind a pooler that can't have it.").inDB(),
		setting("db-root-spec", texts(func(c *DataAPI) *string { return &c.RootSpec }), "",
			"Function that answers requests for the root, in place of the OpenAPI document.").
			inDB().named(nil, []string{"root-spec"}).like("api.root"),
		setting("db-schemas", lists(func(c *DataAPI) *[]string { return &c.Schemas }, checkSchemas), "public",
			"Schemas to expose. The first one is the default.").inDB().named(nil, []string{"db-schema"}),
		setting("db-config", booleans(func(c *DataAPI) *bool { return &c.DBConfig }), "true",
			"Whether settings in the database are heard."),
		setting("db-pre-config", texts(func(c *DataAPI) *string { return &c.PreConfig }), "",
			"Function to call before settings in the database are read, which may set them.").inDB().like("api.pre_config"),
		setting("db-tx-end", txEnds(), "commit",
			"How transactions end: commit or rollback; with -allow-override if requests may choose by Prefer: tx.").inDB(),
		setting("db-uri", texts(func(c *DataAPI) *string { return &c.DBURI }), "postgresql://",
			"Address of the database, as libpq has it, or @ and the name of a file that holds it.").withSecret(),
		setting("jwt-aud", checked(func(c *DataAPI) *string { return &c.JWTAudience }, checkAudience), "",
			"Audience that tokens have to be for. Without it, any will do.").inDB().like("your_audience"),
		setting("jwt-role-claim-key", roleClaims(), "$.role",
			"JSON path of the role in the claims of a token.").inDB().named(nil, []string{"role-claim-key"}),
		setting("jwt-secret", secrets(), "",
			"Secret of at least 32 characters, JSON Web Key, or set of them, that verifies tokens; or @ and the name of a "+
				"file that holds it. Without it, tokens are refused.").
			inDB().withSecret().like("a secret that has at least 32 characters"),
		setting("jwt-secret-is-base64", booleans(func(c *DataAPI) *bool { return &c.JWTSecretIsBase64 }), "false",
			"Whether the secret is in base64.").inDB().named(nil, []string{"secret-is-base64"}),
		setting("jwt-cache-max-entries", counts(func(c *DataAPI) *int { return &c.JWTCacheMaxEntries }), "1000",
			"Most verified tokens to remember. With 0, tokens are verified each time.").inDB(),
		setting("log-level", choices(
			func(c *DataAPI) *LogLevel { return &c.LogLevel }, []string{"crit", "error", "warn", "info", "debug"},
			"Invalid logging level. Check your configuration."), "error",
			"Least level that is logged: crit, error, warn, info or debug."),
		setting("log-query", booleans(func(c *DataAPI) *bool { return &c.LogQuery }), "false",
			"Whether to log the SQL of requests that are logged."),
		setting("max-body", megabytes(func(c *DataAPI) *int64 { return &c.MaxBody }), "64",
			"Most megabytes of a request's body that has to be held as a whole, or of one row.").ofTarn(),
		setting("max-upload", megabytes(func(c *DataAPI) *int64 { return &c.MaxUpload }), "",
			"Most megabytes of rows to insert in one request. Without it, there is no limit.").ofTarn().like("1024"),
		setting("openapi-mode", choices(
			func(c *DataAPI) *OpenAPIMode { return &c.OpenAPIMode },
			[]string{"follow-privileges", "ignore-privileges", "disabled"},
			"Invalid openapi-mode. Check your configuration."), "follow-privileges",
			"What the OpenAPI document shows: what the role may use (follow-privileges), all (ignore-privileges), or disabled.").
			inDB(),
		setting("openapi-security-active", booleans(func(c *DataAPI) *bool { return &c.OpenAPISecurity }), "false",
			"Whether the OpenAPI document says that requests need a token.").inDB(),
		setting("openapi-server-proxy-uri", checked(func(c *DataAPI) *string { return &c.OpenAPIProxyURI }, checkProxy), "",
			"Address of the API in the OpenAPI document, if clients reach it by another one.").
			inDB().like("https://example.com:8443/basePath"),
		setting("replicas", replicas(), "",
			"Connection strings of standby servers to read from, as URLs with space between them, or @ and the name of a file that "+
				"holds them.").ofTarn().withSecret().like("postgresql://authenticator@replica1/app postgresql://authenticator@replica2/app"),
		setting("replica-max-lag", seconds(func(c *DataAPI) *time.Duration { return &c.ReplicaMaxLag }), "10",
			"Seconds that a replica may be behind and still be read from.").ofTarn(),
		setting("server-cors-allowed-origins", lists(func(c *DataAPI) *[]string { return &c.CORSAllowedOrigins }, anyList), "",
			"Origins that may use the API from a browser. Without it, all may.").inDB().like("https://example.com"),
		setting("server-host", texts(func(c *DataAPI) *string { return &c.ServerHost }), "!4",
			"Address to listen on; * for all, *4 and *6 if one family is preferred, !4 and !6 for one only."),
		setting("server-port", counts(func(c *DataAPI) *int { return &c.ServerPort }), "3000",
			"Port to listen on; 0 for a free one."),
		setting("server-reuseport", booleans(func(c *DataAPI) *bool { return &c.ServerReusePort }), "false",
			"Whether several processes may listen on the port."),
		setting("server-trace-header", texts(func(c *DataAPI) *string { return &c.TraceHeader }), "",
			"Header of requests that answers repeat.").inDB().like("X-Request-Id"),
		setting("server-timing-enabled", booleans(func(c *DataAPI) *bool { return &c.ServerTiming }), "false",
			"Whether answers tell in Server-Timing what took how long.").inDB(),
		setting("server-unix-socket", texts(func(c *DataAPI) *string { return &c.UnixSocket }), "",
			"Unix socket to listen on, in place of the port.").like("/run/tarn/api.sock"),
		setting("server-unix-socket-mode", fileModes("server-unix-socket-mode",
			func(c *DataAPI) *fs.FileMode { return &c.UnixSocketMode }), "660",
			"File mode of the socket, between 600 and 777."),
		setting("url-use-legacy-target-names", booleans(func(c *DataAPI) *bool { return &c.LegacyTargetNames }), "true",
			"Whether filters may use the name of an embedded relation that has an alias.").inDB(),
		setting("admin-server-host", texts(func(c *DataAPI) *string { return &c.AdminHost }), "!4",
			"Address that the admin server listens on. Without it, that of server-host.").named(nil, []string{"server-host"}),
		setting("admin-server-port", integers(func(c *DataAPI) *int { return &c.AdminPort }, 1, 0), "",
			"Port that the admin server listens on. Without it, there is none.").like("3001"),
		setting("admin-server-unix-socket", texts(func(c *DataAPI) *string { return &c.AdminUnixSocket }), "",
			"Unix socket that the admin server listens on, in place of the port.").like("/run/tarn/admin.sock"),
		setting("admin-server-unix-socket-mode", fileModes("admin-server-unix-socket-mode",
			func(c *DataAPI) *fs.FileMode { return &c.AdminUnixSocketMode }), "660",
			"File mode of the admin server's socket, between 600 and 777."),
	}
}

func checkSchemas(schemas []string) error {
	for _, refused := range [...]string{"pg_catalog", "information_schema"} {
		if slices.Contains(schemas, refused) {
			return fmt.Errorf("db-schemas does not allow schema: '%s'", refused)
		}
	}
	return nil
}

func checkAudience(s string) error {
	if _, ok := parseURI(s); strings.Contains(s, ":") && !ok {
		return errors.New("jwt-aud should be a string or a valid URI")
	}
	return nil
}

func checkProxy(s string) error {
	if u, ok := parseURI(s); !ok || !u.proxy() {
		return errors.New("Malformed proxy uri, a correct example: https://example.com:8443/basePath") //nolint:staticcheck // as PostgREST says it
	}
	return nil
}

func txEnds() kind {
	ends := []string{"commit", "commit-allow-override", "rollback", "rollback-allow-override"}
	return kind{
		typ: "string",
		take: func(c *DataAPI, v value) (bool, error) {
			s := v.asText()
			if s == "" {
				return false, nil
			}
			i := slices.Index(ends, s)
			if i < 0 {
				return false, errors.New("Invalid transaction termination. Check your configuration.") //nolint:staticcheck // likewise
			}
			c.TxRollbackAll, c.TxAllowOverride = i >= 2, i%2 == 1
			return true, nil
		},
		dump: func(c *DataAPI) string {
			i := 0
			if c.TxRollbackAll {
				i += 2
			}
			if c.TxAllowOverride {
				i++
			}
			return quote(ends[i])
		},
	}
}

func roleClaims() kind {
	at := func(c *DataAPI) *string { return &c.JWTRoleClaimKey }
	k := checked(at, func(s string) error {
		_, err := token.ParseRoleClaim(s)
		return err
	})
	k.dump = func(c *DataAPI) string {
		path, err := token.ParseRoleClaim(c.JWTRoleClaimKey)
		if err != nil { // not for what was loaded
			return quote(c.JWTRoleClaimKey)
		}
		return quote(path.String())
	}
	return k
}

// replicas are taken as they are written; readFiles reads and checks them.
func replicas() kind {
	return kind{
		typ: "string",
		take: func(c *DataAPI, v value) (bool, error) {
			c.Replicas = strings.Fields(v.asText())
			return len(c.Replicas) > 0, nil
		},
		dump: func(c *DataAPI) string { return quote(strings.Join(c.Replicas, " ")) },
	}
}

func checkReplicas(urls []string) error {
	for _, u := range urls {
		if !strings.HasPrefix(u, "postgresql://") && !strings.HasPrefix(u, "postgres://") {
			return errors.New("replicas must be postgresql:// URLs with space between them")
		}
	}
	return nil
}

// secrets are taken as they are written; readFiles decodes them.
func secrets() kind {
	return kind{
		typ: "string",
		take: func(c *DataAPI, v value) (bool, error) {
			s := v.asText()
			if s == "" {
				return false, nil
			}
			c.JWTSecret = []byte(s)
			return true, nil
		},
		dump: func(c *DataAPI) string {
			if c.JWTSecretIsBase64 {
				return quote(base64.StdEncoding.EncodeToString(c.JWTSecret))
			}
			return quote(string(c.JWTSecret))
		},
	}
}
