package cli

import "github.com/tarn-data/tarn/internal/server"

// stateFlags say where Tarn's own state is.
type stateFlags struct {
	DataDir     string `default:"${data_dir}" type:"path" predictor:"dir" env:"TARN_DATA_DIR" help:"Data directory of the lakebase."`
	State       string `env:"TARN_STATE" help:"Connection string of the database of Tarn's own state, as its owner. Without it, the embedded PostgreSQL's."`
	PostgresBin string `type:"path" env:"TARN_POSTGRES_BIN" help:"Folder of PostgreSQL's server programs, for the embedded one."`
}

func (f *stateFlags) options() server.StateOptions {
	return server.StateOptions{URL: f.State, DataDir: f.DataDir, BinDir: f.PostgresBin}
}
