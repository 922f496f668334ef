package cli

import (
	"fmt"
	"time"

	"github.com/tarn-data/tarn/internal/gateway"
	"github.com/tarn-data/tarn/internal/ratelimit"
	"github.com/tarn-data/tarn/internal/server"
)

// gatewayFlags say who is let in, and how often.
type gatewayFlags struct {
	RateLimit        float64  `default:"30" env:"TARN_RATE_LIMIT" placeholder:"N" help:"Calls a second of each endpoint of the platform API for each principal; 0 for no limit."`
	RateBurst        float64  `env:"TARN_RATE_BURST" placeholder:"N" help:"How many of them may come at once; as many as a second may have, if it isn't said."`
	DataAPIRateLimit float64  `env:"TARN_DATA_API_RATE_LIMIT" name:"data-api-rate-limit" placeholder:"N" help:"Requests a second of the Data API for each principal; no limit, if it isn't said."`
	DataAPIRateBurst float64  `env:"TARN_DATA_API_RATE_BURST" name:"data-api-rate-burst" placeholder:"N" help:"How many of them may come at once."`
	Redis            string   `env:"TARN_REDIS" placeholder:"URL" help:"Redis in which several processes share rate limits, as redis://user:password@host:6379/0. Without it, they share them in the state."`
	TrustedProxy     []string `env:"TARN_TRUSTED_PROXIES" placeholder:"NETWORK" help:"Addresses or networks of proxies that are believed who they were asked by."`
	ForwardedHeader  string   `default:"x-forwarded" enum:"x-forwarded,forwarded" env:"TARN_FORWARDED_HEADER" help:"In which headers trusted proxies say so: ${enum}."`

	TLSCert       string        `type:"path" env:"TARN_TLS_CERT" placeholder:"FILE" help:"Certificate of the API and those it is signed by, PEM. The file is read anew when it changes."`
	TLSKey        string        `type:"path" env:"TARN_TLS_KEY" placeholder:"FILE" help:"Key of the certificate, PEM."`
	ACMEDomain    []string      `name:"acme-domain" env:"TARN_ACME_DOMAINS" placeholder:"NAME" help:"Name of this server to ask a certificate for by ACME, in place of files. The authority must reach --listen as port 443 of it. To name one is to agree to the authority's terms."`
	ACMEEmail     string        `name:"acme-email" env:"TARN_ACME_EMAIL" help:"Where the authority may write to."`
	ACMEDirectory string        `name:"acme-directory" env:"TARN_ACME_DIRECTORY" placeholder:"URL" help:"The authority's directory; Let's Encrypt's, if it isn't said."`
	H2C           bool          `name:"h2c" env:"TARN_H2C" help:"Serve HTTP/2 without encryption, too, for proxies that speak it."`
	DrainDelay    time.Duration `default:"0s" env:"TARN_DRAIN_DELAY" help:"How long requests are still let in after the signal to end, while /ready says no, so that balancers hear of it."`
	OTLPEndpoint  string        `name:"otlp-endpoint" env:"OTEL_EXPORTER_OTLP_ENDPOINT" placeholder:"URL" help:"Collector that traces are sent to by OTLP over HTTP, as http://127.0.0.1:4318. Without it, there are none."`
}

func (f *gatewayFlags) options() (server.GatewayOptions, error) {
	opt := server.GatewayOptions{RedisURL: f.Redis, DrainDelay: f.DrainDelay, OTLP: f.OTLPEndpoint, TLS: server.TLSOptions{
		CertFile: f.TLSCert, KeyFile: f.TLSKey, Domains: f.ACMEDomain, Email: f.ACMEEmail, Directory: f.ACMEDirectory, Plain2: f.H2C,
	}}
	var err error
	if opt.Limit, err = limit("--rate-limit", f.RateLimit, f.RateBurst); err != nil {
		return opt, err
	}
	if opt.DataAPILimit, err = limit("--data-api-rate-limit", f.DataAPIRateLimit, f.DataAPIRateBurst); err != nil {
		return opt, err
	}
	opt.Proxies.Forwarded = f.ForwardedHeader == "forwarded"
	if opt.Proxies.Networks, err = gateway.ParseNetworks(f.TrustedProxy); err != nil {
		return opt, fmt.Errorf("--trusted-proxy: %w", err)
	}
	return opt, nil
}

func limit(name string, rate, burst float64) (ratelimit.Limit, error) {
	if rate < 0 || burst < 0 {
		return ratelimit.Limit{}, fmt.Errorf("%s and its burst can't be negative", name)
	}
	if burst == 0 {
		burst = max(1, rate)
	}
	return ratelimit.Limit{Rate: rate, Burst: burst}, nil
}
