package test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"maps"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tarn-data/tarn/internal/pgtest"
)

// authority signs certificates.
type authority struct {
	certificate *x509.Certificate
	key         crypto.Signer
}

func newAuthority(t testing.TB, name string) *authority {
	t.Helper()
	a := &authority{}
	a.certificate, a.key = a.sign(t, &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	})
	return a
}

// sign makes a certificate and its key. An authority that has no certificate yet signs its own.
func (a *authority) sign(t testing.TB, template *x509.Certificate) (*x509.Certificate, crypto.Signer) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := a.certificate, a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return certificate, key
}

func certificatePEM(c *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
}

func keyPEM(t testing.TB, key crypto.Signer) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// clientFiles writes what a client shows and trusts, and returns the parameters of a connection string that name it.
func clientFiles(t testing.TB, trusts, signs *authority, name string) url.Values {
	t.Helper()
	certificate, key := signs.sign(t, &x509.Certificate{Subject: pkix.Name{CommonName: name}})
	dir, params := t.TempDir(), url.Values{}
	for param, data := range map[string][]byte{
		"sslrootcert": certificatePEM(trusts.certificate), "sslcert": certificatePEM(certificate), "sslkey": keyPEM(t, key),
	} {
		path := filepath.Join(dir, param)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		params.Set(param, path)
	}
	return params
}

// TestTLS has a Data API reach a server that asks for certificates, and nothing else.
func TestTLS(t *testing.T) {
	ours, theirs := newAuthority(t, "ours"), newAuthority(t, "theirs")
	certificate, key := ours.sign(t, &x509.Certificate{
		Subject: pkix.Name{CommonName: "server"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	})
	_, portText, err := net.SplitHostPort(freeAddress(t))
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(portText)
	if err != nil {
		t.Fatal(err)
	}
	server := pgtest.NewServer(t, pgtest.Options{
		Port: port,
		Settings: []string{
			"ssl=on", "ssl_cert_file=server.crt", "ssl_key_file=server.key", "ssl_ca_file=root.crt", "ssl_min_protocol_version=TLSv1.3",
		},
		Access: "hostssl all all 127.0.0.1/32 cert\n",
		Files: map[string][]byte{
			"server.crt": certificatePEM(certificate), "server.key": keyPEM(t, key), "root.crt": certificatePEM(ours.certificate),
		},
	})
	c := newCore(t, server.NewDB(t))
	uri := func(host string, params url.Values, more ...string) string {
		q := url.Values{"sslmode": {"verify-full"}}
		maps.Copy(q, params)
		for i := 0; i < len(more); i += 2 {
			q.Set(more[i], more[i+1])
		}
		return fmt.Sprintf("PGRST_DB_URI=postgresql://%s@%s/%s?%s", c.login, net.JoinHostPort(host, portText), c.db.Name, q.Encode())
	}
	good := clientFiles(t, ours, ours, c.login)

	t.Run("works", func(t *testing.T) {
		s := c.serve(t, uri("127.0.0.1", good))
		c.check(t, s, coreReads())
		var encrypted, plain int
		const connections = `SELECT count(*) FILTER (WHERE ssl), count(*) FILTER (WHERE NOT ssl)
			FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE usename = $1`
		if err := c.db.Conn(t).QueryRow(t.Context(), connections, c.login).Scan(&encrypted, &plain); err != nil {
			t.Fatal(err)
		}
		if encrypted < 2 || plain != 0 { // one that listens, and the pool's
			t.Errorf("%d connections are encrypted, %d are not", encrypted, plain)
		}
		c.db.Exec(t, fmt.Sprintf(`CREATE TABLE api.fresh (id int); GRANT SELECT ON api.fresh TO PUBLIC; NOTIFY %q, 'reload schema'`, c.db.Name))
		compareRows(t, s.eventually(t, "/fresh", nil), `[]`)
	})
	for _, r := range []struct{ name, uri, says string }{
		{"no certificate", uri("127.0.0.1", good, "sslcertmode", "disable"), "requires a valid client certificate"},
		{"another's certificate", uri("127.0.0.1", clientFiles(t, ours, ours, "somebody")), "certificate authentication failed"},
		{"certificate of an unknown authority", uri("127.0.0.1", clientFiles(t, ours, theirs, c.login)), "requires a valid client certificate"},
		{"server of an unknown authority", uri("127.0.0.1", clientFiles(t, theirs, ours, c.login)), "unknown authority"},
		{"server of another name", uri("localhost", good), "to match localhost"},
		{"version of TLS that is too old", uri("127.0.0.1", good, "ssl_max_protocol_version", "TLSv1.2"), "protocol version"},
		{"no TLS", uri("127.0.0.1", nil, "sslmode", "disable"), "no encryption"},
		{"file that isn't there", uri("127.0.0.1", good, "sslrootcert", "/nowhere/root.crt"), "no such file"},
	} {
		t.Run(r.name, func(t *testing.T) {
			name, value, _ := strings.Cut(r.uri, "=")
			t.Setenv(name, value)
			t.Setenv("PGRST_DB_SCHEMAS", "api")
			out, err := tryRun(t, "", "data-api", "--dump-schema")
			if err == nil || !strings.Contains(out, r.says) {
				t.Errorf("wanted %q, got %v\n%s", r.says, err, out)
			}
		})
	}
	t.Run("server of another name that needs no proof", func(t *testing.T) {
		name, value, _ := strings.Cut(uri("localhost", good, "sslmode", "verify-ca"), "=")
		t.Setenv(name, value)
		t.Setenv("PGRST_DB_SCHEMAS", "api")
		if out := run(t, "", "data-api", "--dump-schema"); !strings.Contains(out, "task_people") {
			t.Errorf("no schema: %.300s", out)
		}
	})
}
