package outbound_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tarn-data/tarn/internal/outbound"
)

// names is a name server that answers as the test wants, each time with the next of its answers.
type names struct {
	answers map[string][]string // each is a list of addresses
	asked   atomic.Int32
}

func (n *names) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	answers, ok := n.answers[host]
	if !ok {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	i := min(int(n.asked.Add(1))-1, len(answers)-1)
	var out []netip.Addr
	for a := range strings.FieldsSeq(answers[i]) {
		out = append(out, netip.MustParseAddr(a))
	}
	return out, nil
}

// victim is a service of this machine that nobody may reach.
func victim(t *testing.T, start func(http.Handler) *httptest.Server) (*httptest.Server, *atomic.Int32) {
	t.Helper()
	var hits atomic.Int32
	s := start(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		hits.Add(1)
		_, _ = io.WriteString(w, "secret of the machine")
	}))
	t.Cleanup(s.Close)
	return s, &hits
}

func client(t *testing.T, n *names, roots *x509.CertPool, rules ...string) *outbound.Client {
	t.Helper()
	parsed, err := outbound.ParseRules(rules)
	if err != nil {
		t.Fatal(err)
	}
	opt := outbound.Options{Rules: parsed, RootCAs: roots, Timeout: 5 * time.Second, MaxBody: 1 << 10}
	if n != nil {
		opt.Resolver = n
	}
	c := outbound.New(opt)
	t.Cleanup(c.Close)
	return c
}

// ask makes a request as one does who was given a URL.
func ask(c *outbound.Client, target string) error {
	if _, err := c.Check(target); err != nil {
		return err
	}
	req, err := http.NewRequest(http.MethodGet, target, nil)
	if err != nil {
		return err
	}
	res, err := c.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	_, err = io.ReadAll(res.Body)
	return err
}

