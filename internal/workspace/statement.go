package workspace

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/tarn-data/tarn/internal/vault"
)

// NoWarehousesError says that the workspace doesn't serve statements at all.
type NoWarehousesError struct{}

// Error implements error.
func (NoWarehousesError) Error() string { return "the workspace has no SQL warehouses" }

const pollEvery = time.Second

type statementAnswer struct {
	ID     string `json:"statement_id"`
	Status struct {
		State string `json:"state"`
		Error struct {
			Code    string `json:"error_code"`
			Message string `json:"message"`
		} `json:"error"`
	} `json:"status"`
}

// Run has a warehouse run a statement, and waits until it has.
func (c *Client) Run(ctx context.Context, base string, token vault.Secret, warehouse, statement string) error {
	body, err := json.Marshal(map[string]string{
		"statement": statement, "warehouse_id": warehouse, "wait_timeout": "10s", "on_wait_timeout": "CONTINUE",
	})
	if err != nil {
		return err
	}
	path := strings.TrimSuffix(base, "/") + "/api/2.0/sql/statements"
	answer, err := c.statement(ctx, http.MethodPost, path, token, body)
	for err == nil {
		switch state := answer.Status.State; state {
		case "SUCCEEDED":
			return nil
		case "PENDING", "RUNNING":
		default:
			return fmt.Errorf("the statement is %s: %s", clean(state, nil), clean(answer.Status.Error.Message, []vault.Secret{token}))
		}
		if err := sleep(ctx, pollEvery); err != nil {
			return errors.Join(errors.New("the warehouse didn't run the statement in time"), err)
		}
		answer, err = c.statement(ctx, http.MethodGet, path+"/"+url.PathEscape(answer.ID), token, nil)
	}
	if said, ok := errors.AsType[*AnswerError](err); ok && said.Status == http.StatusNotFound && said.Code == "ENDPOINT_NOT_FOUND" {
		return NoWarehousesError{}
	}
	return err
}

func (c *Client) statement(ctx context.Context, method, path string, token vault.Secret, body []byte) (statementAnswer, error) {
	var out statementAnswer
	req, err := http.NewRequestWithContext(ctx, method, path, bytes.NewReader(body))
	if err != nil {
		return out, err
	}
	req.Header.Set("Authorization", "Bearer "+token.Reveal())
	req.Header.Set("Content-Type", "application/json")
	err = c.do(req, &out, token)
	return out, err
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
