package apiclient

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"golang.org/x/oauth2"
)

// Login has a person log in to a server with a browser, which comes back to this machine with a code. Show is given the
// address to open.
func Login(ctx context.Context, host string, show func(address string)) (*Profile, error) {
	host, err := normal(host)
	if err != nil {
		return nil, err
	}
	plain := &http.Client{Timeout: timeout}
	endpoint, err := discover(ctx, plain, host)
	if err != nil {
		return nil, err
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	cfg := oauth2.Config{
		ClientID: ClientID, Endpoint: endpoint, RedirectURL: "http://" + l.Addr().String() + callbackPath,
		Scopes: []string{"all-apis", "offline_access"},
	}
	state, verifier := rand.Text(), oauth2.GenerateVerifier()
	back := &callback{state: state, done: make(chan answer, 1)}
	srv := &http.Server{Handler: back, ReadHeaderTimeout: timeout}
	go func() { _ = srv.Serve(l) }() // ends when it is shut down
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = srv.Shutdown(ctx)
	}()
	show(cfg.AuthCodeURL(state, oauth2.S256ChallengeOption(verifier)))
	select {
	case got := <-back.done:
		if got.err != nil {
			return nil, got.err
		}
		token, err := cfg.Exchange(context.WithValue(ctx, oauth2.HTTPClient, plain), got.code, oauth2.VerifierOption(verifier))
		if err != nil {
			return nil, refused(err)
		}
		return &Profile{Host: host, TokenURL: endpoint.TokenURL, Token: token}, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

const callbackPath = "/callback"

// callback waits for the browser that comes back.
type callback struct {
	state string
	done  chan answer
}

type answer struct {
	code string
	err  error
}

// ServeHTTP implements http.Handler.
func (c *callback) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if r.URL.Path != callbackPath || subtle.ConstantTimeCompare([]byte(q.Get("state")), []byte(c.state)) != 1 {
		http.NotFound(w, r) // somebody else
		return
	}
	got := answer{code: q.Get("code")}
	text := "You are logged in. This window can be closed."
	if got.code == "" {
		got.err = errors.New("the server refused: " + q.Get("error") + " " + q.Get("error_description"))
		text = "You are not logged in. The command says why."
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'")
	_, _ = fmt.Fprintf(w, "<!doctype html><html lang=\"en\"><title>Tarn</title><p>%s</p></html>\n", text)
	select {
	case c.done <- got:
	default: // it came back already
	}
}