// Each line is a way to reach what isn't allowed. PORT is the victim's.
func TestRefusedTargets(t *testing.T) {
	t.Parallel()
	plain, plainHits := victim(t, httptest.NewServer)
	secure, secureHits := victim(t, httptest.NewTLSServer)
	roots := x509.NewCertPool()
	roots.AddCert(secure.Certificate())
	n := &names{answers: map[string][]string{
		"ws.example.com":        {"127.0.0.1"},
		"a.ws.example.org":      {"127.0.0.1"},
		"ten.ws.example.org":    {"10.1.2.3"},
		"meta.ws.example.org":   {"169.254.169.254"},
		"mapped.ws.example.org": {"::ffff:127.0.0.1"},
		"six.ws.example.org":    {"::1"},
		"local.ws.example.org":  {"fe80::1 fd00:ec2::254"},
		"nat64.ws.example.org":  {"64:ff9b::7f00:1"},
		"sixto4.ws.example.org": {"2002:7f00:1::"},
		"teredo.ws.example.org": {"2001:0:7f00:1::1"},
		"compat.ws.example.org": {"::7f00:1"},
		"zero.ws.example.org":   {"0.0.0.0"},
		"any6.ws.example.org":   {"::"},
		"cgnat.ws.example.org":  {"100.100.100.200"},
		"azure.ws.example.org":  {"168.63.129.16"},
		"bcast.ws.example.org":  {"255.255.255.255"},
		"multi.ws.example.org":  {"224.0.0.1"},
		"inner.example.com":     {"127.0.0.1"},
		"other.example.net":     {"127.0.0.1"},
	}}
	_, port, _ := net.SplitHostPort(secure.Listener.Addr().String())
	_, plainOnly, _ := net.SplitHostPort(plain.Listener.Addr().String())
	rules := []string{
		"ws.example.com:" + port, "*.ws.example.org:" + port, "inner.example.com:" + port + "=10.0.0.0/8",
		"*.cloud.databricks.com", "ws.example.com", "203.0.113.9:" + port,
	}
	for name, target := range map[string]string{
		"loopback":                      "https://127.0.0.1:PORT/",
		"loopback without TLS":          "http://127.0.0.1:PLAIN/",
		"localhost":                     "https://localhost:PORT/",
		"decimal":                       "https://2130706433:PORT/",
		"hexadecimal":                   "https://0x7f000001:PORT/",
		"hexadecimal parts":             "https://0x7f.0x0.0x0.0x1:PORT/",
		"octal":                         "https://0177.0.0.1:PORT/",
		"octal whole":                   "https://017700000001:PORT/",
		"short":                         "https://127.1:PORT/",
		"zero":                          "https://0:PORT/",
		"all zeros":                     "https://0.0.0.0:PORT/",
		"leading zeros":                 "https://127.000.000.001:PORT/",
		"IPv6 loopback":                 "https://[::1]:PORT/",
		"IPv6 mapped":                   "https://[::ffff:127.0.0.1]:PORT/",
		"IPv6 mapped in hexadecimal":    "https://[::ffff:7f00:1]:PORT/",
		"IPv6 in full":                  "https://[0:0:0:0:0:0:0:1]:PORT/",
		"IPv6 with a zone":              "https://[fe80::1%25lo]:PORT/",
		"metadata":                      "http://169.254.169.254/latest/meta-data/",
		"user that looks like the host": "https://ws.example.com:PORT@127.0.0.1:PORT/",
		"user":                          "https://u@ws.example.com:PORT/",
		"user and password":             "https://ws.example.com:p@other.example.net:PORT/",
		"empty user":                    "https://@127.0.0.1:PORT/",
		"backslash":                     "https://127.0.0.1:PORT\\@ws.example.com/",
		"backslash before the path":     "https://ws.example.com:PORT\\.other.example.net/",
		"trailing dot":                  "https://ws.example.com.:PORT/",
		"trailing dot below":            "https://a.ws.example.org.:PORT/",
		"leading dot":                   "https://.ws.example.org:PORT/",
		"two dots":                      "https://a..ws.example.org:PORT/",
		"suffix in another name":        "https://evilws.example.org:PORT/",
		"suffix itself":                 "https://ws.example.org:PORT/",
		"allowed name as a prefix":      "https://ws.example.com.other.example.net:PORT/",
		"other host":                    "https://other.example.net:PORT/",
		"other port":                    "https://ws.example.com:22/",
		"port zero":                     "https://ws.example.com:0/",
		"port too large":                "https://ws.example.com:65536/",
		"port with a sign":              "https://ws.example.com:+PORT/",
		"port empty, then one":          "https://ws.example.com::PORT/",
		"without TLS":                   "http://ws.example.com:PORT/",
		"fullwidth digits":              "https://１２７.0.0.1:PORT/",
		"circled letters":               "https://ⓦs.example.com:PORT/",
		"IDN":                           "https://wś.example.org:PORT/",
		"ideographic full stop":         "https://ws.example。com:PORT/",
		"percent":                       "https://%77s.example.com:PORT/",
		"percent in a number":           "https://127.0.0.%31:PORT/",
		"newline":                       "https://ws.example.com:PORT/\r\nHost: other",
		"newline in the host":           "https://ws.example.com\r\n.other.example.net:PORT/",
		"tab":                           "https://ws.exa\tmple.com:PORT/",
		"space":                         "https://ws.example.com :PORT/",
		"nul":                           "https://ws.example.com\x00.other.example.net:PORT/",
		"fragment":                      "https://other.example.net:PORT#@ws.example.com:PORT/",
		"fragment at the end":           "https://ws.example.com:PORT/#x",
		"no scheme":                     "//ws.example.com:PORT/",
		"file":                          "file:///etc/passwd",
		"gopher":                        "gopher://127.0.0.1:PORT/_GET%20/",
		"opaque":                        "https:ws.example.com",
		"no host":                       "https:///etc",
		"name of loopback":              "https://a.ws.example.org:PORT/",
		"name of a private network":     "https://ten.ws.example.org:PORT/",
		"name of metadata":              "https://meta.ws.example.org:PORT/",
		"name of a mapped address":      "https://mapped.ws.example.org:PORT/",
		"name of IPv6 loopback":         "https://six.ws.example.org:PORT/",
		"name of local IPv6":            "https://local.ws.example.org:PORT/",
		"name of NAT64":                 "https://nat64.ws.example.org:PORT/",
		"name of 6to4":                  "https://sixto4.ws.example.org:PORT/",
		"name of Teredo":                "https://teredo.ws.example.org:PORT/",
		"name of a compatible address":  "https://compat.ws.example.org:PORT/",
		"name of zero":                  "https://zero.ws.example.org:PORT/",
		"name of IPv6 zero":             "https://any6.ws.example.org:PORT/",
		"name of a carrier's network":   "https://cgnat.ws.example.org:PORT/",
		"name of Azure's machines":      "https://azure.ws.example.org:PORT/",
		"name of broadcast":             "https://bcast.ws.example.org:PORT/",
		"name of multicast":             "https://multi.ws.example.org:PORT/",
		"allowed name of loopback":      "https://ws.example.com:PORT/",
		"another network than allowed":  "https://inner.example.com:PORT/",
		"too long":                      "https://ws.example.com:PORT/" + strings.Repeat("a", 10_000),
		"label too long":                "https://" + strings.Repeat("a", 64) + ".ws.example.org:PORT/",
	} {
		t.Run(name, func(t *testing.T) {
			c := client(t, &names{answers: n.answers}, roots, rules...)
			err := ask(c, strings.NewReplacer("PORT", port, "PLAIN", plainOnly).Replace(target))
			if refused, ok := errors.AsType[*outbound.Error](err); !ok || len(refused.Error()) < 10 {
				t.Errorf("%s: %v", target, err)
			}
		})
	}
	if n := plainHits.Load() + secureHits.Load(); n != 0 {
		t.Errorf("the victim was reached %d times", n)
	}
}

