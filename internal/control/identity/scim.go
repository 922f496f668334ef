package identity

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"github.com/tarn-data/tarn/internal/auth"
	"github.com/tarn-data/tarn/internal/endpoint"
	"github.com/tarn-data/tarn/internal/fault"
	"github.com/tarn-data/tarn/internal/scim"
)

// Query asks for principals.
type Query struct {
	Kind    auth.Kind
	Filter  scim.Filter // nil for all
	SortBy  scim.Attr   // without a name: by id
	Desc    bool
	Offset  int64
	Limit   int64
	Groups  bool // whether to load of which groups they are
	Members bool // whether to load their members
}

// Store keeps principals.
type Store interface {
	Principals(ctx context.Context, q Query) (list []Principal, total int64, err error)
	Principal(ctx context.Context, kind auth.Kind, id int64) (*Principal, error)
	Refs(ctx context.Context, ids []int64) (map[int64]Ref, error)
	// CreatePrincipal keeps a new one. Like the others that change, it calls confirm when all else is done, and undoes
	// everything if that fails.
	CreatePrincipal(ctx context.Context, p *Principal, confirm func(*Principal) error) (*Principal, error)
	// ChangePrincipal has one changed, by a function that gets it as it is. Actor is who must stay an administrator.
	ChangePrincipal(ctx context.Context, kind auth.Kind, id, actor int64, change, confirm func(*Principal) error) (*Principal, error)
	DeletePrincipal(ctx context.Context, kind auth.Kind, id, actor int64, confirm func(*Principal) error) error
}

// Directory knows who calls, from memory where it can.
type Directory interface {
	// Self returns who an account is that a call was authenticated by.
	Self(ctx context.Context, a *auth.Account) (*Self, error)
}

// Roles makes the roles of PostgreSQL that principals act as in the Data API.
type Roles interface {
	// Make makes a principal's role, unless it is there.
	Make(ctx context.Context, name string, kind auth.Kind) error
	// Retire takes the use of a role away from a principal that is deleted. What the role owns stays.
	Retire(ctx context.Context, name string) error
}

// Service is the SCIM API. It is safe for concurrent use.
type Service struct {
	Store     Store
	Directory Directory
	Roles     Roles // nil for none
	AccountID string
	Passwords *Passwords
	Secrets   *Secrets
}

const (
	pageDefault = 10_000 // as clients assume
	pageMax     = 10_000
)

// listInput is what lists are asked for with.
type listInput struct {
	AccountID  string `path:"account_id"`
	Filter     string `query:"filter"`
	Attributes string `query:"attributes"`
	Excluded   string `query:"excludedAttributes"`
	SortBy     string `query:"sortBy"`
	SortOrder  string `query:"sortOrder"`
	StartIndex int64  `query:"startIndex"`
	Count      *int64 `query:"count"`
}

// listOutput is a page of resources.
type listOutput struct {
	Schemas      []string `json:"schemas"`
	TotalResults int64    `json:"totalResults"`
	StartIndex   int64    `json:"startIndex"`
	ItemsPerPage int64    `json:"itemsPerPage"`
	Resources    []shown  `json:"Resources"`
}

type itemInput struct {
	AccountID  string `path:"account_id"`
	ID         string `path:"id"`
	Attributes string `query:"attributes"`
	Excluded   string `query:"excludedAttributes"`
}

type writeInput struct {
	AccountID string `path:"account_id" json:"-"`
	PathID    string `path:"id" json:"-"`
	Resource
}

type patchInput struct {
	AccountID  string        `path:"account_id" json:"-"`
	ID         string        `path:"id" json:"-"`
	Operations []scim.Change `json:"Operations"`
}

func (s *Service) list(kind auth.Kind) func(context.Context, listInput) (endpoint.Response, error) {
	return func(ctx context.Context, in listInput) (endpoint.Response, error) {
		q, chosen, err := s.query(ctx, kind, in)
		if err != nil {
			return endpoint.Response{}, err
		}
		found, total, err := s.Store.Principals(ctx, q)
		if err != nil {
			return endpoint.Response{}, err
		}
		v, err := s.view(ctx, in.AccountID, found)
		if err != nil {
			return endpoint.Response{}, err
		}
		out := listOutput{Schemas: []string{schemaList}, TotalResults: total, StartIndex: q.Offset + 1, Resources: make([]shown, 0, len(found))}
		for i := range found {
			out.Resources = append(out.Resources, chosen.of(v.render(&found[i])))
		}
		out.ItemsPerPage = int64(len(out.Resources))
		return answer(http.StatusOK, out), nil
	}
}

