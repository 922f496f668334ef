package pg_test

import (
	"strings"
	"testing"
	"time"

	"github.com/tarn-data/tarn/internal/pg"
	"github.com/tarn-data/tarn/internal/pgtest"
)

func TestConnectionParameters(t *testing.T) {
	db := pgtest.New(t)
	for _, c := range []struct{ name, more, query, want, fails string }{
		{name: "none", query: "SHOW application_name", want: "tarn"},
		{name: "name of the application", more: "application_name=mine&fallback_application_name=other", query: "SHOW application_name", want: "mine"},
		{name: "name to fall back on", more: "fallback_application_name=mine", query: "SHOW application_name", want: "mine"},
		{name: "the network's", more: "keepalives=1&keepalives_idle=30&keepalives_interval=5&keepalives_count=3&tcp_user_timeout=0&connect_timeout=5", query: "SELECT 'ok'", want: "ok"},
		{name: "of security that changes nothing", more: "gssencmode=prefer&sslcompression=0&sslmode=prefer&ssl_min_protocol_version=TLSv1.2&ssl_max_protocol_version=TLSv1.3", query: "SELECT 'ok'", want: "ok"},
		{name: "several hosts", more: "load_balance_hosts=random&target_session_attrs=read-write", query: "SELECT 'ok'", want: "ok"},
		{name: "encoding of the client", more: "client_encoding=auto", query: "SHOW client_encoding", want: "UTF8"},
		{name: "the server's", more: "work_mem=7MB&options=-c%20statement_timeout%3D9s", query: "SELECT current_setting('work_mem') || current_setting('statement_timeout')", want: "7MB9s"},
		{name: "GSSAPI", more: "gssencmode=require", fails: "gssencmode is not supported"},
		{name: "list of revoked certificates", more: "sslcrl=/etc/crl.pem", fails: "sslcrl is not supported"},
		{name: "version of TLS that is none", more: "ssl_min_protocol_version=SSLv3", fails: "no version of TLS"},
		{name: "unknown", more: "nonsense=1", fails: "nonsense"},
	} {
		t.Run(c.name, func(t *testing.T) {
			url := db.URL + "&" + c.more
			for kind, connect := range map[string]func() (string, error){
				"connection": func() (got string, err error) {
					conn, err := pg.Connect(t.Context(), url, "tarn")
					if err != nil {
						return "", err
					}
					defer func() { _ = conn.Close(t.Context()) }()
					err = conn.QueryRow(t.Context(), c.query).Scan(&got)
					return got, err
				},
				"pool": func() (got string, err error) {
					pool, err := pg.OpenPool(pg.PoolOptions{URL: url, Size: 1, AppName: "tarn", AcquireTimeout: 10 * time.Second})
					if err != nil {
						return "", err
					}
					defer pool.Close()
					conn, err := pool.Acquire(t.Context(), "")
					if err != nil {
						return "", err
					}
					defer conn.Release()
					err = conn.QueryRow(t.Context(), c.query).Scan(&got)
					return got, err
				},
			} {
				got, err := connect()
				switch {
				case c.fails == "" && (err != nil || got != c.want):
					t.Errorf("%s: %q, %v, want %q", kind, got, err, c.want)
				case c.fails != "" && (err == nil || !strings.Contains(err.Error(), c.fails)):
					t.Errorf("%s: %v, want %q", kind, err, c.fails)
				}
			}
		})
	}
}
