// Package limits provides the API by which administrators rule how often who may call what. It doesn't know how the
// rules are enforced, nor where they are kept.
package limits

import (
	"context"
	"math"
	"net/http"
	"strings"
	"time"

	"github.com/tarn-data/tarn/internal/endpoint"
)

// Scope says whose calls a limit counts together.
type Scope string

// The scopes.
const (
	Principal Scope = "PRINCIPAL" // each principal's
	Workspace Scope = "WORKSPACE" // everybody's
)

// Limit is a rule.
type Limit struct {
	ID        string
	Endpoint  string // service.action, service.* or *
	Scope     Scope
	Principal string  // empty for each
	Rate      float64 // requests per second; 0 for no limit
	Burst     float64
	Comment   string
	Created   time.Time
	Updated   time.Time
}

// Store keeps the rules.
type Store interface {
	RateLimits(ctx context.Context) ([]Limit, error)
	// RateLimit returns nil if there is none of that id.
	RateLimit(ctx context.Context, id string) (*Limit, error)
	// CreateRateLimit returns nil if there is a rule for the same calls already.
	CreateRateLimit(ctx context.Context, l Limit) (*Limit, error)
	UpdateRateLimit(ctx context.Context, l Limit) (*Limit, error)
	DeleteRateLimit(ctx context.Context, id string) (found bool, err error)
}

// Service serves the rules.
type Service struct{ store Store }

// New makes a service.
func New(store Store) *Service { return &Service{store} }

// Routes are the service's.
func (s *Service) Routes() []endpoint.Route {
	const path = "/api/2.0/rate-limits"
	row := func(method, path, action, summary string, do endpoint.Function) endpoint.Route {
		return endpoint.Route{
			Method: method, Path: path, Service: "rateLimits", Action: action, Summary: summary, Access: endpoint.Admins,
			Securable: "limit_id", Do: do,
		}
	}
	return []endpoint.Route{
		row(http.MethodPost, path, "create", "Set how often calls may be made", endpoint.JSON(s.create)),
		row(http.MethodGet, path, "list", "List what limits were set", endpoint.JSON(s.list)),
		row(http.MethodGet, path+"/{limit_id}", "get", "Show a limit", endpoint.JSON(s.get)),
		row(http.MethodPatch, path+"/{limit_id}", "update", "Change a limit", endpoint.JSON(s.update)),
		row(http.MethodDelete, path+"/{limit_id}", "delete", "Take a limit back, so that the default holds", endpoint.JSON(s.delete)),
	}
}

// document is a rule as clients see it.
type document struct {
	ID        string  `json:"limit_id"`
	Endpoint  string  `json:"endpoint"`
	Scope     Scope   `json:"scope"`
	Principal string  `json:"principal,omitempty"`
	Rate      float64 `json:"requests_per_second"`
	Burst     float64 `json:"burst"`
	Comment   string  `json:"comment"`
	Created   int64   `json:"created_at"`
	Updated   int64   `json:"updated_at"`
}

func show(l *Limit) document {
	return document{
		ID: l.ID, Endpoint: l.Endpoint, Scope: l.Scope, Principal: l.Principal, Rate: l.Rate, Burst: l.Burst,
		Comment: l.Comment, Created: l.Created.UnixMilli(), Updated: l.Updated.UnixMilli(),
	}
}

type createInput struct {
	Endpoint  string   `json:"endpoint"`
	Scope     Scope    `json:"scope"`
	Principal string   `json:"principal"`
	Rate      *float64 `json:"requests_per_second"`
	Burst     *float64 `json:"burst"`
	Comment   string   `json:"comment"`
}

func (s *Service) create(ctx context.Context, in createInput) (document, error) {
	l := Limit{Endpoint: in.Endpoint, Scope: in.Scope, Principal: in.Principal, Comment: in.Comment}
	if l.Scope == "" {
		l.Scope = Principal
	}
	if in.Rate == nil {
		return document{}, endpoint.Invalid("'requests_per_second' is missing. 0 means that there is no limit.")
	}
	l.set(in.Rate, in.Burst)
	if err := l.validate(); err != nil {
		return document{}, err
	}
	made, err := s.store.CreateRateLimit(ctx, l)
	if err != nil {
		return document{}, err
	}
	if made == nil {
		return document{}, endpoint.Exists("There is a limit for the same endpoint, scope and principal.")
	}
	return show(made), nil
}

