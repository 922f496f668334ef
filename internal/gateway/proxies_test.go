package gateway_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/tarn-data/tarn/internal/gateway"
)

func TestProxies(t *testing.T) {
	for _, c := range []struct {
		name, peer string
		forwarded  bool
		headers    []string // name and value in turn
		want       string   // address, scheme and host
	}{
		{"nobody to trust", "192.0.2.9:1", false, []string{"X-Forwarded-For", "198.51.100.1", "X-Forwarded-Proto", "https", "X-Forwarded-Host", "evil"}, "192.0.2.9:1  asked"},
		{"one proxy", "10.0.0.1:1", false, []string{"X-Forwarded-For", "198.51.100.1", "X-Forwarded-Proto", "https", "X-Forwarded-Host", "public"}, "198.51.100.1:0 https public"},
		{"what the client made up", "10.0.0.1:1", false, []string{"X-Forwarded-For", "127.0.0.1, 198.51.100.1"}, "198.51.100.1:0  asked"},
		{"two proxies", "10.0.0.1:1", false, []string{"X-Forwarded-For", "1.1.1.1, 198.51.100.1, 10.0.0.2"}, "198.51.100.1:0  asked"},
		{"two headers", "10.0.0.1:1", false, []string{"X-Forwarded-For", "1.1.1.1", "X-Forwarded-For", "198.51.100.1"}, "198.51.100.1:0  asked"},
		{"all are trusted", "10.0.0.1:1", false, []string{"X-Forwarded-For", "10.0.0.3, 10.0.0.2"}, "10.0.0.3:0  asked"},
		{"nonsense", "10.0.0.1:1", false, []string{"X-Forwarded-For", "198.51.100.1, what"}, "10.0.0.1:1  asked"},
		{"nonsense further on", "10.0.0.1:1", false, []string{"X-Forwarded-For", "what, 10.0.0.2"}, "10.0.0.2:0  asked"},
		{"with a port", "10.0.0.1:1", false, []string{"X-Forwarded-For", "198.51.100.1:4711"}, "198.51.100.1:0  asked"},
		{"version 6", "[fd00::1]:1", false, []string{"X-Forwarded-For", "2001:db8::7"}, "[2001:db8::7]:0  asked"},
		{"mapped peer", "[::ffff:10.0.0.1]:1", false, []string{"X-Forwarded-For", "198.51.100.1"}, "198.51.100.1:0  asked"},
		{"scheme alone", "10.0.0.1:1", false, []string{"X-Forwarded-Proto", "https"}, "10.0.0.1:1 https asked"},
		{"strange scheme", "10.0.0.1:1", false, []string{"X-Forwarded-For", "198.51.100.1", "X-Forwarded-Proto", "javascript"}, "198.51.100.1:0  asked"},
		{"strange host", "10.0.0.1:1", false, []string{"X-Forwarded-For", "198.51.100.1", "X-Forwarded-Host", "a/b"}, "198.51.100.1:0  asked"},
		{"the other header", "10.0.0.1:1", false, []string{"Forwarded", "for=198.51.100.1"}, "10.0.0.1:1  asked"},
		{"Forwarded", "10.0.0.1:1", true, []string{"Forwarded", `for=1.1.1.1, For="198.51.100.1:99";Proto=https;host=public`}, "198.51.100.1:0 https public"},
		{"Forwarded by two", "10.0.0.1:1", true, []string{"Forwarded", `for="[2001:db8::7]";proto=https;host=public, for=10.0.0.2;proto=http;host=inner`}, "[2001:db8::7]:0 https public"},
		{"Forwarded hidden", "10.0.0.1:1", true, []string{"Forwarded", `for=_hidden`}, "10.0.0.1:1  asked"},
		{"Forwarded not asked", "10.0.0.1:1", true, []string{"X-Forwarded-For", "198.51.100.1"}, "10.0.0.1:1  asked"},
		{"very many", "10.0.0.1:1", false, []string{"X-Forwarded-For", strings.Repeat("10.0.0.2,", 10_000) + "10.0.0.2"}, "10.0.0.2:0  asked"},
	} {
		t.Run(c.name, func(t *testing.T) {
			networks, err := gateway.ParseNetworks([]string{"10.0.0.0/8", "fd00::/8"})
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			h := gateway.Proxies{Networks: networks, Forwarded: c.forwarded}.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				got = r.RemoteAddr + " " + r.URL.Scheme + " " + r.Host
			}))
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.RemoteAddr, r.Host, r.URL.Scheme = c.peer, "asked", "https" // as of a request to a proxy
			for i := 0; i < len(c.headers); i += 2 {
				r.Header.Add(c.headers[i], c.headers[i+1])
			}
			h.ServeHTTP(httptest.NewRecorder(), r)
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func FuzzProxies(f *testing.F) {
	f.Add("1.1.1.1, 10.0.0.2", "https", `for="[::1]:2";proto=https, for=10.0.0.1`)
	f.Fuzz(func(t *testing.T, xff, proto, forwarded string) {
		networks, err := gateway.ParseNetworks([]string{"10.0.0.0/8"})
		if err != nil {
			t.Fatal(err)
		}
		for _, header := range []bool{false, true} {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.RemoteAddr = "10.0.0.1:1"
			r.Header = http.Header{"X-Forwarded-For": {xff}, "X-Forwarded-Proto": {proto}, "Forwarded": {forwarded}}
			gateway.Proxies{Networks: networks, Forwarded: header}.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).ServeHTTP(nil, r)
			if r.URL.Scheme != "" && r.URL.Scheme != "http" && r.URL.Scheme != "https" {
				t.Errorf("scheme %q", r.URL.Scheme)
			}
		}
	})
}

func TestNetworksThatAreNone(t *testing.T) {
	for _, text := range []string{"", "10.0.0.0/33", "proxy.example.com"} {
		if _, err := gateway.ParseNetworks([]string{text}); err == nil {
			t.Errorf("%q is taken for a network", text)
		}
	}
}
