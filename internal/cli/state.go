package cli

import (
	"github.com/tarn-data/tarn/internal/pg/embedded"
)

// stateFlags say where Tarn's own state is.
type stateFlags struct {
	DataDir string `default:"${data_dir}" type:"path" env:"TARN_DATA_DIR" help:"Data directory of the lakebase."`
	State   string `env:"TARN_STATE" help:"Connection string of the database of Tarn's own state, as its owner. Without it, the embedded PostgreSQL's, which must be served."`
}

func (f *stateFlags) url() (string, error) {
	if f.State != "" {
		return f.State, nil
	}
	address, err := embedded.Locate(f.DataDir)
	if err != nil {
		return "", withHint(err, "Start the lakebase first, tarn serve --data-dir "+f.DataDir+", or name the database with --state.")
	}
	return address.RoleURL(embedded.StoreRole, embedded.StoreDatabase), nil
}
