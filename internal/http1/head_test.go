package http1

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"reflect"
	"testing"
)

// FuzzParse holds that a head which is taken means the same to net/http.
func FuzzParse(f *testing.F) {
	for _, text := range []string{
		"GET / HTTP/1.1\r\nHost: h\r\n\r\n",
		"POST /a%20b?c=d HTTP/1.1\r\nHost: h:80\r\nContent-Length: 3\r\nX-a: b\r\nx-A:c\t\r\n\r\nabc",
		"GET / HTTP/1.1\r\nhost:[::1]\r\nConnection: close\r\nCookie: \xff\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n1",
		"GET / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: h\r\nPragma: no-cache\r\n a\r\n\r\n",
		"GET / HTTP/1.1\nHost: h\r\n\n\r\n\r\n",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		end := bytes.Index(in, []byte(headEnd))
		if end < 0 {
			return
		}
		end += len(headEnd)
		got := &http.Request{}
		if !parse(got, in[:end]) || len(in) < end+int(got.ContentLength) {
			return
		}
		rest := in[end:]
		r := bufio.NewReader(bytes.NewReader(in))
		want, err := http.ReadRequest(r)
		if err != nil {
			t.Fatalf("%q is taken, but not by net/http: %v", in, err)
		}
		body, err := io.ReadAll(want.Body)
		if err != nil || !bytes.Equal(body, rest[:got.ContentLength]) {
			t.Fatalf("%q has the body %q: %v", in, body, err)
		}
		next, _ := io.ReadAll(r)
		if !bytes.Equal(next, rest[got.ContentLength:]) {
			t.Fatalf("%q goes on with %q", in, next)
		}
		if want.TransferEncoding != nil || want.Trailer != nil {
			t.Fatalf("%q has %v and %v", in, want.TransferEncoding, want.Trailer)
		}
		want.Body = nil
		if g, w := fields(got), fields(want); !reflect.DeepEqual(g, w) {
			t.Fatalf("%q is\n%v, to net/http\n%v", in, g, w)
		}
	})
}

func fields(r *http.Request) []any {
	return []any{r.Method, *r.URL, r.Proto, r.ProtoMajor, r.ProtoMinor, r.Header, r.ContentLength, r.Host, r.RequestURI, r.Close}
}
