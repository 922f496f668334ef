// Package config provides the settings of Tarn, read from files, the environment and the database's own settings, and
// renders them. It alone reads the environment. It checks settings, but knows nothing of what they do.
package config

import (
	"io/fs"
	"math"
	"time"
)

// DataAPI holds the settings of one Data API, with PostgREST's names and meanings.
type DataAPI struct {
	AppSettings         []Setting // app.settings.*, by name
	ErrorVerbosity      Verbosity
	Aggregates          bool
	AnonRole            string // empty for none
	Channel             string
	ChannelEnabled      bool
	ExtraSearchPath     []string
	HoistedTxSettings   []string
	MaxRows             int64 // 0 for no limit
	PlanEnabled         bool
	PoolSize            int
	PoolReserve         int // connections that are kept for fast requests
	PoolShared          int // connections that brief reads may share
	PoolAcquireTimeout  time.Duration
	PoolMaxLifetime     time.Duration
	PoolMaxIdleTime     time.Duration
	PoolAutoRecovery    bool
	Replicas            []string // connection strings
	ReplicaMaxLag       time.Duration
	PreRequest          string // schema.name or name; empty for none
	PreparedStatements  bool
	RootSpec            string // likewise
	Schemas             []string
	DBConfig            bool
	PreConfig           string // likewise
	TxAllowOverride     bool
	TxRollbackAll       bool
	DBURI               string
	JWTAudience         string // empty for any
	JWTRoleClaimKey     string // as written; token.ParseRoleClaim reads it
	JWTSecret           []byte // decoded and read from its file; nil for none
	JWTSecretIsBase64   bool
	JWTCacheMaxEntries  int
	LogLevel            LogLevel
	LogQuery            bool
	OpenAPIMode         OpenAPIMode
	OpenAPISecurity     bool
	OpenAPIProxyURI     string
	CORSAllowedOrigins  []string
	MaxBody             int64 // bytes of what is held of a request's body at most
	MaxUpload           int64 // bytes of rows to insert in one request at most; 0 for any number
	ServerHost          string
	ServerPort          int
	ServerReusePort     bool
	TraceHeader         string
	ServerTiming        bool
	UnixSocket          string
	UnixSocketMode      fs.FileMode
	LegacyTargetNames   bool
	AdminHost           string
	AdminPort           int // 0 for none
	AdminUnixSocket     string
	AdminUnixSocketMode fs.FileMode
}

// LongestBody is how many bytes the body of any request has at most.
func (c *DataAPI) LongestBody() int64 {
	if c.MaxUpload == 0 {
		return math.MaxInt64
	}
	return max(c.MaxBody, c.MaxUpload)
}

// Setting is a name and a value.
type Setting struct{ Name, Value string }

// Verbosity says how much of an error a client sees.
type Verbosity uint8

// The verbosities.
const (
	Verbose Verbosity = iota
	Minimal
)

// LogLevel is the least level that is logged.
type LogLevel uint8

// The log levels.
const (
	LogCrit LogLevel = iota
	LogError
	LogWarn
	LogInfo
	LogDebug
)

// Logs tells whether a request that is answered with a status is logged.
func (l LogLevel) Logs(status int) bool {
	switch l {
	case LogCrit:
		return false
	case LogError:
		return status >= 500
	case LogWarn:
		return status >= 400
	case LogInfo, LogDebug:
	}
	return true
}

// OpenAPIMode says what the root answers with.
type OpenAPIMode uint8

// The modes of the root document.
const (
	FollowPrivileges OpenAPIMode = iota
	IgnorePrivileges
	OpenAPIDisabled
)