// A name server that says one address when asked first, and another one after.
func TestRebinding(t *testing.T) {
	t.Parallel()
	s, hits := victim(t, httptest.NewTLSServer)
	_, port, _ := net.SplitHostPort(s.Listener.Addr().String())
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	// 192.0.2.1 answers nobody, and isn't allowed either: nothing is dialled.
	n := &names{answers: map[string][]string{"example.com": {"192.0.2.1", "127.0.0.1", "127.0.0.1 192.0.2.1"}}}
	c := client(t, n, roots, "example.com:"+port)
	for range 4 {
		var refused *outbound.Error
		if err := ask(c, "https://example.com:"+port+"/"); !errors.As(err, &refused) {
			t.Error(err)
		}
	}
	if hits.Load() != 0 || n.asked.Load() != 4 {
		t.Error(hits.Load(), n.asked.Load())
	}
}

// What is allowed is reached, by the address that was checked.
func TestAllowed(t *testing.T) {
	t.Parallel()
	s, hits := victim(t, httptest.NewTLSServer)
	_, port, _ := net.SplitHostPort(s.Listener.Addr().String())
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate()) // for example.com and 127.0.0.1
	n := &names{answers: map[string][]string{"example.com": {"127.0.0.1"}, "www.example.com": {"::ffff:127.0.0.1"}}}
	for rule, target := range map[string]string{
		"example.com:PORT=127.0.0.0/8":            "https://example.com:PORT/",
		"EXAMPLE.com:PORT=10.0.0.0/8+127.0.0.0/8": "https://Example.COM:PORT/a?b=c",
		"*.example.com:PORT=127.0.0.1/32":         "https://www.example.com:PORT/",
		"127.0.0.1:PORT":                          "https://127.0.0.1:PORT/",
	} {
		at := strings.NewReplacer("PORT", port)
		if err := ask(client(t, n, roots, at.Replace(rule)), at.Replace(target)); err != nil {
			t.Errorf("%s: %v", rule, err)
		}
	}
	if hits.Load() != 4 {
		t.Error(hits.Load())
	}
	if err := ask(client(t, n, nil, "127.0.0.1:"+port), "https://127.0.0.1:"+port); err == nil {
		t.Error("a certificate that nobody signed was taken")
	}
	if err := ask(client(t, n, roots, "wrong.test:"+port+"=127.0.0.1/32"), "https://wrong.test:"+port); err == nil {
		t.Error("a name that doesn't resolve")
	}
	n.answers["wrong.test"] = []string{"127.0.0.1"}
	if err := ask(client(t, n, roots, "wrong.test:"+port+"=127.0.0.1/32"), "https://wrong.test:"+port); err == nil {
		t.Error("a certificate of another name was taken")
	}
}

