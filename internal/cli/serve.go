package cli

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/tarn-data/tarn/internal/server"
	"github.com/tarn-data/tarn/internal/token"
)

// defaultDataDir is where a lakebase keeps what must outlive it. Root's home is often closed to other users, and so to
// the one that PostgreSQL runs as.
func defaultDataDir() string {
	if os.Geteuid() == 0 {
		return "/var/lib/tarn"
	}
	return ".tarn"
}

type serveCommand struct {
	DataDir     string   `default:"${data_dir}" type:"path" env:"TARN_DATA_DIR" help:"Directory of the databases and keys. It is made if it isn't there."`
	Listen      string   `default:"127.0.0.1:8080" env:"TARN_LISTEN" help:"Address of the API."`
	AdminListen string   `default:"127.0.0.1:8081" env:"TARN_ADMIN_LISTEN" help:"Address of /live, /ready and /metrics."`
	Postgres    string   `env:"TARN_POSTGRES" help:"Connection string of a PostgreSQL 14 to 18 to use in place of the embedded one, as the role authenticator. See tarn init."`
	State       string   `env:"TARN_STATE" help:"Connection string of a database for Tarn's own state, as its owner. The embedded PostgreSQL has one."`
	Replicas    string   `env:"TARN_REPLICAS" placeholder:"URLS" help:"Connection strings of standby servers of that PostgreSQL to read from, with space between them."`
	PostgresBin string   `type:"path" env:"TARN_POSTGRES_BIN" help:"Folder of PostgreSQL's server programs, for the embedded one."`
	AdminUser   string   `default:"admin" env:"TARN_ADMIN_USER" help:"Name of the first administrator, who is made when there is nobody yet."`
	Roles       string   `name:"roles-postgres" env:"TARN_ROLES_POSTGRES" help:"Connection string of a role that may create roles: it makes the role that a new user or service principal has in the Data API. The embedded PostgreSQL's owner does if nobody else is named."`
	Sample      bool     `help:"Make the sample schema, its user, and a token for them."`
	Signing     string   `name:"signing-algorithm" default:"ES256" enum:"ES256,RS256" env:"TARN_SIGNING_ALGORITHM" help:"What tokens are signed with: ES256, or RS256 for clients that know no other."`
	Issuer      []string `env:"TARN_ISSUERS" placeholder:"ISSUER=JWKS-URL" help:"Trust tokens of an issuer, whose keys are at an address. ISSUER=JWKS-URL#AUDIENCE trusts only those that are for the audience. Only these addresses are asked."`

	IssuerHost []string `default:"*" env:"TARN_ISSUER_HOSTS" placeholder:"HOST" help:"Hosts that may be asked for the keys of issuers which federation policies trust, and for what a login provider refers to: as for --outbound, or * for all on the Internet. Those of --issuer and --login-issuer may be in any case."`

	loginFlags
	gatewayFlags
	vaultFlags
	instanceFlags
	connectorFlags

	ReplicaMaxLag  int           `default:"10" env:"TARN_REPLICA_MAX_LAG" placeholder:"SECONDS" help:"How far a standby server may be behind and still be read from."`
	AuditRetention time.Duration `default:"8760h" env:"TARN_AUDIT_RETENTION" help:"How long the audit log is kept; 0 for ever."`
	AuditDataAPI   string        `name:"audit-data-api" default:"writes" enum:"all,writes,off" env:"TARN_AUDIT_DATA_API" help:"Which requests of the Data API the audit log has: ${enum}. What is refused for who asks goes with writes."`

	LogLevel string `default:"info" enum:"debug,info,warn,error" env:"TARN_LOG_LEVEL" help:"Least level that is logged: ${enum}."`
}

// Run serves a lakebase.
func (c *serveCommand) Run(e *env) error {
	issuers, err := parseIssuers(c.Issuer)
	if err != nil {
		return err
	}
	if c.Sample && c.Postgres != "" {
		return errors.New("--sample is for the embedded PostgreSQL: as authenticator, no schema can be made")
	}
	instances, err := c.instanceFlags.options()
	if err != nil {
		return err
	}
	gates, err := c.gatewayFlags.options()
	if err != nil {
		return err
	}
	if c.Replicas != "" && c.Postgres == "" {
		return errors.New("--replicas is for a PostgreSQL of your own: the embedded one has no standby servers")
	}
	login, err := c.loginFlags.options()
	if err != nil {
		return err
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.LogLevel)); err != nil {
		return err
	}
	return server.Serve(e.ctx, server.ServeOptions{
		Version: buildVersion(), DataDir: c.DataDir, Listen: c.Listen, AdminListen: c.AdminListen,
		PostgresURL: c.Postgres, Replicas: server.LakebaseReplicas{URLs: strings.Fields(c.Replicas), MaxLag: c.ReplicaMaxLag},
		StateURL: c.State, AdminUser: c.AdminUser, RolesURL: c.Roles, BinDir: c.PostgresBin, Sample: c.Sample, Issuers: issuers,
		VaultKeys: c.VaultKey, AuditRetention: c.AuditRetention, AuditDataAPI: server.DataAPIAudit(c.AuditDataAPI), Gateway: gates, Instances: instances, Connector: c.connectorFlags.options(),
		SigningAlgorithm: c.Signing, URL: c.loginFlags.URL, Login: login,
		Out: e.stdout, Log: e.logger(level),
		Outbound: c.Outbound, IssuerHosts: c.IssuerHost, OutboundCA: c.OutboundCA, Credentials: c.credentials(),
	})
}

func parseIssuers(args []string) ([]token.IssuerConfig, error) {
	out := make([]token.IssuerConfig, 0, len(args))
	for _, a := range args {
		issuer, url, ok := strings.Cut(a, "=")
		if !ok || issuer == "" || url == "" {
			return nil, fmt.Errorf("--issuer %q is not of the form ISSUER=JWKS-URL or ISSUER=JWKS-URL#AUDIENCE", a)
		}
		url, audience, given := strings.Cut(url, "#")
		if given && audience == "" {
			return nil, fmt.Errorf("--issuer %q names no audience after #", a)
		}
		out = append(out, token.IssuerConfig{Issuer: issuer, JWKSURL: url, Audience: audience})
	}
	return out, nil
}
