package server

import (
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/tarn-data/tarn/internal/connection"
	"github.com/tarn-data/tarn/internal/endpoint"
	"github.com/tarn-data/tarn/internal/outbound"
	"github.com/tarn-data/tarn/internal/workspace"
)

const (
	outboundTimeout = time.Minute
	outboundMaxBody = 16 << 20
	issuersMaxBody  = 1 << 20
)

// openOutbound makes what asks other hosts in the name of those who call, within limits of time and size if there are some.
func openOutbound(opt ServeOptions, timeout time.Duration, maxBody int64) (*outbound.Client, error) {
	rules, err := outbound.ParseRules(opt.Outbound)
	if err != nil {
		return nil, err
	}
	roots, err := rootCAs(opt.OutboundCA)
	if err != nil {
		return nil, err
	}
	return outbound.New(outbound.Options{Rules: rules, RootCAs: roots, Timeout: timeout, MaxBody: maxBody}), nil
}

// openIssuers makes what asks issuers for their keys, and the provider with whom people log in. Those whom the settings name
// may be asked, and whomever else they allow.
func openIssuers(opt ServeOptions) (*outbound.Client, error) {
	rules, err := outbound.ParseRules(opt.IssuerHosts)
	if err != nil {
		return nil, err
	}
	var named []string
	for _, i := range opt.Issuers {
		named = append(named, i.JWKSURL)
	}
	if opt.Login.Issuer != "" {
		named = append(named, opt.Login.Issuer)
	}
	more, err := outbound.Named(named...)
	if err != nil {
		return nil, err
	}
	roots, err := rootCAs(opt.OutboundCA)
	if err != nil {
		return nil, err
	}
	return outbound.New(outbound.Options{
		Rules: append(rules, more...), RootCAs: roots, Timeout: outboundTimeout, MaxBody: issuersMaxBody,
	}), nil
}

// rootCAs are the authorities that are trusted: the system's, and those of a file if one is named.
func rootCAs(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil //nolint:nilnil // the system's
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("certificates of other hosts: %w", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		return nil, err
	}
	if !pool.AppendCertsFromPEM(text) {
		return nil, errors.New("certificates of other hosts: there are none in " + file)
	}
	return pool, nil
}

// connections are the routes of connections, in both dialects, and of the vault.
func (p *platform) connections() []endpoint.Route {
	s := connection.NewService(connection.Options{
		Store: p.state, Sealer: p.vault, Outbound: p.outbound, Workspace: workspace.New(p.outbound, sleep), Directory: p.ids.directory,
		NewID: newUUID, Now: time.Now, Log: p.log,
	})
	return slices.Concat(s.Routes(), s.ReltioRoutes(), p.vaultRoutes())
}

// newUUID makes a random UUID.
func newUUID() string {
	const version, variant = 0x40, 0x80
	var b [16]byte
	_, _ = rand.Read(b[:]) // it never fails
	b[6], b[8] = b[6]&0x0f|version, b[8]&0x3f|variant
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
