// Package outbound provides HTTP requests to hosts that an administrator allows, and to no others, whatever a URL, a name
// server or an answer says. It doesn't know what the requests are for.
package outbound

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"syscall"
	"time"
)

// Error says why a request was not made, or an answer not read.
type Error struct {
	reason string
	host   bool
}

// Error implements error. There is nothing secret in it.
func (e *Error) Error() string { return e.reason }

// Host tells whether the URL is a good one, but leads to a host that isn't allowed.
func (e *Error) Host() bool { return e.host }

func refuse(reason string) error { return &Error{reason: reason} }

// Resolver finds the addresses of a name.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// Options say what a client may do.
type Options struct {
	Rules    []Rule
	RootCAs  *x509.CertPool // nil for the system's
	Resolver Resolver       // nil for the system's
	Timeout  time.Duration  // of a whole request with its answer; 0 for none but the context's
	MaxBody  int64          // bytes of an answer; 0 for no limit
}

const (
	dialTimeout     = 10 * time.Second
	headerTimeout   = 60 * time.Second
	idleTimeout     = 90 * time.Second
	maxHeader       = 64 << 10
	maxRedirects    = 3
	maxIdlePerHost  = 16
	maxConnsPerHost = 128
)

// Client makes requests. It is safe for concurrent use.
type Client struct {
	opt       Options
	http      *http.Client
	transport *http.Transport
}

// New makes a client.
func New(opt Options) *Client {
	if opt.Resolver == nil {
		opt.Resolver = net.DefaultResolver
	}
	opt.Rules = sorted(opt.Rules)
	c := &Client{opt: opt}
	c.transport = &http.Transport{
		Proxy:                  nil, // it would see to itself whom it asks
		DialContext:            c.dial,
		TLSClientConfig:        &tls.Config{RootCAs: opt.RootCAs, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    dialTimeout,
		ResponseHeaderTimeout:  headerTimeout,
		IdleConnTimeout:        idleTimeout,
		MaxResponseHeaderBytes: maxHeader,
		MaxIdleConnsPerHost:    maxIdlePerHost,
		MaxConnsPerHost:        maxConnsPerHost,
		ForceAttemptHTTP2:      true,
	}
	c.http = &http.Client{Timeout: opt.Timeout, CheckRedirect: sameHost, Transport: c}
	return c
}

// Check tells whether requests to a URL are allowed, as far as that can be told without asking anybody. Its errors are
// of type *Error.
func (c *Client) Check(raw string) (*url.URL, error) {
	u, _, err := c.check(raw)
	return u, err
}

func (c *Client) check(raw string) (*url.URL, *Rule, error) {
	u, host, port, err := parseTarget(raw)
	if err != nil {
		return nil, nil, err
	}
	for i := range c.opt.Rules {
		if r := &c.opt.Rules[i]; r.matches(u.Scheme == "http", host, port) {
			return u, r, nil
		}
	}
	reason := "the host " + strconv.Quote(u.Scheme+"://"+u.Host) + " is none of those that the administrator allows"
	return nil, nil, &Error{reason: reason, host: true}
}

type ruleKey struct{}

// Do makes a request. The caller closes the answer's body.
func (c *Client) Do(req *http.Request) (*http.Response, error) {
	res, err := c.http.Do(req)
	if err != nil {
		return nil, plain(err)
	}
	return res, nil
}

// RoundTrip makes one request, for who has an http.Client of their own: wherever that is led, it comes by here again. It
// implements http.RoundTripper.
func (c *Client) RoundTrip(req *http.Request) (*http.Response, error) {
	u, rule, err := c.check(req.URL.String())
	if err != nil {
		if req.Body != nil {
			_ = req.Body.Close()
		}
		return nil, err
	}
	out := req.Clone(context.WithValue(req.Context(), ruleKey{}, rule))
	out.URL, out.Host = u, ""
	res, err := c.transport.RoundTrip(out)
	if err != nil {
		return nil, plain(err)
	}
	if c.opt.MaxBody > 0 {
		if res.ContentLength > c.opt.MaxBody {
			_ = res.Body.Close()
			return nil, refuse("the answer is too large")
		}
		res.Body = &limited{ReadCloser: res.Body, left: c.opt.MaxBody}
	}
	return res, nil
}

// Close closes the connections that are idle.
func (c *Client) Close() { c.transport.CloseIdleConnections() }

// plain takes the URL out of an error, which may have a secret in its query.
func plain(err error) error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}

// sameHost lets redirects lead to where the request went.
func sameHost(req *http.Request, via []*http.Request) error {
	first := via[0].URL
	switch {
	case req.URL.Scheme != first.Scheme || req.URL.Host != first.Host || req.URL.User != nil:
		return refuse("the answer leads to another host, " + strconv.Quote(req.URL.Scheme+"://"+req.URL.Host))
	case len(via) > maxRedirects:
		return refuse("the answer leads around in a circle")
	}
	return nil
}

// dial connects to one of the addresses of a host that the request may go to.
func (c *Client) dial(ctx context.Context, network, address string) (net.Conn, error) {
	rule, ok := ctx.Value(ruleKey{}).(*Rule)
	if !ok {
		return nil, refuse("no rule is known")
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	addresses, err := c.resolve(ctx, host)
	if err != nil {
		return nil, err
	}
	good := slices.DeleteFunc(addresses, func(a netip.Addr) bool { return !rule.allows(a) })
	if len(good) == 0 {
		return nil, refuse("the host " + strconv.Quote(host) + " has an address that requests may not go to")
	}
	d := net.Dialer{Timeout: dialTimeout, Control: rule.control}
	var failed []error
	for _, a := range good {
		conn, err := d.DialContext(ctx, network, net.JoinHostPort(a.String(), port))
		if err == nil {
			return conn, nil
		}
		failed = append(failed, err)
	}
	return nil, errors.Join(failed...)
}

func (c *Client) resolve(ctx context.Context, host string) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{a}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	found, err := c.opt.Resolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, fmt.Errorf("the host %q was not found: %w", host, err)
	}
	for i := range found {
		found[i] = found[i].Unmap()
	}
	return found, nil
}

// allows tells whether a host of the rule may have an address.
func (r *Rule) allows(a netip.Addr) bool {
	if public(a) {
		return true
	}
	a = a.Unmap()
	return slices.ContainsFunc(r.networks, func(p netip.Prefix) bool { return p.Contains(a) })
}

// control sees the address that is connected to, in the last moment.
func (r *Rule) control(_, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	if !r.allows(to.Addr()) {
		return refuse("the host has an address that requests may not go to")
	}
	return nil
}

// limited is a body of which not more than so much is read.
type limited struct {
	io.ReadCloser
	left int64
}

// Read implements io.Reader.
func (l *limited) Read(p []byte) (int, error) {
	if l.left < 0 {
		return 0, refuse("the answer is too large")
	}
	if int64(len(p)) > l.left+1 {
		p = p[:l.left+1]
	}
	n, err := l.ReadCloser.Read(p)
	l.left -= int64(n)
	if l.left < 0 {
		return 0, refuse("the answer is too large")
	}
	return n, err
}
