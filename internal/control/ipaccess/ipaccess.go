// Package ipaccess provides the IP access lists: from which addresses the workspace may be reached. It serves the API by
// which administrators rule it, and refuses calls from elsewhere. It doesn't know where the lists are kept.
package ipaccess

import (
	"context"
	"net/http"
	"net/netip"
	"slices"
	"time"

	"github.com/tarn-data/tarn/internal/endpoint"
)

// Type says what a list does.
type Type string

// The types.
const (
	Allow Type = "ALLOW" // only these addresses are let in
	Block Type = "BLOCK" // these addresses are not let in, whatever else says so
)

// List is an access list.
type List struct {
	ID        string
	Label     string
	Type      Type
	Addresses []string // single ones, or networks such as 10.0.0.0/8
	Enabled   bool
	Created   time.Time
	CreatedBy int64
	Updated   time.Time
	UpdatedBy int64
}

// Change is what to do with the lists: to keep one, new if it has no id, or to delete one; if both are empty, nothing.
type Change struct {
	Keep   *List
	Delete string
}

// Store keeps the lists.
type Store interface {
	IPAccessLists(ctx context.Context) ([]List, error)
	// ChangeIPAccessLists does what a function wants when it sees the lists, which nobody else changes meanwhile. It
	// returns the list that is kept, if any.
	ChangeIPAccessLists(ctx context.Context, decide func([]List) (Change, error)) (*List, error)
}

// maxAddresses is how many addresses and networks all lists together may have.
const maxAddresses = 1000

// Service serves the lists.
type Service struct {
	store   Store
	enabled func() bool // whether the lists are enforced
}

// New makes a service. Enabled tells whether the lists are enforced.
func New(store Store, enabled func() bool) *Service { return &Service{store, enabled} }

// Routes are the service's.
func (s *Service) Routes() []endpoint.Route {
	const path = "/api/2.0/ip-access-lists"
	row := func(method, path, also, action, summary string, do endpoint.Function) endpoint.Route {
		return endpoint.Route{
			Method: method, Path: path, Also: []string{also}, Service: "ipAccessLists", Action: action, Summary: summary,
			Access: endpoint.Admins, Securable: "ip_access_list_id", Do: do,
		}
	}
	const (
		older = "/api/2.0/preview/ip-access-lists"
		id    = "/{ip_access_list_id}"
	)
	return []endpoint.Route{
		row(http.MethodPost, path, older, "create", "Make an IP access list", endpoint.JSON(s.create)),
		row(http.MethodGet, path, older, "list", "List the IP access lists", endpoint.JSON(s.list)),
		row(http.MethodGet, path+id, older+id, "get", "Show an IP access list", endpoint.JSON(s.get)),
		row(http.MethodPut, path+id, older+id, "replace", "Replace an IP access list", endpoint.JSON(s.replace)),
		row(http.MethodPatch, path+id, older+id, "update", "Change an IP access list", endpoint.JSON(s.update)),
		row(http.MethodDelete, path+id, older+id, "delete", "Delete an IP access list", endpoint.JSON(s.delete)),
	}
}

// document is a list as clients see it.
type document struct {
	ID        string   `json:"list_id"`
	Label     string   `json:"label"`
	Type      Type     `json:"list_type"`
	Addresses []string `json:"ip_addresses"`
	Count     int      `json:"address_count"`
	Enabled   bool     `json:"enabled"`
	Created   int64    `json:"created_at"`
	CreatedBy int64    `json:"created_by"`
	Updated   int64    `json:"updated_at"`
	UpdatedBy int64    `json:"updated_by"`
}

type output struct {
	List document `json:"ip_access_list"`
}

func show(l *List) document {
	return document{
		ID: l.ID, Label: l.Label, Type: l.Type, Addresses: l.Addresses, Count: len(l.Addresses), Enabled: l.Enabled,
		Created: l.Created.UnixMilli(), CreatedBy: l.CreatedBy, Updated: l.Updated.UnixMilli(), UpdatedBy: l.UpdatedBy,
	}
}

type createInput struct {
	Label     string   `json:"label"`
	Type      Type     `json:"list_type"`
	Addresses []string `json:"ip_addresses"`
}

func (s *Service) create(ctx context.Context, in createInput) (output, error) {
	return s.keep(ctx, "", func(l *List) {
		l.Label, l.Type, l.Addresses, l.Enabled = in.Label, in.Type, in.Addresses, true
		l.CreatedBy = endpoint.Caller(ctx).ID
	})
}

type listOutput struct {
	Lists []document `json:"ip_access_lists"`
}

func (s *Service) list(ctx context.Context, _ endpoint.None) (listOutput, error) {
	found, err := s.store.IPAccessLists(ctx)
	out := listOutput{Lists: make([]document, len(found))}
	for i := range found {
		out.Lists[i] = show(&found[i])
	}
	return out, err
}

