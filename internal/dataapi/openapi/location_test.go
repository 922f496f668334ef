package openapi

import "testing"

func TestLocate(t *testing.T) {
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
		{Input{ProxyURI: "https://[::1]/"}, location{"https", "[::1]", 443, "/"}},
		{Input{Host: "h", Port: 1, ProxyURI: "not a URI"}, location{"http", "h", 1, "/"}},
	} {
		if got := locate(tc.in); got != tc.want {
			t.Errorf("locate(%+v) = %+v, want %+v", tc.in, got, tc.want)
		}
	}
}
