package outbound

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Rule allows requests to one host, or to all hosts below a name.
type Rule struct {
	plain    bool   // HTTP without TLS
	host     string // in small letters; begins with a dot if it is for all below it
	port     uint16
	networks []netip.Prefix // that the host may be in although nobody else's may
}

// Default are the hosts of workspaces in Databricks' own clouds.
func Default() []string {
	return []string{"*.cloud.databricks.com", "*.azuredatabricks.net", "*.gcp.databricks.com"}
}

const (
	tlsPort   = 443
	plainPort = 80
)

// ParseRules reads what an administrator allows. A rule is
//
//	[http://]HOST[:PORT][=NETWORK[+NETWORK…]]
//
// where HOST is a name, *.NAME for all below a name, * for all, or an address. Of several rules for a host, the one that
// says most of its name counts; of two that are alike, the first. Only with a network, or with an address for HOST, may
// it be one that isn't public: loopback, private, link-local. Only with http:// may it be without TLS.
func ParseRules(texts []string) ([]Rule, error) {
	rules := make([]Rule, 0, len(texts))
	for _, text := range texts {
		r, err := parseRule(text)
		if err != nil {
			return nil, fmt.Errorf("the rule %q allows no host: %w", text, err)
		}
		rules = append(rules, r)
	}
	return rules, nil
}

// sorted puts the rules first that are for fewer hosts.
func sorted(rules []Rule) []Rule {
	hosts := func(r Rule) int {
		if !r.many() {
			return -maxName
		}
		return -strings.Count(r.host, ".")
	}
	rules = slices.Clone(rules)
	slices.SortStableFunc(rules, func(a, b Rule) int { return cmp.Compare(hosts(a), hosts(b)) })
	return rules
}

// Named are rules that allow the hosts of addresses, which an administrator has named for some other reason. Of those
// without a public address they allow this machine, if that is what the address says; others take a rule of their own.
func Named(addresses ...string) ([]Rule, error) {
	var rules []Rule
	for _, address := range addresses {
		u, host, port, err := parseTarget(address)
		if err != nil {
			return nil, fmt.Errorf("the address %q: %w", address, err)
		}
		r := Rule{plain: u.Scheme == "http", host: host, port: port}
		if a, err := netip.ParseAddr(host); err == nil && a.IsLoopback() {
			r.networks = []netip.Prefix{netip.PrefixFrom(a, a.BitLen())}
		} else if host == "localhost" {
			r.networks = prefixes("127.0.0.0/8", "::1/128")
		}
		rules = append(rules, r)
	}
	return rules, nil
}

func parseRule(text string) (Rule, error) {
	var r Rule
	where, networks, given := strings.Cut(text, "=")
	if given {
		for n := range strings.SplitSeq(networks, "+") {
			p, err := netip.ParsePrefix(n)
			if err != nil {
				return r, err
			}
			r.networks = append(r.networks, p.Masked())
		}
	}
	where, r.plain = strings.CutPrefix(strings.ToLower(where), "http://")
	if !r.plain {
		where = strings.TrimPrefix(where, "https://")
	}
	if rest, all := strings.CutPrefix(where, "*"); all && (rest == "" || rest[0] == ':') {
		return r.forAll(rest)
	}
	where, below := strings.CutPrefix(where, "*.")
	host, port, err := splitHost(where)
	if err != nil {
		return r, err
	}
	r.host, r.port = host, port
	if port == 0 {
		r.port = defaultPort(r.plain)
	}
	if a, err := netip.ParseAddr(host); err == nil {
		if below {
			return r, errors.New("nothing is below an address")
		}
		r.networks = append(r.networks, netip.PrefixFrom(a, a.BitLen()))
	}
	if below {
		if !strings.Contains(host, ".") {
			return r, fmt.Errorf("all of .%s is too much", host)
		}
		r.host = "." + host
	}
	return r, nil
}

// forAll makes it a rule for all hosts, with a port or without.
func (r Rule) forAll(port string) (Rule, error) {
	const anyName = "x"
	if r.plain {
		return r, errors.New("all hosts without TLS are too much")
	}
	_, n, err := splitHost(anyName + port)
	if r.port = n; n == 0 {
		r.port = defaultPort(r.plain)
	}
	return r, err
}