// set sets rate and burst. A burst that isn't said is what a second may have.
func (l *Limit) set(rate, burst *float64) {
	if rate != nil {
		l.Rate = *rate
		l.Burst = max(1, math.Ceil(l.Rate))
	}
	if burst != nil {
		l.Burst = *burst
	}
}

// Bounds of what makes sense.
const (
	slowest     = 1.0 / 3600
	fastest     = 1e6
	longestText = 1024
)

func (l *Limit) validate() error {
	service, action, two := strings.Cut(l.Endpoint, ".")
	if l.Endpoint != "*" && (!two || service == "" || action == "" || strings.Contains(service, "*") || len(l.Endpoint) > longestText) {
		return endpoint.Invalid("'endpoint' must be service.action, service.* or *, with the names of the audit log.")
	}
	if err := endpoint.Enum("scope", l.Scope, Principal, Workspace); err != nil {
		return err
	}
	if l.Scope == Workspace && l.Principal != "" {
		return endpoint.Invalid("A limit of scope WORKSPACE is for all principals together: it can't name one.")
	}
	if math.IsNaN(l.Rate) || l.Rate != 0 && (l.Rate < slowest || l.Rate > fastest) {
		return endpoint.Invalid("'requests_per_second' must be 0, for no limit, or between one an hour and a million.")
	}
	if math.IsNaN(l.Burst) || l.Burst < 1 || l.Burst > fastest {
		return endpoint.Invalid("'burst' must be between 1 and a million.")
	}
	if len(l.Comment) > longestText || len(l.Principal) > longestText {
		return endpoint.Invalid("'comment' or 'principal' is too long.")
	}
	return nil
}

type listOutput struct {
	Limits []document `json:"rate_limits"`
}

func (s *Service) list(ctx context.Context, _ endpoint.None) (listOutput, error) {
	found, err := s.store.RateLimits(ctx)
	out := listOutput{Limits: make([]document, len(found))}
	for i := range found {
		out.Limits[i] = show(&found[i])
	}
	return out, err
}

type one struct {
	ID string `path:"limit_id" json:"-"`
}

func (s *Service) find(ctx context.Context, id string) (*Limit, error) {
	l, err := s.store.RateLimit(ctx, id)
	if err == nil && l == nil {
		err = endpoint.NotFound("There is no rate limit '" + id + "'.")
	}
	return l, err
}

func (s *Service) get(ctx context.Context, in one) (document, error) {
	l, err := s.find(ctx, in.ID)
	if err != nil {
		return document{}, err
	}
	return show(l), nil
}

type updateInput struct {
	ID      string   `path:"limit_id" json:"-"`
	Rate    *float64 `json:"requests_per_second"`
	Burst   *float64 `json:"burst"`
	Comment *string  `json:"comment"`
}

func (s *Service) update(ctx context.Context, in updateInput) (document, error) {
	l, err := s.find(ctx, in.ID)
	if err != nil {
		return document{}, err
	}
	l.set(in.Rate, in.Burst)
	if in.Comment != nil {
		l.Comment = *in.Comment
	}
	if err := l.validate(); err != nil {
		return document{}, err
	}
	if l, err = s.store.UpdateRateLimit(ctx, *l); err != nil {
		return document{}, err
	}
	if l == nil {
		return document{}, endpoint.NotFound("There is no rate limit '" + in.ID + "' any more.")
	}
	return show(l), nil
}

func (s *Service) delete(ctx context.Context, in one) (endpoint.None, error) {
	found, err := s.store.DeleteRateLimit(ctx, in.ID)
	if err == nil && !found {
		err = endpoint.NotFound("There is no rate limit '" + in.ID + "'.")
	}
	return endpoint.None{}, err
}
