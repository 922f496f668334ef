package server

import (
	"net"
	"strings"
	"testing"

	"github.com/tarn-data/tarn/internal/config"
)

// TestHosts listens on what PostgREST's special hosts stand for.
func TestHosts(t *testing.T) {
	six, err := net.Listen("tcp6", "[::1]:0")
	if err == nil {
		_ = six.Close()
	}
	for _, c := range []struct {
		host             string
		overFour, overIP bool // whether clients reach it over IPv4 and over IPv6
	}{
		{"!4", true, false}, {"*4", true, true}, {"*", true, true}, {"*6", true, true}, {"!6", false, true},
		{"0.0.0.0", true, false}, {"127.0.0.1", true, false}, {"::1", false, true}, {"localhost", true, false},
	} {
		if err != nil && (c.overIP && !c.overFour) {
			continue // this machine has no IPv6
		}
		l, lerr := listenDataAPI(t.Context(), &config.DataAPI{ServerHost: c.host})
		if lerr != nil {
			t.Errorf("%s: %v", c.host, lerr)
			continue
		}
		_, port, _ := net.SplitHostPort(l.Addr().String())
		reaches := func(host string) bool {
			conn, err := net.Dial("tcp", net.JoinHostPort(host, port))
			if err == nil {
				_ = conn.Close()
			}
			return err == nil
		}
		if got := reaches("127.0.0.1"); got != c.overFour {
			t.Errorf("%s over IPv4: %t", c.host, got)
		}
		if got := reaches("::1"); err == nil && got != c.overIP {
			t.Errorf("%s over IPv6: %t", c.host, got)
		}
		_ = l.Close()
	}
}

func TestPortInUse(t *testing.T) {
	l, err := listenDataAPI(t.Context(), &config.DataAPI{ServerHost: "127.0.0.1"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	cfg := &config.DataAPI{ServerHost: "127.0.0.1", ServerPort: l.Addr().(*net.TCPAddr).Port}
	if _, err := listenDataAPI(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "address already in use") {
		t.Error(err)
	}
	if _, err := listenAdmin(t.Context(), &config.DataAPI{AdminHost: "127.0.0.1", AdminPort: cfg.ServerPort}); err == nil {
		t.Error("the admin port is shared")
	}
	if l, err := listenAdmin(t.Context(), &config.DataAPI{}); l != nil || err != nil {
		t.Error("an admin endpoint that nobody asked for", l, err)
	}
}
