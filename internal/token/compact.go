package token

import (
	"encoding/base64"
	"strings"
	"sync"
)

// compact is a token in compact form, taken apart. Nothing of it is verified.
type compact struct {
	header

	payload   []byte
	signature []byte
	signed    string // what the signature is of
}

// header is a token's header.
type header struct {
	alg    string
	kid    string
	hasKid bool
	typ    string
}

// headers keeps headers by their text: an issuer's tokens all have the same. It is safe for concurrent use, and its zero
// value is empty.
type headers struct {
	mu   sync.RWMutex
	read map[string]header
}

const (
	maxHeaders    = 64
	maxHeaderText = 512 // of one that is kept
)

// get reads a header; not ok if it isn't understood.
func (h *headers) get(text string) (header, bool) {
	h.mu.RLock()
	known, ok := h.read[text]
	h.mu.RUnlock()
	if ok {
		return known, true
	}
	known, ok = readHeader(text)
	if ok && len(text) <= maxHeaderText {
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.read == nil || len(h.read) >= maxHeaders {
			h.read = map[string]header{}
		}
		h.read[strings.Clone(text)] = known
	}
	return known, ok
}

// parseCompact takes a token apart. Its errors are faults.
func parseCompact(bearer string, known *headers) (*compact, error) {
	if bearer == "" {
		return nil, emptyToken()
	}
	if n := strings.Count(bearer, ".") + 1; n != 3 {
		return nil, wrongParts(n)
	}
	end := strings.LastIndexByte(bearer, '.')
	c := &compact{signed: bearer[:end]}
	head, payload, _ := strings.Cut(c.signed, ".")
	var understood bool
	if c.header, understood = known.get(head); !understood {
		return nil, malformed()
	}
	var payloadErr, signatureErr error
	c.payload, payloadErr = base64.RawURLEncoding.DecodeString(payload)
	if payloadErr == nil && c.alg == "none" {
		return nil, unsecured()
	}
	c.signature, signatureErr = base64.RawURLEncoding.DecodeString(bearer[end+1:])
	if payloadErr != nil || signatureErr != nil {
		return nil, malformed()
	}
	return c, nil
}

// readHeader reads the header. A header that asks for what isn't known here (RFC 7515, 4.1.11) is not understood.
func readHeader(encoded string) (h header, ok bool) {
	text, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil {
		return header{}, false
	}
	fields, ok := decodeObject(text)
	if !ok {
		return header{}, false
	}
	_, critical := fields["crit"]
	_, encrypted := fields["enc"]
	if critical || encrypted {
		return header{}, false
	}
	for _, name := range [...]string{"typ", "cty", "kid"} {
		if _, ok := fields[name].(string); !ok && fields[name] != nil {
			return header{}, false
		}
	}
	h.kid, h.hasKid = fields["kid"].(string)
	h.typ, _ = fields["typ"].(string)
	h.alg, _ = fields["alg"].(string)
	_, known := algorithm(h.alg)
	return h, known || h.alg == "none"
}
