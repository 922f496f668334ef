package accesslog

import (
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// entry is what a line says besides the request.
type entry struct {
	role   string // empty for nobody known
	time   string
	status int
	size   string // of the body in bytes; empty if there is none
}

// appendLine appends a line such as
//
//	127.0.0.1 - anon [26/Jul/2021:01:56:38 -0500] "GET /clients HTTP/1.1" 200 56 "" "curl/7.64.0"
func appendLine(b []byte, r *http.Request, e *entry) []byte {
	b = append(b, or(host(r.RemoteAddr), "-")...)
	b = append(b, " - "...)
	b = appendQuoted(b, or(e.role, "-"))
	b = append(append(b, " ["...), e.time...)
	b = append(append(b, `] "`...), r.Method...)
	b = append(b, ' ')
	b = appendQuoted(b, r.RequestURI)
	b = append(append(b, ' '), r.Proto...)
	b = append(b, `" `...)
	b = strconv.AppendInt(b, int64(e.status), 10)
	b = append(append(b, ' '), or(e.size, "-")...)
	b = append(b, ` "`...)
	b = appendQuoted(b, r.Header.Get("Referer"))
	b = append(b, `" "`...)
	b = appendQuoted(b, r.Header.Get("User-Agent"))
	return append(b, "\"\n"...)
}

// host is the host of an address; empty for one of a unix socket.
func host(address string) string {
	end := strings.LastIndexByte(address, ':')
	if end < 0 {
		return ""
	}
	return strings.Trim(address[:end], "[]")
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// appendQuoted appends a text of the client's so that it can't end what it stands in, nor the line.
func appendQuoted(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c < ' ' || c == 0x7f:
			b = append(b, '\\', 'x', hex[c>>4], hex[c&15])
		default:
			b = append(b, c)
		}
	}
	return b
}

// clock renders the time once a second.
type clock struct{ last atomic.Pointer[second] }

type second struct {
	unix int64
	text string
}

func (c *clock) text(now time.Time) string {
	unix := now.Unix()
	if last := c.last.Load(); last != nil && last.unix == unix {
		return last.text
	}
	s := &second{unix, now.Format("02/Jan/2006:15:04:05 -0700")}
	c.last.Store(s)
	return s.text
}
