// Package apiclient provides what commands call a server's platform API with: it finds the credential, refreshes it,
// waits when the server says so, and tells what went wrong. It doesn't know which operations there are.
package apiclient

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/tarn-data/tarn/internal/config"
)

const (
	timeout     = 2 * time.Minute
	maxAnswer   = 64 << 20
	maxTries    = 5
	defaultWait = time.Second
	maxWait     = 30 * time.Second
)

// Client calls the platform API of one server.
type Client struct {
	host   string
	tokens oauth2.TokenSource
	http   *http.Client
}

// New makes a client of the server and the credential that the settings name.
func New(ctx context.Context, cfg *config.Client) (*Client, error) {
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, ResponseHeaderTimeout: timeout, ForceAttemptHTTP2: true}
	plain := &http.Client{Transport: transport} // an answer itself may take long
	ctx = context.WithValue(ctx, oauth2.HTTPClient, plain)
	host, tokens, err := credential(ctx, cfg, plain)
	if err != nil {
		return nil, err
	}
	return &Client{host: host, tokens: tokens, http: plain}, nil
}

// Host is the server's address.
func (c *Client) Host() string { return c.host }

// Get calls an operation that reads, and decodes what it answers.
func (c *Client) Get(ctx context.Context, path string, query url.Values, out any) error {
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	return c.Do(ctx, http.MethodGet, path, nil, out)
}

// Do calls an operation with a value, and decodes what it answers; in and out may be nil.
func (c *Client) Do(ctx context.Context, method, path string, in, out any) error {
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	res, err := c.Stream(ctx, method, path, body)
	if err != nil {
		return err
	}
	defer func() { _ = res.Close() }()
	text, err := io.ReadAll(io.LimitReader(res, maxAnswer))
	if err != nil || out == nil {
		return err
	}
	return json.Unmarshal(text, out)
}

// Stream calls an operation and returns its answer as it comes. The caller closes it.
func (c *Client) Stream(ctx context.Context, method, path string, body []byte) (io.ReadCloser, error) {
	for try := 1; ; try++ {
		res, err := c.send(ctx, method, path, body)
		if err != nil {
			return nil, err
		}
		if res.StatusCode < http.StatusMultipleChoices {
			return res.Body, nil
		}
		busy := res.StatusCode == http.StatusTooManyRequests || res.StatusCode == http.StatusServiceUnavailable
		failure := readError(res)
		if !busy || try == maxTries {
			return nil, failure
		}
		if err := wait(ctx, res.Header.Get("Retry-After")); err != nil {
			return nil, errors.Join(failure, err)
		}
	}
}

func (c *Client) send(ctx context.Context, method, path string, body []byte) (*http.Response, error) {
	token, err := c.tokens.Token()
	if err != nil {
		return nil, refused(err)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.host+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	token.SetAuthHeader(req)
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "tarn-cli")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := c.http.Do(req)
	if err != nil {
		return nil, &Error{Message: "the server can't be reached: " + err.Error(), hint: "Is " + c.host + " the right address, and does Tarn run there?"}
	}
	return res, nil
}

func wait(ctx context.Context, after string) error {
	pause := defaultWait
	if s, err := strconv.Atoi(after); err == nil && s >= 0 {
		pause = min(time.Duration(s)*time.Second, maxWait)
	}
	t := time.NewTimer(pause)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Error is what a server refused a call with.
type Error struct {
	Status  int
	Code    string
	Message string
	hint    string
}

// Error renders the message, and the code if there is one.
func (e *Error) Error() string {
	if e.Code == "" {
		return e.Message
	}
	return e.Message + " (" + e.Code + ")"
}

// Hint says what to do.
func (e *Error) Hint() string { return e.hint }

func readError(res *http.Response) error {
	defer func() { _ = res.Body.Close() }()
	const most = 1 << 20
	text, _ := io.ReadAll(io.LimitReader(res.Body, most)) // what there is of it will do
	var body struct {
		Code    string `json:"error_code"`
		Message string `json:"message"`
		Detail  string `json:"detail"` // of SCIM
		Type    string `json:"scimType"`
	}
	_ = json.Unmarshal(text, &body) // then it says nothing
	e := &Error{Status: res.StatusCode, Code: body.Code + body.Type, Message: body.Message + body.Detail}
	if e.Message == "" {
		e.Message = "the server answered " + res.Status
	}
	switch res.StatusCode {
	case http.StatusUnauthorized:
		e.hint = "Log in with tarn login, or set DATABRICKS_TOKEN."
	case http.StatusForbidden:
		e.hint = "You are known, but may not do this: an administrator may."
	case http.StatusNotFound:
		if e.Code == "ENDPOINT_NOT_FOUND" {
			e.hint = "Is the server's version older than the command's?"
		}
	}
	return e
}

// refused says why there is no token any more.
func refused(err error) error {
	if r, ok := errors.AsType[*oauth2.RetrieveError](err); ok {
		message := r.ErrorDescription
		if message == "" {
			message = fmt.Sprintf("the server answered %s", r.Response.Status)
		}
		return &Error{Status: r.Response.StatusCode, Code: r.ErrorCode, Message: message, hint: "Log in again with tarn login."}
	}
	return err
}

// normal is a host as requests need it.
func normal(host string) (string, error) {
	if !strings.Contains(host, "://") {
		host = "https://" + host
	}
	u, err := url.Parse(host)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") || u.User != nil {
		return "", fmt.Errorf("%q is not the address of a server, such as https://tarn.example.com", host)
	}
	return u.Scheme + "://" + u.Host, nil
}
