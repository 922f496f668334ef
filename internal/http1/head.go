package http1

import (
	"io"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"
)

const (
	headEnd   = "\r\n\r\n"
	maxFields = 64
	// maxDigits is how long the number of a body's length may be.
	maxDigits = 5
)

// body is a body that is there as a whole.
type body struct {
	text []byte
	over bool
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	if b.over {
		return 0, http.ErrBodyReadAfterClose
	}
	if len(b.text) == 0 {
		return 0, io.EOF
	}
	n := copy(p, b.text)
	b.text = b.text[n:]
	return n, nil
}

// Close implements io.Closer.
func (b *body) Close() error {
	b.over = true
	return nil
}

// promising tells whether what isn't a whole head yet may become one that parse takes.
func promising(in []byte) bool {
	if len(in) > 0 && (in[0] < 'A' || in[0] > 'Z') {
		return false
	}
	for i := range in {
		if in[i] == '\n' && (i == 0 || in[i-1] != '\r') {
			return false
		}
	}
	return true
}

// parse reads a head, which ends with an empty line. It takes only what is beyond doubt, and nothing that changes how the
// connection goes on: all else is net/http's, which knows the exceptions and what to answer to what is wrong.
func parse(r *http.Request, in []byte) bool {
	text := string(in)
	line, fields, _ := strings.Cut(text[:len(text)-2], "\r\n")
	method, line, _ := strings.Cut(line, " ")
	target, proto, _ := strings.Cut(line, " ")
	if !usualMethod(method) || proto != "HTTP/1.1" || !visible(target) || target[0] != '/' {
		return false
	}
	u, err := url.ParseRequestURI(target)
	if err != nil {
		return false
	}
	r.Method, r.URL, r.RequestURI = method, u, target
	r.Proto, r.ProtoMajor, r.ProtoMinor = "HTTP/1.1", 1, 1
	return parseFields(r, fields)
}

func usualMethod(m string) bool {
	switch m {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return true
	}
	return false
}

// visible tells whether a text has visible ASCII only, and any.
func visible(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f {
			return false
		}
	}
	return s != ""
}

// parseFields reads the fields, each of which ends with a line's end.
func parseFields(r *http.Request, text string) bool {
	n := strings.Count(text, "\r\n")
	if n > maxFields {
		return false
	}
	values := make([]string, n) // of all fields, so that they are one allocation
	r.Header = make(http.Header, n)
	hosts := 0
	for i := range n {
		line, rest, _ := strings.Cut(text, "\r\n")
		text = rest
		name, value, found := strings.Cut(line, ":")
		value = strings.Trim(value, " \t")
		if !found || !token(name) || !printable(value) {
			return false
		}
		name = textproto.CanonicalMIMEHeaderKey(name)
		switch name {
		case "Host":
			hosts++
			r.Host = value
			continue
		case "Content-Length":
			if !setLength(r, value) || r.Header[name] != nil {
				return false
			}
		case "Connection":
			if !setConnection(r, value) || r.Header[name] != nil {
				return false
			}
		case "Transfer-Encoding", "Trailer", "Upgrade", "Expect", "Te", "Pragma", "Http2-Settings", "Proxy-Connection":
			return false
		}
		if there := r.Header[name]; there != nil {
			r.Header[name] = append(there, value)
			continue
		}
		values[i] = value
		r.Header[name] = values[i : i+1 : i+1]
	}
	return hosts == 1 && hostname(r.Host)
}

// setLength takes the body's length, if that isn't a long one.
func setLength(r *http.Request, value string) bool {
	if value == "" || len(value) > maxDigits {
		return false
	}
	n := 0
	for i := range len(value) {
		if value[i] < '0' || value[i] > '9' {
			return false
		}
		n = 10*n + int(value[i]-'0')
	}
	r.ContentLength = int64(n)
	return n <= maxBuffer
}

// setConnection heeds whether the client wants to go on.
func setConnection(r *http.Request, value string) bool {
	switch {
	case strings.EqualFold(value, "keep-alive"):
	case strings.EqualFold(value, "close"):
		r.Close = true
	default:
		return false
	}
	return true
}

// token tells whether a text can be the name of a field.
func token(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0 {
			return false
		}
	}
	return s != ""
}

// printable tells whether a text can be the value of a field.
func printable(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' && s[i] != '\t' || s[i] == 0x7f {
			return false
		}
	}
	return true
}

// hostname tells whether a text is a host as they usually are, with or without a port.
func hostname(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && strings.IndexByte("-._:[]", c) < 0 {
			return false
		}
	}
	return s != ""
}
