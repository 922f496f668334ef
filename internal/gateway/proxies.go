package gateway

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
)

// Proxies are the networks of proxies that are trusted to say where a request comes from. Of all others, what they say is
// not heard.
type Proxies struct {
	Networks  []netip.Prefix
	Forwarded bool // they say it in the header Forwarded, not in X-Forwarded-…
}

// ParseNetworks reads networks and single addresses.
func ParseNetworks(texts []string) ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, text := range texts {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			a, aerr := netip.ParseAddr(text)
			if aerr != nil {
				return nil, fmt.Errorf("%q is neither an address nor a network such as 10.0.0.0/8", text)
			}
			p = netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen())
		}
		out = append(out, p.Masked())
	}
	return out, nil
}

// Handler has a request that came by trusted proxies look as if it came without.
func (p Proxies) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.URL.Scheme = "" // which the client may have set
		if len(p.Networks) > 0 {
			if peer, ok := address(r.RemoteAddr); ok && p.trusts(peer) {
				p.reveal(r, peer)
			}
		}
		next.ServeHTTP(w, r)
	})
}

// reveal changes a request to what the proxies say of it.
func (p Proxies) reveal(r *http.Request, peer netip.Addr) {
	var hops []hop // nearest last
	if p.Forwarded {
		hops = forwarded(r.Header.Values("Forwarded"))
	} else {
		for _, text := range list(r.Header.Values("X-Forwarded-For")) {
			hops = append(hops, hop{source: text})
		}
		if n := len(hops); n > 0 {
			hops[n-1].scheme, hops[n-1].host = last(r.Header.Values("X-Forwarded-Proto")), last(r.Header.Values("X-Forwarded-Host"))
		} else {
			setOrigin(r, hop{scheme: last(r.Header.Values("X-Forwarded-Proto")), host: last(r.Header.Values("X-Forwarded-Host"))})
		}
	}
	source := peer
	for i := len(hops) - 1; i >= 0 && p.trusts(source); i-- {
		setOrigin(r, hops[i])
		next, ok := address(hops[i].source)
		if !ok { // a name, or nonsense: the last that is known is the one
			break
		}
		source = next
	}
	if source != peer {
		r.RemoteAddr = netip.AddrPortFrom(source, 0).String()
	}
}

// setOrigin sets which scheme and host the client asked.
func setOrigin(r *http.Request, h hop) {
	if scheme := strings.ToLower(h.scheme); scheme == "https" || scheme == "http" {
		r.URL.Scheme = scheme
	}
	if h.host != "" && !strings.ContainsAny(h.host, " /\\@?#\"<>") {
		r.Host = h.host
	}
}

// hop is what a proxy says of who it was asked by, and for what.
type hop struct{ source, scheme, host string }

// forwarded reads the elements of Forwarded headers (RFC 7239).
func forwarded(values []string) []hop {
	var out []hop
	for _, element := range list(values) {
		var h hop
		for pair := range strings.SplitSeq(element, ";") {
			name, value, _ := strings.Cut(strings.TrimSpace(pair), "=")
			value = strings.Trim(value, `"`)
			switch strings.ToLower(name) {
			case "for":
				h.source = value
			case "proto":
				h.scheme = value
			case "host":
				h.host = value
			}
		}
		out = append(out, h)
	}
	return out
}

// maxHops bounds what a client makes us read.
const maxHops = 64

// list splits headers at their commas; of very many elements it returns the last.
func list(values []string) []string {
	var out []string
	for _, v := range values {
		for part := range strings.SplitSeq(v, ",") {
			out = append(out, strings.TrimSpace(part))
		}
	}
	return out[max(0, len(out)-maxHops):]
}

func last(values []string) string {
	if all := list(values); len(all) > 0 {
		return all[len(all)-1]
	}
	return ""
}

func (p Proxies) trusts(a netip.Addr) bool {
	for _, n := range p.Networks {
		if n.Contains(a) {
			return true
		}
	}
	return false
}

// address reads an address, with or without a port.
func address(text string) (netip.Addr, bool) {
	if ap, err := netip.ParseAddrPort(text); err == nil {
		return ap.Addr().WithZone("").Unmap(), true
	}
	a, err := netip.ParseAddr(strings.Trim(text, "[]"))
	return a.WithZone("").Unmap(), err == nil
}
