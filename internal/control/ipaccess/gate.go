package ipaccess

import (
	"context"
	"net/netip"
	"strings"
	"sync/atomic"

	"go4.org/netipx"

	"github.com/tarn-data/tarn/internal/endpoint"
	"github.com/tarn-data/tarn/internal/fault"
)

// Gate refuses who comes from where they may not. It is safe for concurrent use.
type Gate struct {
	policy  atomic.Pointer[policy] // nil while lists aren't enforced
	Refused atomic.Int64
}

// Set has other lists enforced from now on; without enforce none.
func (g *Gate) Set(all []List, enforce bool) {
	if !enforce {
		g.policy.Store(nil)
		return
	}
	g.policy.Store(newPolicy(all))
}

// Enforced tells whether lists are enforced.
func (g *Gate) Enforced() bool { return g.policy.Load() != nil }

// Admit implements gateway.Guard.
func (g *Gate) Admit(_ context.Context, c *endpoint.Call) error { return g.Allow(c.Source) }

// Allow refuses an address that may not come in. Its error is a fault.
func (g *Gate) Allow(source netip.Addr) error {
	p := g.policy.Load()
	if p == nil || p.admits(source) {
		return nil
	}
	g.Refused.Add(1)
	return fault.New(fault.Denied, "PERMISSION_DENIED",
		"Source IP address "+source.String()+" is blocked by the IP access lists of this workspace.")
}

// policy is what the lists come to.
type policy struct {
	block *netipx.IPSet
	allow *netipx.IPSet // nil if any address that isn't blocked may come in
}

func newPolicy(all []List) *policy {
	var block, allow netipx.IPSetBuilder
	p, only := &policy{}, false
	for _, l := range all {
		if !l.Enabled {
			continue
		}
		set := &block
		if l.Type == Allow {
			set, only = &allow, true
		}
		for _, a := range l.Addresses {
			if prefix, err := parse(a); err == nil { // others aren't kept
				set.AddPrefix(prefix)
			}
		}
	}
	p.block, _ = block.IPSet() // the errors are those of what was added
	if only {
		p.allow, _ = allow.IPSet()
	}
	return p
}

func (p *policy) admits(a netip.Addr) bool {
	a = a.WithZone("").Unmap()
	if !a.IsValid() { // over a unix socket
		return p.allow == nil
	}
	return !p.block.Contains(a) && (p.allow == nil || p.allow.Contains(a))
}

// parse reads an address or a network.
func parse(s string) (netip.Prefix, error) {
	if strings.Contains(s, "/") {
		p, err := netip.ParsePrefix(s)
		if err != nil || !p.Addr().Is4In6() {
			return p.Masked(), err
		}
		const mapped = 96 // bits before the address of version 4
		if p.Bits() < mapped {
			return p.Masked(), nil
		}
		return netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-mapped).Masked(), nil
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Prefix{}, err
	}
	a = a.WithZone("").Unmap()
	return netip.PrefixFrom(a, a.BitLen()), nil
}
