// Package workspace speaks to a workspace as an application does: it gets a token for a service principal, and has a
// warehouse run a statement. It doesn't know where credentials are kept, nor keeps tokens.
package workspace

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/tarn-data/tarn/internal/vault"
)

// Doer makes requests, of which it allows some.
type Doer interface {
	Do(req *http.Request) (*http.Response, error)
}

// Client speaks to workspaces.
type Client struct {
	http  Doer
	sleep func(ctx context.Context, d time.Duration) error
}

// New makes a client. Sleep waits until it is to ask again.
func New(http Doer, sleep func(ctx context.Context, d time.Duration) error) *Client {
	return &Client{http, sleep}
}

// Credentials are what a service principal logs in with.
type Credentials struct {
	ClientID string
	Secret   vault.Secret
}

// Token is what a service principal acts with.
type Token struct {
	Access    vault.Secret
	ExpiresIn time.Duration // 0 if it wasn't said
}

// AnswerError is an answer that refuses.
type AnswerError struct {
	Status  int
	Code    string // error or error_code
	Message string // without secrets
}

// Error implements error.
func (e *AnswerError) Error() string {
	parts := []string{fmt.Sprintf("status %d", e.Status), e.Code, e.Message}
	return strings.Join(slices.DeleteFunc(parts, func(p string) bool { return p == "" }), ", ")
}

// EmptyTokenError says that the answer has no token, although it doesn't refuse.
type EmptyTokenError struct{}

// Error implements error.
func (EmptyTokenError) Error() string { return "the answer has no token" }

const (
	maxAnswer  = 1 << 20
	maxMessage = 500
)

// Token gets a token for a service principal. Base is the workspace's URL.
func (c *Client) Token(ctx context.Context, base string, cred Credentials) (Token, error) {
	form := url.Values{"grant_type": {"client_credentials"}, "scope": {"all-apis"}}.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(base, "/")+"/oidc/v1/token", strings.NewReader(form))
	if err != nil {
		return Token{}, err
	}
	req.SetBasicAuth(url.QueryEscape(cred.ClientID), url.QueryEscape(cred.Secret.Reveal()))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	var answer struct {
		Token     string `json:"access_token"`
		ExpiresIn int64  `json:"expires_in"`
	}
	if err := c.do(req, &answer, cred.Secret); err != nil {
		return Token{}, err
	}
	if answer.Token == "" {
		return Token{}, EmptyTokenError{}
	}
	return Token{Access: vault.Secret(answer.Token), ExpiresIn: time.Duration(answer.ExpiresIn) * time.Second}, nil
}

// do makes a request and decodes its answer, unless out is nil. Secrets are taken out of what it says when it refuses.
func (c *Client) do(req *http.Request, out any, secrets ...vault.Secret) error {
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "tarn")
	res, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	if err != nil {
		return err
	}
	if len(body) > maxAnswer {
		return fmt.Errorf("the answer is larger than %d bytes", maxAnswer)
	}
	if res.StatusCode < http.StatusOK || res.StatusCode >= http.StatusMultipleChoices {
		return newAnswerError(res.StatusCode, body, secrets)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(body, out); err != nil {
		return fmt.Errorf("the answer is not JSON of the expected form")
	}
	return nil
}

func newAnswerError(status int, body []byte, secrets []vault.Secret) *AnswerError {
	var said struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
		Code        string `json:"error_code"`
		Message     string `json:"message"`
	}
	e := &AnswerError{Status: status}
	if err := json.Unmarshal(body, &said); err != nil {
		e.Message = string(body)
	} else {
		e.Code, e.Message = said.Error+said.Code, said.Description+said.Message
	}
	e.Code, e.Message = clean(e.Code, secrets), clean(e.Message, secrets)
	return e
}

// clean makes text of others fit to be shown: without secrets, on one line, not too long.
func clean(text string, secrets []vault.Secret) string {
	for _, s := range secrets {
		if s == "" {
			continue
		}
		for _, form := range [...]string{s.Reveal(), url.QueryEscape(s.Reveal()), url.PathEscape(s.Reveal()), quoted(s.Reveal())} {
			text = strings.ReplaceAll(text, form, s.String())
		}
	}
	text = strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r <= ' ' || r == 0x7f || r == '\ufffd' }), " ")
	if len(text) > maxMessage {
		text = strings.ToValidUTF8(text[:maxMessage], "") + "…"
	}
	return text
}

// quoted is text as JSON has it in quotes.
func quoted(text string) string {
	out, err := json.Marshal(text)
	if err != nil {
		return text
	}
	return string(bytes.Trim(out, `"`))
}

// Reason says in a few words why no answer came, without addresses.
func Reason(err error) string {
	var name *net.DNSError
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.As(err, &name):
		return "the host was not found"
	case errors.As(err, &certificate):
		return "the host's certificate is not trusted"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "the host refused the connection"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return "no answer in time"
	}
	if _, ok := errors.AsType[*net.OpError](err); ok {
		return "the host can't be reached"
	}
	return clean(err.Error(), nil)
}
