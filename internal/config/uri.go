package config

import (
	"strconv"
	"strings"
)

// uri is the parts of a URI (RFC 3986). The net/url package is more lenient than a check of settings may be.
type uri struct {
	scheme       string
	hasAuthority bool
	userinfo     bool
	host         string
	port         string // with its colon; empty if there is none
	query        bool
	fragment     bool
}

const (
	letters    = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	digits     = "0123456789"
	unreserved = letters + digits + "-._~"
	subDelims  = "!$&'()*+,;="
)

// parseURI reads an absolute URI, in which there may be a fragment.
func parseURI(s string) (uri, bool) {
	scheme, rest, ok := strings.Cut(s, ":")
	if !ok || scheme == "" || !strings.Contains(letters, scheme[:1]) || !only(scheme, letters+digits+"+-.") {
		return uri{}, false
	}
	u := uri{scheme: strings.ToLower(scheme)}
	rest, fragment, hasFragment := strings.Cut(rest, "#")
	rest, query, hasQuery := strings.Cut(rest, "?")
	u.fragment, u.query = hasFragment, hasQuery
	if !escaped(query, "/?:@") || !escaped(fragment, "/?:@") {
		return uri{}, false
	}
	if after, ok := strings.CutPrefix(rest, "//"); ok {
		authority, path := after, ""
		if slash := strings.IndexByte(after, '/'); slash >= 0 {
			authority, path = after[:slash], after[slash:]
		}
		if !u.readAuthority(authority) {
			return uri{}, false
		}
		rest = path
	}
	return u, escaped(rest, "/:@")
}

func (u *uri) readAuthority(s string) bool {
	u.hasAuthority = true
	userinfo, host, ok := strings.Cut(s, "@")
	if !ok {
		userinfo, host = "", s
	}
	u.userinfo = ok
	if end := strings.LastIndexByte(host, ']'); strings.HasPrefix(host, "[") && end > 0 {
		u.host, u.port = host[:end+1], host[end+1:]
		if !only(host[1:end], unreserved+subDelims+":") {
			return false
		}
	} else {
		u.host = host
		if colon := strings.IndexByte(host, ':'); colon >= 0 {
			u.host, u.port = host[:colon], host[colon:]
		}
		if !escaped(u.host, "") {
			return false
		}
	}
	port, ok := strings.CutPrefix(u.port, ":")
	return escaped(userinfo, ":") && (ok || u.port == "") && only(port, digits)
}

func only(s, allowed string) bool { return strings.Trim(s, allowed) == "" }

// escaped tells whether s is made of what may stand in any part of a URI, of escapes, and of the extra characters.
func escaped(s, extra string) bool {
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] != '%':
			if !strings.Contains(unreserved+subDelims+extra, s[i:i+1]) {
				return false
			}
		case i+2 >= len(s) || !only(s[i+1:i+3], digits+"abcdefABCDEF"):
			return false
		default:
			i += 2
		}
	}
	return true
}

// proxy tells whether the URI can be that of a proxy: http or https, with a host, and nothing but a port and a path.
func (u uri) proxy() bool {
	if u.scheme != "http" && u.scheme != "https" || !u.hasAuthority || u.userinfo || u.host == "" || u.query || u.fragment {
		return false
	}
	if u.port == "" {
		return true
	}
	port, err := strconv.Atoi(u.port[1:])
	return err == nil && port > 0 && port < 1<<16
}