func (s *Service) query(ctx context.Context, kind auth.Kind, in listInput) (Query, selection, error) {
	q := Query{Kind: kind, Offset: max(0, in.StartIndex-1), Limit: pageDefault, Desc: strings.EqualFold(in.SortOrder, "descending")}
	chosen := newSelection(in.Attributes, in.Excluded)
	if err := s.inAccount(in.AccountID); err != nil {
		return q, chosen, err
	}
	if in.Count != nil {
		q.Limit = min(pageMax, max(0, *in.Count))
	}
	q.Groups, q.Members = chosen.has("groups"), kind == Group && chosen.has("members")
	var asked []scim.Attr
	if strings.TrimSpace(in.Filter) != "" {
		var err error
		if q.Filter, err = scim.ParseFilter(in.Filter); err != nil {
			return q, chosen, err
		}
		scim.Attrs(q.Filter, func(a scim.Attr) { asked = append(asked, a) })
	}
	if in.SortBy != "" {
		by, err := scim.ParsePath(in.SortBy)
		if err != nil || by.Filter != nil {
			return q, chosen, fault.New(fault.Invalid, "invalidPath", "sortBy is not the name of an attribute.")
		}
		q.SortBy = by.Attr
		asked = append(asked, by.Attr)
	}
	if !endpoint.Caller(ctx).Admin {
		for _, a := range asked {
			if a.Name == "entitlements" || a.Name == "roles" || a.Name == "externalid" {
				return q, chosen, endpoint.Denied("Only administrators may ask for " + a.String() + ".")
			}
		}
	}
	return q, chosen, nil
}

func (s *Service) get(kind auth.Kind) func(context.Context, itemInput) (endpoint.Response, error) {
	return func(ctx context.Context, in itemInput) (endpoint.Response, error) {
		id, err := s.target(in.AccountID, kind, in.ID)
		if err != nil {
			return endpoint.Response{}, err
		}
		p, err := s.Store.Principal(ctx, kind, id)
		if err != nil {
			return endpoint.Response{}, scimFault(err, kind, in.ID)
		}
		return s.one(ctx, http.StatusOK, in.AccountID, p, newSelection(in.Attributes, in.Excluded))
	}
}

// me is who calls.
func (s *Service) me(ctx context.Context, in itemInput) (endpoint.Response, error) {
	caller := endpoint.Caller(ctx)
	self, err := s.Directory.Self(ctx, caller)
	if err != nil {
		return endpoint.Response{}, scimFault(err, caller.Kind, strconv.FormatInt(caller.ID, 10))
	}
	if in.Attributes == "" && in.Excluded == "" {
		return self.answer()
	}
	return answer(http.StatusOK, newSelection(in.Attributes, in.Excluded).of(self.resource)), nil
}

func (s *Service) create(kind auth.Kind) func(context.Context, writeInput) (endpoint.Response, error) {
	return func(ctx context.Context, in writeInput) (endpoint.Response, error) {
		if err := s.inAccount(in.AccountID); err != nil {
			return endpoint.Response{}, err
		}
		p, err := newPrincipal(kind, in.Resource)
		if err != nil {
			return endpoint.Response{}, err
		}
		made, err := s.Store.CreatePrincipal(ctx, p, s.makeRole(ctx))
		if err != nil {
			return endpoint.Response{}, scimFault(err, kind, p.Name)
		}
		return s.one(ctx, http.StatusCreated, in.AccountID, made, selection{})
	}
}

// newPrincipal makes a principal of a resource.
func newPrincipal(kind auth.Kind, r Resource) (*Principal, error) {
	p := &Principal{Kind: kind, Active: true}
	switch kind {
	case auth.User:
		if p.Name = r.UserName; p.Name == "" {
			return nil, invalidValue("A user needs a userName.")
		}
		if r.Emails == nil && strings.Contains(p.Name, "@") {
			r.Emails = &[]Value{{Value: p.Name, Type: "work", Primary: true}}
		}
	case auth.ServicePrincipal:
		if p.Name = strings.ToLower(r.ApplicationID); p.Name == "" {
			p.Name = newUUID()
		}
		if !uuidForm.MatchString(p.Name) {
			return nil, invalidValue("An applicationId is a UUID.")
		}
	case Group:
		if p.Name = r.DisplayName; p.Name == "" {
			return nil, invalidValue("A group needs a displayName.")
		}
	}
	if r.DisplayName == "" {
		r.DisplayName = p.Name
	}
	return p, p.change(r, true)
}

func (s *Service) replace(kind auth.Kind) func(context.Context, writeInput) (endpoint.Response, error) {
	return func(ctx context.Context, in writeInput) (endpoint.Response, error) {
		return s.change(ctx, kind, in.AccountID, in.PathID, func(p *Principal) error { return p.change(in.Resource, true) })
	}
}

