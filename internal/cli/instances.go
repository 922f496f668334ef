package cli

import (
	"fmt"
	"strings"

	"github.com/tarn-data/tarn/internal/server"
)

// instanceFlags say where database instances and their synced tables are.
type instanceFlags struct {
	Databases  string   `env:"TARN_DATABASES" help:"Connection string of a role that makes databases on that PostgreSQL and owns them, for database instances and synced tables. The embedded PostgreSQL has one."`
	Source     []string `env:"TARN_SOURCES" placeholder:"CATALOG=URL" help:"Tables to sync from elsewhere: a database (postgresql://…), or a folder of .csv and .parquet files in folders that are its schemas (file:///…)."`
	PublicHost string   `env:"TARN_PUBLIC_HOST" placeholder:"HOST[:PORT]" help:"Where clients reach the Data API, if that isn't the host that they ask."`
}

func (f *instanceFlags) options() (server.InstanceOptions, error) {
	opt := server.InstanceOptions{URL: f.Databases, PublicHost: f.PublicHost}
	for i, text := range f.Source {
		name, url, ok := strings.Cut(text, "=")
		if !ok || name == "" || strings.ContainsAny(name, "./ ") || url == "" {
			return opt, fmt.Errorf("--source number %d is not of the form CATALOG=URL", i+1) // it may hold a password
		}
		opt.Sources = append(opt.Sources, server.Source{Name: name, URL: url})
	}
	return opt, nil
}
