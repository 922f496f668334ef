package connector

import (
	"context"
	"io"
	"net/http"

	"github.com/tarn-data/tarn/internal/vault"
)

// rows asks the Data API what the application asked.
func (c *Connector) rows(ctx context.Context, r *http.Request, at string, token vault.Secret) (*http.Response, error) {
	if r.URL.RawQuery != "" {
		at += "?" + r.URL.RawQuery
	}
	req, err := http.NewRequestWithContext(ctx, r.Method, at, nil)
	if err != nil {
		return nil, err
	}
	for _, name := range []string{"Accept", "Accept-Encoding", "Prefer", "Range", "Range-Unit", "If-None-Match", "X-Request-Id"} {
		if values := r.Header.Values(name); len(values) > 0 {
			req.Header[name] = values
		}
	}
	if len(req.Header["Accept-Encoding"]) == 0 {
		req.Header.Set("Accept-Encoding", "identity") // else net/http would ask for gzip, and unpack it
	}
	req.Header.Set("Authorization", "Bearer "+token.Reveal())
	return c.opt.HTTP.Do(req)
}

// pass hands an answer on while it arrives. One that ends too early is cut off.
func pass(w http.ResponseWriter, r *http.Request, res *http.Response) error {
	defer func() { _ = res.Body.Close() }()
	for _, name := range []string{
		"Content-Type", "Content-Range", "Content-Profile", "Content-Encoding", "Content-Location", "Content-Length",
		"Range-Unit", "Preference-Applied", "Etag", "Last-Modified", "Vary", "Retry-After", "Proxy-Status",
	} {
		if values := res.Header.Values(name); len(values) > 0 {
			w.Header()[name] = values
		}
	}
	w.WriteHeader(res.StatusCode)
	if r.Method == http.MethodHead {
		return nil
	}
	const most, little = 32 << 10, 16 << 10
	size := int64(most)
	if n := res.ContentLength; n >= 0 {
		size = min(size, n+1) // one more, so that the end is seen with the last part
	}
	out, buf := http.NewResponseController(w), make([]byte, size)
	for {
		n, err := res.Body.Read(buf)
		if n > 0 {
			if _, werr := w.Write(buf[:n]); werr != nil {
				return werr
			}
			if n < little { // little arrives: don't let it wait
				_ = out.Flush()
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