func (s *Service) patch(kind auth.Kind) func(context.Context, patchInput) (endpoint.Response, error) {
	return func(ctx context.Context, in patchInput) (endpoint.Response, error) {
		return s.change(ctx, kind, in.AccountID, in.ID, func(p *Principal) error {
			object, err := view{}.render(p).object()
			if err != nil {
				return err
			}
			if err := scim.Apply(object, in.Operations, many); err != nil {
				return err
			}
			r, err := resourceOf(object)
			if err != nil {
				return err
			}
			return p.change(r, true)
		})
	}
}

func (s *Service) change(ctx context.Context, kind auth.Kind, account, id string, change func(*Principal) error) (endpoint.Response, error) {
	n, err := s.target(account, kind, id)
	if err != nil {
		return endpoint.Response{}, err
	}
	name := id
	changed, err := s.Store.ChangePrincipal(ctx, kind, n, endpoint.Caller(ctx).ID, func(p *Principal) error {
		err := change(p)
		name = p.Name
		return err
	}, nil)
	if err != nil {
		return endpoint.Response{}, scimFault(err, kind, name)
	}
	return s.one(ctx, http.StatusOK, account, changed, selection{})
}

func (s *Service) remove(kind auth.Kind) func(context.Context, itemInput) (endpoint.Response, error) {
	return func(ctx context.Context, in itemInput) (endpoint.Response, error) {
		id, err := s.target(in.AccountID, kind, in.ID)
		if err != nil {
			return endpoint.Response{}, err
		}
		if id == AdminsID || id == UsersID {
			return endpoint.Response{}, scimFault(ErrFixed, kind, in.ID)
		}
		err = s.Store.DeletePrincipal(ctx, kind, id, endpoint.Caller(ctx).ID, func(p *Principal) error {
			if s.Roles == nil || kind == Group {
				return nil
			}
			return s.Roles.Retire(ctx, p.Name)
		})
		return endpoint.Response{Status: http.StatusNoContent}, scimFault(err, kind, in.ID)
	}
}

func (s *Service) makeRole(ctx context.Context) func(*Principal) error {
	return func(p *Principal) error {
		if s.Roles == nil || p.Kind == Group {
			return nil
		}
		return s.Roles.Make(ctx, p.Name, p.Kind)
	}
}

// one answers with a principal.
func (s *Service) one(ctx context.Context, status int, account string, p *Principal, shown selection) (endpoint.Response, error) {
	v, err := s.view(ctx, account, []Principal{*p})
	if err != nil {
		return endpoint.Response{}, err
	}
	return answer(status, shown.of(v.render(p))), nil
}

func (s *Service) view(ctx context.Context, account string, list []Principal) (view, error) {
	v := view{accountID: account, limited: !endpoint.Caller(ctx).Admin}
	var members []int64
	for i := range list {
		members = append(members, list[i].Members...)
	}
	if len(members) == 0 {
		return v, nil
	}
	var err error
	v.refs, err = s.Store.Refs(ctx, members)
	return v, err
}

// target is the id of what a path names.
func (s *Service) target(account string, kind auth.Kind, id string) (int64, error) {
	if err := s.inAccount(account); err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil || n <= 0 {
		return 0, scimFault(ErrMissing, kind, id)
	}
	return n, nil
}

func (s *Service) inAccount(id string) error {
	if id != "" && id != s.AccountID {
		return fault.New(fault.NotFound, "", "Account "+id+" not found.")
	}
	return nil
}

// answer is a response of SCIM's media type.
func answer(status int, body any) endpoint.Response {
	return endpoint.Response{Status: status, Header: http.Header{"Content-Type": {"application/scim+json"}}, Body: body}
}

var uuidForm = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// newUUID makes a random UUID.
func newUUID() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// selection are the attributes that a client wants to see.
type selection struct{ only, not map[string]bool }

func newSelection(attributes, excluded string) selection {
	return selection{names(attributes), names(excluded)}
}

func names(list string) map[string]bool {
	out := map[string]bool{}
	for name := range strings.SplitSeq(list, ",") {
		if path, err := scim.ParsePath(name); err == nil {
			out[path.Attr.Name] = true
		}
	}
	return out
}

// has tells whether an attribute is shown.
func (s selection) has(name string) bool {
	switch {
	case name == "id" || name == "schemas":
		return true
	case len(s.only) > 0:
		return s.only[name]
	}
	return !s.not[name]
}

// of is what is shown of a resource.
func (s selection) of(r Resource) shown { return shown{r, s} }

// shown is a resource of which only some attributes are written.
type shown struct {
	Resource
	only selection
}

// MarshalJSON implements json.Marshaler.
func (s shown) MarshalJSON() ([]byte, error) {
	if len(s.only.only) == 0 && len(s.only.not) == 0 {
		return json.Marshal(s.Resource)
	}
	object, err := s.object()
	if err != nil {
		return nil, err
	}
	for name := range object {
		if !s.only.has(strings.ToLower(name)) {
			delete(object, name)
		}
	}
	return json.Marshal(object)
}
