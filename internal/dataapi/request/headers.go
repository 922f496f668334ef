package request

import (
	"slices"
	"strings"

	"github.com/tarn-data/tarn/internal/dataapi/payload"
)

// HeadersObject is the request.headers setting: a JSON object of the headers other than Cookie, by their names in lower case,
// with the host that was asked, which isn't among them. Of several values of one name the last counts.
func HeadersObject(headers map[string][]string, host string) string {
	var room [24]string
	names := room[:0]
	for name, values := range headers {
		if name != "Cookie" && name != "Host" && len(values) > 0 {
			names = append(names, name)
		}
	}
	if host != "" {
		names = append(names, "Host")
	}
	if len(names) == 0 {
		return "{}"
	}
	slices.Sort(names)
	b := make([]byte, 0, 512) // which the compiler leaves on the stack
	for i, name := range names {
		value := host
		if name != "Host" {
			values := headers[name]
			value = values[len(values)-1]
		}
		b = append(appendLower(separate(b, i == 0), name), ':')
		b = payload.AppendString(b, strings.ToValidUTF8(value, "\uFFFD"))
	}
	return string(append(b, '}'))
}

// appendLower appends a header's name in lower case, as JSON.
func appendLower(b []byte, name string) []byte {
	from := len(b)
	b = payload.AppendString(b, strings.ToValidUTF8(name, "\uFFFD"))
	for i := from; i < len(b); i++ {
		if c := b[i]; c >= 'A' && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return b
}

// CookiesObject is the request.cookies setting, likewise of the cookies.
func CookiesObject(headers map[string][]string) string {
	cookies := readCookies(headers["Cookie"])
	if len(cookies) == 0 {
		return "{}"
	}
	slices.SortStableFunc(cookies, func(a, b header) int { return strings.Compare(a.name, b.name) })
	var b []byte
	for i, c := range cookies {
		if i+1 < len(cookies) && cookies[i+1].name == c.name {
			continue
		}
		b = append(payload.AppendString(separate(b, len(b) == 0), strings.ToValidUTF8(c.name, "\uFFFD")), ':')
		b = payload.AppendString(b, strings.ToValidUTF8(c.value, "\uFFFD"))
	}
	return string(append(b, '}'))
}

// separate begins a member of an object.
func separate(b []byte, first bool) []byte {
	if first {
		return append(b, '{')
	}
	return append(b, ',')
}

type header struct{ name, value string }

// readCookies lists the cookies. The quotes around a value are not part of it.
func readCookies(values []string) []header {
	var out []header
	for _, v := range values {
		for item := range strings.SplitSeq(v, ";") {
			name, value, _ := strings.Cut(item, "=")
			if name = strings.TrimLeft(name, " "); name == "" && value == "" {
				continue
			}
			if n := len(value); n > 1 && value[0] == '"' && value[n-1] == '"' {
				value = value[1 : n-1]
			}
			out = append(out, header{name, value})
		}
	}
	return out
}
