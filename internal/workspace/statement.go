package workspace

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/tarn-data/tarn/internal/vault"
)

// NoWarehousesError says that the workspace doesn't serve statements at all.
type NoWarehousesError struct{}

// Error implements error.
func (NoWarehousesError) Error() string { return "the workspace has no SQL warehouses" }

// StatementError says that a warehouse took a statement, but that it didn't succeed.
type StatementError struct{ reason string }

// Error implements error. There is nothing secret in it.
func (e *StatementError) Error() string { return e.reason }

const (
	pollEvery = time.Second
	// lastWords is how long it may take to cancel a statement that nobody waits for any more.
	lastWords = 5 * time.Second
)

// warehouse is one that runs statements, for who has the token.
type warehouse struct {
	client *Client
	api    string // address of its API
	token  vault.Secret
	id     string
}

type statement struct {
	ID     string `json:"statement_id"`
	Status struct {
		State string `json:"state"`
		Error struct {
			Code    string `json:"error_code"`
			Message string `json:"message"`
		} `json:"error"`
	} `json:"status"`
}

func (s *statement) goesOn() bool { return s.Status.State == "PENDING" || s.Status.State == "RUNNING" }

// Run has a warehouse run a statement, and waits until it has. One that stands still starts meanwhile. When the context
// ends, the statement is cancelled.
func (c *Client) Run(ctx context.Context, base string, token vault.Secret, warehouseID, text string) error {
	w := &warehouse{c, strings.TrimSuffix(base, "/") + "/api/2.0/sql", token, warehouseID}
	s, err := w.submit(ctx, text)
	if err != nil {
		return err
	}
	for s.goesOn() {
		if s.ID == "" {
			return &StatementError{"the warehouse doesn't say which statement it runs"}
		}
		next, err := w.poll(ctx, s.ID)
		if err != nil {
			return w.cancel(ctx, s, err)
		}
		s.Status = next.Status
	}
	if s.Status.State == "SUCCEEDED" || s.Status.State == "CLOSED" { // which has succeeded, but has no result any more
		return nil
	}
	return &StatementError{w.clean(s.failure())}
}

func (s *statement) failure() string {
	parts := []string{"the statement is " + s.Status.State, s.Status.Error.Code, s.Status.Error.Message}
	return strings.Join(slices.DeleteFunc(parts, func(p string) bool { return p == "" }), ": ")
}

func (w *warehouse) submit(ctx context.Context, text string) (s statement, err error) {
	err = w.ask(ctx, http.MethodPost, "/statements", map[string]string{
		"statement": text, "warehouse_id": w.id, "wait_timeout": "10s", "on_wait_timeout": "CONTINUE",
	}, &s)
	if said, ok := errors.AsType[*AnswerError](err); ok && said.Status == http.StatusNotFound && said.Code == "ENDPOINT_NOT_FOUND" {
		return s, NoWarehousesError{}
	}
	return s, err
}

// poll asks after a moment what has become of a statement.
func (w *warehouse) poll(ctx context.Context, id string) (s statement, err error) {
	if err := w.client.sleep(ctx, pollEvery); err != nil {
		return s, err
	}
	err = w.ask(ctx, http.MethodGet, "/statements/"+url.PathEscape(id), nil, &s)
	return s, err
}

// cancel ends a statement of which nothing more can be heard, and returns why, with what the warehouse is at if it was
// too slow.
func (w *warehouse) cancel(ctx context.Context, s statement, cause error) error {
	late := ctx.Err() != nil
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), lastWords)
	defer stop()
	failed := w.ask(ctx, http.MethodPost, "/statements/"+url.PathEscape(s.ID)+"/cancel", struct{}{}, nil)
	if !late {
		return cause
	}
	reason := "the statement was still " + s.Status.State + " when the time was up, and "
	if failed == nil {
		reason += "was cancelled"
	} else {
		reason += "could not be cancelled"
	}
	var at struct {
		State string `json:"state"`
	}
	if err := w.ask(ctx, http.MethodGet, "/warehouses/"+url.PathEscape(w.id), nil, &at); err == nil && at.State != "" {
		reason += "; the warehouse is " + at.State
	}
	return &StatementError{w.clean(reason)}
}

func (w *warehouse) ask(ctx context.Context, method, path string, in, out any) error {
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return err
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, w.api+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+w.token.Reveal())
	req.Header.Set("Content-Type", "application/json")
	return w.client.do(req, out, w.token)
}

func (w *warehouse) clean(text string) string { return clean(text, []vault.Secret{w.token}) }
