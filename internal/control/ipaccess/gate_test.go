package ipaccess_test

import (
	"net/netip"
	"testing"

	"github.com/tarn-data/tarn/internal/control/ipaccess"
)

func TestGate(t *testing.T) {
	office := ipaccess.List{Label: "office", Type: ipaccess.Allow, Enabled: true, Addresses: []string{"198.51.100.0/24", "2001:db8::/32", "203.0.113.7"}}
	thief := ipaccess.List{Label: "thief", Type: ipaccess.Block, Enabled: true, Addresses: []string{"198.51.100.66", "::ffff:198.51.100.67"}}
	off := func(l ipaccess.List) ipaccess.List { l.Enabled = false; return l }
	for _, c := range []struct {
		name  string
		lists []ipaccess.List
		addr  string
		want  bool
	}{
		{"no lists", nil, "192.0.2.1", true},
		{"in the network", []ipaccess.List{office}, "198.51.100.1", true},
		{"a single address", []ipaccess.List{office}, "203.0.113.7", true},
		{"beside it", []ipaccess.List{office}, "203.0.113.8", false},
		{"elsewhere", []ipaccess.List{office}, "192.0.2.1", false},
		{"version 6", []ipaccess.List{office}, "2001:db8:1::1", true},
		{"mapped", []ipaccess.List{office}, "::ffff:198.51.100.1", true},
		{"blocked", []ipaccess.List{thief}, "198.51.100.66", false},
		{"blocked, written as mapped", []ipaccess.List{thief}, "198.51.100.67", false},
		{"not blocked", []ipaccess.List{thief}, "192.0.2.1", true},
		{"blocked and allowed", []ipaccess.List{office, thief}, "198.51.100.66", false},
		{"allow list is off", []ipaccess.List{off(office)}, "192.0.2.1", true},
		{"block list is off", []ipaccess.List{off(thief)}, "198.51.100.66", true},
		{"no address", []ipaccess.List{thief}, "", true},
		{"no address, but only some are allowed", []ipaccess.List{office}, "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			var g ipaccess.Gate
			var addr netip.Addr
			if c.addr != "" {
				addr = netip.MustParseAddr(c.addr)
			}
			g.Set(c.lists, false)
			if err := g.Allow(addr); err != nil {
				t.Errorf("refused while lists aren't enforced: %v", err)
			}
			g.Set(c.lists, true)
			if err := g.Allow(addr); (err == nil) != c.want {
				t.Errorf("let in: %t, want %t", err == nil, c.want)
			}
		})
	}
}

func BenchmarkGate(b *testing.B) {
	var g ipaccess.Gate
	l := ipaccess.List{Type: ipaccess.Allow, Enabled: true}
	for i := range 1000 {
		l.Addresses = append(l.Addresses, netip.AddrFrom4([4]byte{10, byte(i / 100), byte(i % 100), 1}).String())
	}
	g.Set([]ipaccess.List{l}, true)
	a := netip.MustParseAddr("10.5.50.1")
	b.ReportAllocs()
	for b.Loop() {
		if g.Allow(a) != nil {
			b.Fatal("refused")
		}
	}
}
