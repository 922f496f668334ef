package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"syscall"
	"time"

	"github.com/tarn-data/tarn/internal/config"
)

// askReady asks the admin endpoint that the settings name, and answers as PostgREST does.
func askReady(e *env, cfg *config.DataAPI) error {
	url, err := ready(e.ctx, cfg)
	if err != nil {
		_, _ = fmt.Fprintln(e.stderr, "ERROR: "+err.Error())
		return quiet{1}
	}
	_, err = fmt.Fprintln(e.stdout, "OK: "+url)
	return err
}

func ready(ctx context.Context, cfg *config.DataAPI) (string, error) {
	client := http.Client{Timeout: 10 * time.Second}
	url := "http://" + net.JoinHostPort(cfg.AdminHost, strconv.Itoa(cfg.AdminPort)) + "/ready"
	switch {
	case cfg.AdminUnixSocket != "":
		client.Transport = &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", cfg.AdminUnixSocket)
		}}
		url = "http://unix/ready"
	case cfg.AdminPort == 0:
		return "", errors.New("Admin server is not running. Please check admin-server-port config.") //nolint:staticcheck // as PostgREST says it
	case special(cfg.AdminHost):
		return "", fmt.Errorf("The `--ready` flag cannot be used when server-host is configured as %q. "+ //nolint:staticcheck // likewise
			"Please update your server-host config to \"localhost\".", cfg.AdminHost)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", errors.New("invalid url - " + url)
	}
	res, err := client.Do(req)
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "", errors.New("connection refused to " + url)
	case err != nil:
		return "", err
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode < 200 || res.StatusCode >= 300 {
		return "", errors.New(url)
	}
	return url, nil
}

// special tells whether a host stands for all addresses of a kind.
func special(host string) bool {
	switch host {
	case "*", "*4", "!4", "*6", "!6":
		return true
	}
	return false
}
