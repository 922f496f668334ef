package test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tarn-data/tarn/internal/pgtest"
)

// pebble is an authority that issues certificates by ACME, for names that its own name server finds on this machine.
type pebble struct {
	directory string
	trust     string // file of the certificate of its own site
	manage    string
	site      *x509.CertPool
}

const pebbleModule = "github.com/letsencrypt/pebble/v2/cmd/"

// servePebble starts one that asks servers at a port. It skips the test where the authority can't be had.
func servePebble(t *testing.T, port string) *pebble {
	t.Helper()
	dir := t.TempDir()
	build := exec.CommandContext(t.Context(), "go", "build", "-o", dir+"/", pebbleModule+"pebble", pebbleModule+"pebble-challtestsrv")
	build.Dir = "pebble"
	if out, err := build.CombinedOutput(); err != nil {
		if said := strings.ToLower(string(out)); strings.Contains(said, "dial tcp") || strings.Contains(said, "proxy") {
			t.Skipf("Pebble can't be had: %s", out)
		}
		t.Fatalf("%v\n%s", err, out)
	}
	site := newAuthority(t, "pebble")
	certificate, key := site.sign(t, &x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}})
	p := &pebble{trust: filepath.Join(dir, "site.pem"), site: x509.NewCertPool()}
	p.site.AddCert(site.certificate)
	listen, manage, names := freeAddress(t), freeAddress(t), freeAddress(t)
	p.directory, p.manage = "https://"+listen+"/dir", "https://"+manage
	tlsPort, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	config, err := json.Marshal(map[string]any{"pebble": map[string]any{
		"listenAddress": listen, "managementListenAddress": manage, "tlsPort": tlsPort, "httpPort": tlsPort,
		"certificate": filepath.Join(dir, "own.crt"), "privateKey": filepath.Join(dir, "own.key"),
	}})
	if err != nil {
		t.Fatal(err)
	}
	for path, data := range map[string][]byte{
		p.trust: certificatePEM(site.certificate), filepath.Join(dir, "own.crt"): certificatePEM(certificate), filepath.Join(dir, "own.key"): keyPEM(t, key),
		filepath.Join(dir, "config.json"): config,
	} {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p.run(t, filepath.Join(dir, "pebble-challtestsrv"), "-defaultIPv4", "127.0.0.1", "-defaultIPv6", "", "-dns01", names,
		"-http01", "", "-https01", "", "-tlsalpn01", "", "-doh", "", "-management", "")
	p.run(t, filepath.Join(dir, "pebble"), "-strict", "-dnsserver", names, "-config", filepath.Join(dir, "config.json"))
	eventually(t, func() bool { _, err := p.get(p.directory); return err == nil })
	return p
}

// run runs a program until the test ends.
func (p *pebble) run(t *testing.T, program string, args ...string) {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Env = append(os.Environ(), "PEBBLE_VA_NOSLEEP=1")
	var said syncBuffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("%s wrote:\n%s", filepath.Base(program), said.String())
		}
	})
}

func (p *pebble) get(address string) ([]byte, error) {
	c := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: p.site, MinVersion: tls.VersionTLS12}, DisableKeepAlives: true,
	}}
	res, err := c.Get(address)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	return io.ReadAll(res.Body)
}

// TestACME has a server get its certificate from an authority, by answering the challenge on the port that it serves, and
// keep it for when it is started again.
func TestACME(t *testing.T) {
	t.Parallel()
	const name = "tarn.example.com"
	listen := freeAddress(t)
	_, port, err := net.SplitHostPort(listen)
	if err != nil {
		t.Fatal(err)
	}
	p, db, dir := servePebble(t, port), pgtest.New(t), dataDir(t)
	begin := func() *tarn {
		admin := freeAddress(t)
		s := start(t, []string{"SSL_CERT_FILE=" + p.trust}, "serve", "--data-dir", dir, "--listen", listen, "--admin-listen", admin,
			"--postgres", db.URL, "--state", db.URL, "--acme-domain", name, "--acme-email", "ops@example.com", "--acme-directory", p.directory)
		s.dir, s.admin = dir, "http://"+admin
		s.waitReady(t)
		return s
	}
	root, err := p.get(p.manage + "/roots/0")
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(root) {
		t.Fatalf("no certificate: %s", root)
	}
	shown := func(host string) (*x509.Certificate, error) {
		conn, err := tls.DialWithDialer(&net.Dialer{Timeout: 30 * time.Second}, "tcp", listen, &tls.Config{RootCAs: roots, ServerName: host, MinVersion: tls.VersionTLS12})
		if err != nil {
			return nil, err
		}
		defer func() { _ = conn.Close() }()
		return conn.ConnectionState().PeerCertificates[0], nil
	}
	s := begin()
	first, err := shown(name)
	if err != nil {
		t.Fatal(err)
	}
	for _, other := range []string{"other.example.com", "127.0.0.1", "www." + name} {
		if _, err := shown(other); err == nil {
			t.Error("there is a certificate for", other)
		}
	}
	kept, err := filepath.Glob(filepath.Join(dir, "acme", "*"))
	if err != nil || len(kept) < 2 {
		t.Error(kept, err)
	}
	for _, file := range kept {
		if info, err := os.Stat(file); err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Error("others may read", file, info, err)
		}
	}
	s.stop(t)
	begin()
	if again, err := shown(name); err != nil || !bytes.Equal(again.Raw, first.Raw) {
		t.Error("a new certificate was asked for:", err)
	}
}
