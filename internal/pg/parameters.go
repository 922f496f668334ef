package pg

import (
	"crypto/tls"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"
)

// heedParameters makes of parameters that libpq knows and the driver doesn't what libpq does. The driver would send them
// to the server, which refuses what it doesn't know. What protects a connection is never left out silently.
func heedParameters(cfg *pgconn.Config) error {
	given := cfg.RuntimeParams
	for _, name := range []string{
		// Of the operating system, which the defaults serve well.
		"keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout",
		// Of what isn't used here.
		"gsslib", "gssdelegation", "sslcompression", "load_balance_hosts",
	} {
		delete(given, name)
	}
	if name, ok := given["fallback_application_name"]; ok {
		if given["application_name"] == "" {
			given["application_name"] = name
		}
		delete(given, "fallback_application_name")
	}
	if given["client_encoding"] == "auto" {
		delete(given, "client_encoding")
	}
	if mode, ok := given["gssencmode"]; ok && mode != "require" {
		delete(given, "gssencmode")
	}
	for _, name := range []string{"gssencmode", "hostaddr", "requirepeer", "sslcrl", "sslcrldir", "requiressl"} {
		if _, ok := given[name]; ok {
			return fmt.Errorf("connection string: %s is not supported", name)
		}
	}
	return heedTLSVersions(cfg)
}

// heedTLSVersions narrows the versions of TLS that will do.
func heedTLSVersions(cfg *pgconn.Config) error {
	for _, bound := range []struct {
		name string
		set  func(*tls.Config, uint16)
	}{
		{"ssl_min_protocol_version", func(c *tls.Config, v uint16) { c.MinVersion = v }},
		{"ssl_max_protocol_version", func(c *tls.Config, v uint16) { c.MaxVersion = v }},
	} {
		name, ok := cfg.RuntimeParams[bound.name]
		if !ok {
			continue
		}
		delete(cfg.RuntimeParams, bound.name)
		version, known := map[string]uint16{
			"TLSv1": tls.VersionTLS10, "TLSv1.1": tls.VersionTLS11, "TLSv1.2": tls.VersionTLS12, "TLSv1.3": tls.VersionTLS13,
		}[name]
		if !known {
			return fmt.Errorf("connection string: %s is no version of TLS: %q", bound.name, name)
		}
		if cfg.TLSConfig != nil {
			bound.set(cfg.TLSConfig, version)
		}
		for _, fallback := range cfg.Fallbacks {
			if fallback.TLSConfig != nil {
				bound.set(fallback.TLSConfig, version)
			}
		}
	}
	return nil
}