func TestRedirects(t *testing.T) {
	t.Parallel()
	s, hits := victim(t, httptest.NewServer)
	var to string
	host := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/there" {
			_, _ = io.WriteString(w, "here")
			return
		}
		w.Header().Set("Location", to)
		w.WriteHeader(http.StatusTemporaryRedirect)
	}))
	defer host.Close()
	at, err := url.Parse(host.URL)
	if err != nil {
		t.Fatal(err)
	}
	_, hostPort, _ := net.SplitHostPort(at.Host)
	n := &names{answers: map[string][]string{"ws.example.com": {"127.0.0.1"}}}
	c := client(t, n, nil, host.URL, s.URL, "http://ws.example.com:"+hostPort+"=127.0.0.0/8")
	for _, to = range []string{
		s.URL, "http://127.0.0.1:1/", "https://" + at.Host + "/", "//" + strings.TrimPrefix(s.URL, "http://") + "/", "http://u:p@" + at.Host + "/there",
		"http://ws.example.com:" + hostPort + "/there", "file:///etc/passwd", "http://169.254.169.254/", host.URL, "/", "http://[::1]:" + hostPort + "/",
	} {
		if err := ask(c, host.URL); err == nil {
			t.Errorf("it was led to %s", to)
		}
	}
	if hits.Load() != 0 {
		t.Error("the victim was reached")
	}
	for _, to = range []string{"/there", host.URL + "/there", "there"} {
		if err := ask(c, host.URL); err != nil {
			t.Errorf("%s: %v", to, err)
		}
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	for size, good := range map[int]bool{0: true, 1 << 10: true, 1<<10 + 1: false, 1 << 20: false} {
		for _, chunked := range []bool{false, true} {
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				if chunked {
					_ = http.NewResponseController(w).Flush()
				}
				_, _ = io.WriteString(w, strings.Repeat("x", size))
			}))
			if err := ask(client(t, nil, nil, s.URL), s.URL); (err == nil) != good {
				t.Errorf("%d bytes, chunked %t: %v", size, chunked, err)
			}
			s.Close()
		}
	}
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer s.Close()
	parsed, err := outbound.ParseRules([]string{s.URL})
	if err != nil {
		t.Fatal(err)
	}
	c := outbound.New(outbound.Options{Rules: parsed, Timeout: 50 * time.Millisecond})
	if err := ask(c, s.URL+"/?secret=hidden"); err == nil || strings.Contains(err.Error(), "hidden") {
		t.Error(err)
	}
}

func TestParseRules(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{
		"", "**", "*x", "*:x", "http://*", "*.com", "*.10.0.0.1", "a/b", "a b", "a:0", "a:x", "a=", "a=10", "a=10.0.0.0/33", "ftp://a", "a.", "127.1", "u@a", "ä.example", "[::1", "a=10.0.0.0/8,",
	} {
		if r, err := outbound.ParseRules([]string{bad}); err == nil {
			t.Errorf("%q: %+v", bad, r)
		}
	}
	if _, err := outbound.ParseRules(outbound.Default()); err != nil {
		t.Error(err)
	}
}

