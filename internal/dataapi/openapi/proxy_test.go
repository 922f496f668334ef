package openapi

import (
	"strings"
	"testing"
)

func TestLocation(t *testing.T) {
	for _, tc := range []struct {
		in   Input
		want location
	}{
		{Input{Host: "localhost", Port: 3000}, location{"http", "localhost", 3000, "/"}},
		{Input{Host: "!6", Port: 80}, location{"http", "0.0.0.0", 80, "/"}},
		{Input{Host: "h", Port: 80, BasePath: "/rest/db"}, location{"http", "h", 80, "/rest/db"}},
		{Input{Host: "h", Port: 3000, ProxyURI: "http://example.com"}, location{"http", "example.com", 80, "/"}},
		{Input{Host: "h", BasePath: "/x", ProxyURI: "https://example.com/a/b%20c"}, location{"https", "example.com", 443, "/a/b%20c"}},
		{Input{ProxyURI: "HTTPS://example.com:8443/"}, location{"https", "example.com", 8443, "/"}},
		{Input{ProxyURI: "http://[::1]:65535"}, location{"http", "[::1]", 65535, "/"}},
		{Input{Host: "h", Port: 1, ProxyURI: "ftp://example.com"}, location{"http", "h", 1, "/"}},
	} {
		if got := locate(tc.in); got != tc.want {
			t.Errorf("locate(%+v) = %+v, want %+v", tc.in, got, tc.want)
		}
	}
}

func TestValidProxyURI(t *testing.T) {
	for uri, valid := range map[string]bool{
		"http://postgrest.com/openapi.json":       true,
		"https://postgrest.com:8080/openapi.json": true,
		"https://10.0.0.1":                        true,
		"http://localhost:1/":                     true,
		"http://localhost:65535//a":               true,
		"":                                        false,
		"example.com":                             false,
		"//example.com":                           false,
		"ftp://example.com":                       false,
		"http:example.com":                        false,
		"http:///path":                            false,
		"http://user@example.com":                 false,
		"http://@example.com":                     false,
		"http://example.com:":                     false,
		"http://example.com:0":                    false,
		"http://example.com:65536":                false,
		"http://example.com:99999999999999999999": false,
		"http://example.com:port":                 false,
		"http://example.com?":                     false,
		"http://example.com/?a=b":                 false,
		"http://example.com/#x":                   false,
		"http://example.com/a b":                  false,
		"http://example.com/%zz":                  false,
		"http://example.com/\n":                   false,
		"http://exämple.com/":                     false,
	} {
		if err := ValidProxyURI(uri); (err == nil) != valid {
			t.Errorf("ValidProxyURI(%q) = %v, want valid: %v", uri, err, valid)
		}
	}
}

func FuzzParseProxyURI(f *testing.F) {
	f.Add("https://example.com:8443/base")
	f.Add("http://[::1]:80")
	f.Add("http://a@b")
	f.Fuzz(func(t *testing.T, uri string) {
		l, err := parseProxyURI(uri)
		if err != nil {
			return
		}
		switch {
		case l.scheme != "http" && l.scheme != "https":
			t.Errorf("%q: scheme %q", uri, l.scheme)
		case l.host == "" || strings.ContainsAny(l.host, "@/?#"):
			t.Errorf("%q: host %q", uri, l.host)
		case l.port < 1 || l.port > 65535:
			t.Errorf("%q: port %d", uri, l.port)
		case !strings.HasPrefix(l.path, "/") || strings.ContainsAny(l.path, "?# \n"):
			t.Errorf("%q: path %q", uri, l.path)
		}
	})
}