// many tells whether a rule is for more than one host.
func (r Rule) many() bool { return r.host == "" || r.host[0] == '.' }

func defaultPort(plain bool) uint16 {
	if plain {
		return plainPort
	}
	return tlsPort
}

// matches tells whether a rule is for a host.
func (r Rule) matches(plain bool, host string, port uint16) bool {
	if r.plain != plain || r.port != port {
		return false
	}
	if r.host == "" {
		return true
	}
	if r.many() {
		return strings.HasSuffix(host, r.host) && len(host) > len(r.host)
	}
	return host == r.host
}

const maxURL = 8 << 10

// parseTarget reads a URL more strictly than others do, so that nobody reads another host from it than we do.
func parseTarget(raw string) (u *url.URL, host string, port uint16, err error) {
	if len(raw) > maxURL {
		return nil, "", 0, refuse("the URL is too long")
	}
	for i := range len(raw) {
		if c := raw[i]; c <= ' ' || c >= 0x7f || c == '\\' {
			return nil, "", 0, refuse("the URL has characters that it may not have")
		}
	}
	if u, err = url.Parse(raw); err != nil {
		return nil, "", 0, refuse("it is not a URL")
	}
	switch {
	case u.Scheme != "https" && u.Scheme != "http":
		return nil, "", 0, refuse("the URL must begin with https://")
	case u.User != nil:
		return nil, "", 0, refuse("the URL may not have a user or password")
	case u.Opaque != "" || u.Host == "":
		return nil, "", 0, refuse("the URL has no host")
	case u.Fragment != "" || strings.Contains(raw, "#"):
		return nil, "", 0, refuse("the URL may not have a fragment")
	}
	authority, _, _ := strings.Cut(strings.TrimPrefix(raw[len(u.Scheme)+1:], "//"), "/")
	authority, _, _ = strings.Cut(authority, "?")
	if !strings.EqualFold(authority, u.Host) {
		return nil, "", 0, refuse("the host is not written plainly")
	}
	u.Host = strings.ToLower(u.Host)
	host, port, err = splitHost(u.Host)
	if err != nil {
		return nil, "", 0, refuse(err.Error())
	}
	if port == 0 {
		port = defaultPort(u.Scheme == "http")
	}
	return u, host, port, nil
}

// splitHost reads a host in small letters, with or without a port. An address must be written in its one usual way.
func splitHost(s string) (host string, port uint16, err error) {
	host = s
	if i := strings.LastIndexByte(s, ':'); i >= 0 && !strings.HasSuffix(s, "]") {
		n, err := strconv.ParseUint(s[i+1:], 10, 16)
		if err != nil || n == 0 || s[i+1] == '+' || s[i+1] == '0' {
			return "", 0, errors.New("the port is not a number from 1 to 65535")
		}
		host, port = s[:i], uint16(n)
	}
	if inner, ok := strings.CutPrefix(host, "["); ok {
		inner, ok = strings.CutSuffix(inner, "]")
		a, err := netip.ParseAddr(inner)
		if !ok || err != nil || !a.Is6() || a.Is4In6() || a.Zone() != "" || a.String() != inner {
			return "", 0, errors.New("the address is not written in its usual way")
		}
		return inner, port, nil
	}
	if a, err := netip.ParseAddr(host); err == nil {
		if !a.Is4() || a.String() != host {
			return "", 0, errors.New("the address is not written in its usual way")
		}
		return host, port, nil
	}
	return host, port, checkName(host)
}

const (
	maxName  = 253
	maxLabel = 63
)

// checkName holds that a name is one of DNS, in ASCII, and that nobody takes it for a number.
func checkName(name string) error {
	if name == "" || len(name) > maxName {
		return errors.New("the host is empty or too long")
	}
	labels := strings.Split(name, ".")
	for _, l := range labels {
		if l == "" || len(l) > maxLabel || l[0] == '-' || l[len(l)-1] == '-' {
			return errors.New("the host is not a name: it may not begin or end with a dot or a hyphen, nor have two dots in a row")
		}
		for i := range len(l) {
			if c := l[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
				return errors.New("the host has characters other than letters of ASCII, digits, hyphens and dots")
			}
		}
	}
	if last := labels[len(labels)-1]; last[0] >= '0' && last[0] <= '9' {
		return errors.New("the host is a number, and not an address written in its usual way")
	}
	return nil
}