// Of rules for the same host the closest counts, and one for all allows no more than the Internet.
func TestRulesForAll(t *testing.T) {
	t.Parallel()
	secure, hits := victim(t, httptest.NewTLSServer)
	roots := x509.NewCertPool()
	roots.AddCert(secure.Certificate())
	_, port, _ := net.SplitHostPort(secure.Listener.Addr().String())
	n := &names{answers: map[string][]string{"example.com": {"127.0.0.1"}, "a.example.com": {"127.0.0.1"}}}
	for _, rules := range [][]string{{"*:" + port}, {"*:" + port, "example.com:" + port}, {"*.example.com:" + port + "=10.0.0.0/8", "*:" + port}} {
		c := client(t, n, roots, rules...)
		for _, host := range []string{"example.com:", "a.example.com:", "127.0.0.1:"} {
			if err := ask(c, "https://"+host+port); err == nil || hits.Load() != 0 {
				t.Error(rules, host, "was asked:", err)
			}
		}
	}
	if _, err := client(t, n, nil, "*").Check("https://other.example.org:8443"); err == nil {
		t.Error("another port is allowed")
	}
	if err := ask(client(t, n, roots, "*:"+port, "example.com:"+port+"=127.0.0.0/8"), "https://example.com:"+port); err != nil {
		t.Error(err)
	}
}

// What an administrator names for something else is allowed, and on this machine only if that is what it says.
func TestNamed(t *testing.T) {
	t.Parallel()
	s, hits := victim(t, httptest.NewServer)
	n := &names{answers: map[string][]string{"localhost": {"127.0.0.1"}, "keys.example.com": {"127.0.0.1"}}}
	_, port, _ := net.SplitHostPort(s.Listener.Addr().String())
	rules, err := outbound.Named(s.URL+"/keys", "http://localhost:"+port+"/x?y", "http://keys.example.com:"+port)
	if err != nil {
		t.Fatal(err)
	}
	c := outbound.New(outbound.Options{Rules: rules, Resolver: n})
	defer c.Close()
	for _, good := range []string{s.URL + "/other", "http://localhost:" + port} {
		if err := ask(c, good); err != nil {
			t.Error(err)
		}
	}
	before := hits.Load()
	if err := ask(c, "http://keys.example.com:"+port); err == nil || hits.Load() != before {
		t.Error("a name that leads to this machine was asked")
	}
	for _, bad := range []string{"", "keys", "ftp://a", "https://u@a", "https://a#b"} {
		if _, err := outbound.Named(bad); err == nil {
			t.Error(bad)
		}
	}
}

// TestRoundTrip has another's client be led about: each step is held to the rules.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	s, hits := victim(t, httptest.NewServer)
	first := httptest.NewServer(http.RedirectHandler(s.URL+"/?secret=hidden", http.StatusTemporaryRedirect))
	defer first.Close()
	h := &http.Client{Transport: client(t, nil, nil, first.URL)}
	res, err := h.Post(first.URL, "text/plain", strings.NewReader("password"))
	if err == nil {
		_ = res.Body.Close()
		t.Error("it was led to", s.URL)
	}
	if refused, ok := errors.AsType[*outbound.Error](err); !ok || !refused.Host() || hits.Load() != 0 {
		t.Error(err)
	}
}

func FuzzCheck(f *testing.F) {
	rules, err := outbound.ParseRules([]string{"ws.example.com", "*.ws.example.org:8443"})
	if err != nil {
		f.Fatal(err)
	}
	c := outbound.New(outbound.Options{Rules: rules})
	for _, seed := range []string{"https://ws.example.com/", "https://a.ws.example.org:8443/x?y", "https://ws.example.com@h", "https://[::1]/", "https://1.2.3.4:5"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, target string) {
		u, err := c.Check(target)
		if err != nil {
			return
		}
		host := strings.ToLower(u.Hostname())
		if u.Scheme != "https" || u.User != nil || (host != "ws.example.com" && !strings.HasSuffix(host, ".ws.example.org")) {
			t.Errorf("%q leads to %s", target, u)
		}
		if p := u.Port(); p != "" && p != "443" && p != "8443" {
			t.Errorf("%q: port %s", target, p)
		}
		if again, err := c.Check(u.String()); err != nil || again.Host != u.Host {
			t.Error(fmt.Sprintf("%q changes to %s:", target, u), err)
		}
	})
}
