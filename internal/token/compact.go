package token

import (
	"encoding/base64"
	"strings"
)

// compact is a token in compact form, taken apart. Nothing of it is verified.
type compact struct {
	alg       string
	kid       string
	hasKid    bool
	typ       string
	payload   []byte
	signature []byte
	signed    string // what the signature is of
}

// parseCompact takes a token apart. Its errors are faults.
func parseCompact(bearer string) (*compact, error) {
	if bearer == "" {
		return nil, emptyToken()
	}
	if n := strings.Count(bearer, ".") + 1; n != 3 {
		return nil, wrongParts(n)
	}
	end := strings.LastIndexByte(bearer, '.')
	c := &compact{signed: bearer[:end]}
	header, payload, _ := strings.Cut(c.signed, ".")
	if !c.readHeader(header) {
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
func (c *compact) readHeader(encoded string) bool {
	text, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil {
		return false
	}
	header, ok := decodeObject(text)
	if !ok {
		return false
	}
	_, critical := header["crit"]
	_, encrypted := header["enc"]
	if critical || encrypted {
		return false
	}
	for _, name := range [...]string{"typ", "cty", "kid"} {
		if _, ok := header[name].(string); !ok && header[name] != nil {
			return false
		}
	}
	c.kid, c.hasKid = header["kid"].(string)
	c.typ, _ = header["typ"].(string)
	c.alg, _ = header["alg"].(string)
	_, known := algorithm(c.alg)
	return known || c.alg == "none"
}
