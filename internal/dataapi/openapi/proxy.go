package openapi

import (
	"cmp"
	"errors"
	"regexp"
	"strconv"
	"strings"
)

var errProxyURI = errors.New("not an absolute http or https URI without user, query and fragment, such as https://example.com:8443/base")

// proxyURI matches scheme, host, port and path, in the characters that RFC 3986 allows.
var proxyURI = regexp.MustCompile(`^(?i:(https?))://` +
	`(\[[0-9A-Fa-f:.]+\]|(?:[\w.~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+)` +
	`(?::([0-9]+))?` +
	`((?:/(?:[\w.~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})*)*)$`)

// location is where clients find the API.
type location struct {
	scheme, host string
	port         int
	path         string
}

// ValidProxyURI tells whether a URI can stand for the server in the document.
func ValidProxyURI(uri string) error {
	_, err := parseProxyURI(uri)
	return err
}

func parseProxyURI(uri string) (location, error) {
	m := proxyURI.FindStringSubmatch(uri)
	if m == nil {
		return location{}, errProxyURI
	}
	l := location{scheme: strings.ToLower(m[1]), host: m[2], port: 80, path: cmp.Or(m[4], "/")}
	switch {
	case m[3] != "":
		port, err := strconv.ParseUint(m[3], 10, 16)
		if err != nil || port == 0 {
			return location{}, errProxyURI
		}
		l.port = int(port)
	case l.scheme == "https":
		l.port = 443
	}
	return l, nil
}

func locate(in Input) location {
	if l, err := parseProxyURI(in.ProxyURI); err == nil {
		return l
	}
	return location{scheme: "http", host: visibleHost(in.Host), port: in.Port, path: cmp.Or(in.BasePath, "/")}
}

// visibleHost writes the hosts that stand for all addresses as one.
func visibleHost(host string) string {
	switch host {
	case "*", "*4", "!4", "*6", "!6":
		return "0.0.0.0"
	}
	return host
}
