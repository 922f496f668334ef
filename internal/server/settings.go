package server

import (
	"errors"
	"fmt"
	"net/url"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/tarn-data/tarn/internal/config"
)

// LakebaseReplicas are the standby servers of a PostgreSQL that Tarn doesn't run, which have all of its databases.
type LakebaseReplicas struct {
	URLs   []string // connection strings as the role authenticator, with any database
	MaxLag int      // seconds that one may be behind and still be read from
}

func (r LakebaseReplicas) check() error {
	for i, u := range r.URLs {
		if _, err := withDatabase(u, anyDatabase); err != nil {
			return fmt.Errorf("replica %d: %w", i+1, err)
		}
	}
	return nil
}

// settings are those of a database's Data API. What the database doesn't say is as PostgREST has it. Whose tokens are good
// it can't say: whoever calls has one of this lakebase. (And a secret may name a file to read, which is not for a
// database's owner to do.)
func (r LakebaseReplicas) settings(conn string, inDatabase []config.Setting) (*config.DataAPI, error) {
	heard := slices.DeleteFunc(slices.Clone(inDatabase), func(s config.Setting) bool {
		return s.Name == "pgrst.db_anon_role" || strings.HasPrefix(s.Name, "pgrst.jwt_")
	})
	environ := []string{"PGRST_DB_URI=" + conn, "PGRST_DB_PRE_CONFIG=" + preConfig}
	if len(r.URLs) > 0 {
		database, err := databaseOf(conn)
		if err != nil {
			return nil, err
		}
		urls := make([]string, len(r.URLs))
		for i, u := range r.URLs {
			if urls[i], err = withDatabase(u, database); err != nil {
				return nil, err
			}
		}
		environ = append(environ, "TARN_REPLICAS="+strings.Join(urls, " "), "TARN_REPLICA_MAX_LAG="+strconv.Itoa(r.MaxLag))
	}
	return config.LoadDataAPI(config.Source{Environ: environ, InDatabase: heard, Cores: runtime.GOMAXPROCS(0)})
}

// databaseOf is the database that a connection string names.
func databaseOf(connString string) (string, error) {
	u, err := parsePostgresURL(connString)
	if err != nil {
		return "", err
	}
	return strings.TrimPrefix(u.Path, "/"), nil
}

// withDatabase returns a connection string for another database of the same server.
func withDatabase(connString, database string) (string, error) {
	u, err := parsePostgresURL(connString)
	if err != nil {
		return "", err
	}
	u.Path, u.RawPath = "/"+database, ""
	return u.String(), nil
}

func parsePostgresURL(connString string) (*url.URL, error) {
	u, err := url.Parse(connString)
	if err != nil || (u.Scheme != "postgres" && u.Scheme != "postgresql") {
		return nil, errors.New("the connection string must be a postgresql:// URL") // the cause may tell a password
	}
	return u, nil
}
