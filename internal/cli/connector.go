package cli

import "github.com/tarn-data/tarn/internal/server"

// connectorFlags say what the connector may do.
type connectorFlags struct {
	ConnectorDirect bool `env:"TARN_CONNECTOR_DIRECT" help:"Let applications give the connector credentials in headers (x-client-id, x-client-secret), for development."`
	ConnectorPerApp int  `default:"32" env:"TARN_CONNECTOR_PER_APP" help:"How many requests an application may have at the connector at a time."`
}

func (f *connectorFlags) options() server.ConnectorOptions {
	return server.ConnectorOptions{Direct: f.ConnectorDirect, MaxPerApp: f.ConnectorPerApp}
}
