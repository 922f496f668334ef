package openapi

import (
	"cmp"
	"net/url"
	"strconv"
	"strings"
)

// location is where clients find the API.
type location struct {
	scheme, host string
	port         int
	path         string
}

// locate takes the proxy's URI, which was checked where the settings are read, or else what the server listens on.
func locate(in Input) location {
	u, err := url.Parse(in.ProxyURI)
	if err != nil || u.Host == "" {
		return location{scheme: "http", host: visibleHost(in.Host), port: in.Port, path: cmp.Or(in.BasePath, "/")}
	}
	l := location{scheme: "https", host: strings.TrimSuffix(u.Host, ":"+u.Port()), port: 443, path: cmp.Or(u.EscapedPath(), "/")}
	if u.Scheme == "http" {
		l.scheme, l.port = "http", 80
	}
	if port, err := strconv.Atoi(u.Port()); err == nil {
		l.port = port
	}
	return l
}

// visibleHost writes the hosts that stand for all addresses as one.
func visibleHost(host string) string {
	switch host {
	case "*", "*4", "!4", "*6", "!6":
		return "0.0.0.0"
	}
	return host
}