type one struct {
	ID string `path:"ip_access_list_id" json:"-"`
}

func (s *Service) get(ctx context.Context, in one) (output, error) {
	all, err := s.store.IPAccessLists(ctx)
	if err != nil {
		return output{}, err
	}
	i := find(all, in.ID)
	if i < 0 {
		return output{}, missing(in.ID)
	}
	return output{show(&all[i])}, nil
}

func find(all []List, id string) int {
	return slices.IndexFunc(all, func(l List) bool { return l.ID == id })
}

func missing(id string) error {
	return endpoint.NotFound("There is no IP access list '" + id + "'.")
}

type replaceInput struct {
	ID        string   `path:"ip_access_list_id" json:"-"`
	Label     string   `json:"label"`
	Type      Type     `json:"list_type"`
	Addresses []string `json:"ip_addresses"`
	Enabled   bool     `json:"enabled"`
}

func (s *Service) replace(ctx context.Context, in replaceInput) (output, error) {
	return s.keep(ctx, in.ID, func(l *List) {
		l.Label, l.Type, l.Addresses, l.Enabled = in.Label, in.Type, in.Addresses, in.Enabled
	})
}

type updateInput struct {
	ID        string   `path:"ip_access_list_id" json:"-"`
	Label     *string  `json:"label"`
	Type      *Type    `json:"list_type"`
	Addresses []string `json:"ip_addresses"`
	Enabled   *bool    `json:"enabled"`
}

func (s *Service) update(ctx context.Context, in updateInput) (output, error) {
	return s.keep(ctx, in.ID, func(l *List) {
		if in.Label != nil {
			l.Label = *in.Label
		}
		if in.Type != nil {
			l.Type = *in.Type
		}
		if in.Addresses != nil {
			l.Addresses = in.Addresses
		}
		if in.Enabled != nil {
			l.Enabled = *in.Enabled
		}
	})
}

// keep makes a list, or changes the one of an id.
func (s *Service) keep(ctx context.Context, id string, edit func(*List)) (output, error) {
	call := endpoint.CallFrom(ctx)
	kept, err := s.store.ChangeIPAccessLists(ctx, func(all []List) (Change, error) {
		l := List{}
		i := find(all, id)
		switch {
		case i >= 0:
			l = all[i]
		case id != "":
			return Change{}, missing(id)
		}
		edit(&l)
		l.UpdatedBy = endpoint.Caller(ctx).ID
		if err := l.validate(); err != nil {
			return Change{}, err
		}
		after := slices.Clone(all)
		if i >= 0 {
			after[i] = l
		} else {
			after = append(after, l)
		}
		return Change{Keep: &l}, check(after, call.Source)
	})
	if err != nil {
		return output{}, err
	}
	return output{show(kept)}, nil
}

func (s *Service) delete(ctx context.Context, in one) (endpoint.None, error) {
	call := endpoint.CallFrom(ctx)
	_, err := s.store.ChangeIPAccessLists(ctx, func(all []List) (Change, error) {
		i := find(all, in.ID)
		if i < 0 {
			return Change{}, missing(in.ID)
		}
		change := Change{Delete: in.ID}
		if !s.enabled() {
			return change, nil
		}
		return change, check(slices.Delete(slices.Clone(all), i, i+1), call.Source)
	})
	return endpoint.None{}, err
}

// CheckEnable refuses to enforce the lists, if that locked out who wants it.
func (s *Service) CheckEnable(ctx context.Context) error {
	all, err := s.store.IPAccessLists(ctx)
	if err != nil {
		return err
	}
	return check(all, endpoint.CallFrom(ctx).Source)
}

const longestLabel = 255

func (l *List) validate() error {
	if l.Label == "" || len(l.Label) > longestLabel {
		return endpoint.Invalid("'label' must not be empty, nor longer than 255 characters.")
	}
	if err := endpoint.Enum("list_type", l.Type, Allow, Block); err != nil {
		return err
	}
	if len(l.Addresses) == 0 {
		return endpoint.Invalid("'ip_addresses' must not be empty.")
	}
	for _, a := range l.Addresses {
		if _, err := parse(a); err != nil {
			return endpoint.Invalid("'" + a + "' is not an IP address, nor a network such as 192.0.2.0/24.").WithCause(err)
		}
	}
	return nil
}

// check refuses lists that are too large, or that would lock out who makes them.
func check(all []List, source netip.Addr) error {
	n := 0
	for _, l := range all {
		n += len(l.Addresses)
	}
	if n > maxAddresses {
		return endpoint.LimitExceeded("All IP access lists together may have 1000 addresses and networks.")
	}
	if source = source.Unmap(); !newPolicy(all).admits(source) {
		return endpoint.InvalidState("Your current IP " + source.String() + " will not be allowed to access the workspace under current configuration.")
	}
	return nil
}
