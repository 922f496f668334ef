// Package connector provides applications with the rows of a table behind a workspace, through credentials that they
// never see: it reads them from the vault, logs in with them, finds out where the table is and asks the Data API there. It
// doesn't know how secrets are kept, nor which hosts may be asked.
package connector

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/tarn-data/tarn/internal/endpoint"
	"github.com/tarn-data/tarn/internal/fault"
	"github.com/tarn-data/tarn/internal/vault"
)

// Path is where credentials are: those of one account that uses an app, or those of the app itself.
type Path struct {
	App     string
	Account string // empty for the app's own
}

// Vault reads secrets.
type Vault interface {
	// Read returns those of the named secrets of a path that are there; nil if there is no such path.
	Read(ctx context.Context, p Path, names ...string) (map[string]vault.Secret, error)
	// Epoch is the same as long as no secret has changed. What is read after it was asked may be relied on in the same
	// epoch, but not for longer than the life.
	Epoch() (epoch uint64, life time.Duration)
}

// Doer makes requests, of which it allows some.
type Doer interface {
	// Check tells whether a URL may be asked.
	Check(url string) (*url.URL, error)
	Do(req *http.Request) (*http.Response, error)
}

// Scope is what a token of an app must be for, if it isn't for all APIs.
const Scope = "table-data"

// AppClaim is the claim of a token that names the app.
const AppClaim = "irisAppId"

// Options say what a connector stands on.
type Options struct {
	Vault     Vault
	HTTP      Doer
	Direct    bool // whether credentials may be given in headers
	MaxPerApp int  // requests of one app at a time
	Now       func() time.Time
	Sleep     func(ctx context.Context, d time.Duration) error
}

// Connector serves the tables behind workspaces.
type Connector struct {
	opt    Options
	tokens *tokens
	logins *logins
	places *places
	slots  *slots
}

// New makes a connector.
func New(opt Options) *Connector {
	return &Connector{
		opt: opt, tokens: newTokens(opt), logins: newLogins(opt.Now), places: newPlaces(opt.HTTP, opt.Now),
		slots: newSlots(opt.MaxPerApp),
	}
}

const (
	basePath = "/public/api/databricks-postgrest/v1beta1/table-data/{workspaceUrl}/{catalog}/{tableName}"
	timeout  = 5 * time.Minute
)

// Routes are the operations of the API.
func (c *Connector) Routes() []endpoint.Route {
	routes := []endpoint.Route{{
		Method: http.MethodGet, Path: basePath, Service: "connector", Action: "getTableData", Scope: Scope, Timeout: timeout,
		Summary: "Read a table through stored credentials", Dialect: dialect{}, Do: endpoint.Raw(c.serve),
	}}
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		routes = append(routes, endpoint.Route{
			Method: method, Path: basePath, Service: "connector", Action: "refuse", Access: endpoint.Anyone,
			Summary: "Refused: tables are only read", Dialect: dialect{}, Do: endpoint.Raw(refuse),
		})
	}
	return routes
}

func refuse(_ http.ResponseWriter, r *http.Request, _ *endpoint.Call) error {
	return fault.New(fault.MethodNotAllowed, "", "Request method '"+r.Method+"' is not supported").WithHeader("Allow", "GET, HEAD")
}

// query is what an application asks.
type query struct {
	app         string
	workspace   string // URL
	catalog     string
	schema      string
	table       string
	credentials source
}

func (q query) name() string { return q.catalog + "." + q.schema + "." + q.table }

func (c *Connector) serve(w http.ResponseWriter, r *http.Request, call *endpoint.Call) error {
	q, err := c.parse(r, call)
	if err != nil {
		return err
	}
	call.Securable = q.name()
	call.Params = map[string]any{"workspace": q.workspace, "app": q.app, "account": q.credentials.account}
	release, err := c.slots.take(q.app)
	if err != nil {
		return err
	}
	defer release()
	return c.ask(r.Context(), w, r, q)
}

// ask asks for the rows. A token, or a table's place, that was good a moment ago may be so no more: then both are looked
// up anew, once.
func (c *Connector) ask(ctx context.Context, w http.ResponseWriter, r *http.Request, q query) error {
	for try := 0; ; try++ {
		as, token, err := c.login(ctx, q)
		if err != nil {
			return err
		}
		at, known, err := c.places.get(ctx, q, as, token)
		if err != nil && try == 0 && isStatus(err, http.StatusUnauthorized) {
			c.tokens.drop(as)
			continue
		}
		if err != nil {
			return placeFault(err)
		}
		res, err := c.rows(ctx, r, at, token)
		if err != nil {
			return rowsFault(err)
		}
		if try == 0 && (res.StatusCode == http.StatusUnauthorized || res.StatusCode == http.StatusNotFound && known) {
			_ = res.Body.Close()
			c.tokens.drop(as)
			c.places.drop(q, as)
			continue
		}
		return pass(w, r, res)
	}
}

// parse reads a request up to what needs the vault.
func (c *Connector) parse(r *http.Request, call *endpoint.Call) (query, error) {
	q := query{catalog: r.PathValue("catalog"), table: r.PathValue("tableName")}
	var err error
	if q.app, err = appOf(call); err != nil {
		return q, err
	}
	if q.schema = r.Header.Get("Accept-Profile"); q.schema == "" {
		return q, bad("Required request header 'Accept-Profile' is not present")
	}
	for _, part := range []string{q.catalog, q.schema, q.table} {
		if part == "" || len(part) > 255 || strings.ContainsAny(part, "./\\?#%\x00") {
			return q, bad("Names of catalogs, schemas and tables must not be empty, nor have dots, slashes or other characters of URLs")
		}
	}
	if q.workspace, err = c.workspace(r.PathValue("workspaceUrl")); err != nil {
		return q, err
	}
	q.credentials, err = c.source(r.Header)
	return q, err
}

// workspace returns the URL of a workspace that may be asked: with TLS, or without where only that is allowed.
func (c *Connector) workspace(host string) (string, error) {
	_, err := c.opt.HTTP.Check("https://" + host)
	if err == nil {
		return "https://" + host, nil
	}
	if _, plain := c.opt.HTTP.Check("http://" + host); plain == nil {
		return "http://" + host, nil
	}
	return "", fault.New(fault.Denied, "", "The workspace may not be asked: "+err.Error()).
		WithHint("An administrator allows it: tarn serve --outbound.").WithCause(err)
}
