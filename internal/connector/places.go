package connector

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/tarn-data/tarn/internal/vault"
)

// places keeps where tables are.
type places struct {
	http  Doer
	cache *cache[string]
}

const (
	placeKept = 5 * time.Minute
	maxMeta   = 1 << 20
)

func newPlaces(http Doer, now func() time.Time) *places {
	return &places{http: http, cache: newCache[string](now)}
}

// placeKey includes the login: who may not know of a table must not learn where it is.
func placeKey(q query, as key) key { return keyOf(q.name(), string(as[:])) }

// get returns the URL of a table in the Data API. Known tells that it was kept.
func (p *places) get(ctx context.Context, q query, as key, token vault.Secret) (at string, known bool, err error) {
	at, fresh, err := p.cache.get(ctx, placeKey(q, as), func(ctx context.Context) (string, time.Duration, error) {
		at, err := p.find(ctx, q, token)
		return at, placeKept, err
	})
	return at, !fresh, err
}

func (p *places) drop(q query, as key) { p.cache.drop(placeKey(q, as)) }

// find asks the workspace: the table tells its instance and database, the instance its host.
func (p *places) find(ctx context.Context, q query, token vault.Secret) (string, error) {
	var table struct {
		Instance string `json:"effective_database_instance_name"`
		Named    string `json:"database_instance_name"`
		Database string `json:"effective_logical_database_name"`
		Logical  string `json:"logical_database_name"`
	}
	org, err := p.ask(ctx, q.workspace+"/api/2.0/database/synced_tables/"+url.PathEscape(q.name()), token, &table)
	if err != nil {
		return "", err
	}
	name, database := either(table.Instance, table.Named), either(table.Database, table.Logical)
	if name == "" || database == "" {
		return "", &metadataError{message: "The synced table has no database instance, or no database"}
	}
	var instance struct {
		DNS string `json:"read_write_dns"`
	}
	if _, err := p.ask(ctx, q.workspace+"/api/2.0/database/instances/"+url.PathEscape(name), token, &instance); err != nil {
		return "", err
	}
	if instance.DNS == "" {
		return "", &metadataError{message: "The database instance " + name + " has no address"}
	}
	scheme, _, _ := strings.Cut(q.workspace, "://")
	at := &url.URL{Scheme: scheme, Host: instance.DNS}
	if _, err := p.http.Check(at.String()); err != nil {
		return "", err
	}
	return fmt.Sprintf("%s/api/2.0/workspace/%s/rest/%s/%s/%s", at, org,
		url.PathEscape(database), url.PathEscape(q.schema), url.PathEscape(q.table)), nil
}

func either(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// ask asks the workspace for something, and returns the workspace's id.
func (p *places) ask(ctx context.Context, at string, token vault.Secret, out any) (org string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return "", err
	}
	req.Header.Set("Authorization", "Bearer "+token.Reveal())
	req.Header.Set("Accept", "application/json")
	res, err := p.http.Do(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxMeta))
	if err != nil {
		return "", err
	}
	if res.StatusCode != http.StatusOK {
		return "", newMetadataError(res.StatusCode, body)
	}
	if err := json.Unmarshal(body, out); err != nil {
		return "", &metadataError{message: "The workspace's answer is not JSON of the expected form"}
	}
	if org = res.Header.Get("X-Databricks-Org-Id"); org == "" || strings.Trim(org, "0123456789") != "" {
		org = "0"
	}
	return org, nil
}

// metadataError is why the workspace doesn't tell of a table.
type metadataError struct {
	status  int
	message string
}

func (e *metadataError) Error() string { return e.message }

func newMetadataError(status int, body []byte) *metadataError {
	var said struct {
		Code    string `json:"error_code"`
		Message string `json:"message"`
	}
	e := &metadataError{status: status, message: fmt.Sprintf("The workspace answered with status %d", status)}
	if json.Unmarshal(body, &said) == nil && said.Message != "" {
		const most = 500
		e.message = said.Message
		if len(e.message) > most {
			e.message = strings.ToValidUTF8(e.message[:most], "") + "…"
		}
	}
	return e
}
