package test

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tarn-data/tarn/internal/pgtest"
)

// certificates is a server's certificate on files.
type certificates struct {
	signs     *authority
	cert, key string
}

func newCertificates(t *testing.T) *certificates {
	t.Helper()
	dir := t.TempDir()
	s := &certificates{newAuthority(t, "site"), filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")}
	s.renew(t)
	return s
}

// renew writes another certificate, and returns its number.
func (s *certificates) renew(t *testing.T) *big.Int {
	t.Helper()
	certificate, key := s.signs.sign(t, &x509.Certificate{
		Subject: pkix.Name{CommonName: "tarn"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	})
	for path, data := range map[string][]byte{s.key: keyPEM(t, key), s.cert: certificatePEM(certificate)} {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certificate.SerialNumber
}

func (s *certificates) trust() *tls.Config {
	pool := x509.NewCertPool()
	pool.AddCert(s.signs.certificate)
	return &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
}

func TestServeTLS(t *testing.T) {
	t.Parallel()
	site, db := newCertificates(t), pgtest.New(t)
	s := serve(t, dataDir(t), "--postgres", db.URL, "--state", db.URL, "--tls-cert", site.cert, "--tls-key", site.key, "--drain-delay", "2s")
	address := strings.TrimPrefix(s.url, "http://")

	// A connection that lives through all of it.
	old, err := tls.Dial("tcp", address, site.trust())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = old.Close() }()
	first := old.ConnectionState().PeerCertificates[0].SerialNumber
	reader := bufio.NewReader(old)
	request := func() (int, error) {
		if _, err := fmt.Fprintf(old, "GET %s HTTP/1.1\r\nHost: tarn\r\n\r\n", discoveryPath); err != nil {
			return 0, err
		}
		res, err := http.ReadResponse(reader, nil)
		if err != nil {
			return 0, err
		}
		defer func() { _ = res.Body.Close() }()
		body, err := io.ReadAll(res.Body)
		if err == nil && !strings.Contains(string(body), "https://tarn/oidc") {
			t.Errorf("the document is %s", body)
		}
		return res.StatusCode, err
	}
	if status, err := request(); status != 200 {
		t.Fatalf("%d %v", status, err)
	}

	// What isn't a certificate is not taken over; a new one is, for new connections.
	if err := os.WriteFile(site.cert, []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	time.Sleep(1100 * time.Millisecond)
	if got := serial(t, address, site); got.Cmp(first) != 0 {
		t.Errorf("with a broken file the certificate became %s", got)
	}
	second := site.renew(t)
	for deadline := time.Now().Add(20 * time.Second); serial(t, address, site).Cmp(second) != 0; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the new certificate isn't used")
		}
	}
	if status, err := request(); status != 200 {
		t.Errorf("on the old connection: %d %v", status, err)
	}

	client := &http.Client{Transport: &http.Transport{TLSClientConfig: site.trust(), ForceAttemptHTTP2: true}}
	get := func() (status, version int, err error) {
		res, err := client.Get("https://" + address + discoveryPath)
		if err != nil {
			return 0, 0, err
		}
		_, _ = io.Copy(io.Discard, res.Body)
		return res.StatusCode, res.ProtoMajor, res.Body.Close()
	}
	if status, version, err := get(); err != nil || status != 200 || version != 2 {
		t.Errorf("HTTP/2: %d by version %d, %v", status, version, err)
	}
	weak := site.trust()
	weak.MinVersion, weak.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	if conn, err := tls.Dial("tcp", address, weak); err == nil {
		_ = conn.Close()
		t.Error("an old version of TLS is spoken")
	}

	// At the end: first nobody is sent here any more, and who comes is still served.
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if res, err := http.Get(s.admin + "/ready"); err == nil {
			_ = res.Body.Close()
			if res.StatusCode != http.StatusOK {
				break
			}
		}
		if time.Now().After(deadline) {
			t.Fatal("it says that it is ready")
		}
	}
	if status, _, err := get(); err != nil || status != 200 {
		t.Errorf("while draining: %d %v", status, err)
	}
	select {
	case err := <-s.done:
		s.done <- err
		if err != nil {
			t.Errorf("ended with %v", err)
		}
	case <-time.After(30 * time.Second):
		t.Error("it did not end")
	}
}

func serial(t *testing.T, address string, s *certificates) *big.Int {
	t.Helper()
	conn, err := tls.Dial("tcp", address, s.trust())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	return conn.ConnectionState().PeerCertificates[0].SerialNumber
}
